"""From "perform this step" to an attempt that is ready to leave: rendered, judged, reserved, entered in the ledger."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime

from orchestration.core import facts
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError, InvalidValue
from orchestration.core.outcomes import Blocked, Failed, Outcome
from orchestration.core.states import StepState
from orchestration.core.transition import Perform
from orchestration.kinds.base import Job, SpanRecord
from runs.effects import Intent, effect_key, settlement_row
from runs.guard import BOOTTIME, Door, Spending, Verdict, admit, covering
from runs.held import Held, Prepared
from runs.plans import compiled
from runs.store import FactRow


def prepare(held: Held, perform: Perform, now: datetime) -> Outcome | None:
    """Prepare an attempt for the next commit; give an outcome instead where it can't be or may not be made."""
    node = held.compiled.plan.nodes[perform.path]
    try:
        job: Job = node.kind.prepare(node.step, held.scope(now), held.compiled.catalog)
    except (EvaluationError, InvalidValue) as error:
        return Failed("expression_error", str(error))
    prepared = _judge(held, Prepared(perform, node.kind, job, None, Verdict(False, "", "", "")), now)
    if not prepared.verdict.allow:
        return Blocked(prepared.verdict.code, prepared.verdict.why)
    held.view.reserve(perform.path, job.tokens, job.cost_microusd, _approved(held, perform.path) or "")
    held.prepared.append(prepared)
    return None


def judge_again(held: Held, now: datetime) -> Iterator[facts.Fact]:
    """Judge what was prepared under the guard's newer revision; yield what is now denied as facts."""
    claimed = held.claimed
    held.compiled = compiled(claimed.version_id, claimed.workspace_id, held.compiled.catalog.revision + 1)
    earlier, held.prepared = held.prepared, []
    for one in earlier:
        again = _judge(held, one, now)
        if again.verdict.allow:
            held.prepared.append(again)
        else:
            where = one.perform
            blocked = Blocked(again.verdict.code, again.verdict.why)
            yield facts.Reported(where.path, where.pass_number, where.attempt, blocked)


def open_door(held: Held, prepared: Prepared, now: Callable[[], datetime]) -> Door:
    """Open the door for an attempt whose intent is committed."""
    return Door(
        prepared.job, held.compiled.catalog, prepared.intent,
        lambda: time.clock_gettime(BOOTTIME) < held.lease_ends, now,
    )  # fmt: skip


def drop_interrupted(held: Held) -> None:
    """Forget prepared attempts that the same wave no longer wants: they have never left."""
    unwanted = set(held.interrupts)
    held.prepared = [one for one in held.prepared if one.attempt not in unwanted]


def note_settlement(held: Held, intent: Intent, settled: tuple[str, Json], now: datetime) -> None:
    state, receipt = settled
    held.begin_write().settlements.append(settlement_row(held.id, intent.key, state, receipt, now))


def note_answer(held: Held, row: FactRow, now: datetime) -> None:
    """Settle a call of unknown outcome by what a person said of it, whether or not the run still goes on."""
    states = {"happened": "confirmed", "skip": "skipped"}
    if row.kind == "effect_answered" and row.body["answer"] in states:
        receipt = {"by": row.body["by"], "comment": row.body.get("comment", ""), "value": row.body.get("output")}
        state = states[row.body["answer"]]
        held.begin_write().settlements.append(settlement_row(held.id, row.body["effect_key"], state, receipt, now))


def note_lost(held: Held, now: datetime) -> frozenset[str]:
    """Settle as unknown what a lost worker may have sent; name the open steps where that was a `once` call."""
    unsettled = set()
    for row in held.effects.values():
        opened = held.view.active.get(row.path)
        if row.state != "intended":
            continue
        running = opened is not None and opened.state == StepState.RUNNING
        if row.effect == "keyed" and running:
            continue  # it is sent again, with the same key and the same bytes
        receipt = {"code": "worker_lost", "message": "The worker was lost before an answer came."}
        held.begin_write().settlements.append(settlement_row(held.id, row.key, "unknown", receipt, now))
        if running:
            unsettled.add(row.path)
    return frozenset(unsettled)


def _judge(held: Held, prepared: Prepared, now: datetime) -> Prepared:
    """Ask the guard, and record its verdict as a span. A call that is allowed and changes the world gets an intent."""
    path, job = prepared.perform.path, prepared.job
    step = held.compiled.plan.nodes[path].step
    approved = _approved(held, path)
    verdict = admit(held.compiled.plan.definition, step, job, held.compiled.catalog, _spending(held, path), approved)
    if job.tool or job.models:
        attributes = verdict.attributes(job, held.compiled.catalog.revision)
        status = "ok" if verdict.allow else "denied"
        span = SpanRecord("guard", job.tool or ", ".join(job.models), now, now, status, attributes)
        held.note_spans(prepared.attempt, (span,))
    prepared = replace(prepared, verdict=verdict)
    tool = held.compiled.catalog.tools.get(job.tool)
    if not verdict.allow or tool is None or tool.effect == "read":
        return prepared
    return _with_intent(held, prepared, tool.effect, approved or "")


def _with_intent(held: Held, prepared: Prepared, effect: str, approved: str) -> Prepared:
    """Enter the call in the ledger: a key that was sent before is sent again with the same bytes."""
    opened = held.view.active[prepared.perform.path]
    key = effect_key(held.claimed.workspace_id, held.id, opened)
    known = held.effects.get(key)
    arguments = known.arguments if known else prepared.job.arguments
    approval = "" if known else approved  # the approval was used with the first attempt of this key
    intent = Intent(
        key, held.id, held.claimed.workspace_id, opened, prepared.job.tool, effect, arguments, approval
    )  # fmt: skip
    return replace(prepared, job=replace(prepared.job, arguments=arguments), intent=intent)


def _approved(held: Held, path: str) -> str | None:
    """Find the approved request that covers the step's call."""
    cover = covering(held.compiled.plan.definition, path)
    answered = held.readable(cover.id) if cover else None
    if answered is None or answered.port != "approved" or not isinstance(answered.output, dict):
        return None
    return answered.output.get("request")


def _spending(held: Held, path: str) -> Spending:
    others = [step for step in held.view.active.values() if step.path != path]
    return Spending(
        held.view.standing, sum(step.reserved_tokens for step in others), sum(s.reserved_microusd for s in others)
    )
