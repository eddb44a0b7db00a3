"""Refuse oversized request bodies at the door: Django would read them whole before it asks who sent them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.conf import settings
from django.http import HttpResponse
from django.template.loader import render_to_string

from orchestration.problems import Problem, response

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]


class TooLarge(Exception):
    """The body is longer than DATA_UPLOAD_MAX_MEMORY_SIZE."""


class BodyLimit:
    """An ASGI application around another one that counts the bytes of each body."""

    def __init__(self, application: Application) -> None:
        self.application = application
        self.limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE  # bytes

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Serve the request, or answer 413 as soon as its body is known to be too large."""
        if scope["type"] != "http":
            await self.application(scope, receive, send)
            return
        try:
            self._check(_declared_length(scope))
            await self.application(scope, self._counting(receive), send)
        except TooLarge:
            await _refuse(scope, send)

    def _counting(self, receive: Receive) -> Receive:
        received = 0

        async def counted() -> Mapping[str, Any]:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            self._check(received)
            return message

        return counted

    def _check(self, length: int) -> None:
        if length > self.limit:
            raise TooLarge


def _declared_length(scope: Message) -> int:
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    return int(declared) if declared.isdigit() else 0


async def _refuse(scope: Message, send: Send) -> None:
    answer = _refusal(str(scope.get("path", "")))
    headers = [(name.encode().lower(), value.encode()) for name, value in answer.items()]
    await send({"type": "http.response.start", "status": answer.status_code, "headers": headers})
    await send({"type": "http.response.body", "body": answer.content})


def _refusal(path: str) -> HttpResponse:
    """Answer people on a page, programs with a problem document."""
    if path.startswith("/api/"):
        return response(Problem.common("too-large"))
    return HttpResponse(render_to_string("errors/413.html"), status=HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
