"""The Celery application. Its messages are hints: the database is the truth (DESIGN 4, point 1)."""

from __future__ import annotations

import os

from typing import Any

from celery import Celery, bootsteps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.settings")

app = Celery("baton")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class EngineStep(bootsteps.StartStopStep):
    """Starts the engine with the worker, before and whatever becomes of the connection to the broker."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._worker: Any = None

    def start(self, parent: Any) -> None:
        from runs.worker import Worker  # only workers need what it imports

        self._worker = Worker()
        self._worker.start()

    def stop(self, parent: Any) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    terminate = stop


app.steps["worker"].add(EngineStep)
