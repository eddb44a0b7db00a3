"""Whatever goes wrong in the API becomes a problem document."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Any
from uuid import uuid4

from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, Throttled, ValidationError

from orchestration.access import Forbidden
from orchestration.core.errors import InvalidDefinition, InvalidDocument, InvalidValue
from orchestration.plain_errors import place_of
from orchestration.problems import CONTENT_TYPE, Problem, response

log = logging.getLogger("baton.api")

SLUG_OF_STATUS = {
    400: "bad-request", 401: "not-authenticated", 403: "forbidden", 404: "not-found", 405: "method-not-allowed",
    409: "conflict", 413: "too-large", 415: "not-json", 422: "invalid-request", 429: "too-many-requests",
    503: "unavailable",
}  # fmt: skip


def answer_with_problems(api: NinjaAPI) -> None:
    """Make every exception of the API's operations a problem document."""

    def handle(request: HttpRequest, error: Any) -> HttpResponse:
        return problem_response(error)

    for kind in (Exception, Http404, HttpError, ValidationError):  # the ones that ninja handles in its own way
        api.add_exception_handler(kind, handle)


def problem_response(error: Exception) -> HttpResponse:
    """Answer with the problem that the error is, and the headers that belong to it."""
    found = problem_of(error)
    answer = response(found)
    if found.status == HTTPStatus.UNAUTHORIZED:
        answer["WWW-Authenticate"] = "Bearer"
    if found.status in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        answer["Retry-After"] = str(getattr(error, "wait", None) or 5)  # seconds
    return answer


def problem_of(error: Exception) -> Problem:
    """Find the problem that an exception is."""
    match error:
        case Problem():
            return error
        case HttpError() if isinstance(error.__cause__, Problem):  # ninja wraps what the body's parser raises
            return error.__cause__
        case ValidationError():
            return Problem.common("invalid-request", problems=[place_of(item) for item in error.errors])
        case Forbidden():
            return Problem.common("forbidden", str(error), right=error.right.value, scopes=sorted(error.scopes))
        case PermissionDenied():
            return Problem.common("forbidden", str(error))
        case Http404():
            return Problem.common("not-found")  # never the message: foreign and absent must read the same
        case RequestDataTooBig():
            return Problem.common("too-large")
        case SuspiciousOperation():
            return Problem.common("bad-request", str(error))
        case _:
            return _of_core(error) or _of_server(error)


def for_status(answer: HttpResponse) -> HttpResponse:
    """Replace an error that did not come from an operation (405, 404, 400) by its problem document."""
    if answer.status_code < 400 or answer.headers.get("Content-Type", "").startswith(CONTENT_TYPE):
        return answer
    slug = SLUG_OF_STATUS.get(answer.status_code)
    if slug is None:
        return answer
    replaced = response(Problem.common(slug))
    if "Allow" in answer.headers:
        allowed = sorted(answer["Allow"].split(", "))
        replaced["Allow"] = ", ".join([*allowed, "HEAD"] if "GET" in allowed else allowed)
    return replaced


def _of_core(error: Exception) -> Problem | None:
    match error:
        case InvalidDocument():
            return Problem.common("bad-request", str(error), line=error.line, column=error.column)
        case InvalidDefinition():
            return Problem.common("invalid-definition", problems=[problem.to_dict() for problem in error.problems])
        case InvalidValue():
            places = [
                {"step": "", "field": problem.place, "message": problem.reason, "fix": ""} for problem in error.problems
            ]
            return Problem.common("invalid-request", problems=places)
        case _:
            return None


def _of_server(error: Exception) -> Problem:
    match error:
        case Throttled():
            return Problem.common("too-many-requests")
        case HttpError() if error.status_code in SLUG_OF_STATUS:
            return Problem.common(SLUG_OF_STATUS[error.status_code], "" if error.status_code == 401 else str(error))
        case OperationalError() | InterfaceError():
            log.error("the API can't use its database: %s", error)
            return Problem.common("unavailable")
        case _:
            error_id = uuid4().hex
            log.error("error %s in the API", error_id, exc_info=error)
            return Problem.common("internal", error_id=error_id)
