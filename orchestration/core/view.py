"""A run as the engine sees it: what is open, what ended, what was spent. Only `apply` changes a view."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from orchestration.core.definition import START, Edge, Json
from orchestration.core.states import TERMINAL, RunState, StepState

if TYPE_CHECKING:
    from orchestration.core.plan import Plan
    from orchestration.core.transition import Transition


@dataclass(frozen=True, slots=True)
class Open:
    """A step that has started and not ended."""

    path: str
    pass_number: int
    attempt: int  # the one that is open, from 1
    state: str  # StepState: running, waiting or needs_approval
    started: datetime  # its first attempt
    since: datetime  # in this state
    wake_at: datetime | None = None
    waiting_for: str = ""
    failures: int = 0  # attempts that failed; those whose worker was lost don't count
    generation: int = 0  # of its effect keys: rises when a person says 'try again'
    reserved_tokens: int = 0
    reserved_microusd: int = 0
    output: Json = None  # what a timer will answer with
    approval: str = ""  # the request whose frozen action this tool step must send


@dataclass(frozen=True, slots=True)
class Ended:
    """What a later step reads of an ended one."""

    pass_number: int
    state: str
    port: str
    output: Json = None
    error: Mapping[str, Json] | None = None


@dataclass(frozen=True, slots=True)
class Closing:
    """The run is on its way to this end; nothing new starts, calls in flight are settled."""

    state: str
    error: Mapping[str, Json] | None = None
    output: Json = None
    has_output: bool = False


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the run as a whole stands: the scalars of its row."""

    state: str = RunState.QUEUED
    waiting_for: str = ""
    life: int = 1
    seq: int = 0
    output: Json = None
    error: Mapping[str, Json] | None = None
    steps_started: int = 0
    tokens: int = 0
    cost_microusd: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None
    wall_used: float = 0.0  # seconds that count, until wall_since
    wall_since: datetime | None = None  # None: the time doesn't count now (a person is asked, or it ended)
    closing: Closing | None = None

    @property
    def is_ended(self) -> bool:
        return self.state in TERMINAL


@dataclass(slots=True)
class View:
    """All that `decide` needs to know of one run."""

    run: Mapping[str, Any]  # id, number, key, workflow, started_at ...: what `run.*` names in expressions
    input: Json
    accepted_at: datetime
    standing: Standing = Standing()
    variables: dict[str, Json] = field(default_factory=dict)
    active: dict[str, Open] = field(default_factory=dict)
    ended: dict[str, Ended] = field(default_factory=dict)  # in their present pass
    previous: dict[str, Ended] = field(default_factory=dict)  # in the pass before, where a region was reset
    passes: dict[str, int] = field(default_factory=dict)  # step -> present pass, where not 0
    again: dict[str, int] = field(default_factory=dict)  # edge -> times taken
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)  # step -> incoming edges (taken, skipped)

    def edge_state(self, edge: Edge) -> bool | None:
        """Say whether the edge was taken (True), skipped (False) or is undecided (None)."""
        if edge.source == START:
            return True if self.standing.started_at else None
        ended = self.ended.get(edge.source)
        return None if ended is None else bool(ended.port) and ended.port == edge.port

    def recount(self, plan: Plan) -> None:
        """Derive `counts` from what has ended: a view read back from the database starts here."""
        self.counts = {step: self.count(edges) for step, edges in plan.sources.items()}

    def count(self, edges: tuple[Edge, ...]) -> tuple[int, int]:
        states = [self.edge_state(edge) for edge in edges]
        return states.count(True), states.count(False)

    @property
    def is_running(self) -> bool:
        """Say whether any step is being performed: its worker must keep the lease."""
        return any(step.state == StepState.RUNNING for step in self.active.values())

    def next_due(self, plan: Plan) -> datetime | None:
        """Say when the run wants to be looked at again if nothing happens before."""
        times = [step.wake_at for step in self.active.values() if step.wake_at]
        times += [time for time in (self.wall_ends(plan), self.deadline(plan)) if time]
        return None if self.standing.is_ended else min(times, default=None)

    def wall_ends(self, plan: Plan) -> datetime | None:
        limit, since = plan.definition.limits.wall_time, self.standing.wall_since
        if limit is None or since is None:
            return None
        return since + timedelta(seconds=max(0.0, limit - self.standing.wall_used))

    def deadline(self, plan: Plan) -> datetime | None:
        limit = plan.definition.limits.deadline
        return None if limit is None else self.accepted_at + timedelta(seconds=limit)

    def reserve(self, path: str, tokens: int, microusd: int, approval: str = "") -> None:
        """Note what the attempt about to start may cost at most, and the request that allows it."""
        self.active[path] = replace(
            self.active[path], reserved_tokens=tokens, reserved_microusd=microusd, approval=approval
        )

    def apply(self, transition: Transition) -> None:
        """Take over a transition that `decide` made from this view."""
        self.standing = transition.standing
        if transition.variables is not None:
            self.variables = transition.variables
        if transition.reset:
            self._reset(transition)
        for path, step in transition.open.items():
            if step is None:
                self.active.pop(path, None)
            else:
                self.active[path] = step
        for path, ended in transition.ended.items():
            self.ended[path] = ended
        self.counts.update(transition.counts)
        self.again.update(transition.again)

    def _reset(self, transition: Transition) -> None:
        for step in transition.reset:
            if step in self.ended:
                self.previous[step] = self.ended.pop(step)
        self.previous.update(transition.previous)
        self.passes.update(transition.passes)
