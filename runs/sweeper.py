"""Housekeeping that any process may do at any time: bounded batches, safe to run twice, side by side or late."""

from __future__ import annotations

from datetime import timedelta

from django.conf import settings
from django.utils.module_loading import import_string

from runs import hints
from runs.models import Run
from runs.times import database_now


def run_once(limit: int = 500) -> dict[str, int]:
    """Do each duty once; give how much each did. Raises what the database raises."""
    done = {name: import_string(path)(limit) for name, path in settings.BATON_HOUSEKEEPING.items()}
    done["due"] = ring_for_due()
    return done


def ring_for_due() -> int:
    """Ring where a run is due and nobody came: its hint was lost. The workers' own sweep finds it too."""
    late = database_now() - timedelta(seconds=2 * settings.BATON_SWEEP_SECONDS)
    due = Run.objects.filter(due_at__lte=late).exists()
    if due:
        hints.ring()
    return int(due)
