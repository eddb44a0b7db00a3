"""Pages for what went wrong, named in urls.py; under /api/ the same as problem documents."""

from __future__ import annotations

import logging
import sys
from uuid import uuid4

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from orchestration.access import Forbidden
from orchestration.api_errors import problem_response
from orchestration.problems import Problem, response

log = logging.getLogger("baton.web")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Name the missing right and who can give it."""
    if _of_api(request):
        return problem_response(exception)
    right = exception.right if isinstance(exception, Forbidden) else None
    return render(request, "errors/403.html", {"right": right, "message": str(exception)}, status=403)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer the same for what does not exist and for what belongs to others."""
    return problem_response(Http404()) if _of_api(request) else render(request, "errors/404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Refuse a request whose form is wrong."""
    return problem_response(exception) if _of_api(request) else render(request, "errors/400.html", status=400)


def server_error(request: HttpRequest) -> HttpResponse:
    """Apologise with an id that is in the log beside the traceback."""
    error_id = uuid4().hex
    log.error("error %s at %s", error_id, request.path, exc_info=sys.exc_info())
    if _of_api(request):
        return response(Problem.common("internal", error_id=error_id))
    return render(request, "errors/500.html", {"error_id": error_id}, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Refuse a form that did not come from a page of ours, or whose session has changed since."""
    message = "This form is out of date or came from another site. Open the page again, then send it."
    return forbidden(request, PermissionDenied(message))


def _of_api(request: HttpRequest) -> bool:
    # Only decides how an error is written, never who may do what.
    return request.path.startswith("/api/")
