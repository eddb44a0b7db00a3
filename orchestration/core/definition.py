"""What a workflow document means once it is read: frozen values, in document order.

`documents.py` reads YAML and JSON into these values and writes them back; `validation.py` judges them;
`plan.py` compiles them for the engine. All durations are seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Literal

FORMAT = "baton/1"
START = "start"  # the implicit entry: every definition has it, no definition lists it

Json = Any  # a JSON-shaped value: dict, list, str, int, float, bool or None


@dataclass(frozen=True, slots=True)
class Retry:
    """How often a failed attempt is tried again. Only errors marked retryable are."""

    attempts: int = 1  # in all, the first included
    delay: float = 1.0  # seconds before the second attempt
    factor: float = 2.0  # each later delay is this many times the one before; 1 is a fixed delay
    max_delay: float = 300.0
    on: tuple[str, ...] = ()  # error codes; empty is every retryable error


@dataclass(frozen=True, slots=True)
class Again:
    """Marks an edge as going back; it may be taken this many times in a run."""

    max: int


@dataclass(frozen=True, slots=True)
class Edge:
    source: str
    port: str
    target: str
    again: Again | None = None

    def __str__(self) -> str:
        return f"{self.source}.{self.port} -> {self.target}"


@dataclass(frozen=True, slots=True)
class Variable:
    """A declared piece of run state. Every write is validated against `schema`."""

    schema: Mapping[str, Json] = field(default_factory=dict)
    data_class: str = "internal"  # public | internal | personal | secret
    initial: Json = None


@dataclass(frozen=True, slots=True)
class Limits:
    """What one run may spend. None is no limit. Checked before each dispatch."""

    usd: Decimal | None = None
    tokens: int | None = None
    steps: int | None = None  # step executions started, all passes
    wall_time: float | None = None  # seconds, waits for people and pauses not counted
    deadline: float | None = None  # seconds since acceptance, whatever happens


@dataclass(frozen=True, slots=True)
class Step:
    """A node. `config` is what the kind understands (the keys of the document that are not common settings)."""

    id: str
    kind: str
    config: Mapping[str, Json] = field(default_factory=dict)
    title: str = ""
    note: str = ""
    run_if: str | None = None  # CEL; false skips the step
    retry: Retry = Retry()
    timeout: float | None = None  # seconds for one attempt
    on_error: Literal["fail", "continue"] | Mapping[str, Json] = "fail"  # or {"value": ...}
    join: Literal["all", "any"] | int = "all"
    cancel_rest: bool = False  # with join any/n: cancel the branches that lost
    reads: tuple[str, ...] | None = None  # None: whatever it refers to
    writes: Mapping[str, str] = field(default_factory=dict)  # variable -> CEL, evaluated after the step succeeded


@dataclass(frozen=True, slots=True)
class Definition:
    name: str
    steps: tuple[Step, ...]
    edges: tuple[Edge, ...]
    description: str = ""
    input: Mapping[str, Json] = field(default_factory=lambda: {"type": "object"})
    variables: Mapping[str, Variable] = field(default_factory=dict)
    limits: Limits = Limits()
    output: Json = None  # a template value, rendered when the run succeeds
    key: str | None = None  # CEL over input: the business key of a run
    tags: tuple[str, ...] = ()
    layout: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def step(self, step_id: str) -> Step | None:
        return next((step for step in self.steps if step.id == step_id), None)
