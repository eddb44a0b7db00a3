"""How a request meets its view: whole, on one thread of a pool that keeps its database connection.

Django's own ASGI handler hops between the event loop and a thread made for the request, at each signal, middleware
and view. Everything here is synchronous, so one hop there and one back do: an empty request takes half the time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

from django.core import signals
from django.core.exceptions import RequestAborted
from django.core.handlers.asgi import ASGIHandler, get_script_prefix
from django.http import HttpResponseBase
from django.urls import set_script_prefix

THREADS = 128  # requests answered at once; most of them wait for a run, which costs a thread and nothing else

Message = dict[str, Any]
Send = Callable[[Message], Awaitable[None]]


class ThreadedHandler(ASGIHandler):
    def __init__(self) -> None:
        super().__init__()
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="request")

    def load_middleware(self, is_async: bool = False) -> None:
        """Load the chain for threads, whatever server is in front of it."""
        super().load_middleware(is_async=False)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            raise ValueError(f"Baton serves HTTP, not {scope['type']}.")
        try:
            body = await self.read_body(receive)
        except RequestAborted:
            return
        try:
            response = await self._on_thread(self._respond, scope, body)
            if response.streaming and not response.is_async:
                await self._stream(response, send)
            else:
                await self.send_response(response, send)
        finally:
            body.close()

    def _respond(self, scope: Any, body: Any) -> HttpResponseBase:
        """Answer a request; the signal at its start drops a connection that has died or is too old."""
        set_script_prefix(get_script_prefix(scope))
        signals.request_started.send(sender=self.__class__, scope=scope)
        request, refused = self.create_request(scope, body)
        response = self.get_response(request) if request is not None else refused
        assert response is not None
        if not response.streaming:
            response.close()  # also gives the connection back to its pool
        return response

    async def _stream(self, response: Any, send: Send) -> None:
        """Send what a synchronous iterator gives, part by part: files, exports."""
        parts: Iterator[bytes] = iter(response)
        await send({"type": "http.response.start", "status": response.status_code, "headers": _headers(response)})
        try:
            while (part := await self._on_thread(next, parts, None)) is not None:
                await send({"type": "http.response.body", "body": part, "more_body": True})
            await send({"type": "http.response.body"})
        finally:
            await self._on_thread(response.close)

    async def _on_thread(self, function: Callable[..., Any], *arguments: Any) -> Any:
        context = copy_context()
        return await asyncio.get_running_loop().run_in_executor(
            self._threads, partial(context.run, function, *arguments)
        )  # fmt: skip


def _headers(response: HttpResponseBase) -> list[tuple[bytes, bytes]]:
    plain = [(name.encode("ascii"), value.encode("latin1")) for name, value in response.items()]
    return plain + [(b"Set-Cookie", cookie.OutputString().encode("ascii")) for cookie in response.cookies.values()]
