"""Runs over REST: start, read, follow, cancel."""

from __future__ import annotations

import re
import time
import uuid
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from ninja import Field, Header, Query, Router, Schema
from pydantic import ConfigDict

from designer.models import Workflow
from orchestration import access
from orchestration.access import Actor, Right
from orchestration.core.errors import InvalidValue
from orchestration.core.states import TERMINAL, RunState
from orchestration.parameters import Parameters
from orchestration.problems import Problem
from runs import cancelling, starting
from runs.models import Run

router = Router(tags=["runs"])

LONGEST_WAIT_SECONDS = 30.0
FIRST_PAUSE_SECONDS, LONG_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.003, 0.03, 0.25
MOVING = (  # the columns of a run that change while it runs
    "state", "waiting_for", "active", "variables", "output", "error", "steps_started", "tokens", "cost_microusd",
    "started_at", "ended_at",
)  # fmt: skip
SETTLED = {state.value for state in (*TERMINAL, RunState.NEEDS_APPROVAL, RunState.PAUSED)}  # what a caller waits for


class ApiRequest(HttpRequest):
    actor: Actor


class StartIn(Schema):
    """What to start a run with. Only the live version of a stored workflow runs."""

    model_config = ConfigDict(extra="forbid")

    input: dict[str, Any] = Field(default_factory=dict)


class RunOut(Schema):
    """A run. `waiting_for` says for what while it waits or needs approval; costs are in millionths of a dollar."""

    id: uuid.UUID
    state: str
    waiting_for: str
    workflow: str
    version: int
    number: int
    key: str
    tags: list[str]
    trigger: str
    started_by: str | None
    input: Any
    output: Any
    error: Any
    steps_started: int
    tokens: int
    cost_microusd: int
    accepted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    run_url: str  # the page for people
    api_url: str


class RunLine(Schema):
    """A run in a list."""

    id: uuid.UUID
    state: str
    waiting_for: str
    workflow: str
    number: int
    key: str
    trigger: str
    accepted_at: datetime
    ended_at: datetime | None
    run_url: str


class RunPage(Schema):
    """A page of runs, newest first; `next` is the cursor of the one after it."""

    items: list[RunLine]
    next: str | None


class StepOut(Schema):
    """A step of a run. Those still open have no `ended_at`; `reason` says why it went this way."""

    path: str
    pass_number: int = Field(serialization_alias="pass")
    kind: str
    state: str
    waiting_for: str = ""
    port: str = ""
    attempt: int
    reason: str = ""
    output: Any = None
    error: Any = None
    tokens: int = 0
    cost_microusd: int = 0
    started_at: datetime
    ended_at: datetime | None = None


class SpanOut(Schema):
    """A timed row of the trace inside a step."""

    id: int
    path: str
    pass_number: int = Field(serialization_alias="pass")
    attempt: int
    kind: str
    name: str
    status: str
    attributes: dict[str, Any]
    started_at: datetime
    ended_at: datetime


class EventOut(Schema):
    """One transition of a run."""

    seq: int
    kind: str
    terminal: bool
    body: dict[str, Any]
    at: datetime


class Steps(Schema):
    items: list[StepOut]


class Spans(Schema):
    items: list[SpanOut]
    next: str | None


class Events(Schema):
    items: list[EventOut]
    next: str | None


class CancelIn(Schema):
    """Why the run is cancelled; shown in its timeline and in the audit log."""

    model_config = ConfigDict(extra="forbid")

    reason: str = Field("", max_length=500)


WITHOUT_REASON = CancelIn(reason="")


class Page(Parameters):
    """Where to read on: `cursor` is the `next` of the page before."""

    limit: int = Field(100, ge=1, le=500)
    cursor: int | None = Field(None, ge=0, le=2**63 - 1)


class RunFilter(Parameters):
    """Which runs to list."""

    workflow: str = Field("", max_length=100)
    state: RunState | None = None
    key: str = Field("", max_length=200)
    limit: int = Field(50, ge=1, le=200)
    cursor: uuid.UUID | None = None


class Wait(Parameters):
    """How long to wait for the run to end or to need somebody: 10s, 500ms; at most 30s."""

    wait: str = Field("", max_length=10)


