"""The documentation of the API: the OpenAPI document, and a page drawn from it that needs no script."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render

from orchestration.api import api
from orchestration.problems import COMMON, CONTENT_TYPE, REFUSALS, SINGLE

PROBLEM = {
    "type": "object",
    "title": "Problem",
    "description": "A problem document (RFC 9457). More members may follow, such as `problems`: a list of places.",
    "required": ["type", "title", "status", "detail"],
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
}
EVERYWHERE = {"400": "bad-request", "401": "not-authenticated", "403": "forbidden", "422": "invalid-request"}
METHODS = ("get", "post", "put", "patch", "delete")


@dataclass(frozen=True)
class Endpoint:
    """An operation as the page shows it."""

    method: str
    path: str
    summary: str
    description: str
    parameters: list[dict[str, Any]]
    body: str  # JSON Schema, indented; empty: none
    answers: list[tuple[str, str, str]]  # status, description, JSON Schema
    curl: str


def document(request: HttpRequest) -> HttpResponse:
    """Serve the OpenAPI document."""
    return JsonResponse(openapi())


def page(request: HttpRequest) -> HttpResponse:
    """Show every endpoint with its parameters, body, answers and a ready curl."""
    groups: dict[str, list[Endpoint]] = {}
    for path, operations in openapi()["paths"].items():
        for method in METHODS:
            if method in operations:
                tag = operations[method].get("tags", ["other"])[0]
                groups.setdefault(tag, []).append(_endpoint(method, path, operations[method]))
    context = {"groups": groups.items(), "title": api.title, "description": api.description, "url": settings.BATON_URL}
    return render(request, "orchestration/api_docs.html", context)


def problems_page(request: HttpRequest) -> HttpResponse:
    """Explain each kind of problem that the API answers with."""
    kinds = [{"slug": slug, "status": kind[0], "title": kind[1], "text": kind[2]} for slug, kind in explained().items()]
    return render(request, "orchestration/problems.html", {"kinds": kinds})


@cache
def explained() -> dict[str, tuple[int, str, str]]:
    """Collect every kind of problem: the common ones, then those of single endpoints and of the apps' refusals."""
    found = COMMON | SINGLE
    for name in REFUSALS:
        refusals: list[Any] = [kind for kind in vars(import_module(name)).values() if hasattr(kind, "slug")]
        for refusal in refusals:
            found.setdefault(refusal.slug, (refusal.status, refusal.title, (refusal.__doc__ or "").strip()))
    return found


@cache
def openapi() -> dict[str, Any]:
    """Build the document once: the same in every process, with the answers that every operation can give."""
    built: dict[str, Any] = json.loads(json.dumps(api.get_openapi_schema()))
    built["components"].setdefault("schemas", {})["Problem"] = PROBLEM
    for operations in built["paths"].values():
        for operation in operations.values():
            _declare_problems(operation)
    return built


def _declare_problems(operation: dict[str, Any]) -> None:
    content = {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    for status, slug in EVERYWHERE.items():
        operation["responses"].setdefault(status, {"description": COMMON[slug][1], "content": content})
    operation["responses"].setdefault("default", {"description": "Any other problem", "content": content})
    for status, answer in operation["responses"].items():
        if status >= "400" and status != "default":
            answer["content"] = content


def _endpoint(method: str, path: str, operation: dict[str, Any]) -> Endpoint:
    body = _schema(operation.get("requestBody", {}))
    answers = [
        (status, answer["description"], _schema(answer))
        for status, answer in operation["responses"].items()
        if status < "400"
    ]
    return Endpoint(
        method.upper(), path, operation["summary"], operation.get("description", ""),
        operation.get("parameters", []), body, answers, _curl(method, path, bool(body)),
    )  # fmt: skip


def _schema(carrier: dict[str, Any]) -> str:
    content = carrier.get("content", {})
    found = next((media["schema"] for media in content.values() if "schema" in media), None)
    return json.dumps(_resolved(found, depth=0), indent=2, ensure_ascii=False) if found else ""


def _resolved(schema: Any, depth: int) -> Any:
    """Put referenced schemas in place, so that each endpoint reads whole; deeper than 6 levels the name remains."""
    if isinstance(schema, list):
        return [_resolved(item, depth) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema and depth < 6:
        name = schema["$ref"].rsplit("/", 1)[-1]
        return _resolved(openapi()["components"]["schemas"][name], depth + 1)
    return {key: _resolved(value, depth) for key, value in schema.items()}


def _curl(method: str, path: str, has_body: bool) -> str:
    parts = ["curl", f"-X {method.upper()}" if method != "get" else "", '-H "Authorization: Bearer $BATON_TOKEN"']
    if has_body:
        parts.append("-H 'Content-Type: application/json' -d @body.json")
    return " ".join(filter(None, [*parts, f"'{settings.BATON_URL}{path}'"]))
