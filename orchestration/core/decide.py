"""The meaning of a run: what follows from a fact. The only place that chooses transitions (DESIGN 4 and 4.1).

`decide` is pure: it reads a plan, a view, a fact and the time, and answers with a `Transition` or, when the fact
changes nothing, with None. It performs nothing: work steps are asked for, people are asked through `Ask`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import assert_never

from orchestration.core import facts
from orchestration.core.ending import finish
from orchestration.core.moves import Moves
from orchestration.core.outcomes import Failed, Succeeded
from orchestration.core.plan import Plan
from orchestration.core.states import RunState, StepState, WaitingFor
from orchestration.core.transition import Transition
from orchestration.core.view import Closing, View


def decide(plan: Plan, view: View, fact: facts.Fact, now: datetime) -> Transition | None:
    """Answer what the fact changes in the run, or None for nothing. An ended run changes no more."""
    if view.standing.is_ended:
        return None
    moves = Moves(plan, view, now)
    match fact:
        case facts.Started():
            changed = _started(moves)
        case facts.Reported():
            changed = _reported(moves, fact)
        case facts.TimeCame():
            changed = _time_came(moves)
        case facts.CancelAsked():
            changed = _cancel_asked(moves, fact)
        case facts.Decided():
            changed = _decided(moves, fact)
        case facts.EffectAnswered():
            changed = _effect_answered(moves, fact)
        case facts.WorkerLost():
            changed = _worker_lost(moves, fact)
        case facts.Broken():
            changed = _broken(moves, fact)
        case _:
            assert_never(fact)
    if not changed:
        return None
    moves.follow()
    return finish(moves, _EVENTS[type(fact)])


_EVENTS = {
    facts.Started: "started",
    facts.Reported: "step_reported",
    facts.TimeCame: "time_came",
    facts.CancelAsked: "cancel_asked",
    facts.Decided: "decided",
    facts.EffectAnswered: "effect_answered",
    facts.WorkerLost: "worker_lost",
    facts.Broken: "broken",
}


def _started(moves: Moves) -> bool:
    if moves.standing.started_at is not None:
        return False
    moves.begin()
    return True


def _reported(moves: Moves, fact: facts.Reported) -> bool:
    """Take the answer of the attempt that is open; one of another pass or attempt comes too late and is ignored."""
    step = moves.opened(fact.path)
    if (
        step is None
        or step.state != StepState.RUNNING
        or (step.pass_number, step.attempt) != (fact.pass_number, fact.attempt)
    ):
        return False
    moves.settle(step, fact.outcome)
    return True


def _time_came(moves: Moves) -> bool:
    closing = moves.standing.closing
    if closing is None and (message := moves.out_of_time()):
        moves.close(Closing(RunState.TIMED_OUT, {"code": "timed_out", "message": message}))
        return True
    due = [step for step in moves.open_steps() if step.wake_at and step.wake_at <= moves.now]
    for step in due:
        if moves.opened(step.path) is not step:
            continue  # one that was due before it went back, or closed the run: this one is cancelled already
        if step.waiting_for == WaitingFor.RETRY:
            moves.retry(step)
        else:
            moves.settle(step, Succeeded(step.output, reason="the time has come"))
    return bool(due)


def _cancel_asked(moves: Moves, fact: facts.CancelAsked) -> bool:
    if moves.standing.closing is not None:
        return False
    message = f"cancelled by {fact.by}" + (f": {fact.reason}" if fact.reason else "")
    moves.close(Closing(RunState.CANCELLED, {"code": "cancelled", "message": message}))
    return True


def _decided(moves: Moves, fact: facts.Decided) -> bool:
    step = moves.opened(fact.path)
    if step is None or step.pass_number != fact.pass_number or step.waiting_for != WaitingFor.APPROVAL:
        return False
    by = fact.answer.get("by")
    moves.settle(step, Succeeded(dict(fact.answer), fact.port, f"{fact.port} by {by}" if by else fact.port))
    return True


def _effect_answered(moves: Moves, fact: facts.EffectAnswered) -> bool:
    step = moves.opened(fact.path)
    if step is None or step.pass_number != fact.pass_number or step.waiting_for != WaitingFor.UNKNOWN_EFFECT:
        return False
    match fact.answer:
        case "happened":
            moves.settle(step, Succeeded(fact.output, reason=f"{fact.by} said that it happened"))
        case "try_again":
            moves.try_again(step, fact.by)
        case "skip":
            moves.end(step, StepState.SKIPPED, "done", reason=f"{fact.by} said to go on without it")
        case _:
            return False
    return True


def _worker_lost(moves: Moves, fact: facts.WorkerLost) -> bool:
    """Start over what the lost worker was performing; a `once` call that may have gone out is asked about instead."""
    lost = [step for step in moves.open_steps() if step.state == StepState.RUNNING]
    for step in lost:
        failed = Failed("worker_lost", "The worker that performed this attempt was lost.", unknown=True)
        if step.path in fact.unsettled:
            moves.charge_reserved(step)
            moves.settle(step, failed)
        elif moves.standing.closing is not None:
            moves.drop(step, failed)
        else:
            moves.charge_reserved(step)
            moves.abandon(step, failed)
    return bool(lost)


def _broken(moves: Moves, fact: facts.Broken) -> bool:
    error = {"code": fact.code, "message": fact.message}
    moves.standing = replace(moves.standing, closing=Closing(RunState.FAILED, error))
    for step in moves.open_steps():
        moves.drop(step, Failed(fact.code, fact.message))
    return True
