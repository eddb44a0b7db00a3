"""The one-process form: web server, Celery worker and clock side by side, on SQLite and a broker in memory."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

from django.conf import settings

from orchestration import clock, server
from orchestration.preflight import CannotStart

log = logging.getLogger("baton.serve")

POOL_THREADS = 2  # tasks only poke the engine's loop and return at once
STOP_MARGIN_SECONDS = 5.0  # what stopping may take beyond the drain itself


class Companions:
    """The worker and the clock beside the web server, started once it answers, so that they do not delay it.

    If one of them ends by itself the process stops: pages without a worker would accept runs and never advance them.
    """

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._ended_by_itself = ""
        self._ready = threading.Event()
        self._controller: Any = None
        self._threads = {
            "worker": threading.Thread(target=self._watched, args=["worker", self._work], name="worker", daemon=True),
            "clock": threading.Thread(target=self._watched, args=["clock", self._tick], name="clock", daemon=True),
        }

    def start(self) -> None:
        for thread in self._threads.values():
            thread.start()

    def stop(self) -> None:
        """Drain both: calls in flight get BATON_DRAIN_SECONDS. Raises CannotStart when one had ended by itself."""
        self._stopping.set()
        deadline = time.monotonic() + settings.BATON_DRAIN_SECONDS + STOP_MARGIN_SECONDS
        while any(thread.is_alive() for thread in self._threads.values()) and time.monotonic() < deadline:
            if self._ready.is_set():  # Celery forgets a stop that comes before all of a worker has started
                self._controller.stop(in_sighandler=False)
            for thread in filter(threading.Thread.is_alive, self._threads.values()):
                thread.join(timeout=0.2)
        if self._ended_by_itself:
            raise CannotStart(
                f"The {self._ended_by_itself} ended by itself, so nothing would advance: see the log above."
            )

    def _watched(self, name: str, run: Callable[[], None]) -> None:
        try:
            run()
        except Exception:
            log.exception("The %s failed", name)
        if not self._stopping.is_set():
            self._ended_by_itself = name
            os.kill(os.getpid(), signal.SIGTERM)

    def _work(self) -> None:
        """Run a Celery worker until it is stopped; the engine starts and stops with it, by its bootstep."""
        os.environ["CELERY_SKIP_CHECKS"] = "1"  # `make check` does them; here they cost a second at each start
        from orchestration.celery import app  # a second of imports that no page needs

        self._controller = app.WorkController(
            app=app,
            pool_cls="threads",
            concurrency=POOL_THREADS,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            loglevel=logging.WARNING,
            ready_callback=lambda consumer: self._ready.set(),
        )
        if not self._stopping.is_set():
            self._controller.start()

    def _tick(self) -> None:
        clock.run(self._stopping)


def serve(listener: socket.socket) -> None:
    """Serve on `listener` with a worker and a clock beside it until SIGINT or SIGTERM, then drain all three."""
    companions = Companions()
    server.serve(listener, on_serving=companions.start)
    log.info("Stopping: what is in flight gets %g seconds", settings.BATON_DRAIN_SECONDS)
    companions.stop()
