"""Workers that stop: calls in flight may end, the rest goes on elsewhere at once."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from runs.models import Run
from tests.runs.test_engine import check_events_tell_the_state
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle
from tests.support.outside import Held, Outside, a_tool, what_is_wrong

pytestmark = pytest.mark.django_db(transaction=True)

TWO = """
steps: [{id: first, kind: tool, tool: desk.first}, {id: second, kind: tool, tool: desk.second}]
edges: [{from: start, to: first}, {from: first, to: second}]
"""


def runs_of_two(how_many: int = 1, effect: str = "read") -> list[Run]:
    workspace = a_workspace()
    a_tool(workspace, "desk.first", effect)
    a_tool(workspace, "desk.second", effect)
    person, workflow = a_person("operator", workspace), a_workflow(workspace, TWO)
    return [a_run(person, workflow) for _ in range(how_many)]


def test_a_stopping_worker_waits_for_its_calls_and_starts_nothing_new(outside: Outside, settings: Any) -> None:
    settings.BATON_DRAIN_SECONDS = 10
    (run,) = runs_of_two(effect="once")
    call = outside.holds("desk.first")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        engine.stop()
        call.give({"n": 1})
        engine._drain()

        stopped = Run.objects.get(pk=run.pk)
        assert (stopped.owner, stopped.state, outside.keys("desk.second")) == (None, "running", [])
        assert run.steps.get(path="first").output == {"n": 1}
    with an_engine() as successor:
        run = settle(successor, run)

    assert (run.state, run.suspect, len(outside.calls)) == ("succeeded", False, 2)
    check_events_tell_the_state(run)
    assert what_is_wrong(strict=True) == []


def test_a_worker_out_of_patience_gives_its_runs_back_at_once(outside: Outside, settings: Any) -> None:
    settings.BATON_DRAIN_SECONDS = 0
    runs = runs_of_two(5)
    calls = [outside.holds("desk.first") for _ in runs]
    with an_engine() as engine, an_engine() as successor:
        advance(engine, lambda: len(outside.calls) == 5)
        engine.stop()
        engine._drain()
        assert not engine.held
        for run in runs:
            assert settle(successor, run).state == "succeeded"

    assert len(outside.keys("desk.second")) == 5
    assert all(call.was_cancelled for call in calls)
    for run in runs:
        run.refresh_from_db()
        check_events_tell_the_state(run)


def test_a_once_call_that_a_stopping_worker_cut_off_is_asked_about(outside: Outside, settings: Any) -> None:
    settings.BATON_DRAIN_SECONDS = 0
    (run,) = runs_of_two(effect="once")
    outside.holds("desk.first")
    with an_engine() as engine, an_engine() as successor:
        advance(engine, lambda: len(outside.calls) == 1)
        engine.stop()
        engine._drain()
        run = settle(successor, run)

    assert (run.state, run.waiting_for, len(outside.calls)) == ("needs_approval", "unknown_effect", 1)
    assert what_is_wrong(strict=True) == []


def test_a_whole_engine_thread_runs_stops_and_leaves_nothing_held(outside: Outside, settings: Any) -> None:
    settings.BATON_DRAIN_SECONDS = 0
    runs = runs_of_two(10)
    hanging = Held()
    outside.answers("desk.second", *[{}] * 9, hanging)
    with an_engine() as engine:
        thread = threading.Thread(target=engine.run)
        thread.start()
        try:
            while len(outside.keys("desk.second")) < 10 and thread.is_alive():
                engine.io.submit(_moment()).result(5)
        finally:
            engine.stop()
            thread.join(20)
    assert not thread.is_alive()
    assert not Run.objects.exclude(owner=None).exists()
    with an_engine() as successor:
        assert {settle(successor, run).state for run in runs} == {"succeeded"}


async def _moment() -> None:
    """Let the loop go round once."""
