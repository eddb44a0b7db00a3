"""What a run's page shows of the requests it waits for: the port from runs, named in settings."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from approvals.models import Request
from approvals.visible import spelled


@dataclass(frozen=True)
class Asked:
    id: UUID
    question: str  # hidden characters are written out
    decide_by: datetime | None
    risk: str


def of_run(run_id: UUID) -> dict[tuple[str, int], Asked]:
    """Give the open requests of a run by step and pass. One query."""
    found = Request.objects.filter(run_id=run_id, state=Request.State.OPEN)
    columns = found.values_list("path", "pass_number", "id", "question", "decide_by", "risk")
    return {
        (path, number): Asked(request_id, spelled(question), decide_by, risk)
        for path, number, request_id, question, decide_by, risk in columns
    }
