"""Every address of Baton with what it expects of who asks. An address that is not declared here fails.

Pages declare their right by @allowed, public views stand in web.PUBLIC_VIEWS; operations of the API are declared
in OPERATIONS below: the scope that lets a token through, and a body that is valid where one is needed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import pytest
from django.test import Client
from django.urls import URLPattern, get_resolver

from orchestration import web
from orchestration.access import SCOPES, Right
from orchestration.api import BearerToken, api
from orchestration.api_docs import openapi
from orchestration.models import AuditEvent, Role, User
from tests.support.cast import a_browser, a_person, a_token, a_workspace, an_api_client

YAML = "format: baton/1\nname: x\nsteps: []\nedges: []\n"
NOBODY = UUID(int=0)

# (method, path) -> (scope it needs; None: any valid token, body)
OPERATIONS: dict[tuple[str, str], tuple[str | None, Any]] = {
    ("GET", "/me"): (None, None),
    ("GET", "/tokens"): ("admin", None),
    ("POST", "/tokens"): ("admin", {"name": "x", "scopes": ["runs:read"]}),
    ("DELETE", "/tokens/{token_id}"): ("admin", None),
    ("GET", "/audit"): ("audit:read", None),
    ("GET", "/workflows"): ("workflows:read", None),
    ("POST", "/workflows/validate"): ("workflows:read", YAML),
    ("GET", "/workflows/{slug}"): ("workflows:read", None),
    ("PUT", "/workflows/{slug}"): ("workflows:write", YAML),
    ("PATCH", "/workflows/{slug}"): ("workflows:write", {"enabled": False}),
    ("GET", "/workflows/{slug}/versions"): ("workflows:read", None),
    ("GET", "/workflows/{slug}/versions/{number}"): ("workflows:read", None),
    ("PUT", "/workflows/{slug}/live"): ("workflows:write", {"version": 1}),
    ("GET", "/tools"): ("workflows:read", None),
    ("GET", "/tools/{name}"): ("workflows:read", None),
    ("PATCH", "/tools/{name}"): ("admin", {"enabled": False}),
    ("GET", "/models"): ("workflows:read", None),
    ("GET", "/kinds"): ("workflows:read", None),
    ("GET", "/schema"): ("workflows:read", None),
    ("POST", "/workflows/{workflow}/runs"): ("runs:start", {"input": {}}),
    ("GET", "/runs"): ("runs:read", None),
    ("GET", "/runs/{run_id}"): ("runs:read", None),
    ("GET", "/runs/{run_id}/steps"): ("runs:read", None),
    ("GET", "/runs/{run_id}/spans"): ("runs:read", None),
    ("GET", "/runs/{run_id}/events"): ("runs:read", None),
    ("POST", "/runs/{run_id}/cancellation"): ("runs:operate", {}),
    ("GET", "/approvals"): ("approvals:read", None),
    ("GET", "/approvals/{approval_id}"): ("approvals:read", None),
    ("POST", "/approvals/{approval_id}/decision"): ("approvals:decide", {"verdict": "approve", "digest": "0" * 64}),
}
SIGNED_IN_VIEWS = {"root"}  # every signed-in person; shows nothing of a workspace
SAMPLES = {"int": "1", "slug": "x", "uuid": str(NOBODY), "str": "x", "path": "x"}
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")


@dataclass(frozen=True)
class Route:
    """A resolved address: its pattern, name and view."""

    pattern: str
    name: str
    view: Callable[..., Any]

    @property
    def url(self) -> str:
        """Fill the pattern in, with the workspace main."""
        filled = self.pattern.replace("<slug:workspace>", "main")
        return "/" + re.sub(r"<(?:(\w+):)?\w+>", lambda found: SAMPLES[found[1] or "str"], filled)


def routes() -> list[Route]:
    return list(_walk(get_resolver("orchestration.urls").url_patterns, ""))


def _walk(patterns: list[Any], prefix: str) -> Iterator[Route]:
    for pattern in patterns:
        if isinstance(pattern, URLPattern):
            yield Route(prefix + str(pattern.pattern), pattern.name or "", pattern.callback)
        elif pattern.namespace != web.API_NAMESPACE:
            yield from _walk(pattern.url_patterns, prefix + str(pattern.pattern))


def pages() -> list[Route]:
    return [route for route in routes() if hasattr(route.view, "right")]


def operations() -> set[tuple[str, str]]:
    paths = openapi()["paths"]
    return {(method.upper(), path.removeprefix("/api/v1")) for path, methods in paths.items() for method in methods}


def call(secret: str | None, operation: tuple[str, str]) -> int:
    """Call an operation with ids that exist nowhere and return the status."""
    method, path = operation
    body = OPERATIONS[operation][1]
    text = body if isinstance(body, str) else "" if body is None else json.dumps(body)
    content_type = "application/yaml" if isinstance(body, str) else "application/json"
    filled = re.sub(r"\{(\w+)\}", lambda found: str(NOBODY) if found[1].endswith("_id") else "1", path)
    filled = filled.replace(f"/tokens/{NOBODY}", "/tokens/1000000")
    return an_api_client(secret).generic(method, f"/api/v1{filled}", text, content_type=content_type).status_code


def a_member_without(right: Right) -> User:
    """Make a member whose role gives every right but this one."""
    from django.contrib.auth.models import Group
    from guardian.shortcuts import assign_perm

    from orchestration import members

    group = Group.objects.create(name=f"all but {right}")
    for other in set(Right) - {right}:
        assign_perm(f"orchestration.{other}", group, a_workspace())
    role = Role.objects.create(workspace=a_workspace(), slug="lacking", name="Lacking", group=group)
    person = a_person("")
    members.add(None, person, role)
    return person


class TestEveryAddressIsDeclared:
    def test_pages_declare_a_right_or_stand_in_a_list(self) -> None:
        listed = web.views_named(web.PUBLIC_VIEWS) | web.views_named(web.TOKEN_VIEWS)
        undeclared = [
            route.pattern
            for route in routes()
            if not hasattr(route.view, "right") and route.view not in listed and route.name not in SIGNED_IN_VIEWS
        ]

        assert undeclared == []
        assert len(routes()) > 10

    def test_everything_under_a_workspace_declares_a_right(self) -> None:
        assert [r.pattern for r in routes() if "workspace" in r.pattern and not hasattr(r.view, "right")] == []

    def test_operations_are_declared_and_nothing_else_is(self) -> None:
        assert operations() == set(OPERATIONS)

    def test_operations_are_all_in_the_document_and_ask_for_a_token(self) -> None:
        bound = [
            o
            for router in api._get_bound_routers()
            for view in router.path_operations.values()
            for o in view.operations
        ]

        assert sum(len(operation.methods) for operation in bound) == len(OPERATIONS)
        for operation in bound:
            assert [type(callback) for callback in operation.auth_callbacks] == [BearerToken]

    def test_every_scope_lets_something_through(self) -> None:
        assert {scope for scope, _ in OPERATIONS.values() if scope} == set(SCOPES)


@pytest.mark.django_db
class TestPages:
    @pytest.mark.parametrize("route", pages(), ids=lambda route: route.pattern)
    def test_nobody_comes_in_without_signing_in(self, route: Route) -> None:
        a_workspace()

        for method in METHODS:
            response = Client().generic(method, route.url)
            assert (response.status_code, response["Location"].split("?")[0]) == (302, "/sign-in/")

    @pytest.mark.parametrize("route", pages(), ids=lambda route: route.pattern)
    def test_a_member_without_the_right_is_refused_and_nothing_is_done(self, route: Route) -> None:
        browser = a_browser(a_member_without(route.view.right))
        before = AuditEvent.objects.count()

        statuses = {browser.generic(method, route.url).status_code for method in METHODS}

        assert 403 in statuses
        assert statuses <= {403, 405}
        assert AuditEvent.objects.count() == before

    @pytest.mark.parametrize("route", pages(), ids=lambda route: route.pattern)
    def test_an_administrator_of_another_workspace_finds_nothing(self, route: Route) -> None:
        a_workspace()
        browser = a_browser(a_person("administrator", a_workspace("other")))

        assert {browser.generic(method, route.url).status_code for method in METHODS} == {404}

    @pytest.mark.parametrize("route", pages(), ids=lambda route: route.pattern)
    def test_no_form_is_taken_without_its_csrf_token(self, route: Route) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(a_person("administrator"))

        for method in set(METHODS) - {"GET"}:
            response = browser.generic(method, route.url, headers={"Origin": "https://evil.example"})
            assert response.status_code in (403, 405)

    @pytest.mark.parametrize("route", pages(), ids=lambda route: route.pattern)
    def test_an_api_token_opens_no_page(self, route: Route) -> None:
        assert an_api_client(a_token()).get(route.url).status_code == 302


@pytest.mark.django_db
@pytest.mark.parametrize("operation", sorted(OPERATIONS), ids=lambda operation: " ".join(operation))
class TestOperations:
    def test_nobody_comes_in_without_a_valid_token(self, operation: tuple[str, str]) -> None:
        for secret in (None, "", "bat_00000000_x", a_token(expired=True), a_token(revoked=True)):
            assert call(secret, operation) == 401

    def test_a_token_with_every_scope_but_the_one_is_refused(self, operation: tuple[str, str]) -> None:
        scope, _ = OPERATIONS[operation]
        others = tuple(set(SCOPES) - {scope})
        secret = a_token(scopes=others)
        before = AuditEvent.objects.count()

        assert call(secret, operation) == (200 if scope is None else 403)
        assert AuditEvent.objects.count() == before

    def test_a_person_without_the_right_is_refused_whatever_the_scopes(self, operation: tuple[str, str]) -> None:
        scope, _ = OPERATIONS[operation]
        if scope is None:
            return
        person = a_member_without(SCOPES[scope])
        secret = a_token(person)
        before = AuditEvent.objects.count()

        assert call(secret, operation) == 403
        assert AuditEvent.objects.count() == before

    def test_the_scope_alone_lets_through(self, operation: tuple[str, str]) -> None:
        scope, _ = OPERATIONS[operation]

        status = call(a_token(scopes=(scope or "runs:read",)), operation)

        assert status not in (401, 403, 405, 500)
