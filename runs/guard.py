"""The one door: nothing leaves this process for a tool or a model but through a `Door` that `admit` opened.

`admit` judges one attempt and says allow or deny, and why. Deny by default. An allowed attempt gets a Door, which
lets out exactly what was judged: those models, that tool, those bytes, and only while the lease holds.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Limits, Step
from orchestration.core.view import Standing
from orchestration.kinds.base import Job, SpanRecord
from orchestration.providers import models, tools
from orchestration.providers.base import ModelCall, ModelError, ModelReply, ToolError, ToolReply
from runs.effects import MOST_RECEIPT_BYTES, Intent

BOOTTIME = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)  # goes on while the machine sleeps


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the guard decided about one attempt. `layer` and `rule` say what decided it."""

    allow: bool
    layer: str  # registry | grant | approval | limit
    rule: str
    why: str
    code: str = "denied"

    def attributes(self, job: Job, revision: int) -> dict[str, Json]:
        """What the span of the decision tells."""
        return {
            "verdict": "allow" if self.allow else "deny", "layer": self.layer, "rule": self.rule, "why": self.why,
            "tool": job.tool, "models": list(job.models), "guard_revision": revision,
        }  # fmt: skip


@dataclass(frozen=True, slots=True)
class Spending:
    """What the run has spent, and what its attempts in flight may still spend at most."""

    standing: Standing
    reserved_tokens: int
    reserved_microusd: int


def admit(
    definition: Definition, step: Step, job: Job, catalog: Catalog, spending: Spending, approved: str | None
) -> Verdict:
    """Judge an attempt. `approved` is the request that covers the step's call, if one was approved.

    Layers, in order: the registry, the grant of the published version, the approval that covers the call, the limits
    of the run. The first that says no decides.
    """
    return (
        _registry(job, catalog)
        or _grant(step, job)
        or _approval(definition, step, approved)
        or _limits(definition.limits, job, spending)
        or Verdict(True, "grant", f"steps.{step.id}", _granted(step, job))
    )


def _registry(job: Job, catalog: Catalog) -> Verdict | None:
    tool = catalog.tools.get(job.tool)
    if job.tool and (tool is None or not tool.enabled):
        said = "switched off" if tool else "not registered"
        return Verdict(False, "registry", job.tool, f"The tool {job.tool} is {said} in this workspace.")
    for alias in job.models:
        model = catalog.models.get(alias)
        if model is None or not model.enabled:
            said = "switched off" if model else "not known"
            return Verdict(False, "registry", alias, f"The model {alias} is {said} in this workspace.")
    return None


def _grant(step: Step, job: Job) -> Verdict | None:
    """The tool and the models must be on the step's own list, in the version that was published."""
    if job.tool and job.tool != step.config.get("tool"):
        return Verdict(False, "grant", f"steps.{step.id}", f"The step was not given the tool {job.tool}.")
    rungs = step.config.get("ladder") or ()
    given = {step.config.get("model"), *(rung.get("model") for rung in rungs if isinstance(rung, Mapping))}
    if more := sorted(set(job.models) - given):
        return Verdict(False, "grant", f"steps.{step.id}", f"The step was not given the model {more[0]}.")
    return None


def _approval(definition: Definition, step: Step, approved: str | None) -> Verdict | None:
    cover = covering(definition, step.id)
    if cover is None or approved:
        return None
    return Verdict(False, "approval", f"steps.{cover.id}", f"The call must be approved in {cover.id} first, and isn't.")


def _limits(limits: Limits, job: Job, spending: Spending) -> Verdict | None:
    """Reserve before the call: what was spent, what is in flight and the worst this attempt can cost."""
    standing = spending.standing
    tokens = standing.tokens + spending.reserved_tokens + job.tokens
    microusd = standing.cost_microusd + spending.reserved_microusd + job.cost_microusd
    if limits.tokens is not None and job.tokens and tokens > limits.tokens:
        why = f"It could bring the run to {tokens:,} tokens; its limit is {limits.tokens:,}."
        return Verdict(False, "limit", "limits.tokens", why, "limit_tokens")
    if limits.usd is not None and job.cost_microusd and microusd > int(limits.usd * 1_000_000):
        why = f"It could bring the run to ${microusd / 1_000_000:.4f}; its limit is ${limits.usd}."
        return Verdict(False, "limit", "limits.usd", why, "limit_usd")
    return None


