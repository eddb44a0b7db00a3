"""Asking a run to stop. The engine starts nothing more, settles calls in flight, and then ends it as cancelled."""

from __future__ import annotations

import uuid

from django.db import transaction

from orchestration import access, audit
from orchestration.access import Actor, Right
from orchestration.core.states import TERMINAL
from runs import facts
from runs.models import Run


class AlreadyEnded(Exception):
    """The run has ended already, so there is nothing to cancel."""

    def __init__(self, run: Run) -> None:
        super().__init__(f"The run has ended already: it is {run.state.replace('_', ' ')}.")
        self.run = run


def cancel(actor: Actor, run_id: uuid.UUID, reason: str = "") -> Run:
    """Ask to cancel a run. Raises access.Missing, access.Forbidden, AlreadyEnded."""
    run = access.find(actor, Run.objects.select_related("workflow"), pk=run_id)
    access.require(actor, Right.OPERATE_RUN, run)
    if run.state in TERMINAL:
        raise AlreadyEnded(run)
    with transaction.atomic():
        facts.record(run.id, "cancel_asked", {"by": actor.name, "reason": reason}, actor.user)
        audit.record(actor, "run.cancel_asked", run, workspace=actor.workspace, name=str(run), reason=reason)
    return run
