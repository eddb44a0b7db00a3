"""What goes wrong in a step: error edges, going on, retries, blocked and unknown outcomes, expressions, variables."""

from __future__ import annotations

import pytest

from orchestration.core.outcomes import Blocked, Failed, Outcome, Succeeded
from tests.support.core import Play


def one(more: str = "", edges: str = "", head: str = "") -> Play:
    """Step a, and whatever else is given."""
    text = f"""
        {head}
        steps: [{{id: a, kind: noop, {more}}}, {{id: next, kind: noop}}, {{id: rescue, kind: noop}}]
        edges: [{{from: start, to: a}}, {{from: a, to: next}}, {{from: next, to: rescue}}{edges}]
        """
    return Play(text).start()


CAUGHT = ", {from: a.error, to: rescue}"


def beside(more: str = "") -> Play:
    """Steps a and b run side by side, c waits for an hour."""
    return Play(
        f"""
        steps:
          - {{id: a, kind: noop, {more}}}
          - {{id: b, kind: noop}}
          - {{id: c, kind: wait, for: 1h}}
          - {{id: d, kind: noop}}
        edges: [{{from: start, to: a}}, {{from: start, to: b}}, {{from: start, to: c}}, {{from: b, to: d}}]
        """
    ).start()


@pytest.mark.parametrize(
    ("outcome", "step", "run", "code"),
    [
        (Failed("broken", "no"), "failed", "failed", "broken"),
        (Failed("timeout", "late"), "timed_out", "failed", "timeout"),
        (Failed("busy", "later", retryable=True), "failed", "failed", "busy"),
        (Blocked("denied", "not you"), "blocked", "blocked", "denied"),
    ],
)
def test_an_unhandled_failure_ends_the_run_and_says_where(outcome: Outcome, step: str, run: str, code: str) -> None:
    play = one()
    play.report("a", outcome)

    assert (play.state, play.error, play.ended) == (run, code, {"a": step})
    assert play.view.standing.error is not None
    assert play.view.standing.error["step"] == "a"


@pytest.mark.parametrize("outcome", [Failed("broken", "no"), Failed("timeout", "late"), Blocked("denied", "no")])
def test_an_error_edge_is_taken_by_every_sort_of_failure(outcome: Outcome) -> None:
    play = one(edges=CAUGHT)
    play.report("a", outcome)

    assert play.open == {"rescue": "running"}
    assert play.ended["next"] == "skipped"
    assert play.view.ended["a"].error is not None
    assert play.view.ended["a"].error["code"] == outcome.code
    assert play.done("rescue").state == "succeeded"


@pytest.mark.parametrize(("on_error", "output"), [("continue", None), ("{value: {n: 7}}", {"n": 7})])
def test_a_step_may_go_on_after_a_failure(on_error: str, output: object) -> None:
    play = one(f"on_error: {on_error}").fails("a")

    assert play.open == {"next": "running"}
    assert (play.ended["a"], play.view.ended["a"].port, play.view.ended["a"].output) == ("failed", "done", output)


def test_an_error_edge_comes_before_going_on() -> None:
    assert one("on_error: continue", CAUGHT).fails("a").open == {"rescue": "running"}


def test_a_failure_cancels_what_waits_starts_nothing_and_lets_what_runs_answer() -> None:
    play = beside().fails("a")

    assert play.open == {"b": "running"}
    assert play.ended == {"a": "failed", "c": "cancelled"}
    assert (play.state, play.view.standing.closing is not None) == ("running", True)
    assert play.last is not None
    assert [asked.path for asked in play.last.interrupts] == ["b"]
    play.crash().report("b", Succeeded(1, tokens=9))
    assert (play.state, play.error, play.ended["b"]) == ("failed", "broken", "succeeded")
    assert "d" not in play.ended
    assert play.view.standing.tokens == 9


def test_the_first_failure_is_the_one_the_run_tells() -> None:
    play = beside().fails("a", "first").fails("b", "second")

    assert (play.state, play.error) == ("failed", "first")