def _granted(step: Step, job: Job) -> str:
    if job.tool:
        return f"The published version gives {step.id} the tool {job.tool}."
    return f"The published version gives {step.id} the models {', '.join(job.models)}." if job.models else "No effect."


def covering(definition: Definition, step_id: str) -> Step | None:
    """Find the approval step whose request covers the call of this tool step."""
    return next((s for s in definition.steps if s.kind == "approval" and s.config.get("covers") == step_id), None)


class LeaseLost(ToolError):
    """The worker no longer holds the run, so nothing may leave."""

    def __init__(self) -> None:
        message = "The worker's lease on the run ended before the call."
        super().__init__("lease_lost", message, acted="no", retryable=True)


class Door:
    """Lets one admitted attempt out (kinds.base.Ports), and keeps what became of its effect."""

    def __init__(
        self, job: Job, catalog: Catalog, intent: Intent | None, alive: Callable[[], bool], now: Callable[[], datetime]
    ) -> None:
        self._job, self._catalog, self._intent, self._alive = job, catalog, intent, alive
        self.now = now
        self.settled: tuple[str, Json] | None = None  # state of the ledger row, receipt
        self.sends_once = intent is not None and intent.effect == "once"
        self.under_way: tuple[str, str, datetime] | None = None  # kind, name and start of a call without an answer

    def cut_off(self, code: str) -> tuple[SpanRecord, ...]:
        """Tell of the call that was under way when the attempt was cut off; its own trace was lost with it."""
        if self.under_way is None:
            return ()
        kind, name, started = self.under_way
        attributes: dict[str, Json] = {kind: name, "error": {"code": code, "message": "Cut off before its answer."}}
        if kind == "tool":
            attributes["arguments"] = self._job.arguments.decode()
        return (SpanRecord(kind, name, started, self.now(), "error", attributes),)

    async def call_model(self, alias: str, call: ModelCall) -> ModelReply:
        """Call a model the attempt was admitted for. Raises ModelError."""
        if alias not in self._job.models:
            raise ModelError("denied", f"The attempt was not admitted for the model {alias}.")
        with self._noted("model", alias):
            return await models.call_model(self._catalog.models[alias].call, call)

    async def call_tool(self, name: str, arguments: bytes) -> ToolReply:
        """Send the admitted bytes to the admitted tool. Raises ToolError."""
        if name != self._job.tool or arguments != self._job.arguments:
            raise ToolError("denied", f"The attempt was not admitted for this call of {name}.", acted="no")
        if not self._alive():
            raise LeaseLost
        tool = self._catalog.tools[name]
        with self._noted("tool", name):
            if self._intent is None:
                return await tools.call_tool(tool, arguments, key="", timeout=self._job.timeout)
            return await self._send(tool, self._intent)

    @contextmanager
    def _noted(self, kind: str, name: str) -> Iterator[None]:
        """Remember a call until it has answered or failed; one that is cancelled in between stays remembered."""
        self.under_way = (kind, name, self.now())
        try:
            yield
        except Exception:
            self.under_way = None
            raise
        self.under_way = None

    async def _send(self, tool: Any, intent: Intent) -> ToolReply:
        """Send an effect and note what became of it: without an answer, nobody knows."""
        self.settled = ("unknown", {"message": "No answer came."})
        try:
            reply = await tools.call_tool(tool, intent.arguments, key=intent.key, timeout=self._job.timeout)
        except ToolError as error:
            state = "failed" if error.acted == "no" else "unknown"
            self.settled = (state, {"code": error.code, "message": error.message, "status": error.status})
            raise
        except asyncio.CancelledError:
            self.settled = ("unknown", {"code": "cancelled", "message": "The call was cut off before its answer."})
            raise
        self.settled = ("confirmed", _receipt(reply))
        return reply


def _receipt(reply: ToolReply) -> Json:
    """Keep the answer, or its beginning. Never raises: the other side has acted."""
    try:
        whole = json.dumps(reply.value, ensure_ascii=False).encode(errors="replace")
    except (TypeError, ValueError, RecursionError) as error:
        return {"status": reply.status, "problem": f"The answer can't be kept: {error}"}
    if len(whole) <= MOST_RECEIPT_BYTES:
        return {"status": reply.status, "value": reply.value}
    return {"status": reply.status, "bytes": len(whole), "beginning": whole[:1024].decode(errors="replace")}
