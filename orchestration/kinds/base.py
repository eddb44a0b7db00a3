"""What a kind of step is. One file a kind; `KINDS` in the package names them all."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from orchestration.core.catalog import Catalog, Model, Tool
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.outcomes import Outcome


class Scope(Protocol):
    """What a step may see of its run. Expressions and templates are compiled once per definition."""

    def evaluate(self, source: str) -> Json:
        """Evaluate a bare CEL expression. Raises EvaluationError."""

    def render(self, value: Json) -> Json:
        """Render each `{{ cel }}` in a template value, deep. Raises EvaluationError."""

    def also(self, values: Mapping[str, Json]) -> Scope:
        """Give this scope with further names bound: those a `Use` declares as `extra` (error, output)."""

    def step(self, step_id: str) -> Step:
        """Give another step of the definition."""

    @property
    def now(self) -> datetime: ...


@dataclass(frozen=True, slots=True)
class Use:
    """One expression or template of a step, as its checker and the reference finder see it."""

    field: str  # dotted place within the step: ladder[1].prompt
    source: Json  # a CEL string, or a template value
    template: bool = False  # True: text or value with {{ }}
    wants: str | None = None  # bool, string, list, timestamp or None for anything
    # Further names that only this source may use -> JSON Schema: error in a repair prompt, say.
    extra: Mapping[str, Mapping[str, Json]] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Complaint:
    """A problem a kind found in its own config."""

    field: str
    message: str
    fix: str = ""
    warning: bool = False


class Kind:
    """Base of all kinds. Class attributes describe it; methods are pure."""

    name: str = ""
    label: str = ""
    icon: str = ""  # a Lucide name
    summary: str = ""
    listed: bool = True  # False: the definition never lists it and the palette never offers it (start)
    config_schema: Mapping[str, Json] = {"type": "object", "properties": {}}

    def ports(self, config: Mapping[str, Json]) -> tuple[str, ...]:
        """Name the ports an edge may leave by, in drawing order."""
        return ("done", "error")

    def uses(self, step: Step) -> Iterable[Use]:
        """Yield each expression and template of the config (the common settings are not the kind's)."""
        return ()

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        """Yield what is wrong beyond `config_schema` and the expressions."""
        return ()

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        """Give the JSON Schema of the step's output; {} is anything."""
        return {}


class ControlKind(Kind):
    """A kind whose answer is pure and instant; it may share the commit of the step that caused it."""

    def decide(self, step: Step, scope: Scope) -> Outcome:
        raise NotImplementedError(self.name)


@dataclass(frozen=True, slots=True)
class Job:
    """One attempt of a work step, ready to leave the process: rendered, guarded, bounded. No run state in it."""

    kind: str
    payload: Any  # what the kind's `perform` needs, made by its `prepare`
    timeout: float  # seconds
    cost_microusd: int = 0  # the most it can cost: reserved before, settled after
    tokens: int = 0
    tool: str = ""  # the tool it calls, for the guard and the ledger
    models: tuple[str, ...] = ()  # the model aliases it may call
    arguments: bytes = b""  # a tool's arguments, canonical JSON: stored, hashed and sent as they are


@dataclass(frozen=True, slots=True)
class SpanRecord:
    """A timed row of the trace that a step brings back: a model call, a tool call, a rung that was not taken."""

    kind: str  # model | tool | guard | rung
    name: str
    started_at: datetime
    ended_at: datetime
    status: str  # ok | error | skipped
    attributes: Mapping[str, Json] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Performed:
    """What an attempt came to, with its trace."""

    outcome: Outcome
    spans: tuple[SpanRecord, ...] = ()


class Ports(Protocol):
    """The outside world as a kind sees it: everything here has been allowed by the guard."""

    def now(self) -> datetime: ...

    async def call_model(self, alias: str, call: Any) -> Any:
        """providers.base.ModelCall -> ModelReply. Raises ModelError."""

    async def call_tool(self, name: str, arguments: bytes) -> Any:
        """-> providers.base.ToolReply. Raises ToolError."""


class WorkKind(Kind):
    """A kind that leaves the process: its result is committed before anything that depends on it starts."""

    def prepare(self, step: Step, scope: Scope, catalog: Catalog) -> Job:
        """Render the config into a Job. Pure. Raises EvaluationError or InvalidValue."""
        raise NotImplementedError(self.name)

    async def perform(self, job: Job, ports: Ports) -> Performed:
        """Do it, with no transaction open. Expected failures are outcomes; a bug raises."""
        raise NotImplementedError(self.name)


Lookup = Callable[[str], Json]
__all__ = [
    "Complaint", "ControlKind", "Job", "Kind", "Lookup", "Model", "Performed", "Ports", "Scope", "SpanRecord",
    "Tool", "Use", "WorkKind",
]  # fmt: skip
