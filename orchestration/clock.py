"""Housekeeping whoever is awake: due timers, lost runs, expired requests. Any number of clocks may run at once."""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, close_old_connections, connections
from django.utils.module_loading import import_string

log = logging.getLogger("baton.clock")

HOUSEKEEPING = "runs.sweeper.run_once"  # by dotted string: the platform stands below the apps
ROWS_PER_SWEEP = 500
LONGEST_BACKOFF_SECONDS = 30.0
BEAT_FILE = "clock.beat"  # in BATON_DATA
JITTER = 0.2  # share of the pause, so that several processes do not sweep in step

Sweep = Callable[[int], dict[str, int]]


def run(stopping: threading.Event, sweep: Sweep | None = None, beat: Path | None = None) -> None:
    """Sweep every BATON_SWEEP_SECONDS until `stopping` is set; wait longer each time the database is away.

    After each sweep that went well the file `beat` is touched, for a health check to look at.
    """
    sweep = sweep or import_string(HOUSEKEEPING)
    failures = 0
    while not stopping.is_set():
        failures = 0 if _swept(sweep) else failures + 1
        if beat and not failures:
            beat.touch()
        stopping.wait(pause_seconds(failures, settings.BATON_SWEEP_SECONDS, random.uniform(-JITTER, JITTER)))  # noqa: S311
    connections.close_all()


def pause_seconds(failures: int, interval: float, jitter: float) -> float:
    """Return how long to wait after this many failures in a row: the interval, then doubled up to half a minute."""
    backoff: float = interval * 2.0 ** min(failures, 16)
    return min(backoff, max(interval, LONGEST_BACKOFF_SECONDS)) * (1 + jitter)


def _swept(sweep: Sweep) -> bool:
    """Run one sweep; False when the database could not be asked. A bug is logged whole and does not end the clock."""
    try:
        close_old_connections()
        sweep(ROWS_PER_SWEEP)
    except DatabaseError as error:
        log.warning("The sweep could not use the database, trying again: %s", str(error).strip())
        connections.close_all()
        return False
    except Exception:
        log.exception("The sweep failed")
        connections.close_all()
        return False
    return True
