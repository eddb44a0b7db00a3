"""Errors of the API as RFC 9457 problem documents, and what each kind of problem means."""

from __future__ import annotations

from typing import Any

from django.http import HttpResponse, JsonResponse

TYPES = "/docs/problems#"
CONTENT_TYPE = "application/problem+json"

# Problems every endpoint can answer with: slug -> (status, title, what it means and what to do).
COMMON: dict[str, tuple[int, str, str]] = {
    "bad-request": (400, "The request can't be read", "Its form is wrong; the detail says where."),
    "invalid-json": (
        400,
        "The body is not strict JSON",
        "Send UTF-8 JSON with each key once, no NaN or Infinity, and at most 50 levels of nesting.",
    ),
    "not-authenticated": (
        401,
        "A valid token is needed",
        "Send `Authorization: Bearer <token>`. Unknown, expired and revoked tokens are refused alike. "
        "Make a token on the page API tokens, or with `manage.py token`.",
    ),
    "forbidden": (
        403,
        "You may not do this",
        "`right` names the right that is missing and `scopes` the scopes the token lacks. An administrator of the "
        "workspace gives rights by roles; scopes are chosen when a token is made.",
    ),
    "not-found": (
        404,
        "Nothing here by that name",
        "It does not exist in the workspace of the token. What belongs to another workspace reads the same.",
    ),
    "method-not-allowed": (405, "The method is not allowed here", "The header Allow lists the ones that are."),
    "conflict": (409, "Something changed meanwhile", "Nothing was done. Read the present state, then decide again."),
    "too-large": (413, "The request is too large", "Send at most 2 MiB. Pass larger things by reference."),
    "not-json": (415, "Send JSON", "The body must be JSON with the content type `application/json`."),
    "invalid-request": (
        422,
        "Something in the request must be changed",
        "`problems` lists every place with what is wrong there. Nothing was done.",
    ),
    "invalid-definition": (
        422,
        "The workflow has problems",
        "`problems` lists them all: step, field, message and how to fix it. Nothing was saved.",
    ),
    "too-many-requests": (429, "Too many requests", "Wait as many seconds as the header Retry-After says."),
    "internal": (
        500,
        "An error of ours",
        "It was logged under `error_id`: quote that. Whether the act was done is not known: read the present state.",
    ),
    "unavailable": (503, "The database can't be reached", "Nothing was done. Try again in some seconds."),
}
# Problems of single endpoints that no class of refusals describes.
SINGLE: dict[str, tuple[int, str, str]] = {
    "cannot-start": (409, "The workflow can't be run now", "It is disabled or has no live version; the detail says."),
    "idempotency-key-used": (
        409,
        "The Idempotency-Key is used",
        "The key belongs to a start with another body. `run` is the run it started. Use a new key for a new run.",
    ),
    "run-ended": (409, "The run has ended", "An ended run can't be cancelled. Nothing was done."),
}
# Modules whose classes are refusals with a status, slug, title and a docstring that explains them.
REFUSALS = ("designer.refusals", "approvals.refusals")


class Problem(Exception):
    """The request can't be served. `slug` names the kind of problem, `detail` says what to do about this one."""

    def __init__(self, status: int, slug: str, title: str, detail: str = "", **extra: Any) -> None:
        super().__init__(detail or title)
        self.status = status
        self.slug = slug
        self.title = title
        self.detail = detail
        self.extra = extra

    @classmethod
    def common(cls, slug: str, detail: str = "", **extra: Any) -> Problem:
        """Make one of the COMMON problems; its meaning is the detail unless one is given."""
        status, title, meaning = COMMON[slug]
        return cls(status, slug, title, detail or meaning, **extra)


def response(problem: Problem) -> HttpResponse:
    """Turn a problem into its response; `extra` members go beside the standard ones."""
    body = {"type": TYPES + problem.slug, "title": problem.title, "status": problem.status, "detail": problem.detail}
    return JsonResponse({**body, **problem.extra}, status=problem.status, content_type=CONTENT_TYPE)
