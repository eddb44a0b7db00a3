"""Control flow on the engine: branches, joins, errors, retries, waits, going back, variables and limits."""

from __future__ import annotations

import pytest

from runs.models import Attempt, Run, StepRun
from tests.runs.test_engine import check_events_tell_the_state, ended
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle

pytestmark = pytest.mark.django_db(transaction=True)


def run_of(text: str, input: object = None) -> Run:
    workspace = a_workspace()
    run = a_run(a_person("operator", workspace), a_workflow(workspace, text), input)
    with an_engine() as engine:
        run = settle(engine, run)
    check_events_tell_the_state(run)
    return run


def test_a_branch_takes_one_port_and_skips_what_only_the_others_reach() -> None:
    run = run_of(
        """
        input: {type: object, properties: {n: {type: integer}}}
        steps:
          - {id: route, kind: branch, cases: [{port: big, when: "input.n > 10"}]}
          - {id: large, kind: noop}
          - {id: small, kind: noop}
          - {id: after, kind: noop}
        edges:
          - {from: start, to: route}
          - {from: route.big, to: large}
          - {from: route.else, to: small}
          - {from: large, to: after}
          - {from: small, to: after}
        """,
        {"n": 11},
    )

    assert run.state == "succeeded"
    assert ended(run) == {"route": "succeeded", "large": "succeeded", "small": "skipped", "after": "succeeded"}
    assert "input.n > 10" in run.steps.get(path="route").reason


def test_branches_in_parallel_meet_in_a_join_of_all() -> None:
    run = run_of(
        """
        steps:
          - {id: a, kind: noop, answer: 1}
          - {id: b, kind: noop, answer: 2}
          - {id: sum, kind: set, values: {total: "{{ steps.a.output + steps.b.output }}"}}
        edges:
          - {from: start, to: a}
          - {from: start, to: b}
          - {from: a, to: sum}
          - {from: b, to: sum}
        output: "{{ steps.sum.output.total }}"
        """
    )

    assert (run.state, run.output) == ("succeeded", 3)
    assert StepRun.objects.filter(run_id=run.id, path="sum").count() == 1


def test_a_join_of_any_runs_once_for_the_first_arrival() -> None:
    run = run_of(
        """
        steps:
          - {id: a, kind: noop}
          - {id: b, kind: noop}
          - {id: first, kind: noop, join: any}
        edges:
          - {from: start, to: a}
          - {from: start, to: b}
          - {from: a, to: first}
          - {from: b, to: first}
        """
    )

    assert run.state == "succeeded"
    assert ended(run) == {"a": "succeeded", "b": "succeeded", "first": "succeeded"}


def test_a_failed_step_without_an_error_edge_fails_the_run_and_says_where() -> None:
    run = run_of(
        """
        steps: [{id: a, kind: noop, fails: 1}, {id: b, kind: noop}]
        edges: [{from: start, to: a}, {from: a, to: b}]
        """
    )

    assert run.state == "failed"
    assert run.error == {"code": "noop_failed", "message": "It was told to fail.", "step": "a"}
    assert ended(run) == {"a": "failed"}


def test_an_error_edge_is_taken_and_its_target_can_read_the_error() -> None:
    run = run_of(
        """
        steps:
          - {id: a, kind: noop, fails: 1}
          - {id: rescue, kind: set, values: {why: "{{ steps.a.error.message }}"}}
          - {id: never, kind: noop}
        edges:
          - {from: start, to: a}
          - {from: a, to: never}
          - {from: a.error, to: rescue}
        output: "{{ steps.rescue.output.why }}"
        """
    )

    assert (run.state, run.output) == ("succeeded", "It was told to fail.")
    assert ended(run) == {"a": "failed", "rescue": "succeeded", "never": "skipped"}


def test_a_step_that_may_fail_goes_on_with_the_value_given_for_that() -> None:
    run = run_of(
        """
        steps: [{id: a, kind: noop, fails: 1, on_error: {value: 7}}]
        edges: [{from: start, to: a}]
        output: "{{ steps.a.output }}"
        """
    )

    assert (run.state, run.output) == ("succeeded", 7)


def test_retries_wait_and_each_failed_attempt_is_kept() -> None:
    workspace = a_workspace()
    text = """
        steps: [{id: a, kind: noop, fails: 1, retry: {attempts: 3, delay: 10ms, factor: 1}}]
        edges: [{from: start, to: a}]
        """
    run = a_run(a_person("operator", workspace), a_workflow(workspace, text))
    with an_engine() as engine:
        advance(engine, lambda: Run.objects.get(pk=run.pk).state == "failed")
    run.refresh_from_db()
    check_events_tell_the_state(run)
    attempts = Attempt.objects.filter(run_id=run.id).order_by("number").values_list("number", "state")

    assert run.state == "failed"
    assert list(attempts) == [(1, "failed"), (2, "failed")]
    assert run.steps.get(path="a").attempt == 3


