"""Going back: passes, regions, what is kept and what is cancelled, and how often."""

from __future__ import annotations

import pytest

from orchestration.core import facts
from tests.support.core import Play


def loop(most: int = 2, port: str = "else", more: str = "") -> Play:
    """work -> check, which goes back to work until the run's variable says ready; out follows."""
    return Play(
        f"""
        variables: {{ready: {{schema: {{type: boolean}}, initial: false}}}}
        steps:
          - {{id: work, kind: noop, writes: {{ready: "steps.work.output == 1"}}}}
          - {{id: check, kind: branch, cases: [{{port: "yes", when: "vars.ready"}}]}}
          - {{id: out, kind: noop}}
          {more}
        edges:
          - {{from: start, to: work}}
          - {{from: work, to: check}}
          - {{from: check.yes, to: out}}
          - {{from: check.{port}, to: work, again: {{max: {most}}}}}
        output: "{{{{ steps.work.output }}}}"
        """
    ).start()


def test_going_back_starts_a_new_pass_of_the_region() -> None:
    play = loop().done("work", output=0)

    assert play.open == {"work": "running"}
    assert play.runs_of("work") == [(0, 1), (1, 1)]
    assert play.view.passes == {"work": 1, "check": 1, "out": 1}
    assert play.ended == {}
    play.done("work", output=1)
    assert play.open == {"out": "running"}
    assert play.done("out").state == "succeeded"
    assert play.history("work") == [(0, "succeeded"), (1, "succeeded")]
    assert play.history("out") == [(1, "succeeded")]


def test_going_back_too_often_fails_the_run_where_nothing_catches_it() -> None:
    play = loop(2).done("work", output=0).done("work", output=0).done("work", output=0)

    assert (play.state, play.error) == ("failed", "again_exhausted")
    assert play.history("check") == [(0, "succeeded"), (1, "succeeded"), (2, "failed")]


def test_going_back_too_often_leaves_by_the_error_port() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: rescue, kind: set, values: {why: "{{ steps.a.error.code }}"}}]
        edges: [{from: start, to: a}, {from: a, to: a, again: {max: 1}}, {from: a.error, to: rescue}]
        output: "{{ steps.rescue.output.why }}"
        """
    ).start()

    play.done("a", "a")

    assert (play.state, play.output) == ("succeeded", "again_exhausted")


def test_an_error_port_that_only_leads_back_fails_the_run_when_it_is_worn_out() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}]
        edges: [{from: start, to: a}, {from: a.error, to: a, again: {max: 2}}]
        """
    ).start()

    play.fails("a").fails("a").fails("a")

    assert (play.state, play.error) == ("failed", "again_exhausted")
    assert play.view.standing.error is not None
    assert play.view.standing.error["message"].endswith("The last error: a failed")


def test_an_error_port_that_leads_back_and_on_goes_on_when_it_is_worn_out() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: rescue, kind: noop}]
        edges: [{from: start, to: a}, {from: a.error, to: a, again: {max: 1}}, {from: a.error, to: rescue}]
        """
    ).start()

    assert play.fails("a").open == {"a": "running"}
    assert play.fails("a").open == {"rescue": "running"}


def test_a_step_that_goes_on_after_errors_goes_on_when_its_way_back_is_worn_out() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop, on_error: {value: 7}}]
        edges: [{from: start, to: a}, {from: a, to: a, again: {max: 1}}]
        output: "{{ steps.a.output }}"
        """
    ).start()

    play.done("a", output=1).done("a", output=2)

    assert (play.state, play.output) == ("succeeded", 7)


def test_a_second_way_back_is_taken_when_the_first_is_worn_out() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: b, kind: noop}]
        edges: [{from: start, to: a}, {from: a, to: b},
                {from: b, to: b, again: {max: 1}}, {from: b, to: a, again: {max: 1}}]
        """
    ).start()

    play.done("a", "b", "b")

    assert play.open == {"a": "running"}
    assert play.view.again == {"b.done -> b": 1, "b.done -> a": 1}


def test_what_runs_in_the_region_is_cancelled_and_its_late_report_ignored() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: slow, kind: noop}, {id: judge, kind: noop}]
        edges:
          - {from: start, to: a}
          - {from: a, to: slow}
          - {from: a, to: judge}
          - {from: judge, to: a, again: {max: 1}}
        """
    ).start()
    play.done("a")
    late = play.view.active["slow"]
    play.view.reserve("slow", 30, 40)

    play.done("judge")

    assert play.open == {"a": "running"}
    assert play.history("slow") == [(0, "cancelled")]
    assert (play.view.standing.tokens, play.view.standing.cost_microusd) == (30, 40)
    assert play.late(late) is None
    play.done("a")
    assert play.runs_of("slow") == [(0, 1), (1, 1)]
    assert play.late(late) is None


def test_arrivals_from_outside_the_region_are_kept() -> None:
    play = Play(
        """
        steps: [{id: outside, kind: noop}, {id: a, kind: noop}, {id: b, kind: noop}, {id: j, kind: noop}]
        edges:
          - {from: start, to: outside}
          - {from: start, to: a}
          - {from: a, to: b}
          - {from: b, to: j}
          - {from: outside, to: j}
          - {from: b.error, to: a, again: {max: 1}}
        """
    ).start()

    play.done("outside", "a").fails("b")

    assert play.runs_of("outside") == [(0, 1)]
    assert play.done("a", "b").open == {"j": "running"}


