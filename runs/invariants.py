"""What must hold of every run, whatever died on the way: read from the rows, independent of the engine's own code.

The names are those of RELIABILITY: I1 ends, I2 effects, I3 the fence, I4 the trace, I6 nothing overdue, I8 sums,
I10 events tell the state, I11 approvals, I12 workspaces. `runs.oracles` compares with what others saw.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import orjson
from django.apps import apps

from designer import versions
from orchestration.core.canonical import canonical
from orchestration.core.fingerprints import fingerprint
from orchestration.core.fold import Folded, fold
from orchestration.core.states import TERMINAL, RunState, WaitingFor
from runs.guard import covering
from runs.models import Attempt, Effect, Event, Fact, Run, Span, StepRun

RUNS_AT_ONCE = 200
MOVING = frozenset({RunState.QUEUED, RunState.RUNNING, RunState.CANCELLING})
INVARIANTS = {
    "I1": "runs end once, or wait for a named reason",
    "I2": "every effect is entered, settled once, and asked about where nobody knows",
    "I3": "no row was written under a later epoch than its run's",
    "I4": "events have no gap and no repeat",
    "I6": "nothing is overdue",
    "I8": "tokens and cost of the steps are those of the run",
    "I10": "the events tell the stored state",
    "I11": "a covered call has one used approval of equal bytes",
    "I12": "what belongs to a run is of its workspace",
}


@dataclass(frozen=True, slots=True)
class Violation:
    invariant: str
    run: UUID | str
    what: str

    def __str__(self) -> str:
        return f"{self.invariant} {self.run}: {self.what}"


@dataclass(frozen=True, slots=True)
class Tolerance:
    """When is late too late: `grace` is what leases and sweeps may take. Strict: nothing may be on the move at all."""

    now: datetime
    grace: timedelta
    strict: bool


@dataclass(slots=True)
class Rows:
    """All that was written of one run."""

    run: Run
    steps: list[StepRun] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    events: list[Event] = field(default_factory=list)
    spans: list[Span] = field(default_factory=list)
    effects: list[Effect] = field(default_factory=list)
    facts: list[Fact] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)  # approvals.Request

    @property
    def ended(self) -> bool:
        return self.run.state in TERMINAL

    def open_requests(self, kind: str) -> list[Any]:
        return [request for request in self.requests if request.kind == kind and request.state == "open"]


def violations(tolerance: Tolerance) -> Iterator[Violation | UUID]:
    """Go through all runs, oldest first, in bounded memory: yield each run's id, then what is wrong with it."""
    for rows in everything():
        yield rows.run.id
        for check in CHECKS:
            yield from check(rows, tolerance)


def everything() -> Iterator[Rows]:
    """Read all runs with all that belongs to them, some at a time."""
    last: UUID | None = None
    while True:
        found = Run.objects.select_related("workflow", "version").order_by("id")
        batch = list((found.filter(id__gt=last) if last else found)[:RUNS_AT_ONCE])
        if not batch:
            return
        last = batch[-1].id
        yield from _with_rows(batch)


def _with_rows(batch: Sequence[Run]) -> Iterator[Rows]:
    ids = [run.id for run in batch]
    requests = apps.get_model("approvals", "Request")  # by name: that app stands above this one
    read: dict[str, dict[UUID, list[Any]]] = {
        "steps": _by_run(StepRun.objects.filter(run_id__in=ids)),
        "attempts": _by_run(Attempt.objects.filter(run_id__in=ids)),
        "events": _by_run(Event.objects.filter(run_id__in=ids).order_by("run_id", "seq")),
        "spans": _by_run(Span.objects.filter(run_id__in=ids).only("run_id", "epoch")),
        "effects": _by_run(Effect.objects.filter(run_id__in=ids)),
        "facts": _by_run(Fact.objects.filter(run_id__in=ids)),
        "requests": _by_run(requests._default_manager.filter(run_id__in=ids)),
    }
    for run in batch:
        yield Rows(run, **{name: rows.get(run.id, []) for name, rows in read.items()})


