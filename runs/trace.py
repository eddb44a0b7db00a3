"""What happened in one run, read once for its page: each visit of a step with its attempts and spans."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from orchestration.core.definition import Definition, Json, Step
from runs.models import Attempt, Run, Span, StepRun

# What rows say of a span. Prompts and answers are read only for the step that is looked at.
BRIEF = ("rung", "verdict", "effect", "simulated", "error__code", "status", "cost_microusd", "why")


@dataclass(frozen=True)
class SpanView:
    id: int
    attempt: int
    kind: str  # model | tool | guard | rung
    name: str
    status: str  # ok | error | skipped
    started_at: datetime
    ended_at: datetime
    about: Mapping[str, Json] = field(default_factory=dict)  # BRIEF attributes that are there


@dataclass(frozen=True)
class Try:
    """One attempt of a step. `ended_at` None: it is going on."""

    number: int
    state: str
    started_at: datetime
    ended_at: datetime | None
    error: Mapping[str, Json] | None = None


@dataclass(frozen=True)
class Visit:
    """One execution of a step: ended, or still open (`ended_at` None)."""

    path: str
    pass_number: int
    kind: str
    title: str
    state: str
    started_at: datetime
    since: datetime  # in this state, for an open one
    ended_at: datetime | None = None
    attempt: int = 1
    waiting_for: str = ""
    wake_at: datetime | None = None
    port: str = ""
    reason: str = ""
    error: Mapping[str, Json] | None = None
    cost_microusd: int = 0
    tokens: int = 0
    tries: tuple[Try, ...] = ()
    spans: tuple[SpanView, ...] = ()

    @property
    def is_open(self) -> bool:
        return self.ended_at is None

    @property
    def asks_people(self) -> bool:
        return self.kind == "approval" or self.state == "needs_approval"


@dataclass(frozen=True)
class Trace:
    visits: tuple[Visit, ...]
    not_reached: tuple[Step, ...]
    simulated: bool

    def find(self, path: str, pass_number: int | None) -> Visit | None:
        """Find a visit of the step: of this pass, else its last one."""
        of_step = [visit for visit in self.visits if visit.path == path]
        exact = [visit for visit in of_step if visit.pass_number == pass_number]
        found = exact or of_step
        return found[-1] if found else None

    @property
    def latest(self) -> dict[str, Visit]:
        """Give the last visit of each step."""
        return {visit.path: visit for visit in self.visits}


def trace_of(run: Run, definition: Definition) -> Trace:
    """Read the trace of a run: three queries, whatever its size."""
    spans = _spans(run)
    tries: dict[tuple[str, int], list[Try]] = defaultdict(list)
    for attempt in Attempt.objects.filter(run=run).order_by("number"):
        tries[attempt.path, attempt.pass_number].append(
            Try(attempt.number, attempt.state, attempt.started_at, attempt.ended_at, attempt.error)
        )
    steps = {step.id: step for step in definition.steps}
    ended = [_ended(row, steps, tries, spans) for row in StepRun.objects.filter(run=run).defer("output")]
    opened = [_open(path, body, steps, tries, spans) for path, body in run.active.items()]
    order = {step.id: index for index, step in enumerate(definition.steps)}
    visits = sorted([*ended, *opened], key=lambda visit: (visit.started_at, order.get(visit.path, 0)))
    seen = {visit.path for visit in visits}
    simulated = any(span.about.get("simulated") for found in spans.values() for span in found)
    return Trace(tuple(visits), tuple(step for step in definition.steps if step.id not in seen), simulated)


def title_of(step_id: str, step: Step | None) -> str:
    """Give the words for a step: its title, else its id made readable."""
    return step.title if step and step.title else step_id.replace("_", " ").capitalize()


def _spans(run: Run) -> dict[tuple[str, int], list[SpanView]]:
    found: dict[tuple[str, int], list[SpanView]] = defaultdict(list)
    columns = ("id", "path", "pass_number", "attempt", "kind", "name", "status", "started_at", "ended_at")
    rows = Span.objects.filter(run=run).order_by("started_at", "id")
    for row in rows.values(*columns, *(f"attributes__{key}" for key in BRIEF)):
        about = {key: value for key in BRIEF if (value := row[f"attributes__{key}"]) is not None}
        span = SpanView(
            row["id"],
            row["attempt"],
            row["kind"],
            row["name"],
            row["status"],
            row["started_at"],
            row["ended_at"],
            about,
        )
        found[row["path"], row["pass_number"]].append(span)
    return found


def _ended(
    row: StepRun,
    steps: Mapping[str, Step],
    tries: Mapping[tuple[str, int], list[Try]],
    spans: Mapping[tuple[str, int], list[SpanView]],
) -> Visit:
    key = (row.path, row.pass_number)
    before, inside = tries.get(key, []), spans.get(key, [])
    last = Try(row.attempt, row.state, _last_start(row, before, inside), row.ended_at, row.error)
    return Visit(
        path=row.path, pass_number=row.pass_number, kind=row.kind, title=title_of(row.path, steps.get(row.path)),
        state=row.state, started_at=min([row.started_at, *(one.started_at for one in before)]),
        since=row.ended_at, ended_at=row.ended_at, attempt=row.attempt, port=row.port, reason=row.reason,
        error=row.error, cost_microusd=row.cost_microusd, tokens=row.tokens, tries=(*before, last),
        spans=tuple(inside),
    )  # fmt: skip


def _last_start(row: StepRun, before: list[Try], spans: Iterable[SpanView]) -> datetime:
    """Find when the last attempt started: the row of a step that was tried again starts with the first."""
    if not before:
        return row.started_at
    own = [span.started_at for span in spans if span.attempt == row.attempt]
    ended = before[-1].ended_at or row.started_at
    return min(own) if own else max(row.started_at, ended)


def _open(
    path: str,
    body: Mapping[str, Any],
    steps: Mapping[str, Step],
    tries: Mapping[tuple[str, int], list[Try]],
    spans: Mapping[tuple[str, int], list[SpanView]],
) -> Visit:
    pass_number, attempt = int(body.get("pass", 0)), int(body.get("attempt", 1))
    since = datetime.fromisoformat(body["since"])
    started = datetime.fromisoformat(body["started"]) if body.get("started") else since
    before, inside = tries.get((path, pass_number), []), spans.get((path, pass_number), [])
    step, state = steps.get(path), str(body.get("state", "running"))
    going_on = (Try(attempt, state, since, None),) if state == "running" else ()
    return Visit(
        path=path, pass_number=pass_number, kind=str(body.get("kind") or (step.kind if step else "")),
        title=title_of(path, step), state=state, started_at=started, since=since, attempt=attempt,
        waiting_for=body.get("waiting_for") or "",
        wake_at=datetime.fromisoformat(body["wake_at"]) if body.get("wake_at") else None,
        cost_microusd=sum(int(span.about.get("cost_microusd") or 0) for span in inside),
        tries=(*before, *going_on), spans=tuple(inside),
    )  # fmt: skip
