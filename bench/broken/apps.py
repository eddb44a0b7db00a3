"""Takes the defence away as soon as the process has its apps: lost `once` calls are sent again, nobody is asked."""

from __future__ import annotations

from datetime import datetime

from django.apps import AppConfig


def nothing_is_unsettled(held: object, now: datetime) -> frozenset[str]:
    return frozenset()


class Broken(AppConfig):
    name = "bench.broken"

    def ready(self) -> None:
        from runs import preparing

        preparing.note_lost = nothing_is_unsettled
