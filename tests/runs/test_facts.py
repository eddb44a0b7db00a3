"""What comes from outside a run while it is anywhere: before its start, in a worker's hands, waiting, or over."""

from __future__ import annotations

from typing import Any

import pytest

from orchestration.access import Actor
from runs import cancelling, facts
from runs.models import Fact, Run
from tests.runs.test_engine import CHAIN, check_events_tell_the_state
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle
from tests.support.outside import Outside, a_model, a_tool, to_the_end, what_is_wrong

pytestmark = pytest.mark.django_db(transaction=True)

READ = "steps: [{id: look, kind: tool, tool: desk.read}]\nedges: [{from: start, to: look}]"
ASK_MODEL = "steps: [{id: look, kind: model, model: fast, prompt: Hi}]\nedges: [{from: start, to: look}]"
WAIT = "steps: [{id: pause, kind: wait, for: 1h}]\nedges: [{from: start, to: pause}]"


def a_run_of(text: str) -> Run:
    workspace = a_workspace()
    a_tool(workspace, "desk.read", "read")
    a_model(workspace)
    return a_run(a_person("operator", workspace), a_workflow(workspace, text))


def cancel(run: Run) -> None:
    cancelling.cancel(Actor(a_person("operator", run.workspace), run.workspace), run.id, "enough")


def is_all_consumed() -> bool:
    return not Fact.objects.filter(consumed=False).exists()


def check_cancelled(run: Run) -> None:
    run.refresh_from_db()
    assert (run.state, run.error["code"], run.owner, run.due_at) == ("cancelled", "cancelled", None, None)
    assert is_all_consumed()
    assert what_is_wrong(strict=True) == []
    check_events_tell_the_state(run)


def test_a_run_that_is_cancelled_before_it_starts_does_nothing(outside: Outside) -> None:
    run = a_run_of(READ)
    cancel(run)
    with an_engine() as engine:
        settle(engine, run)

    check_cancelled(run)
    assert outside.calls == []
    assert not run.steps.exists()


def test_a_cancel_between_claim_and_commit_is_found_at_once(outside: Outside, monkeypatch: pytest.MonkeyPatch) -> None:
    run = a_run_of(READ)
    call = outside.holds("desk.read")
    with an_engine() as engine:
        commit = engine.journal.commit

        def cancelled_first(writes: Any) -> Any:
            if not Fact.objects.exists():
                cancel(run)
            return commit(writes)

        monkeypatch.setattr(engine.journal, "commit", cancelled_first)
        engine.turn()
        assert engine._called == {run.id}  # the reply of the commit said so: nothing polls for it
        settle(engine, run)

    check_cancelled(run)
    assert call.was_cancelled or outside.calls == []


@pytest.mark.parametrize(("text", "name"), [(READ, "desk.read"), (ASK_MODEL, "fast")])
def test_a_cancel_interrupts_a_call_that_changes_nothing(outside: Outside, text: str, name: str) -> None:
    run = a_run_of(text)
    call = outside.holds(name)
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        cancel(run)
        engine._swept = 0.0
        settle(engine, run)

    check_cancelled(run)
    assert call.was_cancelled
    assert run.steps.get(path="look").state == "cancelled"


def test_a_cancel_in_the_same_wave_as_the_step_before_ends_the_run(outside: Outside) -> None:
    run = a_run_of(
        """
        steps: [{id: look, kind: tool, tool: desk.read}, {id: next, kind: tool, tool: desk.read}]
        edges: [{from: start, to: look}, {from: look, to: next}]
        """
    )
    call = outside.holds("desk.read")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        cancel(run)
        call.give({})
        engine.bell.wait(10)
        engine._called.add(run.id)
        engine.turn()  # the report starts the next step, the fact takes it back
        assert not engine.held

    check_cancelled(run)
    assert len(outside.calls) == 1
    assert run.steps.get(path="next").state == "cancelled"


def test_a_cancel_wakes_a_run_that_only_waits(outside: Outside) -> None:
    run = a_run_of(WAIT)
    with an_engine() as engine:
        settle(engine, run)
        cancel(run)
        to_the_end(engine, run)

    check_cancelled(run)


def test_facts_of_a_run_in_hand_are_found_within_a_sweep_and_by_its_holder_only(outside: Outside) -> None:
    run = a_run_of(READ)
    outside.holds("desk.read")
    with an_engine() as holder, an_engine() as other:
        advance(holder, lambda: len(outside.calls) == 1)
        cancel(run)
        other.hint()
        other.turn()
        assert not other.held
        holder._swept = 0.0  # a sweep later
        holder.turn()
        assert Run.objects.get(pk=run.pk).state in ("cancelling", "cancelled")
        settle(holder, run)

    check_cancelled(run)
    assert run.epoch == 1


def test_a_fact_after_the_end_is_consumed_and_changes_nothing() -> None:
    run = a_run_of(CHAIN)
    with an_engine() as engine:
        ended = settle(engine, run)
        facts.record(run.id, "cancel_asked", {"by": "somebody", "reason": "too late"})
        advance(engine, is_all_consumed)

    run.refresh_from_db()
    assert (run.state, run.seq, run.ended_at, run.due_at) == ("succeeded", ended.seq, ended.ended_at, None)
    check_events_tell_the_state(run)


def test_an_answer_to_a_pass_that_is_over_is_ignored() -> None:
    run = a_run_of(WAIT)
    with an_engine() as engine:
        waiting = settle(engine, run)
        facts.record(run.id, "decided", {"path": "pause", "pass": 3, "port": "approved", "by": "x", "request": "y"})
        advance(engine, is_all_consumed)

    run.refresh_from_db()
    assert (run.state, run.seq) == ("waiting", waiting.seq)


def test_many_facts_of_many_runs_are_each_consumed_once() -> None:
    runs = [a_run_of(WAIT) for _ in range(12)]
    with an_engine() as engine:
        for run in runs:
            settle(engine, run)
        for run in runs:
            for _ in range(3):
                facts.record(run.id, "cancel_asked", {"by": "somebody", "reason": ""})
        for run in runs:
            to_the_end(engine, run)

    for run in runs:
        check_cancelled(run)
