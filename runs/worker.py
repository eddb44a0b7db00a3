"""A worker process: the engine's thread and the event loop beside it, started and stopped by Celery's bootstep.

Neither needs the broker: with it down, runs are found by sweeping.
"""

from __future__ import annotations

import logging
import threading
import uuid

from django.conf import settings

from orchestration import clock
from orchestration.providers import egress, mcp
from orchestration.providers.io_loop import IoLoop
from runs.connections import open_store
from runs.engine import Engine

log = logging.getLogger("baton.worker")

CLOSE_SECONDS = 3.0


class Worker:
    def __init__(self) -> None:
        """Name the process: at random, so that a restarted one is a stranger to its old leases."""
        self.owner = uuid.uuid4()
        self._io = IoLoop()
        self._engine = Engine(self.owner, open_store, self._io)
        self._thread = threading.Thread(target=self._engine.run, name="baton-engine", daemon=True)
        self._stopping = threading.Event()
        self._clock = threading.Thread(target=clock.run, args=[self._stopping], name="baton-sweeper", daemon=True)

    def start(self) -> None:
        mcp.configure(settings.BATON_MCP_SERVERS, data=settings.BATON_DATA)
        self._io.start()
        self._thread.start()
        if not settings.EMBEDDED:  # there the process has a clock of its own
            self._clock.start()
        log.info("Worker %s advances runs", self.owner)

    def stop(self) -> None:
        """Drain: attempts in flight get BATON_DRAIN_SECONDS; what is left goes on in another worker."""
        self._stopping.set()
        self._engine.stop()
        self._thread.join(settings.BATON_DRAIN_SECONDS + 5)
        try:
            self._io.submit(_close_ports()).result(CLOSE_SECONDS)
        except TimeoutError:
            log.warning("Connections to the outside did not close in time")
        self._io.stop()


async def _close_ports() -> None:
    """End sessions with MCP servers, which are children of this process, and idle connections."""
    await mcp.configured().aclose()
    await egress.shared().aclose()
