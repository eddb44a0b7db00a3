"""The Celery application. Its messages are hints: the database is the truth (DESIGN 4, point 1)."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, bootsteps

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.settings")

app = Celery("baton")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


class EngineStep(bootsteps.StartStopStep):  # type: ignore[misc]  # celery has no types
    """Starts the engine with the worker, before and whatever becomes of the connection to the broker."""

    def __init__(self, parent: Any, **options: Any) -> None:
        super().__init__(parent, **options)
        self._worker: Any = None

    def start(self, parent: Any) -> None:
        from django.conf import settings
        from django.utils.module_loading import import_string

        self._worker = import_string(settings.BATON_ENGINE)()
        self._worker.start()

    def stop(self, parent: Any) -> None:
        if self._worker is not None:
            self._worker.stop()
            self._worker = None

    terminate = stop


app.steps["worker"].add(EngineStep)
