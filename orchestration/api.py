"""The REST API under /api/v1/: composed of each app's router, by dotted string."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from django.http import HttpRequest
from ninja import NinjaAPI
from ninja.parser import Parser
from ninja.security import HttpBearer

from orchestration import json_bodies, tokens
from orchestration.access import Actor
from orchestration.api_errors import answer_with_problems
from orchestration.problems import Problem

# Each router with the area that its reading needs: a token with `runs:read` reads no approvals.
ROUTERS = (
    ("orchestration.endpoints.router", None),
    ("designer.api.router", "workflows"),
    ("runs.api.router", "runs"),
    ("approvals.api.router", "approvals"),
)


class StrictJson(Parser):
    """Read bodies of the content type JSON, strictly."""

    def parse_body(self, request: HttpRequest) -> Any:
        if request.content_type != "application/json":
            raise Problem.common("not-json")
        try:
            return json_bodies.parse(request.body)
        except json_bodies.InvalidJson as error:
            raise Problem.common("invalid-json", str(error)) from error


class BearerToken(HttpBearer):
    """An API token of Baton. Cookies are never looked at here, so there is nothing to forge across sites."""

    def __init__(self, area: str | None) -> None:
        super().__init__()
        self.area = area

    def authenticate(self, request: HttpRequest, token: str) -> Actor | None:
        actor = tokens.authenticate(token)
        if actor is None:
            return None
        request.actor = replace(actor, area=self.area)  # type: ignore[attr-defined]
        return actor


api = NinjaAPI(
    title="Baton API",
    version="1",
    description="Start runs, follow them, decide approvals. Errors are problem documents (RFC 9457).",
    urls_namespace="api",
    docs_url=None,  # ninja's pages load scripts from elsewhere; orchestration.api_docs draws ours
    openapi_url=None,
    parser=StrictJson(),
    auth=BearerToken(None),
)
answer_with_problems(api)
for router, area in ROUTERS:
    api.add_router("", router, auth=BearerToken(area))
