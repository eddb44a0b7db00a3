"""When runs that this worker gave back are due again, as far as that is soon: what is later, the sweep finds."""

from __future__ import annotations

import heapq

SOON_SECONDS = 30.0


class Timers:
    """Instants on the engine's clock, in seconds. Bounded by what can come due soon."""

    def __init__(self) -> None:
        self._instants: list[float] = []

    def add(self, instant: float, now: float) -> None:
        """Remember an instant, unless it is far away."""
        if instant - now <= SOON_SECONDS:
            heapq.heappush(self._instants, instant)

    def take_due(self, now: float) -> bool:
        """Forget the instants that have come; tell whether there were any."""
        found = False
        while self._instants and self._instants[0] <= now:
            heapq.heappop(self._instants)
            found = True
        return found

    def left(self, now: float) -> float:
        """Give the seconds to the next instant, infinity if there is none."""
        return max(0.0, self._instants[0] - now) if self._instants else float("inf")
