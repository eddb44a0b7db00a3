"""The world outside, scripted: what tools and models answer, when, and every call that reached them.

It stands in at the one seam of the guard: the functions that send. Everything before it is the product's own.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict, deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest

from designer import registry
from designer.models import ModelRecord, ToolRecord
from orchestration.core.states import TERMINAL
from orchestration.models import Workspace
from orchestration.providers import models, tools
from orchestration.providers.base import ModelError, ModelReply, ToolError, ToolReply
from runs.engine import Engine
from runs.invariants import Tolerance, Violation, violations
from runs.models import Run
from runs.times import database_now
from tests.support.engine import advance

ANYTHING: dict[str, Any] = {"type": "object"}


@dataclass(frozen=True)
class Call:
    """One request that reached the outside."""

    name: str
    key: str
    body: bytes


@dataclass
class Held:
    """An answer that is kept back until the test gives it."""

    answer: Future[Any] = field(default_factory=Future)

    @property
    def was_cancelled(self) -> bool:
        return self.answer.cancelled()

    def give(self, answer: Any) -> None:
        """Answer now; one who no longer waits gets nothing."""
        if not self.was_cancelled:
            self.answer.set_result(answer)

    async def wait(self) -> Any:
        return await asyncio.wrap_future(self.answer)


class Outside:
    def __init__(self) -> None:
        self.calls: list[Call] = []
        self._script: dict[str, deque[Any]] = defaultdict(deque)

    def answers(self, name: str, *answers: Any) -> None:
        """Script the next answers of a tool or model: a value, an exception, or a `Held`. Then it answers `{}`."""
        self._script[name] += answers

    def holds(self, name: str) -> Held:
        """Have the next call hang until the test gives its answer."""
        held = Held()
        self.answers(name, held)
        return held

    def keys(self, name: str) -> list[str]:
        return [call.key for call in self.calls if call.name == name]

    def bodies(self, name: str) -> list[bytes]:
        return [call.body for call in self.calls if call.name == name]

    async def call_tool(self, tool: Any, arguments: bytes, *, key: str, **_: Any) -> ToolReply:
        self.calls.append(Call(tool.name, key, arguments))
        return ToolReply(await self._next(tool.name, {}), 200)

    async def call_model(self, target: Any, call: Any, **_: Any) -> ModelReply:
        self.calls.append(Call(target.model, "", call.prompt.encode()))
        return ModelReply(None, str(await self._next(target.model, "fine")), 10, 10, 100)

    async def _next(self, name: str, default: Any) -> Any:
        script = self._script[name]
        answer = script.popleft() if script else default
        if isinstance(answer, Held):
            answer = await answer.wait()
        if isinstance(answer, Exception):
            raise answer
        return answer


def not_acted(code: str = "not_connected", *, retryable: bool = True) -> ToolError:
    """It is proved that the other side did nothing."""
    return ToolError(code, "It did not act.", acted="no", retryable=retryable)


def unknown(code: str = "timeout") -> ToolError:
    """Nobody knows what the other side did."""
    return ToolError(code, "No answer came.", acted="unknown", retryable=True)


def unavailable() -> ModelError:
    return ModelError("unavailable", "The model is away.")


def a_tool(workspace: Workspace, name: str = "desk.send", effect: str = "once", **columns: Any) -> ToolRecord:
    registry.forget()
    target = {"server": "desk", "tool": name}
    given = {"title": name, "source": "mcp", "effect": effect, "arguments": ANYTHING, "target": target, **columns}
    tool, _ = ToolRecord.objects.update_or_create(
        workspace=workspace, name=name, defaults={"definition_hash": "a" * 64, **given}
    )  # fmt: skip
    return tool


def a_model(workspace: Workspace, name: str = "fast", max_tokens: int = 100) -> ModelRecord:
    registry.forget()
    prices = {"input_usd_per_mtok": 1.0, "output_usd_per_mtok": 1.0}
    model, _ = ModelRecord.objects.update_or_create(
        workspace=workspace, name=name,
        defaults={"provider": "simulator", "model": name, "max_tokens": max_tokens, **prices},
    )  # fmt: skip
    return model


def expire_lease(run: Run) -> None:
    """Let the lease of a run be over now, whoever holds it."""
    Run.objects.filter(pk=run.pk).update(due_at=database_now() - timedelta(seconds=1))


def to_the_end(engine: Engine, run: Run) -> Run:
    """Advance until the run has ended, whatever it waits for now."""
    found = Run.objects.filter(pk=run.pk)
    advance(engine, lambda: found.get().state in TERMINAL)
    return found.get()


def what_is_wrong(strict: bool = False) -> list[str]:
    """Check every run against the invariants."""
    tolerance = Tolerance(database_now(), timedelta(seconds=60), strict)
    return [str(found) for found in violations(tolerance) if isinstance(found, Violation)]


@contextmanager
def scripted(patch: Callable[[Any, str, Any], None]) -> Iterator[Outside]:
    outside = Outside()
    patch(tools, "call_tool", outside.call_tool)
    patch(models, "call_model", outside.call_model)
    registry.forget()
    yield outside
    registry.forget()


@pytest.fixture
def outside(monkeypatch: pytest.MonkeyPatch) -> Iterator[Outside]:
    with scripted(monkeypatch.setattr) as world:
        yield world