@router.post("/workflows/{slug:workflow}/runs", response={202: RunOut, 200: RunOut}, summary="Start a run")
def start_run(
    request: ApiRequest, workflow: str, body: StartIn, response: HttpResponse, wait: Query[Wait],
    idempotency_key: str | None = Header(None, alias="Idempotency-Key"),
) -> tuple[int, dict[str, Any]]:  # fmt: skip
    """Accept a run: when this answers, the run is stored and will go on whatever happens.

    With an `Idempotency-Key` the same request gives the same run again; the key with another body is refused (409).
    """
    access.require(request.actor, Right.START_RUN, Workflow)
    seconds = _seconds(wait.wait)
    found = access.find(request.actor, Workflow.objects.select_related("live"), slug=workflow)
    try:
        accepted = starting.accept(
            request.actor, found, body.input, trigger="api", idempotency_key=idempotency_key
        )  # fmt: skip
    except InvalidValue as error:
        raise _invalid(error) from error
    except starting.CannotStart as error:
        raise Problem(409, "cannot-start", "The workflow can't be run now", error.reason) from error
    except starting.KeyUsed as error:
        url = _api_url(error.run)
        raise Problem(409, "idempotency-key-used", "The Idempotency-Key is used", str(error), run=url) from error
    if accepted.repeated:
        response["Idempotency-Replayed"] = "true"
    run = accepted.run
    if seconds:
        _wait(run, seconds)
        run.refresh_from_db(fields=MOVING)
    response["Location"] = _api_url(run)
    return 202, run_out(_whole(request.actor, run.id) if accepted.repeated else run, request.actor)


@router.get("/runs", response=RunPage, summary="List runs")
def list_runs(request: ApiRequest, by: Query[RunFilter]) -> dict[str, Any]:
    """List the runs of the workspace, newest first."""
    access.require(request.actor, Right.VIEW, Run)
    found = Run.objects.filter(workspace=request.actor.workspace).select_related("workflow").order_by("-id")
    for name, value in (("workflow__slug", by.workflow), ("state", by.state), ("key", by.key)):
        found = found.filter(**{name: value}) if value else found
    rows = list((found.filter(id__lt=by.cursor) if by.cursor else found)[: by.limit + 1])
    more = len(rows) > by.limit
    return {
        "items": [_line(run, request.actor) for run in rows[: by.limit]],
        "next": str(rows[by.limit - 1].id) if more else None,
    }


@router.get("/runs/{uuid:run_id}", response=RunOut, summary="Read a run")
def read_run(request: ApiRequest, run_id: uuid.UUID, wait: Query[Wait]) -> dict[str, Any]:
    """Read a run; with `wait`, once it has ended or needs somebody, or the time is over."""
    access.require(request.actor, Right.VIEW, Run)
    run = _whole(request.actor, run_id)
    if seconds := _seconds(wait.wait):
        _wait(run, seconds)
        run.refresh_from_db(fields=MOVING)
    return run_out(run, request.actor)


@router.get("/runs/{uuid:run_id}/steps", response=Steps, by_alias=True, summary="Read the steps of a run")
def read_steps(request: ApiRequest, run_id: uuid.UUID) -> dict[str, Any]:
    """List the steps that have ended, in the order they ended, then those that are open."""
    access.require(request.actor, Right.VIEW, Run)
    run = _whole(request.actor, run_id)
    kinds = {step.id: step.kind for step in _steps_of(run)}
    ended = list(run.steps.order_by("ended_at", "started_at"))
    return {"items": ended + [_open(path, kinds.get(path, ""), step) for path, step in run.active.items()]}


@router.get("/runs/{uuid:run_id}/spans", response=Spans, by_alias=True, summary="Read the trace of a run")
def read_spans(request: ApiRequest, run_id: uuid.UUID, page: Query[Page]) -> dict[str, Any]:
    """List model calls, tool calls, rungs and verdicts of the guard."""
    access.require(request.actor, Right.VIEW, Run)
    found = _whole(request.actor, run_id).spans.order_by("id")
    return _page(found.filter(id__gt=page.cursor or 0), page.limit, "id")


@router.get("/runs/{uuid:run_id}/events", response=Events, summary="Read the events of a run")
def read_events(request: ApiRequest, run_id: uuid.UUID, page: Query[Page]) -> dict[str, Any]:
    """List the transitions of a run from the first, without gaps."""
    access.require(request.actor, Right.VIEW, Run)
    found = _whole(request.actor, run_id).events.order_by("seq")
    return _page(found.filter(seq__gt=page.cursor or 0), page.limit, "seq")


