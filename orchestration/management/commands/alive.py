"""`manage.py alive web|worker|clock`: the health checks of docker-compose.yml."""

from __future__ import annotations

import sys
import time
import urllib.error
import urllib.request
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandParser

from orchestration import clock

ANSWER_SECONDS = 5
BEAT_SECONDS = 60  # the clock sweeps each second, and waits half a minute at most while the database is away


class Command(BaseCommand):
    help = "Ask a process of this machine whether it is well; exit with 1 and the reason if it is not."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("process", choices=["web", "worker", "clock"])

    def handle(self, *args: Any, process: str, **options: Any) -> None:
        problem = {"web": _web, "worker": _worker, "clock": _clock}[process]()
        if problem:
            sys.exit(f"baton: {problem}")


def _web() -> str:
    address = f"http://127.0.0.1:{settings.PORT}/readyz"
    try:
        with urllib.request.urlopen(address, timeout=ANSWER_SECONDS):
            return ""
    except urllib.error.HTTPError as error:
        return f"{address} answers {error.code}: {error.read(500).decode(errors='replace')}"
    except OSError as error:
        return f"{address} does not answer: {error}"


def _worker() -> str:
    """Ping the worker of this host through the broker, as its hints come: a worker that is deaf does not answer."""
    from celery.utils.nodenames import default_nodename
    from kombu.exceptions import OperationalError

    from orchestration.celery import app

    name = default_nodename(None)
    try:
        answered = app.control.ping(destination=[name], timeout=ANSWER_SECONDS)
    except (OSError, OperationalError) as error:
        return f"the broker can't be reached: {error}"
    return "" if answered else f"the worker {name} does not answer"


def _clock() -> str:
    try:
        age_seconds = time.time() - (settings.BATON_DATA / clock.BEAT_FILE).stat().st_mtime
    except OSError as error:
        return f"the clock has not swept yet: {error}"
    return "" if age_seconds < BEAT_SECONDS else f"the clock swept last {age_seconds:.0f} s ago"
