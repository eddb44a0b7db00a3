"""Builders for tests of approvals: a run that waits, and the request it waits for."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from django.db import transaction

from approvals import requests
from approvals.models import Request
from designer.models import Definition, Version, Workflow
from orchestration.core import canonical
from orchestration.core.states import TERMINAL
from orchestration.models import User, Workspace
from runs.models import Run
from tests.support.cast import a_person, a_workspace

numbers = count(1)
NOW = datetime.now(UTC)
DOCUMENT = {
    "format": "baton/1",
    "name": "Refunds",
    "steps": [
        {"id": "ask", "kind": "approval"},
        {"id": "pay", "kind": "tool", "title": "Pay the money back"},
        {"id": "excuse", "kind": "tool"},
    ],
    "edges": [
        {"from": "start", "to": "ask"},
        {"from": "ask.approved", "to": "pay"},
        {"from": "ask.rejected", "to": "excuse"},
    ],
}
ARGUMENTS: dict[str, Any] = {"account": "30117", "amount_eur": 12.5}


def a_run(workspace: Workspace | None = None, initiator: User | None = None, author: User | None = None) -> Run:
    """Make a run of a small workflow, waiting. `author` made the version it is pinned to."""
    workspace, number = workspace or a_workspace(), next(numbers)
    document = {**DOCUMENT, "description": f"variant {number}"}
    digest = canonical.digest(document)
    definition = Definition.objects.create(
        digest=digest, execution_hash=digest, body=canonical.canonical(document).decode()
    )
    workflow = Workflow.objects.create(workspace=workspace, slug=f"refunds-{number}", name="Refunds")
    version = Version.objects.create(workflow=workflow, number=1, definition=definition, created_by=author)
    return Run.objects.create(
        workspace=workspace,
        workflow=workflow,
        version=version,
        number=number,
        trigger="api",
        initiator=initiator,
        input={},
        state="needs_approval",
        accepted_at=NOW,
    )


def an_action(arguments: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        "tool": "billing.refund",
        "title": "Refund",
        "risk": "money",
        "effect": "once",
        "definition_hash": "c0ffee",
        "connection": "billing",
        "host": "billing.example",
        "arguments": ARGUMENTS if arguments is None else arguments,
        "step": "pay",
    }


def a_request(run: Run | None = None, *, path: str = "ask", now: datetime = NOW, **asked: Any) -> Request:
    """Open a request of a step as the engine does; `asked` changes what it asks."""
    run = run or a_run(initiator=a_person("operator"))
    whole = {
        "question": "Pay 12.50 EUR back to account 30117?",
        "context": "The customer is unhappy.",
        "risk": "medium",
        "require": [{"from": "approver", "count": 1}],
        "form": None,
        "decide_by": None,
        "use_by_seconds": None,
        "action": an_action(),
        **asked,
    }
    with transaction.atomic():
        return requests.open_for_run(run, path=path, pass_number=0, kind="step", asked=whole, now=now)


def an_unknown_effect(run: Run | None = None, risk: str = "write") -> Request:
    """Open a request about a call nobody knows the outcome of; the run waits for the answer unless it has ended."""
    run = run or a_run(initiator=a_person("operator"))
    if run.state not in TERMINAL:
        run.active = {"pay": {"pass": 0, "state": "needs_approval", "waiting_for": "unknown_effect"}}
        run.save()
    asked = {
        "question": "Did the refund go out?",
        "effect_key": "e" * 64,
        "tool": "billing.refund",
        "arguments": ARGUMENTS,
        "digest": canonical.digest(ARGUMENTS),
        "risk": risk,
    }
    with transaction.atomic():
        return requests.open_for_run(run, path="pay", pass_number=0, kind="unknown_effect", asked=asked, now=NOW)


def soon(seconds: float) -> str:
    """Write an instant so many seconds from now, as a workflow's deadline comes."""
    return (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat()
