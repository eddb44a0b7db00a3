"""Commits that fail, or whose answer is lost: nothing is lost, nothing is doubled, and only an offender fails."""

from __future__ import annotations

from itertools import chain, repeat
from typing import Any

import psycopg
import pytest
from django.db import IntegrityError, OperationalError

from approvals import deciding
from approvals.models import Request
from designer.models import Workflow
from orchestration.access import Actor
from runs import engine as engine_module
from runs import lane
from runs.models import Run
from tests.races.faults import GONE, refuse_rows_of, with_faults
from tests.runs.test_engine import CHAIN, check_events_tell_the_state
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle
from tests.support.outside import Outside, a_tool, to_the_end, what_is_wrong

pytestmark = pytest.mark.django_db(transaction=True)

SEND = """
steps: [{id: one, kind: noop}, {id: send, kind: tool, tool: desk.send}, {id: two, kind: noop}]
edges: [{from: start, to: one}, {from: one, to: send}, {from: send, to: two}]
"""
ASK = """
steps:
  - {id: ask, kind: approval, question: "Send it?", covers: send, require: [{from: approver}]}
  - {id: send, kind: tool, tool: desk.send}
edges: [{from: start, to: ask}, {from: ask.approved, to: send}]
"""


def a_workflow_of(text: str) -> Workflow:
    workspace = a_workspace()
    a_tool(workspace)
    return a_workflow(workspace, text)


def runs_of(text: str, how_many: int = 1) -> list[Run]:
    workflow = a_workflow_of(text)
    person = a_person("operator", workflow.workspace)
    return [a_run(person, workflow) for _ in range(how_many)]


def approve(run: Run) -> None:
    request = Request.objects.get(run_id=run.id)
    actor = Actor(a_person("approver", run.workspace), run.workspace)
    deciding.decide(actor, request.id, "approve", digest=request.digest, via="page")


@pytest.mark.parametrize(
    "faults",
    [
        ["after"] * 10,
        ["before"] * 10,
        ["before", "after"] * 10,
        list(chain.from_iterable(repeat(["", "after"], 10))),
    ],
)
def test_a_commit_that_was_cut_off_is_neither_lost_nor_doubled(outside: Outside, faults: list[str]) -> None:
    runs = runs_of(SEND, 3)
    with an_engine() as engine:
        engine.journal._pause = lambda pause, error: 0.0  # type: ignore[method-assign]
        left = with_faults(engine, faults)
        for run in runs:
            assert settle(engine, run).state == "succeeded"

    assert len(left) < len(faults)
    assert len(set(outside.keys("desk.send"))) == len(outside.calls) == 3
    for run in runs:
        run.refresh_from_db()
        assert run.epoch == 1
        check_events_tell_the_state(run)


def test_the_engine_waits_for_a_database_that_is_away_and_goes_on(outside: Outside) -> None:
    (run,) = runs_of(SEND)
    with an_engine() as engine:
        away = [GONE] * 5
        connect = engine.journal._connect

        def connected() -> Any:
            if away:
                raise away.pop()
            return connect()

        engine.journal._connect = connected
        engine.journal._pause = lambda pause, error: 0.0  # type: ignore[method-assign]
        advance(engine, lambda: len(outside.calls) == 1)
        engine.journal.lose(GONE)
        away += [GONE] * 5
        run = settle(engine, run)

    assert (run.state, run.epoch, len(outside.calls)) == ("succeeded", 1, 1)


def test_an_effect_leaves_after_a_commit_that_took_longer_than_the_lease(outside: Outside) -> None:
    (run,) = runs_of(SEND)
    with an_engine() as engine:
        commit = engine.journal.commit

        def slow(writes: Any) -> Any:
            result = commit(writes)
            for held in engine.held.values():
                held.lease_ends = 0.0  # so much time has passed meanwhile
            return result

        engine.journal.commit = slow  # type: ignore[method-assign]
        run = settle(engine, run)

    assert (run.state, len(outside.calls)) == ("succeeded", 1)


