"""The one-process form: web server, Celery worker and clock side by side, on SQLite and a broker in memory."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading

from django.conf import settings

from orchestration import clock, server
from orchestration.preflight import CannotStart

log = logging.getLogger("baton.serve")

POOL_THREADS = 2  # tasks only poke the engine's loop and return at once


class Worker:
    """A Celery worker in a thread of this process; the engine starts and stops with it, by its bootstep."""

    def __init__(self) -> None:
        os.environ["CELERY_SKIP_CHECKS"] = "1"  # `make check` and `serve` have done them; each costs a second at start
        from orchestration.celery import app  # a second of imports that no page needs

        self._controller = app.WorkController(
            app=app,
            pool_cls="threads",
            concurrency=POOL_THREADS,
            without_gossip=True,
            without_mingle=True,
            without_heartbeat=True,
            loglevel=logging.WARNING,
        )
        self._thread = threading.Thread(target=self._controller.start, name="worker", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Drain: calls in flight get BATON_DRAIN_SECONDS, what is left goes on at the next start."""
        self._controller.stop(in_sighandler=False)
        self._thread.join(timeout=settings.BATON_DRAIN_SECONDS)


class Companions:
    """The worker and the clock beside the web server, started once it answers, so that they do not delay it."""

    def __init__(self) -> None:
        self._stopping = threading.Event()
        self._failed = False
        self._worker: Worker | None = None
        self._clock = threading.Thread(target=clock.run, args=[self._stopping], name="clock", daemon=True)
        self._starter = threading.Thread(target=self._start, name="starter", daemon=True)

    def start(self) -> None:
        """Start in a thread of its own: the server's loop must not wait for the imports."""
        self._starter.start()

    def stop(self) -> None:
        """Drain both; raises CannotStart when they never came up."""
        self._stopping.set()
        if self._starter.ident:
            self._starter.join()
        if self._worker:
            self._worker.stop()
        if self._clock.is_alive():
            self._clock.join(timeout=settings.BATON_DRAIN_SECONDS)
        if self._failed:
            raise CannotStart("The worker could not start, so nothing would advance: the cause is logged above.")

    def _start(self) -> None:
        try:
            self._worker = Worker()
            self._worker.start()
            self._clock.start()
        except Exception:
            log.exception("The worker could not start")
            self._failed = True
            os.kill(os.getpid(), signal.SIGTERM)  # pages without a worker would accept runs and never advance them


def serve(listener: socket.socket) -> None:
    """Serve on `listener` with a worker and a clock beside it until SIGINT or SIGTERM, then drain all three."""
    companions = Companions()
    server.serve(listener, on_serving=companions.start)
    log.info("Stopping: what is in flight gets %s seconds", settings.BATON_DRAIN_SECONDS)
    companions.stop()
