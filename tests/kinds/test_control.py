"""branch, set, rules, wait, end."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from orchestration.core.errors import EvaluationError
from orchestration.core.outcomes import Failed, Finished, Succeeded, WaitUntil
from orchestration.kinds import get
from tests.kinds.world import NOW, a_catalog, a_definition, a_scope, a_step, complaints, decided

ROUTE = a_step(
    "branch",
    cases=[
        {"port": "urgent", "when": "steps.score.output.urgency >= 0.8"},
        {"port": "billing", "when": "steps.tag.output.intent == 'billing'"},
    ],
)


def scored(urgency: float, intent: str = "other") -> Any:
    return a_scope(steps={"score": {"urgency": urgency}, "tag": {"intent": intent}})


def schema_of(step: Any) -> Any:
    return get(step.kind).output_schema(step, a_definition(step), a_catalog())


# branch


def test_a_branch_takes_the_first_case_that_is_true() -> None:
    assert decided(ROUTE, scored(0.91, "billing")).port == "urgent"
    assert decided(ROUTE, scored(0.2, "billing")).port == "billing"
    assert decided(ROUTE, scored(0.2)).port == "else"


def test_a_branch_says_which_condition_with_which_numbers_led_where() -> None:
    reason = decided(ROUTE, scored(0.91)).reason
    assert reason == "steps.score.output.urgency >= 0.8 (steps.score.output.urgency = 0.91) -> urgent"
    assert decided(ROUTE, scored(0.2)).reason == "no case is true -> else"


def test_the_reason_of_a_branch_repeats_no_texts_of_the_run() -> None:
    step = a_step("branch", cases=[{"port": "vip", "when": "input.customer == 'x' || input.vip"}])
    reason = decided(step, a_scope({"customer": "Ada Lovelace", "vip": True})).reason
    assert "Ada" not in reason
    assert "input.vip = true" in reason


def test_a_branch_of_one_case_says_what_was_not_so() -> None:
    step = a_step("branch", cases=[{"port": "yes", "when": "input.n > 3"}])
    assert decided(step, a_scope({"n": 2})).reason == "not input.n > 3 (input.n = 2) -> else"


def test_a_long_condition_is_shortened_in_the_reason() -> None:
    step = a_step("branch", cases=[{"port": "yes", "when": " || ".join(["true"] * 100)}])
    assert len(decided(step).reason) < 200


def test_a_condition_that_is_neither_true_nor_false_is_an_error() -> None:
    with pytest.raises(EvaluationError, match="true or false"):
        decided(a_step("branch", cases=[{"port": "yes", "when": "input.word"}]), a_scope({"word": "yes"}))


def test_the_ports_of_a_branch_are_its_cases_else_and_error() -> None:
    assert get("branch").ports(ROUTE.config) == ("urgent", "billing", "else", "error")
    assert get("branch").ports({"cases": "nonsense"}) == ("else", "error")


def test_a_branch_refuses_ports_that_are_always_there_or_used_twice() -> None:
    cases = [{"port": port, "when": "true"} for port in ("else", "done", "a", "a")]
    fields = [found.field for found in complaints(a_step("branch", cases=cases))]
    assert fields == ["cases[0].port", "cases[1].port", "cases[2].port", "cases[3].port"]


def test_the_output_of_a_branch_is_the_port_taken() -> None:
    assert decided(ROUTE, scored(0.9)).output == {"port": "urgent"}
    assert schema_of(ROUTE)["properties"]["port"]["enum"] == ["urgent", "billing", "else"]


# set


def test_set_gives_its_values_rendered() -> None:
    step = a_step("set", values={"name": "{{ input.name }}", "greeting": "Dear {{ input.name }}", "n": 3})
    outcome = decided(step, a_scope({"name": "Ada"}))
    assert outcome.output == {"name": "Ada", "greeting": "Dear Ada", "n": 3}
    assert outcome.reason == "set name, greeting, n"


def test_what_is_known_of_set_values_is_their_schema() -> None:
    values = {"a": "{{ input.x }}", "b": "x {{ input.x }}", "c": [1, 2.5], "d": {"e": True}, "f": None}
    properties = schema_of(a_step("set", values=values))["properties"]
    assert properties["a"] == {}
    assert properties["b"] == {"type": "string"}
    assert properties["c"] == {"type": "array", "items": {"type": "number"}}
    assert properties["d"]["properties"] == {"e": {"type": "boolean"}}
    assert properties["f"] == {"type": "null"}


# rules

TABLE = [
    {"when": "input.n > 10", "then": {"size": "big"}, "priority": 1, "name": "many"},
    {"when": "input.n > 5", "then": {"size": "some"}, "priority": 7},
    {"when": "input.n > 0", "then": {"size": "{{ input.n }} items"}, "priority": 7},
]


@pytest.mark.parametrize(
    ("hit", "n", "output", "reason"),
    [
        ("first", 11, {"size": "big"}, "row 1, many: input.n > 10"),
        ("first", 1, {"size": "1 items"}, "row 3: input.n > 0"),
        ("priority", 11, {"size": "some"}, "row 2: input.n > 5"),
        ("all", 6, [{"size": "some"}, {"size": "6 items"}], "row 2: input.n > 5; row 3: input.n > 0"),
        ("all", 0, [], "no row matches"),
    ],
)
def test_a_table_answers_by_its_hit_policy_and_names_the_row(hit: str, n: int, output: Any, reason: str) -> None:
    outcome = decided(a_step("rules", hit=hit, rules=TABLE), a_scope({"n": n}))
    assert outcome == Succeeded(output, reason=reason)


@pytest.mark.parametrize("hit", ["first", "priority"])
def test_a_table_without_a_matching_row_gives_its_default_or_fails(hit: str) -> None:
    nothing = a_scope({"n": 0})
    assert decided(a_step("rules", hit=hit, rules=TABLE, default={"size": "none"}), nothing).output == {"size": "none"}
    failed = decided(a_step("rules", hit=hit, rules=TABLE), nothing)
    assert isinstance(failed, Failed)
    assert (failed.code, failed.retryable) == ("no_match", False)


def test_a_row_without_a_condition_always_matches() -> None:
    outcome = decided(a_step("rules", rules=[{"when": "false", "then": 1}, {"then": 2}]))
    assert (outcome.output, outcome.reason) == (2, "row 2: no condition")


def test_the_answers_of_all_rows_make_the_schema_of_a_table() -> None:
    rows = [{"when": "true", "then": {"a": 1, "b": "x"}}, {"then": {"a": 2.5}}]
    schema = schema_of(a_step("rules", rules=rows))
    assert schema["properties"] == {"a": {"type": "number"}, "b": {"type": "string"}}
    assert schema["required"] == ["a"]
    assert schema_of(a_step("rules", hit="all", rules=rows))["type"] == "array"
    assert schema_of(a_step("rules", rules=rows, default="x")) == {}


def test_rows_that_can_not_be_reached_and_priorities_nobody_reads_are_pointed_out() -> None:
    found = complaints(a_step("rules", rules=[{"then": 1}, {"when": "true", "then": 2, "priority": 3}]))
    assert [(one.field, one.warning) for one in found] == [("rules[0]", True), ("rules[1].priority", False)]
    assert complaints(a_step("rules", hit="priority", rules=TABLE)) == []


def test_a_table_names_its_expressions_for_the_checker() -> None:
    uses = list(get("rules").uses(a_step("rules", rules=[{"when": "true", "then": 1}], default=2)))
    assert [(use.field, use.template, use.wants) for use in uses] == [
        ("rules[0].when", False, "bool"), ("rules[0].then", True, None), ("default", True, None),
    ]  # fmt: skip


# wait


@pytest.mark.parametrize(
    ("config", "seconds"),
    [({"for": "90s"}, 90), ({"for": 5}, 5), ({"for": "{{ input.hours }}h"}, 7200),
     ({"until": "timestamp(input.at) - duration('59m')"}, 60), ({"until": "input.at"}, 3600)],
)  # fmt: skip
def test_a_wait_ends_after_its_time_or_at_its_instant(config: dict, seconds: int) -> None:
    scope = a_scope({"hours": 2, "at": "2026-05-04T10:00:00Z"})
    outcome = decided(a_step("wait", **config), scope)
    assert isinstance(outcome, WaitUntil)
    assert outcome.at == NOW + timedelta(seconds=seconds)
    assert datetime.fromisoformat(outcome.output["until"]).astimezone(UTC) == outcome.at


@pytest.mark.parametrize(
    ("config", "message"),
    [({"for": "{{ input.word }}"}, "a duration"), ({"until": "input.word"}, "point in time"),
     ({"until": "input.local"}, "offset from UTC")],
)  # fmt: skip
def test_a_wait_for_nonsense_is_an_error(config: dict, message: str) -> None:
    with pytest.raises(EvaluationError, match=message):
        decided(a_step("wait", **config), a_scope({"word": "soon", "local": "2026-05-04T10:00:00"}))


def test_a_wait_needs_one_of_for_and_until_and_a_duration_that_can_be_read() -> None:
    assert "either `for` or `until`" in complaints(a_step("wait"))[0].message
    assert "either" in complaints(a_step("wait", **{"for": "1m", "until": "now"}))[0].message
    assert [one.field for one in complaints(a_step("wait", **{"for": "a while"}))] == ["for"]
    assert complaints(a_step("wait", **{"for": "{{ input.x }}"})) == []


# end


def test_end_finishes_the_run_with_a_message_and_an_output() -> None:
    step = a_step("end", state="failed", message="No {{ input.x }}.", output={"x": "{{ input.x }}"})
    assert decided(step, a_scope({"x": 4})) == Finished("failed", "No 4.", {"x": 4})


def test_end_succeeds_and_leaves_the_output_to_the_workflow_unless_told() -> None:
    assert decided(a_step("end")) == Finished("succeeded", "", None)
    assert get("end").ports({}) == ()
