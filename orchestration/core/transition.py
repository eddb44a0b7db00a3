"""What `decide` answers: the changes of one transition, as a value. The journal writes it, the view takes it over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orchestration.core.definition import Json
from orchestration.core.view import Ended, Open, Standing


@dataclass(frozen=True, slots=True)
class EventRecord:
    kind: str
    body: Mapping[str, Json]
    terminal: bool = False


@dataclass(frozen=True, slots=True)
class StepEnd:
    """A StepRun to insert."""

    path: str
    pass_number: int
    kind: str
    state: str
    port: str
    attempt: int
    reason: str
    output: Json
    error: Mapping[str, Json] | None
    tokens: int
    cost_microusd: int
    started: datetime


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """An attempt that will be followed by another."""

    path: str
    pass_number: int
    number: int
    state: str  # failed | abandoned
    error: Mapping[str, Json] | None
    started: datetime


@dataclass(frozen=True, slots=True)
class Perform:
    """Start this attempt, once the transition is committed."""

    path: str
    pass_number: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Ask:
    """Open a request to people."""

    path: str
    pass_number: int
    kind: str  # step | unknown_effect
    asked: Mapping[str, Json] = field(default_factory=dict)
    decide_by: datetime | None = None


@dataclass(slots=True)
class Transition:
    standing: Standing
    events: list[EventRecord] = field(default_factory=list)
    open: dict[str, Open | None] = field(default_factory=dict)  # None: no longer open
    ended: dict[str, Ended] = field(default_factory=dict)
    rows: list[StepEnd] = field(default_factory=list)
    attempts: list[AttemptEnd] = field(default_factory=list)
    performs: list[Perform] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    voids: list[str] = field(default_factory=list)  # paths whose open requests are void
    interrupts: list[Perform] = field(default_factory=list)  # attempts whose answer is no longer wanted
    variables: dict[str, Json] | None = None
    counts: dict[str, tuple[int, int]] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)
    reset: frozenset[str] = frozenset()
    previous: dict[str, Ended] = field(default_factory=dict)
    passes: dict[str, int] = field(default_factory=dict)