def test_a_failure_while_closing_is_not_tried_again_and_takes_no_error_edge() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: b, kind: noop, retry: {attempts: 9}}, {id: c, kind: noop}]
        edges: [{from: start, to: a}, {from: start, to: b}, {from: b.error, to: c}]
        """
    ).start()

    play.fails("a").fails("b", retryable=True)

    assert (play.state, play.ended) == ("failed", {"a": "failed", "b": "failed"})


def test_a_retry_waits_and_starts_the_next_attempt_when_its_time_has_come() -> None:
    play = one("retry: {attempts: 3, delay: 10s, factor: 3}").fails("a", retryable=True)

    assert (play.state, play.waiting_for, play.open) == ("waiting", "retry", {"a": "waiting"})
    assert play.wait(9) is None
    assert play.wait(1) is not None
    assert play.open == {"a": "running"}
    play.crash().fails("a", retryable=True)
    assert play.wait(29) is None
    assert play.wait(1) is not None
    play.fails("a", "last", retryable=True)
    assert (play.state, play.error) == ("failed", "last")
    assert play.runs_of("a") == [(0, 1), (0, 2), (0, 3)]
    assert [(one.number, one.state) for one in play.attempts] == [(1, "failed"), (2, "failed")]
    assert play.row("a").attempt == 3


def test_the_other_side_may_ask_for_a_later_retry() -> None:
    play = one("retry: {attempts: 2, delay: 1s}").fails("a", retryable=True, retry_after=30.0)

    assert play.wait(29) is None
    assert play.wait(1) is not None


def test_only_named_errors_are_tried_again() -> None:
    policy = "retry: {attempts: 2, on: [timeout]}"

    assert one(policy).fails("a", "timeout", retryable=True).state == "waiting"
    assert one(policy).fails("a", "other", retryable=True).state == "failed"


def test_an_error_edge_is_taken_once_the_attempts_are_used_up() -> None:
    play = one("retry: {attempts: 2, delay: 1s}", CAUGHT).fails("a", retryable=True)
    play.wait(1)

    assert play.fails("a", retryable=True).open == {"rescue": "running"}


def test_each_attempt_is_charged() -> None:
    play = one("retry: {attempts: 2, delay: 1s}")
    play.report("a", Failed("busy", "later", retryable=True, tokens=3, cost_microusd=30))
    play.wait(1)
    play.report("a", Succeeded(1, tokens=4, cost_microusd=40))

    assert (play.view.standing.tokens, play.view.standing.cost_microusd) == (7, 70)
    assert (play.row("a").tokens, play.row("a").cost_microusd) == (4, 40)


def test_a_call_of_unknown_outcome_parks_the_run_and_asks_a_person() -> None:
    play = one("retry: {attempts: 5}", CAUGHT).fails("a", retryable=True, unknown=True)

    assert (play.state, play.waiting_for) == ("needs_approval", "unknown_effect")
    assert play.last is not None
    assert [(ask.path, ask.kind) for ask in play.last.asks] == [("a", "unknown_effect")]


def test_it_happened_is_a_success_with_what_the_person_says_it_gave() -> None:
    play = one().fails("a", unknown=True)
    play.answered("a", "happened", {"id": 5})

    assert (play.open, play.view.ended["a"].output) == ({"next": "running"}, {"id": 5})
    assert play.row("a").reason == "ann said that it happened"


def test_try_again_is_a_new_effect_in_a_new_attempt_and_keeps_a_trace_of_the_old_one() -> None:
    play = one().fails("a", unknown=True)
    play.answered("a", "try_again")

    assert (play.view.active["a"].attempt, play.view.active["a"].generation) == (2, 1)
    assert play.runs_of("a") == [(0, 1), (0, 2)]
    assert [(one.number, one.state) for one in play.attempts] == [(1, "failed")]
    assert play.done("a").open == {"next": "running"}


def test_skip_goes_on_without_the_step() -> None:
    play = one().fails("a", unknown=True)
    play.answered("a", "skip")

    assert (play.ended["a"], play.open) == ("skipped", {"next": "running"})


@pytest.mark.parametrize("answer", ["perhaps", ""])
def test_another_answer_changes_nothing(answer: str) -> None:
    play = one().fails("a", unknown=True)

    assert play.answered("a", answer) is None


def test_an_unknown_outcome_while_cancelling_is_still_asked_about_and_does_not_hold_the_run() -> None:
    play = one().cancel()
    play.report("a", Failed("gone", "?", unknown=True, tokens=5))

    assert (play.state, play.ended) == ("cancelled", {"a": "cancelled"})
    assert play.last is not None
    assert [ask.kind for ask in play.last.asks] == ["unknown_effect"]
    assert play.row("a").tokens == 5


def test_cancelling_ends_a_parked_step_and_leaves_its_question_open() -> None:
    play = one().fails("a", unknown=True).cancel()

    assert (play.state, play.ended) == ("cancelled", {"a": "cancelled"})
    assert play.last is not None
    assert play.last.voids == []


def test_an_answer_about_a_step_that_does_not_ask_changes_nothing() -> None:
    assert one().answered("a", "happened") is None


@pytest.mark.parametrize(
    ("more", "says"),
    [
        ("run_if: 'steps.next.output.x > 1'", "run_if"),
        ("writes: {n: 'steps.a.output.missing'}", ""),
        ("writes: {n: '1 / 0'}", ""),
    ],
)
def test_an_expression_that_cannot_be_evaluated_fails_its_step(more: str, says: str) -> None:
    play = one(more, head="variables: {n: {schema: {type: integer}, initial: 0}}")
    if "a" in play.open:
        play.done("a", output={})

    assert play.state == "failed"
    assert play.error in ("expression_error", "invalid_variable")
    assert says in str(play.view.standing.error)


def test_an_expression_error_can_be_caught() -> None:
    assert one("run_if: 'steps.next.output.x > 1'", CAUGHT).open == {"rescue": "running"}


def test_a_branch_whose_condition_fails_leaves_by_error_and_is_not_tried_again() -> None:
    play = Play(
        """
        steps:
          - {id: route, kind: branch, retry: {attempts: 3}, cases: [{port: x, when: "input.missing == 1"}]}
          - {id: rescue, kind: noop}
        edges: [{from: start, to: route}, {from: route.error, to: rescue}]
        """
    ).start()

    assert play.open == {"rescue": "running"}


def test_an_output_that_cannot_be_rendered_fails_the_run() -> None:
    play = one(edges="", head='output: "{{ steps.a.output.missing }}"').done("a", output={}).done("next", "rescue")

    assert (play.state, play.error) == ("failed", "output_error")


def test_writes_change_variables_and_are_checked() -> None:
    head = "variables: {n: {schema: {type: integer}, initial: 0}, m: {schema: {type: integer}, initial: 0}}"
    play = one("writes: {n: 'steps.a.output', m: 'vars.n + 10'}", head=head).done("a", output=5)

    assert play.view.variables == {"n": 5, "m": 10}  # all are evaluated over the state before


def test_one_bad_write_undoes_all_writes_of_the_step() -> None:
    head = "variables: {n: {schema: {type: integer}, initial: 0}, m: {schema: {type: integer}, initial: 0}}"
    play = one("writes: {n: '5', m: 'steps.a.output'}", CAUGHT, head)
    play.report("a", Succeeded("five", tokens=3))

    assert play.view.variables == {"n": 0, "m": 0}
    assert play.view.ended["a"].error is not None
    assert (play.view.ended["a"].error["code"], play.open) == ("invalid_variable", {"rescue": "running"})
    assert play.row("a").tokens == 3
    assert not any("variables" in body for _, _, _, body in play.events)
