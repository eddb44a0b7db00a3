"""API tokens: made, recognised, revoked. The secret is shown once; only its SHA-256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import lru_cache

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from orchestration import access, audit
from orchestration.access import SCOPES, Actor, Right
from orchestration.models import Membership, Token, User, Workspace

# What a token gets when nobody asks for more: deciding approvals and administering must be asked for.
DEFAULT_SCOPES = ("runs:read", "runs:start", "runs:operate", "approvals:read", "workflows:read")
DEFAULT_DAYS = 30
MAX_DAYS = 366
REMEMBERED_SECONDS = 10
USED_WITHIN = timedelta(minutes=1)  # last_used_at is no finer, so that a busy token is not a busy row


class InvalidToken(ValueError):
    """The token can't be made as asked."""


def create(by: Actor | User, workspace: Workspace, name: str, scopes: Iterable[str], days: int) -> tuple[Token, str]:
    """Make a token of the person for a workspace and return it with its secret, which is not kept. Audited.

    `by` a User is the command line acting for that person. Raises InvalidToken where a scope is unknown or not the
    person's to give, `days` is out of range, or the person is no member.
    """
    actor = by if isinstance(by, Actor) else Actor(user=by, workspace=workspace)
    wanted = sorted(set(scopes))
    _check(actor, workspace, name, wanted, days)
    prefix = secrets.token_hex(4)
    secret = f"bat_{prefix}_{secrets.token_urlsafe(32)}"
    with transaction.atomic():
        token = Token.objects.create(
            workspace=workspace,
            user=actor.user,
            name=name.strip(),
            prefix=prefix,
            digest=_digest(secret),
            scopes=wanted,
            expires_at=timezone.now() + timedelta(days=days),
        )
        audit.record(actor, "token.created", token, workspace=workspace, scopes=wanted, days=days)
    return token, secret


def authenticate(secret: str) -> Actor | None:
    """Find who acts by this secret, or nobody: unknown, expired, revoked, of a disabled person or of a non-member."""
    if not isinstance(secret, str) or not secret:
        return None
    now, digest = timezone.now(), _digest(secret)
    rights = access.rights_by_token(digest, now)
    if rights is None:
        return None
    token = _remembered(digest, int(now.timestamp() // REMEMBERED_SECONDS))
    _note_use(token, now)
    return Actor(user=token.user, workspace=token.workspace, token=token, known_rights=rights)


def revoke(actor: Actor | None, token: Token) -> None:
    """Revoke a token for good: one's own, or anybody's by an administrator. Audited, once. None is the command line."""
    if actor is not None and not may_revoke(actor, token):
        access.require(actor, Right.ADMINISTER, token)
    with transaction.atomic():
        if Token.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(actor, "token.revoked", token, workspace=token.workspace)


def may_revoke(actor: Actor, token: Token) -> bool:
    """Tell whether the token is the person's own in this workspace, or the actor administers it."""
    if token.workspace_id != actor.workspace.pk:
        return False
    own = token.user_id == actor.user.pk and actor.token is None
    return own or access.may(actor, Right.ADMINISTER, token)


def visible(actor: Actor) -> QuerySet[Token]:
    """Select the tokens of this workspace the actor may see, newest first: their own, or all to an administrator."""
    tokens = Token.objects.filter(workspace=actor.workspace).select_related("user").order_by("-pk")
    return tokens if access.may(actor, Right.ADMINISTER) else tokens.filter(user=actor.user)


def grantable(actor: Actor) -> list[str]:
    """List the scopes the actor may give: rights they hold, and by a token no scope that token lacks."""
    held = [scope for scope, right in SCOPES.items() if right in actor.rights]
    return held if actor.token is None else [scope for scope in held if scope in actor.token.scopes]


@lru_cache(maxsize=1000)
def _remembered(digest: str, _span: int) -> Token:
    """Read a token with its person and workspace; their names may be some seconds old, their rights never are."""
    return Token.objects.select_related("user", "workspace").get(digest=digest)


def _check(actor: Actor, workspace: Workspace, name: str, scopes: list[str], days: int) -> None:
    if actor.workspace.pk != workspace.pk:
        raise InvalidToken("A token is made in the workspace it is for.")
    if not name.strip() or len(name) > 100:
        raise InvalidToken("Give the token a name of at most 100 characters, so that people know what uses it.")
    if not 1 <= days <= MAX_DAYS:
        raise InvalidToken(f"A token lives 1 to {MAX_DAYS} days, not {days}.")
    if not scopes:
        raise InvalidToken(f"Give the token at least one scope: {', '.join(SCOPES)}.")
    if unknown := [scope for scope in scopes if scope not in SCOPES]:
        raise InvalidToken(f"Unknown scope {', '.join(unknown)}. There are: {', '.join(SCOPES)}.")
    if not Membership.objects.filter(user=actor.user, workspace=workspace).exists() or not actor.user.is_active:
        raise InvalidToken(f"{actor.user.username} is not an active member of {workspace.name}.")
    if beyond := [scope for scope in scopes if scope not in grantable(actor)]:
        raise InvalidToken(f"{actor.user.username} can't give {', '.join(beyond)}: that needs a role with the right.")


def _note_use(token: Token, now: datetime) -> None:
    if token.last_used_at is None or now - token.last_used_at >= USED_WITHIN:
        stale = Q(last_used_at=None) | Q(last_used_at__lte=now - USED_WITHIN)
        noted = now.replace(second=0, microsecond=0)
        Token.objects.filter(stale, pk=token.pk).update(last_used_at=noted)
        token.last_used_at = noted  # the remembered token is asked again


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
