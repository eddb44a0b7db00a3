"""The one publisher of hints. A hint says "look": losing, doubling or forging it changes nothing but time.

Ringing never waits: an engine in this process is woken directly, the broker is told by a background thread that
folds rings into one message and gives up at once when the broker is away (the sweep finds the work).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from django.conf import settings

log = logging.getLogger("baton.hints")

Listener = Callable[[], object]


class Bell:
    """Rings for workers, wherever they are."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._listeners: tuple[Listener, ...] = ()  # replaced as a whole: rings come from any thread

    def listen(self, listener: Listener) -> None:
        """Have this called at each ring, on the ringing thread: an engine of this process."""
        with self._lock:
            self._listeners += (listener,)

    def leave(self, listener: Listener) -> None:
        with self._lock:
            self._listeners = tuple(one for one in self._listeners if one != listener)

    def ring(self) -> None:
        """Tell workers that there may be something to do."""
        self.ring_here()
        if settings.BATON_USE_BROKER and not (settings.EMBEDDED and self._listeners):
            self._start()
            self._wanted.set()

    def ring_here(self) -> None:
        for listener in self._listeners:
            listener()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._publish, name="baton-hints", daemon=True)
                self._thread.start()

    def _publish(self) -> None:
        # Named, not called: a shared task belongs to whatever application its thread has met, and this one to ours.
        from orchestration.celery import app

        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                app.send_task("runs.wake", retry=False, ignore_result=True)
            except Exception as error:  # whatever the broker's client raises, the sweep makes good
                log.warning("No hint went out, workers will find the work by themselves: %s", error)


_bell = Bell()
ring, ring_here, listen, leave = _bell.ring, _bell.ring_here, _bell.listen, _bell.leave
