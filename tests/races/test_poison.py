"""Runs that take their workers down: quarantined in the end, and no harm to their neighbours before."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from approvals.models import Request
from runs import engine as engine_module
from runs.models import Effect, Fact, Run
from runs.times import database_now
from tests.runs.test_engine import CHAIN, check_events_tell_the_state
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle, sweep
from tests.support.noop import Noop
from tests.support.outside import Outside, a_tool, expire_lease, to_the_end, what_is_wrong

pytestmark = pytest.mark.django_db(transaction=True)

SEND = "steps: [{id: send, kind: tool, tool: desk.send}]\nedges: [{from: start, to: send}]"
READ = SEND.replace("desk.send", "desk.read")


def a_run_of(text: str) -> Run:
    workspace = a_workspace()
    a_tool(workspace, "desk.send", "once")
    a_tool(workspace, "desk.read", "read")
    return a_run(a_person("operator", workspace), a_workflow(workspace, text))


def lose_a_worker(run: Run) -> None:
    """Have a worker take the run up and die before it came anywhere."""
    with an_engine() as doomed:
        doomed.turn()
        assert run.id in doomed.held
    expire_lease(run)


def test_a_run_whose_workers_die_is_quarantined_and_its_neighbours_go_on(outside: Outside) -> None:
    run = a_run_of(READ)
    for _ in range(5):  # once beside others, once as a suspect, three times alone
        outside.holds("desk.read")
        lose_a_worker(run)
    neighbours = [a_run(a_person("operator"), run.workflow) for _ in range(3)]
    with an_engine() as engine:
        run = settle(engine, run)
        states = [settle(engine, one).state for one in neighbours]

    assert (run.state, run.error["code"], run.deaths) == ("failed", "quarantined", 4)
    assert states == ["succeeded"] * 3
    check_events_tell_the_state(run)
    assert what_is_wrong(strict=True) == []


def test_a_suspect_is_alone_in_its_worker(outside: Outside) -> None:
    run = a_run_of(READ)
    for _ in range(2):
        outside.holds("desk.read")
        lose_a_worker(run)
    neighbour = a_run(a_person("operator"), run.workflow)
    outside.holds("desk.read")
    with an_engine() as engine:
        engine.turn()
        assert set(engine.held) == {run.id}
        engine.hint()
        engine.turn()
        assert set(engine.held) == {run.id}
        with an_engine() as other:
            assert settle(other, neighbour).state == "succeeded"


def test_progress_clears_a_run_of_suspicion(outside: Outside) -> None:
    run = a_run_of(
        """
        steps: [{id: look, kind: tool, tool: desk.read}, {id: again, kind: tool, tool: desk.read}]
        edges: [{from: start, to: look}, {from: look, to: again}]
        """
    )
    for _ in range(4):
        outside.holds("desk.read")
        lose_a_worker(run)
    assert Run.objects.get(pk=run.pk).deaths == 2
    outside.answers("desk.read", {})
    outside.holds("desk.read")
    with an_engine() as engine:
        advance(engine, lambda: run.steps.filter(path="look").exists())
        held = Run.objects.get(pk=run.pk)
        assert (held.deaths, held.suspect) == (0, False)
        neighbour = a_run(a_person("operator"), run.workflow)
        assert settle(engine, neighbour).state == "succeeded"


def test_a_suspect_does_not_wait_for_ever_for_a_worker_that_is_never_idle(outside: Outside, settings: Any) -> None:
    busy = a_run_of(READ)
    with an_engine() as engine:
        outside.holds("desk.read")
        advance(engine, lambda: len(outside.calls) == 1)
        suspect = a_run(a_person("operator"), busy.workflow)
        Run.objects.filter(pk=suspect.pk).update(owner=engine.owner, suspect=True, due_at=database_now())
        engine.hint()
        engine.turn()
        assert suspect.id not in engine.held
        long_ago = database_now() - timedelta(seconds=2 * settings.BATON_LEASE_SECONDS + 1)
        Run.objects.filter(pk=suspect.pk).update(due_at=long_ago)
        assert settle(engine, suspect).state == "succeeded"


def test_a_quarantined_run_asks_about_the_call_it_had_under_way(outside: Outside) -> None:
    run = a_run_of(SEND)
    outside.holds("desk.send")
    with an_engine() as doomed:
        advance(doomed, lambda: len(outside.calls) == 1)
    Run.objects.filter(pk=run.pk).update(deaths=4)
    expire_lease(run)
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.error["code"], len(outside.calls)) == ("failed", "quarantined", 1)
    assert Effect.objects.get(run_id=run.id).state == "unknown"
    assert Request.objects.get(run_id=run.id, state="open").kind == "unknown_effect"
    assert what_is_wrong(strict=True) == []


def test_a_bug_that_one_run_brings_out_gives_up_that_run_alone(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, buggy = a_run_of(SEND), a_run_of(CHAIN)
    call = outside.holds("desk.send")

    def broken(*given: Any) -> None:
        raise KeyError("a bug")

    monkeypatch.setattr(Noop, "prepare", broken)
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        engine.turn()
        assert set(engine.held) == {sending.id}
        call.give({})
        assert settle(engine, sending).state == "succeeded"
        for _ in range(5):
            expire_lease(buggy)
            sweep(engine)
        buggy = settle(engine, buggy)

    assert (buggy.state, buggy.error["code"]) == ("failed", "quarantined")
    assert not call.was_cancelled


def test_a_fact_that_nobody_understands_ends_in_quarantine_and_is_not_read_for_ever(outside: Outside) -> None:
    run = a_run_of(READ)
    Fact.objects.create(run_id=run.id, kind="nonsense", at=database_now())
    with an_engine() as engine:
        for _ in range(5):
            sweep(engine)
            expire_lease(run)
        run = to_the_end(engine, run)

    assert (run.state, run.error["code"]) == ("failed", "quarantined")
    assert Fact.objects.get().consumed


def test_a_run_whose_workspace_cannot_be_read_harms_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    bad, other = a_run_of(CHAIN), a_workspace("other")
    good = a_run(a_person("operator", other), a_workflow(other, CHAIN))
    compiled = engine_module.compiled

    def unreadable(version_id: int, *given: Any) -> Any:
        if version_id == bad.version_id:
            raise ValueError("The HTTP tool x has no connection; register it again.")
        return compiled(version_id, *given)

    monkeypatch.setattr(engine_module, "compiled", unreadable)
    with an_engine() as engine:
        assert settle(engine, good).state == "succeeded"
        monkeypatch.undo()
        expire_lease(bad)
        assert settle(engine, bad).state == "succeeded"
