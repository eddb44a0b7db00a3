"""A worker that lost its lease: whatever it still does, nothing of it is kept."""

from __future__ import annotations

import pytest

from runs.models import Effect, Run
from tests.runs.test_engine import CHAIN, check_events_tell_the_state
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle
from tests.support.outside import Outside, a_tool, expire_lease

pytestmark = pytest.mark.django_db(transaction=True)

SEND = """
steps:
  - {id: ask, kind: tool, tool: desk.read}
  - {id: send, kind: tool, tool: desk.send, arguments: {n: 1}}
edges: [{from: start, to: ask}, {from: ask, to: send}]
"""


def a_sending_run(effect: str = "once") -> Run:
    workspace = a_workspace()
    a_tool(workspace, "desk.read", "read")
    a_tool(workspace, "desk.send", effect)
    return a_run(a_person("operator", workspace), a_workflow(workspace, SEND))


def test_a_worker_that_lost_its_run_writes_nothing_and_drops_it(outside: Outside) -> None:
    run = a_sending_run()
    late = outside.holds("desk.read")
    with an_engine() as frozen, an_engine() as other:
        advance(frozen, lambda: len(outside.calls) == 1)
        expire_lease(run)
        finished = settle(other, run)
        late.give({"late": True})
        advance(frozen, lambda: not frozen.held)

    run.refresh_from_db()
    assert finished.state == run.state == "succeeded"
    assert (run.epoch, run.seq) == (finished.epoch, finished.seq)
    assert len(outside.keys("desk.send")) == 1
    assert run.steps.get(path="ask").output == {}
    check_events_tell_the_state(run)


def test_a_worker_that_lost_its_run_between_claim_and_first_commit_starts_nothing(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_sending_run()
    with an_engine() as frozen, an_engine() as other:
        commit = frozen._commit

        def another_is_faster(dirty: object) -> None:
            expire_lease(run)
            settle(other, run)
            commit(dirty)  # type: ignore[arg-type]

        monkeypatch.setattr(frozen, "_commit", another_is_faster)
        frozen.turn()

        assert not frozen.held
    assert outside.keys("desk.read") == [""]
    assert Run.objects.get(pk=run.pk).state == "succeeded"


def test_an_effect_does_not_leave_once_the_lease_is_over(outside: Outside) -> None:
    run = a_sending_run()
    first = outside.holds("desk.read")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        held = engine.held[run.id]
        engine._renew = lambda: setattr(held, "lease_ends", 0.0)  # type: ignore[method-assign]
        held.lease_ends = 0.0
        first.give({})
        run = settle(engine, run)

    assert outside.keys("desk.send") == []
    assert (run.state, run.error["code"]) == ("failed", "lease_lost")
    assert Effect.objects.get(run_id=run.id).state == "failed"


def test_two_workers_never_hold_one_run(outside: Outside) -> None:
    workspace = a_workspace()
    person, workflow = a_person("operator", workspace), a_workflow(workspace, CHAIN)
    runs = [a_run(person, workflow) for _ in range(20)]
    with an_engine() as one, an_engine() as other:

        def turn_both() -> bool:
            other.hint()
            other.turn()
            assert not one.held.keys() & other.held.keys()
            return not Run.objects.exclude(state="succeeded").exists()

        advance(one, turn_both)

    for run in runs:
        run.refresh_from_db()
        check_events_tell_the_state(run)
        assert run.epoch == 1


def test_a_worker_whose_lease_ran_out_unnoticed_takes_its_own_run_up_again(outside: Outside) -> None:
    run = a_sending_run()
    late = outside.holds("desk.read")
    with an_engine() as engine:
        engine._renew = lambda: None  # type: ignore[method-assign]  # it is too late each time
        advance(engine, lambda: len(outside.calls) == 1)
        expire_lease(run)
        advance(engine, lambda: len(outside.calls) > 1)
        late.give({"late": True})
        run = settle(engine, run)

    assert (run.state, run.epoch) == ("succeeded", 2)
    assert late.was_cancelled
    assert len(outside.keys("desk.send")) == 1