def test_a_wait_costs_rows_only_and_ends_by_itself() -> None:
    workspace = a_workspace()
    workflow = a_workflow(
        workspace,
        """
        steps: [{id: pause, kind: wait, for: 300ms}]
        edges: [{from: start, to: pause}]
        """,
    )
    run = a_run(a_person("operator", workspace), workflow)

    with an_engine() as engine:
        waiting = settle(engine, run)
        assert (waiting.state, waiting.waiting_for, waiting.owner) == ("waiting", "timer", None)
        assert not engine.held
        advance(engine, lambda: Run.objects.get(pk=run.pk).state == "succeeded")

    check_events_tell_the_state(Run.objects.get(pk=run.pk))


def test_a_step_whose_condition_is_false_is_skipped_with_what_follows() -> None:
    run = run_of(
        """
        steps: [{id: a, kind: noop, run_if: "1 > 2"}, {id: b, kind: noop}]
        edges: [{from: start, to: a}, {from: a, to: b}]
        """
    )

    assert run.state == "succeeded"
    assert ended(run) == {"a": "skipped", "b": "skipped"}


def test_variables_are_written_and_checked() -> None:
    text = """
        variables: {n: {schema: {type: integer}, initial: 0}}
        steps: [{id: a, kind: noop, answer: %s, writes: {n: "steps.a.output"}}]
        edges: [{from: start, to: a}]
        output: "{{ vars.n }}"
        """

    assert run_of(text % 5).output == 5
    refused = run_of(text % "five")
    assert refused.state == "failed"
    assert refused.error["code"] == "invalid_variable"


def test_going_back_starts_a_new_pass_and_is_bounded() -> None:
    run = run_of(
        """
        variables: {n: {schema: {type: integer}, initial: 0}}
        steps:
          - {id: work, kind: noop}
          - {id: count, kind: set, values: {n: "{{ vars.n + 1 }}"}, writes: {n: "steps.count.output.n"}}
          - {id: enough, kind: branch, cases: [{port: "yes", when: "vars.n >= 3"}]}
          - {id: finish, kind: noop}
        edges:
          - {from: start, to: work}
          - {from: work, to: count}
          - {from: count, to: enough}
          - {from: enough.else, to: work, again: {max: 5}}
          - {from: enough.yes, to: finish}
        output: "{{ vars.n }}"
        """
    )

    assert (run.state, run.output) == ("succeeded", 3)
    assert sorted(run.steps.filter(path="work").values_list("pass_number", flat=True)) == [0, 1, 2]
    assert list(run.steps.filter(path="finish").values_list("pass_number", flat=True)) == [2]


def test_going_back_too_often_fails_the_step() -> None:
    run = run_of(
        """
        steps: [{id: work, kind: noop}, {id: again, kind: branch, cases: [{port: "yes", when: "1 > 2"}]}]
        edges:
          - {from: start, to: work}
          - {from: work, to: again}
          - {from: again.else, to: work, again: {max: 2}}
        """
    )

    assert run.state == "failed"
    assert run.error["code"] == "again_exhausted"
    assert run.steps.filter(path="work").count() == 3


def test_the_limit_of_steps_blocks_the_run() -> None:
    run = run_of(
        """
        limits: {steps: 2}
        steps: [{id: a, kind: noop}, {id: b, kind: noop}, {id: c, kind: noop}]
        edges: [{from: start, to: a}, {from: a, to: b}, {from: b, to: c}]
        """
    )

    assert run.state == "blocked"
    assert run.error["code"] == "limit_steps"
    assert ended(run) == {"a": "succeeded", "b": "succeeded", "c": "blocked"}


def test_a_run_past_its_wall_time_times_out() -> None:
    run = run_of(
        """
        limits: {wall_time: 200ms}
        steps: [{id: pause, kind: wait, for: 1h}]
        edges: [{from: start, to: pause}]
        """
    )
    with an_engine() as engine:
        advance(engine, lambda: Run.objects.get(pk=run.pk).state == "timed_out")

    assert Run.objects.get(pk=run.pk).error["code"] == "timed_out"


def test_end_ends_the_run_and_cancels_what_still_waits() -> None:
    run = run_of(
        """
        steps:
          - {id: long, kind: wait, for: 1h}
          - {id: work, kind: noop}
          - {id: stop, kind: end, state: failed, message: enough}
        edges:
          - {from: start, to: long}
          - {from: start, to: work}
          - {from: work, to: stop}
        """
    )

    assert run.state == "failed"
    assert ended(run) == {"long": "cancelled", "work": "succeeded", "stop": "succeeded"}
