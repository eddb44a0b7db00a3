"""The platform's endpoints: who am I, my tokens, the audit log."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.http import HttpRequest
from ninja import Field, Query, Router, Schema, Status
from pydantic import ConfigDict

from orchestration import access, audit, audit_queries, tokens
from orchestration.access import Actor, Right
from orchestration.models import AuditEvent, Token
from orchestration.parameters import Parameters
from orchestration.problems import Problem

router = Router(tags=["platform"])


class ApiRequest(HttpRequest):
    """A request of the API after its token was checked: for type annotations of endpoints."""

    actor: Actor


class Me(Schema):
    """Who acts by this token."""

    username: str
    name: str
    is_service: bool
    workspace: str
    workspace_name: str
    rights: list[str]  # of the person's roles; the token lets through those its scopes name
    scopes: list[str]
    expires_at: datetime


class TokenOut(Schema):
    """A token, without its secret."""

    id: int
    name: str
    prefix: str
    username: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class TokenIn(Schema):
    """A token to make. It can't be given more than the token that makes it has."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(min_length=1, max_length=100)
    scopes: list[str] = Field(min_length=1, max_length=len(access.SCOPES))
    days: int = Field(tokens.DEFAULT_DAYS, ge=1, le=tokens.MAX_DAYS)


class NewToken(TokenOut):
    """A token that was just made; `secret` is shown only this once."""

    secret: str


class TokenList(Schema):
    """A page of tokens, newest first; `next` is the cursor of the one after it."""

    items: list[TokenOut]
    next: str | None


class AuditLine(Schema):
    """One act: `sentence` says it in words."""

    id: int
    at: datetime
    actor: str | None  # user name; null is the system
    actor_name: str
    token_prefix: str
    verb: str
    sentence: str
    subject_type: str
    subject_id: str
    subject_name: str
    details: dict[str, Any]
    seal: str | None  # the hash of its seal; null: within a second of the act


class AuditPage(Schema):
    """A page of acts, newest first; `next` is the cursor of the one after it."""

    items: list[AuditLine]
    next: str | None


class Page(Parameters):
    """Where to read on: `cursor` is the `next` of the page before."""

    limit: int = Field(50, ge=1, le=200)
    cursor: int | None = Field(None, ge=1, le=2**63 - 1)


class AuditFilter(Page):
    """Which acts to list."""

    verb: str = Field("", max_length=64)
    actor: str = Field("", max_length=150)


@router.get("/me", response=Me, summary="Who am I")
def me(request: ApiRequest) -> dict[str, Any]:
    """Tell who acts by this token, where, and what it lets through."""
    actor = request.actor
    assert actor.token is not None
    return {
        "username": actor.user.username, "name": actor.name, "is_service": actor.user.is_service,
        "workspace": actor.workspace.slug, "workspace_name": actor.workspace.name,
        "rights": sorted(actor.rights), "scopes": actor.token.scopes, "expires_at": actor.token.expires_at,
    }  # fmt: skip


@router.get("/tokens", response=TokenList, summary="List tokens")
def list_tokens(request: ApiRequest, page: Query[Page]) -> dict[str, Any]:
    """List the tokens of the workspace. Needs the right to administer and the scope `admin`."""
    access.require(request.actor, Right.ADMINISTER)
    found = tokens.visible(request.actor)
    rows = list((found.filter(pk__lt=page.cursor) if page.cursor else found)[: page.limit + 1])
    return _page(rows, page.limit, token_out)


@router.post("/tokens", response={201: NewToken}, summary="Make a token")
def create_token(request: ApiRequest, body: TokenIn) -> Status[dict[str, Any]]:
    """Make a token for the person behind this one. Needs the right to administer and the scope `admin`."""
    access.require(request.actor, Right.ADMINISTER)
    try:
        token, secret = tokens.create(request.actor, request.actor.workspace, body.name, body.scopes, body.days)
    except tokens.InvalidToken as error:
        raise Problem.common("invalid-request", str(error), problems=[]) from error
    return Status(201, {**token_out(token), "secret": secret})


@router.delete("/tokens/{int:token_id}", response={204: None}, summary="Revoke a token")
def revoke_token(request: ApiRequest, token_id: int) -> Status[None]:
    """Revoke a token for good. Revoking it again changes nothing. Needs the scope `admin`."""
    access.require(request.actor, Right.ADMINISTER)
    tokens.revoke(request.actor, access.find(request.actor, Token, pk=token_id))
    return Status(204, None)


@router.get("/audit", response=AuditPage, summary="Read the audit log")
def read_audit(request: ApiRequest, page: Query[AuditFilter]) -> dict[str, Any]:
    """List what was done in the workspace, newest first. Needs the right to read the audit log."""
    access.require(request.actor, Right.VIEW_AUDIT)
    rows = audit_queries.events(request.actor, page.verb, page.actor, page.cursor, page.limit + 1)
    return _page(rows, page.limit, audit_line)


def token_out(token: Token) -> dict[str, Any]:
    """Show a token without its digest."""
    names = ("id", "name", "prefix", "scopes", "created_at", "expires_at", "last_used_at", "revoked_at")
    return {name: getattr(token, name) for name in names} | {"username": token.user.username}


def audit_line(event: AuditEvent) -> dict[str, Any]:
    """Show an audit event with its sentence and its seal."""
    names = ("id", "at", "actor_name", "token_prefix", "verb", "subject_type", "subject_id", "subject_name", "details")
    seal = getattr(event, "seal", None)
    return {name: getattr(event, name) for name in names} | {
        "actor": event.actor.username if event.actor else None,
        "sentence": audit.sentence(event),
        "seal": seal.hash if seal else None,
    }


def _page(rows: list[Any], limit: int, shown: Any) -> dict[str, Any]:
    """Cut the row that was read beyond the page; the last one shown is the cursor if there was one."""
    more = len(rows) > limit
    return {"items": [shown(row) for row in rows[:limit]], "next": str(rows[limit - 1].pk) if more else None}