def _by_run(rows: Iterable[Any]) -> dict[UUID, list[Any]]:
    grouped: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        grouped[row.run_id].append(row)
    return grouped


# I1


def ends(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    run = rows.run
    endings = Counter(event.life for event in rows.events if event.terminal)
    for life, times in endings.items():
        if times > 1 or life > run.life:
            yield Violation("I1", run.id, f"{times} endings in life {life} of {run.life}")
    if rows.ended:
        yield from _ended(rows, endings)
    elif endings[run.life]:
        yield Violation("I1", run.id, f"it has an ending but is {run.state}")
    elif run.state in MOVING:
        if tolerance.strict:
            yield Violation("I1", run.id, f"it is still {run.state}")
    else:
        yield from _waits(rows)


def _ended(rows: Rows, endings: Mapping[int, int]) -> Iterator[Violation]:
    run = rows.run
    if not endings.get(run.life):
        yield Violation("I1", run.id, f"it is {run.state} without an event that says so")
    left = {"owner": run.owner, "due_at": run.due_at, "active": run.active, "waiting_for": run.waiting_for}
    for name, value in left.items():
        if value:
            yield Violation("I1", run.id, f"it is {run.state} and still has {name} = {value}")


def _waits(rows: Rows) -> Iterator[Violation]:
    """A run that rests must have somebody or something that will go on with it."""
    run = rows.run
    told = any(not fact.consumed for fact in rows.facts)
    if run.waiting_for not in set(WaitingFor):
        yield Violation("I1", run.id, f"it is {run.state} and waits for {run.waiting_for!r}")
    elif run.waiting_for in (WaitingFor.TIMER, WaitingFor.RETRY) and run.due_at is None:
        yield Violation("I1", run.id, f"it waits for a {run.waiting_for} that is never due")
    for path, step in run.active.items():
        kind = {"approval": "step", "unknown_effect": "unknown_effect"}.get(step.get("waiting_for", ""))
        asked = any(request.path == path for request in rows.open_requests(kind)) if kind else True
        if not asked and not told:
            yield Violation("I1", run.id, f"{path} waits for {step['waiting_for']}, and nobody is asked")


# I2


def effects(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    run = rows.run
    asked = {_key_of(request) for request in rows.requests if request.kind == "unknown_effect"}
    at_rest = rows.ended or tolerance.strict
    for effect in rows.effects:
        if effect.state == Effect.State.INTENDED and at_rest:
            yield Violation(
                "I2", run.id, f"{effect.path}: the run is at rest, its call {effect.key[:12]} is not settled"
            )
        if effect.state == Effect.State.UNKNOWN and effect.effect == "once" and effect.key not in asked:
            yield Violation("I2", run.id, f"{effect.path}: nobody was asked about the unknown call {effect.key[:12]}")


def _key_of(request: Any) -> str:
    return str(orjson.loads(bytes(request.action)).get("effect_key", ""))


# I3


def fence(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    run = rows.run
    for name in ("steps", "attempts", "events", "spans", "effects"):
        latest = max((row.epoch for row in getattr(rows, name)), default=0)
        if latest > run.epoch:
            yield Violation("I3", run.id, f"{name} of epoch {latest}, but the run is at {run.epoch}")
    epochs = [event.epoch for event in rows.events]
    if epochs != sorted(epochs):
        yield Violation("I3", run.id, "an event of an earlier epoch follows one of a later epoch")
    succeeded = Counter((step.path, step.pass_number) for step in rows.steps)
    for place, times in succeeded.items():
        if times > 1:
            yield Violation("I3", run.id, f"{place} ended {times} times")


# I4


def trace(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    run = rows.run
    seqs = [event.seq for event in rows.events]
    if seqs != list(range(1, run.seq + 1)):
        yield Violation("I4", run.id, f"its {len(seqs)} events are not 1 to {run.seq}")


# I6


def overdue(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    run, late = rows.run, tolerance.now - tolerance.grace
    if run.due_at is not None and run.due_at < late:
        yield Violation("I6", run.id, f"it has been due since {run.due_at:%H:%M:%S}")
    for fact in rows.facts:
        if not fact.consumed and fact.at < late:
            yield Violation("I6", run.id, f"the fact {fact.kind} of {fact.at:%H:%M:%S} was never taken")
    for request in rows.requests:
        if request.state == "open" and request.decide_by and request.decide_by < late:
            yield Violation("I6", run.id, f"the request {request.id} should have expired")


# I8


def sums(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    """A lost or repeated attempt is charged to the run alone, so the run may only have more than its steps."""
    run = rows.run
    exact = not rows.attempts and not run.active
    for name in ("tokens", "cost_microusd"):
        of_steps, of_run = sum(getattr(step, name) for step in rows.steps), getattr(run, name)
        if of_steps > of_run or (exact and of_steps != of_run):
            yield Violation("I8", run.id, f"{name}: {of_steps} in its steps, {of_run} in the run")


# I10


def folded(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    run = rows.run
    try:
        told = fold((event.seq, event.kind, event.terminal, event.body) for event in rows.events)
    except ValueError as error:
        yield Violation("I10", run.id, str(error))
        return
    for name, (by_events, stored) in _compared(told, rows).items():
        if by_events != stored:
            yield Violation("I10", run.id, f"{name}: the events say {by_events}, stored is {stored}")


def _compared(told: Folded, rows: Rows) -> dict[str, tuple[Any, Any]]:
    run = rows.run
    output = "" if run.error or not rows.ended else fingerprint(run.output)
    return {
        "state": ((told.state, told.waiting_for), (run.state, run.waiting_for)),
        "output": (told.output, output),
        "ended": (told.ended, {(s.path, s.pass_number): (s.state, s.port, fingerprint(s.output)) for s in rows.steps}),
        "open": (told.open, {path: (s["pass"], s["attempt"], s["state"]) for path, s in run.active.items()}),
        "variables": (told.variables, {name: fingerprint(run.variables.get(name)) for name in told.variables}),
        "again": (told.again, run.marks.get("again", {})),
    }


# I11


def approvals(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    run = rows.run
    known = {request.id: request for request in rows.requests}
    used = Counter(effect.approval for effect in rows.effects if effect.approval)
    for effect in rows.effects:
        request = known.get(effect.approval) if effect.approval else None
        if problem := _unapproved(rows, effect, request):
            yield Violation("I11", run.id, f"{effect.path}: {problem}")
    # One that is proved not to have happened may be sent again: its request was for one happening, not for one try.
    acted = Counter(effect.approval for effect in rows.effects if effect.approval and effect.state != "failed")
    for request_id, times in acted.items():
        if times > 1:
            yield Violation("I11", run.id, f"the approval {request_id} let {times} calls out")
    for request in rows.requests:
        if request.used_at and not used[request.id]:
            yield Violation("I11", run.id, f"the approval {request.id} was used, for no call in the ledger")


def _unapproved(rows: Rows, effect: Effect, request: Any) -> str:
    if effect.approval and request is None:
        return f"its approval {effect.approval} is not one of this run"
    if request is None:
        covered = covering(versions.definition(rows.run.version_id), effect.path)
        return f"covered by {covered.id}, but the call has no approval" if covered else ""
    if request.state != "approved" or request.used_at is None:
        return f"its approval is {request.state}, used {request.used_at}"
    if request.closed_at > effect.intended_at:
        return "it was decided after the call was meant to go out"
    asked = canonical(orjson.loads(bytes(request.action))["arguments"])
    return "" if asked == bytes(effect.arguments) else "what was sent is not what was approved"


# I12


def workspaces(rows: Rows, tolerance: Tolerance) -> Iterator[Violation]:
    run = rows.run
    if run.workflow.workspace_id != run.workspace_id or run.version.workflow_id != run.workflow_id:
        yield Violation("I12", run.id, "its workflow or version belongs to somebody else")
    for name in ("effects", "requests"):
        if any(row.workspace_id != run.workspace_id for row in getattr(rows, name)):
            yield Violation("I12", run.id, f"{name} of another workspace")


CHECKS = (ends, effects, fence, trace, overdue, sums, folded, approvals, workspaces)
