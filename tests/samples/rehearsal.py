"""Runs a sample workflow in memory: the real language, kinds, simulator and sample tools; no engine, no database."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from orchestration.core import facts
from orchestration.core.catalog import Catalog, Model, Tool
from orchestration.core.decide import decide
from orchestration.core.definition import Definition, Json
from orchestration.core.documents import load
from orchestration.core.overlay import Overlay
from orchestration.core.plan import Plan
from orchestration.core.problems import Problem
from orchestration.core.transition import Ask, StepEnd, Transition
from orchestration.core.values import check, with_defaults
from orchestration.core.view import View
from orchestration.kinds import KINDS
from orchestration.kinds.approval import output_of
from orchestration.kinds.base import Job, Performed, SpanRecord
from orchestration.providers.base import ModelCall, ModelError, ModelReply, ToolError, ToolReply
from orchestration.providers.pricing import worst_case
from orchestration.providers.simulator.model import answer
from samples.effects import Store
from samples.helpdesk import store as helpdesk
from samples.helpdesk.tools import TOOLS as HELPDESK
from samples.repo import tools as repo
from samples.serving import Refused, SampleTool

SAMPLES = Path(__file__).resolve().parents[2] / "samples"
NOW = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)
SERVERS: Mapping[str, tuple[SampleTool, ...]] = {"helpdesk": HELPDESK, "repo": repo.TOOLS}


def the_catalog() -> Catalog:
    """The sample servers' tools as they are registered, and two simulated models."""
    tools = [
        Tool(f"{server}.{tool.name}", tool.title, source="mcp", arguments=tool.arguments, output=tool.output,
             risk=tool.risk, effect=tool.effect)
        for server, served in SERVERS.items()
        for tool in served
    ]  # fmt: skip
    models = {name: Model(name, model=name, simulated=True) for name in ("fast", "smart")}
    return Catalog({tool.name: tool for tool in tools}, models)


def read_sample(name: str) -> tuple[Definition | None, list[Problem]]:
    return load((SAMPLES / name).read_bytes(), KINDS, the_catalog())


def inputs(name: str) -> list[dict[str, Json]]:
    lines = (SAMPLES / name).read_text(encoding="utf-8").splitlines()
    return [json.loads(line) for line in lines if line.strip()]


@dataclass
class World:
    """The outside: the simulator, or a trouble instead of it; the sample servers over files of their own."""

    folder: Path
    trouble: str = ""  # what every model call comes to
    broken: frozenset[str] = frozenset()  # tools that are unavailable, having done nothing
    calls: list[tuple[str, dict[str, Json]]] = field(default_factory=list)
    clock: datetime = NOW
    stores: dict[str, Store] = field(default_factory=dict)

    def now(self) -> datetime:
        self.clock += timedelta(milliseconds=1)
        return self.clock

    async def call_model(self, alias: str, call: ModelCall) -> ModelReply:
        if self.trouble:
            raise ModelError(self.trouble, f"it was {self.trouble}")
        value = answer(call.prompt, call.system, call.output_schema)
        tokens, cost = worst_case(the_catalog().models[alias], call)
        return ModelReply(value, str(value), tokens - call.max_tokens, 10, cost, "simulator", alias, simulated=True)

    async def call_tool(self, name: str, arguments: bytes) -> ToolReply:
        values = json.loads(arguments)
        self.calls.append((name, values))
        if name in self.broken:
            raise ToolError("unavailable", f"{name} is not there", acted="no")
        server, _, tool_name = name.partition(".")
        tool = next(tool for tool in SERVERS[server] if tool.name == tool_name)
        try:
            with self._store(server).change() as connection:
                return ToolReply(tool.run(connection, values))
        except Refused as error:
            raise ToolError("refused", str(error), acted="no") from None

    def _store(self, server: str) -> Store:
        if server not in self.stores:
            opened = {"helpdesk": helpdesk.open_store, "repo": repo.open_store}[server]
            self.stores[server] = opened(self.folder / server)
        return self.stores[server]

    def called(self, name: str) -> list[dict[str, Json]]:
        return [arguments for called, arguments in self.calls if called == name]


@dataclass
class Rehearsal:
    """One run, until it waits for a person or has ended."""

    definition: Definition
    world: World
    input: dict[str, Json]
    ends: list[StepEnd] = field(default_factory=list)
    spans: list[tuple[str, SpanRecord]] = field(default_factory=list)
    asked: list[Ask] = field(default_factory=list)
    jobs: dict[str, Job] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check(self.input, self.definition.input, "input")
        self.plan = Plan(self.definition, KINDS, the_catalog())
        run = {"id": "r", "number": 1, "key": None, "workflow": "sample", "started_at": NOW.isoformat(), "trigger": {}}
        initial = {name: variable.initial for name, variable in self.definition.variables.items()}
        self.view = View(run, with_defaults(self.input, self.definition.input), NOW, variables=initial)
        self.view.recount(self.plan)
        self._take(facts.Started())

    def decide(self, port: str) -> None:
        """Answer the open question as a person would."""
        (step,) = self.view.active.values()
        decision = {"by": "ada", "request": "q1"}
        self._take(facts.Decided(step.path, step.pass_number, port, output_of(port, decision)))

    def wake(self) -> None:
        """Let the time come that the run waits for."""
        self.world.clock = max(step.wake_at for step in self.view.active.values() if step.wake_at)
        self._take(facts.TimeCame())

    def reason(self, step_id: str) -> str:
        return next(end.reason for end in self.ends if end.path == step_id)

    def output(self, step_id: str) -> Any:
        return self.view.ended[step_id].output

    @property
    def state(self) -> str:
        return self.view.standing.state

    def _take(self, fact: facts.Fact) -> None:
        todo = [fact]
        while todo:
            transition = decide(self.plan, self.view, todo.pop(0), self.world.now())
            assert transition is not None
            self.view.apply(transition)
            todo += self._settle(transition)

    def _settle(self, transition: Transition) -> list[facts.Fact]:
        self.ends += transition.rows
        self.asked += transition.asks
        return [
            facts.Reported(ask.path, ask.pass_number, ask.attempt, self._perform(ask.path).outcome)
            for ask in transition.performs
        ]

    def _perform(self, path: str) -> Performed:
        node = self.plan.nodes[path]
        scope = Overlay(self.plan, self.view, self.world.clock).scope()
        job = node.kind.prepare(node.step, scope, the_catalog())
        self.jobs[path] = job
        done: Performed = asyncio.run(node.kind.perform(job, self.world))
        self.spans += [(path, span) for span in done.spans]
        return done
