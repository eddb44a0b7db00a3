"""The cast of every test: a workspace, people with roles, service accounts, and their tokens."""

from __future__ import annotations

from datetime import timedelta
from itertools import count

from django.test import Client
from django.utils import timezone

from orchestration import members, tokens
from orchestration.access import SCOPES, Actor
from orchestration.models import Role, Token, User, Workspace

PASSWORD = "a long enough password"
numbers = count(1)


def a_workspace(slug: str = "main", name: str = "") -> Workspace:
    """Get the workspace of this slug, made with its standard roles when it is first asked for."""
    found = Workspace.objects.filter(slug=slug).first()
    return found or members.create_workspace(slug, name or slug.title())


def a_person(
    role: str | tuple[str, ...] = "viewer",
    workspace: Workspace | None = None,
    username: str = "",
    *,
    is_service: bool = False,
    is_active: bool = True,
) -> User:
    """Make a person who holds the role (or roles; "" is none) in the workspace, `main` unless given."""
    workspace = workspace or a_workspace()
    user = User.objects.create_user(
        username or f"person{next(numbers)}", password=PASSWORD, is_service=is_service, is_active=is_active
    )
    for slug in (role,) if isinstance(role, str) else role:
        if slug:
            members.add(None, user, Role.objects.get(workspace=workspace, slug=slug))
    return user


def an_actor(role: str | tuple[str, ...] = "administrator", workspace: Workspace | None = None, **person) -> Actor:
    """Make a person and return them acting in the workspace, as the pages do."""
    workspace = workspace or a_workspace()
    return Actor(user=a_person(role, workspace, **person), workspace=workspace)


def a_token(
    user: User | None = None,
    workspace: Workspace | None = None,
    scopes: tuple[str, ...] | None = None,
    *,
    expired: bool = False,
    revoked: bool = False,
) -> str:
    """Make a token and return its secret. Every scope the person may give unless `scopes` says which."""
    workspace = workspace or a_workspace()
    user = user or a_person("administrator", workspace)
    allowed = tokens.grantable(Actor(user=user, workspace=workspace))
    token, secret = tokens.create(user, workspace, "a token", scopes or [s for s in SCOPES if s in allowed], days=30)
    now = timezone.now()
    if expired:
        Token.objects.filter(pk=token.pk).update(expires_at=now - timedelta(seconds=1))
    if revoked:
        Token.objects.filter(pk=token.pk).update(revoked_at=now)
    return secret


def a_browser(user: User) -> Client:
    """Sign the person in."""
    client = Client()
    client.force_login(user)
    return client


def an_api_client(secret: str | None) -> Client:
    """Make a client that sends the token with each request; None sends none."""
    return Client(headers={"Authorization": f"Bearer {secret}"}) if secret is not None else Client()