def test_an_approval_is_used_once_though_the_answer_to_its_commit_was_lost(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    (run,) = runs_of(ASK)
    with an_engine() as engine:
        settle(engine, run)
        approve(run)
        commit, lost = lane._commit, []

        def answer_lost(*given: Any) -> Any:
            reply = commit(*given)
            if not lost:
                lost.append(True)
                raise OperationalError("server closed the connection unexpectedly")
            return reply

        monkeypatch.setattr(lane, "_commit", answer_lost)
        run = to_the_end(engine, run)

    assert (run.state, len(outside.calls), lost) == ("succeeded", 1, [True])
    assert what_is_wrong(strict=True) == []


def test_a_lane_without_a_database_leaves_the_neighbours_and_their_calls_alone(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    workflow = a_workflow_of(SEND)
    person = a_person("operator", workflow.workspace)
    sending = a_run(person, workflow)
    call = outside.holds("desk.send")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        asking = a_run(person, a_workflow(workflow.workspace, ASK))
        commit, failures = lane._commit, [psycopg.OperationalError("gone"), OperationalError("gone")] * 3

        def away(*given: Any) -> Any:
            if failures:
                raise failures.pop()
            return commit(*given)

        monkeypatch.setattr(lane, "_commit", away)
        while failures:
            engine.hint()
            engine._turn_safely()
        assert sending.id in engine.held
        call.give({})
        assert settle(engine, sending).state == "succeeded"
        assert settle(engine, asking).state == "needs_approval"

    assert not call.was_cancelled
    assert len(outside.calls) == 1


def test_djangos_own_connection_may_die_without_any_run_being_given_up(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    sending, later = runs_of(SEND, 2)
    call = outside.holds("desk.send")
    compiled, failures = engine_module.compiled, [OperationalError("the connection is closed")] * 2

    def away(*given: Any) -> Any:
        if sending.id in engine.held and failures:
            raise failures.pop()
        return compiled(*given)

    with an_engine() as engine:
        Run.objects.filter(pk=later.pk).update(due_at=None)
        advance(engine, lambda: len(outside.calls) == 1)
        monkeypatch.setattr(engine_module, "compiled", away)
        Run.objects.filter(pk=later.pk).update(due_at=sending.accepted_at)
        engine.hint()
        engine._turn_safely()
        assert len(failures) == 1
        assert sending.id in engine.held
        call.give({})
        assert settle(engine, sending).state == "succeeded"

    assert not call.was_cancelled


def test_what_the_database_refuses_fails_that_run_and_no_other_of_its_batch(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = runs_of(CHAIN, 8)
    refuse_rows_of(runs[3], monkeypatch)
    with an_engine() as engine:
        states = [settle(engine, run).state for run in runs]

    runs[3].refresh_from_db()
    assert states == ["succeeded"] * 3 + ["failed"] + ["succeeded"] * 4
    assert runs[3].error["code"] == "unstorable"
    check_events_tell_the_state(runs[3])


def test_a_run_that_cannot_even_be_failed_is_left_without_a_loop(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = runs_of(CHAIN, 2)
    with an_engine() as engine:
        commit = engine.journal.commit

        def refusing(writes: Any) -> Any:
            result = commit([write for write in writes if write.run_id != bad.id])
            result.refused |= {write.run_id: "no" for write in writes if write.run_id == bad.id}
            return result

        engine.journal.commit = refusing  # type: ignore[method-assign]
        assert settle(engine, good).state == "succeeded"
        assert bad.id not in engine.held

    assert Run.objects.get(pk=bad.pk).state == "queued"


def test_a_request_that_cannot_be_opened_fails_its_run_and_no_other(outside: Outside, settings: Any) -> None:
    settings.BATON_OPEN_APPROVAL = "tests.races.test_commits.cannot_open"
    workflow = a_workflow_of(ASK)
    person = a_person("operator", workflow.workspace)
    asking, chained = a_run(person, workflow), a_run(person, a_workflow(workflow.workspace, CHAIN))
    with an_engine() as engine:
        asking, chained = settle(engine, asking), settle(engine, chained)

    assert (asking.state, asking.error["code"], chained.state) == ("failed", "unstorable", "succeeded")


def cannot_open(*given: Any, **asked: Any) -> None:
    raise IntegrityError("one_open_request")