def test_an_arrival_from_outside_that_is_enough_for_a_join_of_any_starts_it_at_once_in_the_new_pass() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: j, kind: noop, join: any}, {id: judge, kind: noop}]
        edges:
          - {from: start, to: a}
          - {from: start, to: j}
          - {from: a, to: j}
          - {from: a, to: judge}
          - {from: judge, to: a, again: {max: 1}}
        """
    ).start()

    play.done("a", "j", "judge")

    assert play.open == {"a": "running", "j": "running"}


def test_an_edge_that_goes_back_never_counts_for_a_join() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop, join: all}, {id: b, kind: noop}]
        edges: [{from: start, to: a}, {from: a, to: b}, {from: b.error, to: a, again: {max: 1}}]
        """
    ).start()

    assert play.open == {"a": "running"}
    assert play.done("a", "b").state == "succeeded"
    assert play.history("a") == [(0, "succeeded")]


def test_later_steps_read_as_in_the_pass_before_and_are_absent_at_first() -> None:
    play = Play(
        """
        variables: {seen: {schema: {type: array}, initial: []}}
        steps:
          - {id: a, kind: set, values: {x: "{{ steps.b.status }}"}, writes: {seen: "vars.seen + [steps.a.output.x]"}}
          - {id: b, kind: noop}
        edges: [{from: start, to: a}, {from: a, to: b}, {from: b, to: a, again: {max: 2}}]
        """
    ).start()

    assert play.view.variables["seen"] == [""]
    play.done("b")
    assert play.view.variables["seen"] == ["", "succeeded"]
    play.crash().done("b")
    assert play.view.variables["seen"] == ["", "succeeded", "succeeded"]


def test_a_crash_does_not_change_which_pass_is_read() -> None:
    """x ended in passes 0 and 1, was not reached in pass 2: in pass 3 it still reads as in pass 1."""
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: x, kind: noop}]
        edges:
          - {from: start, to: a}
          - {from: a, to: x}
          - {from: x, to: a, again: {max: 2}}
          - {from: a.error, to: a, again: {max: 2}}
        """
    ).start()

    play.done("a").done("x", output="first").done("a").done("x", output="second").fails("a")

    assert play.view.passes["x"] == 3
    assert play.view.previous["x"].output == "second"
    assert play.crash().view.previous["x"].output == "second"


def test_nested_ways_back_each_keep_their_count() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: b, kind: noop}, {id: c, kind: noop}]
        edges:
          - {from: start, to: a}
          - {from: a, to: b}
          - {from: b, to: c}
          - {from: b.error, to: b, again: {max: 1}}
          - {from: c.error, to: a, again: {max: 1}}
        """
    ).start()

    play.done("a").fails("b").done("b").fails("c")

    assert play.view.passes == {"a": 1, "b": 2, "c": 2}
    play.done("a").fails("b")
    assert (play.state, play.error) == ("failed", "again_exhausted")


def test_overlapping_ways_back_in_one_transition_start_each_step_once() -> None:
    """Two control steps go back at once: the one that resets more wins, what the other wanted to start waits."""
    play = Play(
        """
        steps:
          - {id: a, kind: noop}
          - {id: b, kind: noop}
          - {id: one, kind: branch, cases: [{port: x, when: "true"}]}
          - {id: two, kind: branch, cases: [{port: x, when: "true"}]}
        edges:
          - {from: start, to: a}
          - {from: a, to: b}
          - {from: b, to: one}
          - {from: b, to: two}
          - {from: one.x, to: b, again: {max: 1}}
          - {from: two.x, to: a, again: {max: 1}}
        """
    ).start()

    play.done("a", "b")

    assert play.open == {"b": "running"}  # `one` was considered first; its reset made `two` undecided again
    play.done("b")
    assert (play.state, play.error) == ("failed", "again_exhausted")


def test_a_parallel_step_may_go_back_further_while_a_pass_runs() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: b, kind: noop}, {id: one, kind: noop}, {id: two, kind: noop}]
        edges:
          - {from: start, to: a}
          - {from: a, to: b}
          - {from: b, to: one}
          - {from: a, to: two}
          - {from: one, to: b, again: {max: 1}}
          - {from: two, to: a, again: {max: 1}}
        """
    ).start()
    play.done("a", "b", "one")
    late = play.view.active["b"]

    play.done("two")

    assert play.open == {"a": "running"}
    assert play.history("b") == [(0, "succeeded"), (1, "cancelled")]
    assert play.late(late) is None
    assert play.done("a").runs_of("b") == [(0, 1), (1, 1), (2, 1)]


def test_a_waiting_approval_in_the_region_is_void_and_an_old_decision_ignored() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: ask, kind: approval, question: "Go?"}, {id: judge, kind: noop}]
        edges:
          - {from: start, to: a}
          - {from: a, to: ask}
          - {from: a, to: judge}
          - {from: judge, to: a, again: {max: 1}}
        """
    ).start()
    play.done("a", "judge")
    assert play.last is not None
    assert play.last.voids == ["ask"]

    play.done("a")

    assert play.open["ask"] == "needs_approval"
    assert play.tell(facts.Decided("ask", 0, "approved")) is None
    assert play.tell(facts.Decided("ask", 1, "approved")) is not None


@pytest.mark.parametrize("due", ["a", "b"])
def test_of_two_timers_due_at_once_the_one_in_the_region_of_the_other_ends_once(due: str) -> None:
    play = Play(
        f"""
        steps: [{{id: first, kind: noop}}, {{id: a, kind: wait, for: 10s}}, {{id: b, kind: wait, for: 10s}}]
        edges:
          - {{from: start, to: first}}
          - {{from: first, to: a}}
          - {{from: first, to: b}}
          - {{from: {due}, to: first, again: {{max: 1}}}}
        """
    ).start()
    play.done("first")

    play.wait(10)

    assert play.open == {"first": "running"}
    assert sorted(row.path for row in play.rows) == ["a", "b", "first"]
