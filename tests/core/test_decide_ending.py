"""How runs end: cancelled, ended by a step, out of limits, broken, with a lost worker in between."""

from __future__ import annotations

import pytest

from orchestration.core import facts
from orchestration.core.outcomes import AskApproval, Failed, Finished, Outcome, Succeeded, WaitUntil
from tests.support.core import T0, Play

BESIDE = """
steps:
  - {id: a, kind: noop}
  - {id: b, kind: noop, retry: {attempts: 3, delay: 10s}}
  - {id: timer, kind: wait, for: 1h}
  - {id: ask, kind: approval, question: "Go on?"}
  - {id: after, kind: noop}
edges:
  - {from: start, to: a}
  - {from: start, to: b}
  - {from: start, to: timer}
  - {from: start, to: ask}
  - {from: a, to: after}
"""


def limited(limits: str, kind: str = "kind: noop") -> Play:
    return Play(
        f"""
        limits: {{{limits}}}
        steps: [{{id: a, {kind}}}, {{id: b, kind: noop}}]
        edges: [{{from: start, to: a}}, {{from: a, to: b}}]
        """
    )


def test_cancelling_before_the_start_ends_the_run_with_nothing_run() -> None:
    play = Play(BESIDE).cancel()

    assert (play.state, play.error, play.rows) == ("cancelled", "cancelled", [])
    assert play.tell(facts.Started()) is None


def test_cancelling_ends_what_waits_and_awaits_what_runs() -> None:
    play = Play(BESIDE).start().cancel()

    assert (play.state, play.open) == ("cancelling", {"a": "running", "b": "running"})
    assert play.ended == {"timer": "cancelled", "ask": "cancelled"}
    assert play.last is not None
    assert play.last.voids == ["ask"]
    play.crash().done("a").fails("b", "cancelled")
    assert play.state == "cancelled"
    assert play.ended == {"timer": "cancelled", "ask": "cancelled", "a": "succeeded", "b": "cancelled"}
    assert play.view.standing.error == {"code": "cancelled", "message": "cancelled by ann: too late"}


def test_cancelling_twice_or_while_closing_changes_nothing() -> None:
    twice = Play(BESIDE).start().cancel()
    failing = Play(BESIDE).start().fails("a")

    assert twice.tell(facts.CancelAsked("bob")) is None
    assert failing.tell(facts.CancelAsked("bob")) is None


@pytest.mark.parametrize("state", ["retry", "unknown", "timer", "approval"])
def test_cancelling_a_run_that_only_waits_ends_it_at_once(state: str) -> None:
    kinds = {"timer": "kind: wait, for: 1h", "approval": "kind: approval, question: q"}
    play = limited("", kinds.get(state, "kind: noop, retry: {attempts: 2}")).start()
    if state in ("retry", "unknown"):
        play.fails("a", retryable=True, unknown=state == "unknown")

    assert play.cancel().state == "cancelled"
    assert play.ended == {"a": "cancelled"}


@pytest.mark.parametrize("outcome", [WaitUntil(T0), AskApproval({"question": "Go on?"})])
def test_a_step_that_wants_to_wait_while_the_run_closes_is_cancelled(outcome: Outcome) -> None:
    play = limited("").start().cancel()
    play.report("a", outcome)

    assert (play.state, play.ended) == ("cancelled", {"a": "cancelled"})


ENDING = """
steps:
  - {id: slow, kind: noop}
  - {id: work, kind: noop}
  - {id: stop, kind: end, %s}
edges: [{from: start, to: slow}, {from: start, to: work}, {from: work, to: stop}]
output: "the workflow's own"
"""


@pytest.mark.parametrize(
    ("how", "state", "output", "error"),
    [
        ("state: succeeded", "succeeded", "the workflow's own", ""),
        ("output: {n: 1}", "succeeded", {"n": 1}, ""),
        ("state: failed, message: enough", "failed", None, "ended"),
        ("state: cancelled, message: enough", "cancelled", None, "ended"),
    ],
)
def test_an_end_step_ends_the_run_when_what_runs_has_answered(how: str, state: str, output: object, error: str) -> None:
    play = Play(ENDING % how).start().done("work")

    assert play.open == {"slow": "running"}
    assert play.crash().done("slow").state == state
    assert (play.output, play.error) == (output, error)


