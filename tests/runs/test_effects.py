"""Calls that change the world: their ledger, their keys, and what happens when nobody knows what became of one."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from approvals import deciding
from approvals.models import Request
from orchestration.access import Actor
from runs import cancelling
from runs.models import Effect, Run, StepRun
from tests.runs.test_engine import check_events_tell_the_state
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle
from tests.support.outside import Outside, a_tool, expire_lease, not_acted, to_the_end, unknown, what_is_wrong

pytestmark = pytest.mark.django_db(transaction=True)

SEND = """
variables: {n: {schema: {type: integer}, initial: 1}}
steps:
  - {id: send, kind: tool, tool: desk.send, arguments: {n: "{{ vars.n }}"}%s}
  - {id: after, kind: noop, answer: "{{ steps.send.status }}"}
edges: [{from: start, to: send}, {from: send, to: after}]
"""
RETRIED = ", retry: {attempts: 3, delay: 0s}"


def a_sending_run(effect: str = "once", more: str = "", text: str = SEND) -> Run:
    workspace = a_workspace()
    a_tool(workspace, "desk.send", effect)
    a_tool(workspace, "desk.read", "read")
    text = text % more if "%s" in text else text
    return a_run(a_person("operator", workspace), a_workflow(workspace, text))


def answer(run: Run, verdict: str, output: Any = None) -> Request:
    """Say in the inbox what became of the call."""
    request = Request.objects.get(run_id=run.id, kind="unknown_effect", state="open")
    actor = Actor(a_person("approver", run.workspace), run.workspace)
    comment = "I looked it up in the other system."
    deciding.decide(actor, request.id, verdict, digest=request.digest, comment=comment, answer=output, via="page")
    return request


def ledger(run: Run) -> list[tuple[str, int]]:
    rows = Effect.objects.filter(run_id=run.id).order_by("generation")
    return list(rows.values_list("state", "generation"))


def test_an_intent_is_committed_before_the_call_and_settled_with_its_answer(outside: Outside) -> None:
    run = a_sending_run()
    call = outside.holds("desk.send")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        intended = Effect.objects.get(run_id=run.id)
        assert (intended.state, intended.key, bytes(intended.arguments)) == (
            "intended", outside.calls[0].key, outside.calls[0].body,
        )  # fmt: skip
        call.give({"id": 7})
        run = settle(engine, run)

    effect = Effect.objects.get(run_id=run.id)
    assert (run.state, effect.state, effect.receipt["value"]) == ("succeeded", "confirmed", {"id": 7})
    assert effect.settled_at >= effect.intended_at


def test_a_read_call_leaves_no_row_in_the_ledger(outside: Outside) -> None:
    run = a_sending_run("read")
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, Effect.objects.count(), outside.keys("desk.send")) == ("succeeded", 0, [""])


def test_a_lost_workers_reading_step_is_started_over(outside: Outside) -> None:
    run = a_sending_run("read")
    outside.holds("desk.send")
    with an_engine() as lost:
        advance(lost, lambda: len(outside.calls) == 1)
        expire_lease(run)
        with an_engine() as other:
            run = settle(other, run)

    assert (run.state, len(outside.calls)) == ("succeeded", 2)
    assert list(run.attempts.values_list("number", "state")) == [(1, "abandoned")]
    check_events_tell_the_state(run)


def test_a_lost_workers_keyed_call_is_sent_again_with_the_same_key_and_bytes(outside: Outside) -> None:
    run = a_sending_run("keyed")
    outside.holds("desk.send")
    with an_engine() as lost:
        advance(lost, lambda: len(outside.calls) == 1)
        expire_lease(run)
        Run.objects.filter(pk=run.pk).update(variables={"n": 2})  # what it would be rendered from now
        with an_engine() as other:
            run = settle(other, run)

    assert (run.state, len(outside.calls)) == ("succeeded", 2)
    assert outside.calls[0] == outside.calls[1]
    assert ledger(run) == [("confirmed", 0)]
    assert what_is_wrong(strict=True) == []


def test_a_keyed_call_is_retried_in_the_same_worker_with_the_same_bytes(outside: Outside) -> None:
    run = a_sending_run(text="""
        variables: {n: {schema: {type: integer}, initial: 1}}
        steps:
          - {id: send, kind: tool, tool: desk.send, arguments: {n: "{{ vars.n }}"}, retry: {attempts: 2, delay: 0s}}
          - {id: other, kind: tool, tool: desk.read}
          - {id: write, kind: set, values: {n: 2}, writes: {n: "steps.write.output.n"}}
          - {id: long, kind: tool, tool: desk.read}
        edges: [{from: start, to: send}, {from: start, to: other}, {from: other, to: write}, {from: write, to: long}]
        """, effect="keyed")  # fmt: skip
    first, long = outside.holds("desk.send"), outside.holds("desk.read")
    outside.answers("desk.read", {})
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 2)
        long.give({})
        advance(engine, lambda: StepRun.objects.filter(run_id=run.id, path="write").exists())
        first.give(unknown())
        run = settle(engine, run)

    assert run.variables == {"n": 2}
    assert run.state == "succeeded"
    assert outside.keys("desk.send") == [outside.calls[0].key] * 2
    assert len(set(outside.bodies("desk.send"))) == 1


def test_a_lost_workers_once_call_is_asked_about_and_never_sent_again_by_itself(outside: Outside) -> None:
    run = a_sending_run()
    outside.holds("desk.send")
    with an_engine() as lost:
        advance(lost, lambda: len(outside.calls) == 1)
        expire_lease(run)
        with an_engine() as other:
            run = settle(other, run)

    request = Request.objects.get(run_id=run.id)
    asked = orjson.loads(bytes(request.action))
    assert (run.state, run.waiting_for, len(outside.calls)) == ("needs_approval", "unknown_effect", 1)
    assert ledger(run) == [("unknown", 0)]
    assert (asked["effect_key"], asked["arguments"]) == (outside.calls[0].key, {"n": 1})
    assert what_is_wrong(strict=True) == []


@pytest.mark.parametrize(
    ("verdict", "output", "calls", "state", "settled"),
    [
        ("happened", {"id": 9}, 1, "succeeded", [("confirmed", 0)]),
        ("skip", None, 1, "skipped", [("skipped", 0)]),
        ("try_again", None, 2, "succeeded", [("failed", 0), ("confirmed", 1)]),
    ],
)
def test_what_a_person_says_of_an_unknown_call_ends_the_run_and_settles_the_ledger(
    outside: Outside, verdict: str, output: Any, calls: int, state: str, settled: list[tuple[str, int]]
) -> None:
    run = a_sending_run()
    outside.answers("desk.send", unknown())
    with an_engine() as engine:
        parked = settle(engine, run)
        asked = orjson.loads(bytes(Request.objects.get(run_id=run.id).action))
        Run.objects.filter(pk=run.pk).update(variables={"n": 2})
        answer(run, verdict, output)
        run = to_the_end(engine, run)

    step = run.steps.get(path="send")
    assert parked.state == "needs_approval"
    assert (asked["effect_key"], asked["arguments"]) == (outside.calls[0].key, {"n": 1})
    assert (run.state, step.state, ledger(run)) == ("succeeded", state, settled)
    assert (len(outside.calls), len(set(outside.keys("desk.send")))) == (calls, calls)
    assert len(set(outside.bodies("desk.send"))) == 1  # 'try again' sends what the person was shown
    assert step.output == (output if verdict == "happened" else {} if verdict == "try_again" else None)
    assert what_is_wrong(strict=True) == []


def test_an_unknown_call_is_not_retried_whatever_the_step_says(outside: Outside) -> None:
    run = a_sending_run(more=RETRIED)
    outside.answers("desk.send", unknown())
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.waiting_for, len(outside.calls)) == ("needs_approval", "unknown_effect", 1)


def test_a_call_that_provably_failed_is_tried_again_under_the_same_key(outside: Outside) -> None:
    run = a_sending_run(more=RETRIED)
    outside.answers("desk.send", not_acted(), not_acted())
    with an_engine() as engine:
        run = to_the_end(engine, run)

    assert outside.keys("desk.send") == [outside.calls[0].key] * 3
    assert ledger(run) == [("confirmed", 0)]
    assert what_is_wrong(strict=True) == []


def test_a_retried_call_is_in_the_ledger_as_intended_while_it_is_under_way(outside: Outside) -> None:
    run = a_sending_run(more=RETRIED)
    outside.answers("desk.send", not_acted())
    outside.holds("desk.send")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 2)
        assert ledger(run) == [("intended", 0)]
        expire_lease(run)
        with an_engine() as other:
            run = settle(other, run)

    assert (run.waiting_for, len(outside.calls), ledger(run)) == ("unknown_effect", 2, [("unknown", 0)])


def test_a_step_that_gives_up_leaves_a_failed_call_in_the_ledger(outside: Outside) -> None:
    run = a_sending_run()
    outside.answers("desk.send", not_acted(retryable=False))
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.error["code"], ledger(run)) == ("failed", "not_connected", [("failed", 0)])


def test_a_bug_after_the_answer_leaves_a_once_call_to_people(outside: Outside) -> None:
    run = a_sending_run()
    outside.answers("desk.send", RuntimeError("a bug in the provider"))
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.waiting_for, ledger(run)) == ("unknown_effect", [("unknown", 0)])


@pytest.mark.parametrize("value", [{"text": "a\0b"}, {"text": "\ud800"}, {"n": 2**70}])
def test_an_answer_that_cannot_be_stored_still_confirms_the_call(outside: Outside, value: Any) -> None:
    run = a_sending_run()
    outside.answers("desk.send", value)
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.error["code"], ledger(run)) == ("failed", "unstorable_output", [("confirmed", 0)])


def test_a_number_beyond_what_a_browser_holds_exactly_is_a_fine_answer(outside: Outside) -> None:
    run = a_sending_run()
    outside.answers("desk.send", {"id": 2**60})
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.steps.get(path="send").output) == ("succeeded", {"id": 2**60})


def test_a_cancelled_run_waits_for_its_effect_and_asks_if_nobody_knows(outside: Outside) -> None:
    run = a_sending_run()
    call = outside.holds("desk.send")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        cancelling.cancel(Actor(a_person("operator", run.workspace), run.workspace), run.id, "enough")
        advance(engine, lambda: Run.objects.get(pk=run.pk).state == "cancelling")
        call.give(unknown())
        run = settle(engine, run)

    asked = orjson.loads(bytes(Request.objects.get(run_id=run.id, state="open").action))
    assert (run.state, call.was_cancelled) == ("cancelled", False)
    assert (asked["effect_key"], asked["arguments"]) == (outside.calls[0].key, {"n": 1})
    with an_engine() as engine:
        answer(run, "happened")
        advance(engine, lambda: ledger(run) == [("confirmed", 0)])
    assert Run.objects.get(pk=run.pk).state == "cancelled"
    assert what_is_wrong(strict=True) == []


def test_a_call_that_a_join_did_not_wait_for_is_settled_late_or_asked_about(outside: Outside) -> None:
    run = a_sending_run(text="""
        steps:
          - {id: send, kind: tool, tool: desk.send}
          - {id: quick, kind: noop}
          - {id: first, kind: noop, join: any, cancel_rest: true}
        edges: [{from: start, to: send}, {from: start, to: quick}, {from: send, to: first}, {from: quick, to: first}]
        """)  # fmt: skip
    call = outside.holds("desk.send")
    with an_engine() as engine:
        advance(engine, lambda: Run.objects.get(pk=run.pk).state == "succeeded")
        assert run.id in engine.held
        call.give(unknown())
        advance(engine, lambda: not engine.held)

    run.refresh_from_db()
    assert (run.state, run.owner, ledger(run)) == ("succeeded", None, [("unknown", 0)])
    assert Request.objects.get(run_id=run.id).kind == "unknown_effect"
    assert what_is_wrong(strict=True) == []


def test_a_lost_call_whose_step_was_cancelled_is_asked_about_too(outside: Outside) -> None:
    run = a_sending_run(text="""
        steps:
          - {id: send, kind: tool, tool: desk.send}
          - {id: quick, kind: noop}
          - {id: first, kind: noop, join: any, cancel_rest: true}
        edges: [{from: start, to: send}, {from: start, to: quick}, {from: send, to: first}, {from: quick, to: first}]
        """)  # fmt: skip
    outside.holds("desk.send")
    with an_engine() as engine:
        advance(engine, lambda: Run.objects.get(pk=run.pk).state == "succeeded")
        expire_lease(run)
    with an_engine() as other:
        advance(other, lambda: Request.objects.filter(run_id=run.id).exists())

    assert ledger(run) == [("unknown", 0)]
    assert what_is_wrong(strict=True) == []


def test_a_lost_keyed_call_of_a_run_that_is_cancelled_is_not_sent_again(outside: Outside) -> None:
    run = a_sending_run("keyed")
    outside.holds("desk.send")
    with an_engine() as engine:
        advance(engine, lambda: len(outside.calls) == 1)
        cancelling.cancel(Actor(a_person("operator", run.workspace), run.workspace), run.id)
        advance(engine, lambda: Run.objects.get(pk=run.pk).state == "cancelling")
        expire_lease(run)
    with an_engine() as other:
        run = settle(other, run)

    assert (run.state, len(outside.calls), ledger(run)) == ("cancelled", 1, [("unknown", 0)])
    assert what_is_wrong(strict=True) == []


def test_a_call_that_is_cut_off_by_its_time_out_stays_in_the_trace(outside: Outside) -> None:
    run = a_sending_run(more=", timeout: 50ms")
    outside.holds("desk.send")
    with an_engine() as engine:
        run = settle(engine, run)

    span = run.spans.get(kind="tool")
    assert (run.waiting_for, span.name, span.status) == ("unknown_effect", "desk.send", "error")
    assert span.attributes["error"]["code"] == "timeout"
