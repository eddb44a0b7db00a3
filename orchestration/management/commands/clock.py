"""`manage.py clock`: the housekeeping process of the cluster form."""

from __future__ import annotations

import signal
import threading
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from orchestration import clock


class Command(BaseCommand):
    help = "Wake what is due and rescue what was lost, every BATON_SWEEP_SECONDS, until SIGTERM."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        stopping = threading.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: stopping.set())
        settings.BATON_DATA.mkdir(parents=True, exist_ok=True)
        clock.run(stopping, beat=settings.BATON_DATA / clock.BEAT_FILE)