@router.post("/runs/{uuid:run_id}/cancellation", response={202: RunOut}, summary="Cancel a run")
def cancel_run(request: ApiRequest, run_id: uuid.UUID, body: CancelIn = WITHOUT_REASON) -> tuple[int, dict[str, Any]]:
    """Ask a run to stop. Calls in flight are settled first, so the run may be `cancelling` for a while."""
    access.require(request.actor, Right.OPERATE_RUN, Run)
    try:
        run = cancelling.cancel(request.actor, run_id, body.reason)
    except cancelling.AlreadyEnded as error:
        raise Problem(409, "run-ended", "The run has ended", str(error)) from error
    return 202, run_out(_whole(request.actor, run.id), request.actor)


def run_out(run: Run, actor: Actor) -> dict[str, Any]:
    """Show a run (with its workflow, version and initiator at hand)."""
    names = (
        "id", "state", "waiting_for", "number", "key", "tags", "trigger", "input", "output", "error", "steps_started",
        "tokens", "cost_microusd", "accepted_at", "started_at", "ended_at",
    )  # fmt: skip
    return {name: getattr(run, name) for name in names} | {
        "workflow": run.workflow.slug, "version": run.version.number,
        "started_by": run.initiator.username if run.initiator else None,
        "run_url": _page_url(run, actor), "api_url": _api_url(run),
    }  # fmt: skip


def _line(run: Run, actor: Actor) -> dict[str, Any]:
    names = ("id", "state", "waiting_for", "number", "key", "trigger", "accepted_at", "ended_at")
    return {name: getattr(run, name) for name in names} | {
        "workflow": run.workflow.slug, "run_url": _page_url(run, actor),
    }  # fmt: skip


def _page_url(run: Run, actor: Actor) -> str:
    return settings.BATON_URL + reverse("run", kwargs={"workspace": actor.workspace.slug, "run": run.id})


def _api_url(run: Run) -> str:
    return f"{settings.BATON_URL}/api/v1/runs/{run.id}"


def _whole(actor: Actor, run_id: uuid.UUID) -> Run:
    return access.find(actor, Run.objects.select_related("workflow", "version", "initiator"), pk=run_id)


def _steps_of(run: Run) -> Any:
    from designer import versions

    return versions.definition(run.version_id).steps


def _open(path: str, kind: str, step: dict[str, Any]) -> dict[str, Any]:
    return {
        "path": path, "pass_number": step["pass"], "kind": kind, "state": step["state"], "attempt": step["attempt"],
        "waiting_for": step.get("waiting_for", ""), "started_at": step["started"],
    }  # fmt: skip


def _page(found: QuerySet[Any], limit: int, cursor: str) -> dict[str, Any]:
    rows = list(found[: limit + 1])
    more = len(rows) > limit
    return {"items": rows[:limit], "next": str(getattr(rows[limit - 1], cursor)) if more else None}


def _seconds(wait: str) -> float:
    """Read a wait. Raises Problem for what is none."""
    if not wait:
        return 0.0
    found = re.fullmatch(r"([0-9]{1,6})(ms|s)", wait)
    if found is None:
        problem = {"step": None, "field": "wait", "message": f"{wait!r} is no time", "fix": "Write 10s or 500ms."}
        raise Problem.common("invalid-request", "wait: write 10s or 500ms.", problems=[problem])
    return min(int(found[1]) / (1000 if found[2] == "ms" else 1), LONGEST_WAIT_SECONDS)


def _wait(run: Run, seconds: float) -> None:
    """Wait until the run has ended or waits for something, asking one indexed question ever more rarely."""
    end, pause = time.monotonic() + seconds, FIRST_PAUSE_SECONDS
    while _state(run) not in SETTLED and (left := end - time.monotonic()) > 0:
        if pause > LONG_PAUSE_SECONDS and not connection.in_atomic_block:
            connection.close()  # to the pool: others need it more than one who sleeps
        time.sleep(min(pause, left))
        pause = min(pause * 1.15, LONGEST_PAUSE_SECONDS)


def _state(run: Run) -> str:
    """Read the state alone, past the ORM: a waiting caller asks this many times."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT state FROM runs_run WHERE id = %s", [Run._meta.pk.get_db_prep_value(run.id, connection)])
        state: str = cursor.fetchone()[0]
    return state


def _invalid(error: InvalidValue) -> Problem:
    found = [
        {"step": None, "field": problem.place or "input", "message": problem.reason, "fix": ""}
        for problem in error.problems
    ]
    return Problem.common("invalid-request", "; ".join(map(str, error.problems)), problems=found)
