"""The web server of one process: uvicorn on a socket that is already ours, stopped by our own signal handling."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn
from django.urls import get_resolver

OPEN_STREAM_SECONDS = 3  # what an open event stream gets when the server stops; without it, it would never stop


class Server(uvicorn.Server):
    """Serve until SIGINT or SIGTERM, then return, so that the caller can stop what stands beside it.

    uvicorn's own handler raises the signal again once it has shut down, and nothing after it would run.
    """

    def __init__(self, config: uvicorn.Config, on_serving: Callable[[], None]) -> None:
        super().__init__(config)
        self._on_serving = on_serving

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets=sockets)
        self._on_serving()

    def stop(self, number: int, frame: FrameType | None) -> None:
        """Ask the server to drain; a second signal does not wait for anything."""
        if self.should_exit:
            os._exit(128 + number)
        self.should_exit = True


def serve(listener: socket.socket, on_serving: Callable[[], None]) -> None:
    """Serve the pages and the API on `listener` until a signal; call `on_serving` when requests are answered."""
    config = uvicorn.Config(
        "orchestration.asgi:application",
        timeout_graceful_shutdown=OPEN_STREAM_SECONDS,
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        ws="none",
    )
    config.load()
    _ = get_resolver().url_patterns  # load the pages now, not in the first request, beside a starting worker
    server = Server(config, on_serving)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, server.stop)
    server.run(sockets=[listener])
