"""Leases in the engine: renewed while a run is in hand, given up when lost, and timers that come to the moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from runs.models import Run
from runs.timers import SOON_SECONDS, Timers
from runs.times import database_now
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle
from tests.support.outside import Outside, a_tool, expire_lease

pytestmark = pytest.mark.django_db(transaction=True)

READ = "steps: [{id: look, kind: tool, tool: desk.read}]\nedges: [{from: start, to: look}]"
WAIT = "steps: [{id: pause, kind: wait, for: %s}]\nedges: [{from: start, to: pause}]"


def a_run_of(text: str) -> Run:
    workspace = a_workspace()
    a_tool(workspace, "desk.read", "read")
    return a_run(a_person("operator", workspace), a_workflow(workspace, text))


def test_a_run_in_hand_is_renewed_though_nothing_happens_to_it(outside: Outside) -> None:
    run = a_run_of(READ)
    outside.holds("desk.read")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        Run.objects.filter(pk=run.pk).update(due_at=database_now() + timedelta(seconds=1))
        engine._renewed = 0.0
        engine.turn()

    assert Run.objects.get(pk=run.pk).due_at > database_now() + timedelta(seconds=5)


def test_a_run_that_was_lost_is_dropped_at_the_next_renewal_and_its_call_is_stopped(outside: Outside) -> None:
    run = a_run_of(READ)
    call = outside.holds("desk.read")
    with an_engine() as engine, an_engine() as other:
        advance(engine, lambda: len(outside.calls) == 1)
        expire_lease(run)
        assert settle(other, run).state == "succeeded"
        engine._renewed = 0.0
        engine.turn()
        assert not engine.held
        advance(engine, lambda: call.was_cancelled)


def test_a_waiting_run_costs_no_hands_and_the_worker_rests_until_it_is_due() -> None:
    run = a_run_of(WAIT % "10s")
    with an_engine() as engine:
        waiting = settle(engine, run)
        assert (waiting.owner, engine.held) == (None, {})
        assert 0 < engine._timers.left(0.0) < float("inf")
        assert not engine.turn()  # nothing to do: no busy loop


def test_a_full_worker_takes_more_as_soon_as_it_has_room(outside: Outside, settings: object) -> None:
    settings.BATON_RUNS_PER_WORKER = 1  # type: ignore[attr-defined]
    first = a_run_of(READ)
    call = outside.holds("desk.read")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        second = a_run(a_person("operator"), first.workflow)
        engine.hint()
        engine.turn()
        assert set(engine.held) == {first.id}
        engine._swept = engine._renewed = float("inf")  # no sweep helps
        call.give({})
        while Run.objects.get(pk=second.pk).state != "succeeded":
            if not engine.turn():
                assert engine.bell.wait(10)
                engine.bell.clear()


def test_timers_that_are_near_are_all_kept_and_far_ones_are_left_to_the_sweep() -> None:
    timers = Timers()
    for instant in (7.0, 5.0, 5.0 + SOON_SECONDS + 1):
        timers.add(instant, 5.0)

    assert (timers.left(4.0), timers.take_due(4.0)) == (1.0, False)
    assert (timers.take_due(5.0), timers.left(5.0)) == (True, 2.0)
    assert (timers.take_due(100.0), timers.take_due(100.0), timers.left(100.0)) == (True, False, float("inf"))
