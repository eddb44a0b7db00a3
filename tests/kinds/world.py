"""A small world for kinds: a scope over plain values, and an outside that answers as it was told."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from orchestration.core.catalog import Catalog, Model, Tool
from orchestration.core.definition import Definition, Edge, Json, Step
from orchestration.core.expressions import Environment, lookup_in
from orchestration.core.templates import Template
from orchestration.kinds import get
from orchestration.kinds.base import Complaint, Performed
from orchestration.providers.base import ModelCall, ModelReply, ToolReply

NOW = datetime(2026, 5, 4, 9, 0, tzinfo=UTC)


class ValueScope:
    """A scope over plain values, with the real expressions and templates."""

    def __init__(self, values: Mapping[str, Json], schemas: Mapping[str, Mapping[str, Json]], *steps: Step) -> None:
        self._values, self._schemas, self._steps = values, schemas, steps
        self._environment = Environment(schemas)
        self.now = NOW

    def evaluate(self, source: str) -> Json:
        return self._environment.compile(source).evaluate(lookup_in(self._values))

    def render(self, value: Json) -> Json:
        return Template.compile(value, self._environment).render(lookup_in(self._values))

    def also(self, values: Mapping[str, Json]) -> ValueScope:
        return ValueScope({**self._values, **values}, {**self._schemas, **{name: {} for name in values}}, *self._steps)

    def step(self, step_id: str) -> Step:
        return next(step for step in self._steps if step.id == step_id)


def a_scope(input: Json = None, steps: Mapping[str, Json] | None = None, known: tuple[Step, ...] = ()) -> ValueScope:
    """A scope that has an input, the outputs of some steps, and the definition of those that are `known`."""
    outputs = {step: {"output": output, "status": "succeeded"} for step, output in (steps or {}).items()}
    schemas: dict[str, Mapping[str, Json]] = {"input": {}, **{f"steps.{step}.output": {} for step in outputs}}
    return ValueScope({"input": input or {}, "steps": outputs}, schemas, *known)


@dataclass
class Outside:
    """The outside world: answers model and tool calls from lists, in order, and remembers what was asked.

    A listed exception is raised. Its clock moves one second a look.
    """

    models: list[Any] = field(default_factory=list)
    tools: list[Any] = field(default_factory=list)
    asked: list[tuple[str, ModelCall]] = field(default_factory=list)
    sent: list[tuple[str, bytes]] = field(default_factory=list)
    clock: datetime = NOW

    def now(self) -> datetime:
        self.clock += timedelta(seconds=1)
        return self.clock

    async def call_model(self, alias: str, call: ModelCall) -> ModelReply:
        self.asked.append((alias, call))
        return _next(self.models)

    async def call_tool(self, name: str, arguments: bytes) -> ToolReply:
        self.sent.append((name, arguments))
        return _next(self.tools)


def _next(answers: list[Any]) -> Any:
    answer = answers.pop(0)
    if isinstance(answer, Exception):
        raise answer
    return answer


def a_step(kind: str, id: str = "it", **config: Any) -> Step:
    return Step(id=id, kind=kind, config=config)


def a_definition(*steps: Step, edges: tuple[str, ...] = ()) -> Definition:
    """A definition; an edge is written `a.port -> b`."""
    return Definition(name="Test", steps=steps, edges=tuple(_edge(text) for text in edges))


def _edge(text: str) -> Edge:
    source, target = text.split(" -> ")
    step, _, port = source.partition(".")
    return Edge(step, port or "done", target)


def a_catalog(tools: tuple[Tool, ...] = (), models: tuple[str, ...] = ("fast", "smart")) -> Catalog:
    return Catalog(
        tools={tool.name: tool for tool in tools},
        models={
            name: Model(name, model=f"{name}-1", input_usd_per_mtok=1.0, output_usd_per_mtok=2.0, max_tokens=100,
                        simulated=True)
            for name in models
        },
    )  # fmt: skip


def a_reply(value: Json, tokens: tuple[int, int] = (10, 5), cost: int = 20) -> ModelReply:
    return ModelReply(
        value=value, text=str(value), input_tokens=tokens[0], output_tokens=tokens[1], cost_microusd=cost,
        provider="simulator", model="fast-1", simulated=True,
    )  # fmt: skip


def complaints(step: Step, definition: Definition | None = None, catalog: Catalog | None = None) -> list[Complaint]:
    checked = get(step.kind).check(step, definition or a_definition(step), catalog or a_catalog())
    return list(checked)


def decided(step: Step, scope: ValueScope | None = None) -> Any:
    return get(step.kind).decide(step, scope or a_scope())  # type: ignore[attr-defined]


async def performed(
    step: Step, outside: Outside, scope: ValueScope | None = None, catalog: Catalog | None = None
) -> Performed:
    kind: Any = get(step.kind)
    job = kind.prepare(step, scope or a_scope(), catalog or a_catalog())
    done: Performed = await kind.perform(job, outside)
    return done
