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
from orchestration.core.transition import Ask, Perform
from orchestration.core.view import Open
from orchestration.kinds.base import Job, SpanRecord
from runs.effects import Intent, effect_key
from runs.guard import BOOTTIME, Door, Spending, Verdict, admit, covering
from runs.held import Held, Prepared
from runs.plans import compiled
from runs.store import EffectRow, FactRow

LOST = "The worker was lost before an answer came."


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


def drop_unwanted(held: Held) -> list[facts.Fact]:
    """Forget prepared attempts that the same wave no longer wants, and report them: they will never answer."""
    interrupted = set(held.interrupts)
    wanted = [one for one in held.prepared if one.attempt not in interrupted and held.is_open(one.attempt)]
    dropped, held.prepared = [one for one in held.prepared if one not in wanted], wanted
    cancelled = Failed("cancelled", "It was cancelled before it began.")
    return [facts.Reported(*one.attempt, cancelled) for one in dropped]


def note_answer(held: Held, row: FactRow, now: datetime) -> None:
    """Settle a call of unknown outcome by what a person said of it, whether or not the run still goes on."""
    states = {"happened": "confirmed", "skip": "skipped", "try_again": "failed"}
    if row.kind == "effect_answered" and row.body["answer"] in states:
        receipt = {"by": row.body["by"], "comment": row.body.get("comment", ""), "value": row.body.get("output")}
        state = states[row.body["answer"]]
        held.note_settlement(row.body["effect_key"], state, receipt, now)


def note_lost(held: Held, now: datetime, *, goes_on: bool = True) -> frozenset[str]:
    """Settle as unknown what a lost worker may have sent; name the open steps where that was a `once` call.

    A `once` call whose step is no longer open is asked about all the same. `goes_on`: False if the run is to be
    failed, so that nothing of it is sent again.
    """
    unsettled = set()
    for row in [row for row in held.effects.values() if row.state == "intended"]:
        opened = held.view.active.get(row.path)
        running = opened is not None and opened.state == StepState.RUNNING and row.key == _key(held, opened)
        if row.effect == "keyed" and running and goes_on and held.view.standing.closing is None:
            continue  # it is sent again, with the same key and the same bytes
        held.note_settlement(row.key, "unknown", {"code": "worker_lost", "message": LOST}, now)
        if running and row.effect == "once" and goes_on:
            unsettled.add(row.path)
        elif row.effect == "once":
            ask_about(held, row.path, row.pass_number, Failed("worker_lost", LOST))
    return frozenset(unsettled)


def ask_about(held: Held, path: str, pass_number: int, failed: Failed) -> None:
    """Ask people about a `once` call of unknown outcome whose step has been ended without waiting for it."""
    asked: dict[str, Json] = {"question": failed.message, "code": failed.code}
    held.asks.append(Ask(path, pass_number, "unknown_effect", asked))


def _judge(held: Held, prepared: Prepared, now: datetime) -> Prepared:
    """Ask the guard, and record its verdict as a span. A call that is allowed and changes the world gets an intent."""
    path, job, catalog = prepared.perform.path, prepared.job, held.compiled.catalog
    step, approved = held.compiled.plan.nodes[path].step, _approved(held, path)
    verdict = admit(held.compiled.plan.definition, step, job, catalog, _spending(held, path), approved)
    judged, tool = replace(prepared, verdict=verdict), catalog.tools.get(job.tool)
    if verdict.allow and tool is not None and tool.effect != "read":
        judged = _with_intent(held, judged, tool.effect, approved or "")
    if job.tool or job.models:
        attributes = judged.verdict.attributes(job, catalog.revision)
        status = "ok" if judged.verdict.allow else "denied"
        span = SpanRecord("guard", job.tool or ", ".join(job.models), now, now, status, attributes)
        held.note_spans(prepared.attempt, (span,))
    return judged


def _with_intent(held: Held, prepared: Prepared, effect: str, approved: str) -> Prepared:
    """Enter the call in the ledger: a key that was sent before is sent again with the same bytes."""
    opened = held.view.active[prepared.perform.path]
    key = _key(held, opened)
    known = held.effects.get(key) or _sent_before(held, opened)
    if known and known.effect == "once" and known.state != "failed":
        why = f"The same call was sent before, and it is not proved that it did not happen: it is {known.state}."
        return replace(prepared, verdict=Verdict(False, "ledger", known.key, why, "sent_before"))
    arguments = known.arguments if known else prepared.job.arguments
    # The approval was used with the first attempt: what was approved may be sent until it is known to have happened.
    intent = Intent(
        key, held.id, held.claimed.workspace_id, opened, prepared.job.tool, effect, arguments, approved,
        uses=bool(approved) and known is None,
    )  # fmt: skip
    return replace(prepared, job=replace(prepared.job, arguments=arguments), intent=intent)


def _sent_before(held: Held, opened: Open) -> EffectRow | None:
    """Find the call that a person said to try again: what they were shown is what is sent."""
    return held.effects.get(_key(held, replace(opened, generation=opened.generation - 1)))


def _key(held: Held, opened: Open) -> str:
    return effect_key(held.claimed.workspace_id, held.id, opened)


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
