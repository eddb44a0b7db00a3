"""What the engine reads and writes of runs, as values, and how they lie in the database.

With the journal this is the only writer of run state. Every write is fenced: it names the epoch and the last event
the writer knows, and changes nothing where the row has moved on (DESIGN 4, points 2 and 5).
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from orchestration.core.definition import Json
from orchestration.core.view import Closing, Ended, Open, Standing, View

RunId = uuid.UUID

# What `Claimed` is read from, in the order of its fields: r is a run, w its workspace.
COLUMNS = (
    "r.id, r.workspace_id, w.guard_revision, r.version_id, r.workflow_id, r.number, r.key, r.trigger, r.initiator_id,"
    " r.input, r.state, r.waiting_for, r.life, r.seq, r.active, r.marks, r.variables, r.output, r.error,"
    " r.steps_started, r.tokens, r.cost_microusd, r.epoch, r.deaths, r.suspect, r.accepted_at, r.started_at, r.ended_at"
)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A run row as it was claimed: ours from now to the end of the lease."""

    id: RunId
    workspace_id: int
    guard_revision: int
    version_id: int
    workflow_id: int
    number: int
    key: str
    trigger: str
    initiator_id: int | None
    input: Json
    state: str
    waiting_for: str
    life: int
    seq: int
    active: Mapping[str, Any]
    marks: Mapping[str, Any]
    variables: dict[str, Json]
    output: Json
    error: Mapping[str, Json] | None
    steps_started: int
    tokens: int
    cost_microusd: int
    epoch: int
    deaths: int
    suspect: bool  # its last worker was lost
    accepted_at: datetime
    started_at: datetime | None
    ended_at: datetime | None


@dataclass(frozen=True, slots=True)
class EndedRow:
    run_id: RunId
    path: str
    pass_number: int
    state: str
    port: str
    output: Json
    error: Mapping[str, Json] | None


@dataclass(frozen=True, slots=True)
class FactRow:
    id: int
    run_id: RunId
    kind: str
    body: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class EffectRow:
    key: str
    run_id: RunId
    path: str
    pass_number: int
    effect: str
    arguments: bytes
    state: str


@dataclass(frozen=True, slots=True)
class Loaded:
    """What belongs to claimed runs."""

    ended: Mapping[RunId, Sequence[EndedRow]]
    facts: Mapping[RunId, Sequence[FactRow]]
    effects: Mapping[RunId, Sequence[EffectRow]]


@dataclass(slots=True)
class Write:
    """One run's share of a commit. Rows are dicts of column values, ready for both databases."""

    run_id: RunId
    epoch: int
    seq_from: int
    run: dict[str, Any]
    guard: int | None = None  # the guard_revision the verdicts in it were made under
    steps: list[dict[str, Any]] = field(default_factory=list)
    attempts: list[dict[str, Any]] = field(default_factory=list)
    events: list[dict[str, Any]] = field(default_factory=list)
    spans: list[dict[str, Any]] = field(default_factory=list)
    intents: list[dict[str, Any]] = field(default_factory=list)  # ledger rows to open (again)
    settlements: list[dict[str, Any]] = field(default_factory=list)  # {key, state, receipt}
    consumed: list[int] = field(default_factory=list)  # facts

    def is_done(self, standing: tuple[int, int] | None) -> bool:
        """Say whether a row that stands at this (epoch, seq) was written by this write: no other has our epoch."""
        return bool(self.events) and standing == (self.epoch, self.run["seq"])


@dataclass(frozen=True, slots=True)
class Committed:
    """The replies of one commit: the runs written, and those of them for which facts are waiting."""

    runs: frozenset[RunId]
    called: frozenset[RunId]


class Store(Protocol):
    """One process's connection for the engine. Not shared between threads."""

    def now(self) -> datetime:
        """The database's clock."""

    def claim(self, owner: RunId, limit: int, *, alone: bool = False) -> list[Claimed]:
        """Take up to `limit` due or called runs under a new epoch; `alone` takes one suspect and counts it first."""

    def read(self, run_ids: Sequence[RunId]) -> list[Claimed]:
        """Read run rows as they stand, without claiming them."""

    def load(self, run_ids: Sequence[RunId]) -> Loaded: ...

    def facts(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[FactRow]]: ...

    def commit(self, owner: RunId, writes: Sequence[Write]) -> Committed:
        """Write all in one transaction; those whose fence or guard revision doesn't hold change nothing."""

    def standing(self, run_ids: Sequence[RunId]) -> Mapping[RunId, tuple[int, int]]:
        """Give (epoch, seq) of runs: what became of a commit whose answer was lost."""

    def renew(self, owner: RunId, epochs: Mapping[RunId, int]) -> frozenset[RunId]:
        """Prolong leases; the answer names those that are still ours."""

    def release(self, owner: RunId, epochs: Mapping[RunId, int]) -> None:
        """Give runs back, due at once."""

    def close(self) -> None: ...


