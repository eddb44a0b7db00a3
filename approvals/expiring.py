"""Close requests that nobody decided in time. Silence means no."""

from __future__ import annotations

from datetime import datetime

from django.db import connection, transaction

from approvals import requests
from approvals.models import Request
from orchestration import audit
from runs import facts
from runs.times import database_now


def run_once(limit: int = 200) -> int:
    """Expire up to `limit` requests past their time, tell their runs, and return how many.

    Idempotent. Locks the rows it takes and skips those that somebody is deciding just now. Uses the database's clock.
    """
    with transaction.atomic():
        now = database_now()
        due = Request.objects.filter(state=Request.State.OPEN, decide_by__lt=now).order_by("decide_by")
        features = connection.features
        due = due.select_related("workspace").select_for_update(
            skip_locked=features.has_select_for_update_skip_locked,
            of=("self",) if features.has_select_for_update_of else (),
        )
        return sum(_expire(request, now) for request in due[:limit])


def _expire(request: Request, now: datetime) -> bool:
    if not requests.close(request, Request.State.EXPIRED, now):
        return False
    told = {
        "request": str(request.pk),
        "path": request.path,
        "pass": request.pass_number,
        "port": "expired",
        "by": "",
        "comment": "",
        "answer": None,
        "digest": request.digest,
    }
    facts.record(request.run_id, "decided", told)
    audit.record(
        None,
        "approval.expired",
        request,
        workspace=request.workspace,
        name=request.question,
        run=str(request.run_id),
        digest=request.digest,
    )
    return True
