"""How a run comes into being: its row and its first event, in the caller's transaction."""

from __future__ import annotations

from datetime import datetime

from runs.models import Event, Run


def insert(run: Run, now: datetime) -> None:
    """Insert an accepted run, due at once. `run.seq` is 1: that of its first event."""
    run.accepted_at = run.due_at = now
    run.save(force_insert=True)
    Event.objects.create(run_id=run.id, seq=1, kind="accepted", body={"run": ["queued", ""]}, epoch=0, at=now)
