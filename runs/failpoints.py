"""Named points where tests make this process die. They do nothing, and can't be set, outside test settings."""

from __future__ import annotations

import os
import signal

from django.conf import settings


def failpoint(name: str) -> None:
    """Kill this process here if the test settings say so: BATON_FAILPOINTS = "committed:3" dies at the third time."""
    wanted = settings.BATON_FAILPOINTS
    if not wanted:
        return
    point, _, times = wanted.partition(":")
    if point == name:
        _seen[name] = _seen.get(name, 0) + 1
        if _seen[name] >= int(times or 1):
            os.kill(os.getpid(), signal.SIGKILL)


_seen: dict[str, int] = {}