def test_an_end_step_beside_a_step_that_has_not_left_yet_ends_the_run_at_once() -> None:
    """Both follow `start`: what was only about to be performed never is."""
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: ask, kind: approval, question: q}, {id: stop, kind: end}]
        edges: [{from: start, to: a}, {from: start, to: ask}, {from: start, to: stop}]
        """
    ).start()

    assert play.state == "succeeded"
    assert play.ended == {"a": "cancelled", "ask": "cancelled", "stop": "succeeded"}
    assert play.last is not None
    assert (play.last.performs, play.last.asks, play.last.interrupts, play.last.voids) == ([], [], [], [])


def test_a_work_step_may_end_the_run() -> None:
    play = limited("").start()
    play.report("a", Finished("failed", "enough"))

    assert (play.state, play.error, play.ended) == ("failed", "ended", {"a": "succeeded"})


def test_a_run_whose_steps_are_all_skipped_succeeds() -> None:
    assert limited("", "kind: noop, run_if: 'false'").start().state == "succeeded"


def test_the_limit_of_steps_counts_what_was_started_and_blocks_the_run() -> None:
    play = limited("steps: 1").start().done("a")

    assert (play.state, play.error, play.ended) == ("blocked", "limit_steps", {"a": "succeeded", "b": "blocked"})
    assert play.view.standing.steps_started == 1
    assert play.runs_of("b") == []


def test_skipped_steps_do_not_count_for_the_limit() -> None:
    play = Play(
        """
        limits: {steps: 1}
        steps: [{id: a, kind: noop, run_if: "false"}, {id: b, kind: noop}]
        edges: [{from: start, to: a}, {from: start, to: b}]
        """
    ).start()

    assert play.done("b").state == "succeeded"


def test_wall_time_ends_the_run_once_what_runs_has_answered() -> None:
    play = limited("wall_time: 10s").start()

    assert play.wait(9) is None
    assert play.wait(1) is not None
    assert (play.state, play.open) == ("running", {"a": "running"})
    assert play.done("a").state == "timed_out"
    assert play.error == "timed_out"


def test_a_report_after_the_limit_of_time_starts_nothing_more() -> None:
    play = limited("wall_time: 10s").start()
    play.report("a", Succeeded(1), after=11)

    assert (play.state, play.ended) == ("timed_out", {"a": "succeeded"})


def test_wall_time_does_not_count_waits_for_people() -> None:
    play = limited("wall_time: 10s", "kind: approval, question: q").start()

    assert play.wait(3600) is None
    play.decided("a", "approved")
    assert play.state == "succeeded"  # `b` hangs on the port `done`, which an approval hasn't


def test_wall_time_goes_on_counting_after_a_person_has_answered() -> None:
    play = Play(
        """
        limits: {wall_time: 10s}
        steps: [{id: a, kind: noop}, {id: ask, kind: approval, question: q}, {id: b, kind: noop}]
        edges: [{from: start, to: a}, {from: a, to: ask}, {from: ask.approved, to: b}]
        """
    ).start()
    play.report("a", Succeeded(1), after=6)
    play.wait(1000)
    play.crash().decided("ask", "approved")

    assert play.wait(3) is None
    assert play.wait(1) is not None
    assert play.done("b").state == "timed_out"


def test_the_deadline_counts_from_acceptance_whatever_happens() -> None:
    play = limited("deadline: 100s", "kind: approval, question: q").start()

    assert play.wait(99) is None
    play.wait(1)
    assert (play.state, play.ended) == ("timed_out", {"a": "cancelled"})


def test_a_run_accepted_too_long_ago_ends_without_starting_anything() -> None:
    play = limited("deadline: 100s")
    play.tell(facts.Started(), after=101)

    assert (play.state, play.rows) == ("timed_out", [])


def test_a_queued_run_ends_at_its_deadline() -> None:
    play = limited("deadline: 100s")

    assert play.wait(99) is None
    play.wait(1)
    assert play.state == "timed_out"


def test_what_a_lost_worker_performed_is_started_over_without_counting_as_a_failure() -> None:
    play = limited("", "kind: noop, retry: {attempts: 2, delay: 1s}").start()
    play.view.reserve("a", 20, 30)

    play.tell(facts.WorkerLost())

    assert play.runs_of("a") == [(0, 1), (0, 2)]
    assert [(one.number, one.state) for one in play.attempts] == [(1, "abandoned")]
    assert (play.view.standing.tokens, play.view.standing.cost_microusd) == (20, 30)
    assert (play.view.active["a"].failures, play.view.active["a"].reserved_tokens) == (0, 0)
    play.fails("a", retryable=True)
    assert play.waiting_for == "retry"


def test_a_call_that_a_lost_worker_may_have_sent_is_asked_about() -> None:
    play = Play(BESIDE).start()
    play.view.reserve("a", 20, 30)

    play.tell(facts.WorkerLost(frozenset({"a"})))

    assert play.view.active["a"].waiting_for == "unknown_effect"
    assert play.runs_of("a") == [(0, 1)]
    assert play.runs_of("b") == [(0, 1), (0, 2)]
    assert play.view.standing.tokens == 20


def test_a_worker_lost_while_the_run_closes_leaves_nothing_to_wait_for() -> None:
    play = Play(BESIDE).start().cancel()
    play.view.reserve("a", 20, 30)

    play.tell(facts.WorkerLost(frozenset({"b"})))

    assert (play.state, play.ended["a"], play.ended["b"]) == ("cancelled", "cancelled", "cancelled")
    assert play.last is not None
    assert [ask.path for ask in play.last.asks] == ["b"]
    assert (play.view.standing.tokens, play.row("a").tokens) == (20, 20)


def test_a_lost_worker_changes_nothing_for_what_only_waits() -> None:
    play = limited("", "kind: wait, for: 1h").start()

    assert play.tell(facts.WorkerLost()) is None


@pytest.mark.parametrize("before", ["queued", "running", "cancelling", "parked"])
def test_a_broken_run_fails_at_once_whatever_it_is_at(before: str) -> None:
    play = Play(BESIDE)
    if before != "queued":
        play.start()
    if before == "cancelling":
        play.cancel()
    if before == "parked":
        play.fails("a", unknown=True)

    play.tell(facts.Broken("quarantined", "three workers died"))

    assert (play.state, play.error, play.open) == ("failed", "quarantined", {})


@pytest.mark.parametrize(
    "fact",
    [
        facts.Started(), facts.TimeCame(), facts.CancelAsked("ann"), facts.WorkerLost(), facts.Broken("x", "y"),
        facts.Reported("a", 0, 1, Succeeded()), facts.Reported("a", 0, 1, Failed("x", "y", unknown=True)),
        facts.Decided("a", 0, "approved"), facts.EffectAnswered("a", 0, "happened", "ann"),
    ],
)  # fmt: skip
def test_an_ended_run_changes_no_more(fact: facts.Fact) -> None:
    play = limited("").start().fails("a")

    assert play.state == "failed"
    assert play.tell(fact, after=10_000) is None
