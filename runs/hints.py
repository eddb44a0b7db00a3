"""The one publisher of hints. A hint says "look": losing, doubling or forging it changes nothing but time.

Ringing never waits: an engine in this process is woken directly, the broker is told by a background thread that
folds rings into one message and gives up at once when the broker is away (the sweep finds the work).
"""

from __future__ import annotations

import logging
import threading

from django.conf import settings

log = logging.getLogger("baton.hints")


class Bell:
    """Rings for workers, wherever they are."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._listeners: list[threading.Event] = []

    def listen(self, event: threading.Event) -> None:
        """Have this event set at each ring: an engine of this process."""
        self._listeners.append(event)

    def leave(self, event: threading.Event) -> None:
        self._listeners.remove(event)

    def ring(self) -> None:
        """Tell workers that there may be something to do."""
        self.ring_here()
        if settings.BATON_USE_BROKER and not (settings.EMBEDDED and self._listeners):
            self._start()
            self._wanted.set()

    def ring_here(self) -> None:
        for event in self._listeners:
            event.set()

    def _start(self) -> None:
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._publish, name="baton-hints", daemon=True)
                self._thread.start()

    def _publish(self) -> None:
        from runs.tasks import wake

        while True:
            self._wanted.wait()
            self._wanted.clear()
            try:
                wake.apply_async(retry=False, ignore_result=True)
            except Exception as error:  # whatever the broker's client raises, the sweep makes good
                log.warning("No hint went out, workers will find the work by themselves: %s", error)


_bell = Bell()
ring, ring_here, listen, leave = _bell.ring, _bell.ring_here, _bell.listen, _bell.leave