def run_columns(view: View, *, keep: bool, due_at: datetime | None, progress: bool) -> dict[str, Any]:
    """Give the columns of the run row that a view stands for."""
    standing = view.standing
    return {
        "seq": standing.seq, "state": str(standing.state), "waiting_for": str(standing.waiting_for),
        "life": standing.life, "active": {path: open_to_json(step) for path, step in view.active.items()},
        "marks": _marks(view), "variables": view.variables, "output": standing.output, "error": standing.error,
        "steps_started": standing.steps_started, "tokens": standing.tokens, "cost_microusd": standing.cost_microusd,
        "started_at": standing.started_at, "ended_at": standing.ended_at,
        "keep": keep, "due_at": due_at, "progress": progress,
    }  # fmt: skip


def view_of(claimed: Claimed, ended: Sequence[EndedRow], workflow: str) -> View:
    """Read a view back from the rows of a run, in order of pass. The caller recounts its joins (`View.recount`)."""
    marks = claimed.marks
    closing = marks.get("closing")
    wall_used, wall_since = marks.get("wall", (0.0, None))
    standing = Standing(
        claimed.state, claimed.waiting_for, claimed.life, claimed.seq, claimed.output, claimed.error,
        claimed.steps_started, claimed.tokens, claimed.cost_microusd, claimed.started_at, claimed.ended_at,
        wall_used, _instant(wall_since), Closing(**closing) if closing else None,
    )  # fmt: skip
    view = View(_names(claimed, workflow), claimed.input, claimed.accepted_at, standing, claimed.variables)
    view.active = {path: open_from_json(path, step) for path, step in claimed.active.items()}
    view.passes, view.again = dict(marks.get("passes", {})), dict(marks.get("again", {}))
    for row in ended:
        present = view.passes.get(row.path, 0)
        place = view.ended if row.pass_number == present else view.previous
        place[row.path] = Ended(row.pass_number, row.state, row.port, row.output, row.error)
    return view


def _names(claimed: Claimed, workflow: str) -> dict[str, Json]:
    """What `run.*` and `trigger.*` name."""
    return {
        "id": str(claimed.id), "number": claimed.number, "key": claimed.key, "workflow": workflow,
        "started_at": (claimed.started_at or claimed.accepted_at).isoformat(), "trigger": {"kind": claimed.trigger},
    }  # fmt: skip


def _marks(view: View) -> dict[str, Any]:
    standing = view.standing
    marks: dict[str, Any] = {"wall": [standing.wall_used, standing.wall_since]}
    if view.passes:
        marks["passes"] = view.passes
    if view.again:
        marks["again"] = view.again
    if closing := standing.closing:
        marks["closing"] = {
            "state": closing.state, "error": closing.error, "output": closing.output, "has_output": closing.has_output,
        }  # fmt: skip
    return marks


# What an open step is in `Run.active`: its fields by short names, those at their default left out.
_OPTIONAL = {
    "waiting_for": "", "failures": 0, "generation": 0, "reserved_tokens": 0, "reserved_microusd": 0, "output": None,
    "approval": "",
}  # fmt: skip


def open_to_json(step: Open) -> dict[str, Any]:
    kept = {name: value for name, default in _OPTIONAL.items() if (value := getattr(step, name)) != default}
    times: dict[str, Any] = {"started": step.started, "since": step.since}
    if step.wake_at:
        times["wake_at"] = step.wake_at
    return {"pass": step.pass_number, "attempt": step.attempt, "state": str(step.state), **times, **kept}


def open_from_json(path: str, stored: Mapping[str, Any]) -> Open:
    times = {name: _instant(stored.get(name)) for name in ("started", "since", "wake_at")}
    kept = {name: stored[name] for name in _OPTIONAL if name in stored}
    return Open(path, stored["pass"], stored["attempt"], stored["state"], **times, **kept)  # type: ignore[arg-type]  # started and since are always stored


def _instant(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
