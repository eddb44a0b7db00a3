from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orchestration.core.errors import EvaluationError, ExpressionError
from orchestration.core.expressions import Environment, lookup_in

TABLE = json.loads(Path(__file__).with_name("expressions_table.json").read_text("utf-8"))
ENVIRONMENT = Environment(TABLE["names"])
LOOKUP = lookup_in(TABLE["values"])


@pytest.mark.parametrize(("source", "answer"), TABLE["answers"])
def test_the_conformance_table_answers(source, answer):
    found = ENVIRONMENT.compile(source).evaluate(LOOKUP)

    assert (found, isinstance(found, bool)) == (answer, isinstance(answer, bool))


@pytest.mark.parametrize(("source", "message"), TABLE["evaluation_errors"])
def test_the_conformance_table_refuses_when_evaluated(source, message):
    with pytest.raises(EvaluationError) as caught:
        ENVIRONMENT.compile(source).evaluate(LOOKUP)

    assert message in str(caught.value)


@pytest.mark.parametrize(("source", "message", "line", "column"), TABLE["compile_errors"])
def test_the_conformance_table_refuses_when_compiled(source, message, line, column):
    with pytest.raises(ExpressionError) as caught:
        ENVIRONMENT.compile(source)

    assert message in str(caught.value)
    assert (caught.value.line, caught.value.column) == (line, column)


def test_only_the_names_it_refers_to_are_looked_up():
    asked: list[str] = []

    def lookup(name: str) -> object:
        asked.append(name)
        return LOOKUP(name)

    expression = ENVIRONMENT.compile("steps.tag.output.intent == 'outage' && has(input.missing)")
    expression.evaluate(lookup)

    assert expression.names == {"steps.tag.output.intent", "input.missing"}
    assert set(asked) == expression.names


@pytest.mark.parametrize(
    ("source", "wants"),
    [("input.vip", "bool"), ("input.maybe == null", "bool"), ("input.body", "string"), ("now", "string"),
     ("input.tags", "list"), ("input.open", "map"), ("input.count", "number"), ("input.amount * 2.0", "number"),
     ("size(input.tags)", "int"), ("now + duration('1h')", "timestamp"), ("'2026-01-01T00:00:00Z'", "timestamp"),
     ("duration('1h')", "duration"), ("input.open.deep.list", "list")],
)  # fmt: skip
def test_an_answer_of_the_wanted_type_is_given(source, wants):
    assert ENVIRONMENT.compile(source, wants).evaluate(LOOKUP) is not None


@pytest.mark.parametrize(
    ("source", "wants"),
    [("input.body", "bool"), ("input.count == 1", "string"), ("input.body", "list"), ("'a' + 'b'", "number"),
     ("input.amount", "int"), ("input.vip", "timestamp"), ("input.tags", "map")],
)  # fmt: skip
def test_a_wrong_type_is_found_when_compiled(source, wants):
    with pytest.raises(ExpressionError, match="must give"):
        ENVIRONMENT.compile(source, wants)


@pytest.mark.parametrize(
    ("source", "wants"),
    [("input.maybe", "bool"), ("input.open.deep", "bool"), ("input.body", "timestamp"), ("'2026-01-01'", "timestamp"),
     ("input.open.deep.list[0]", "string"), ("'x'", "duration"), ("dyn(1)", "bool"), ("dyn(true)", "int")],
)  # fmt: skip
def test_a_wrong_type_that_only_the_value_shows_is_refused(source, wants):
    with pytest.raises(EvaluationError, match="must give"):
        ENVIRONMENT.compile(source, wants).evaluate(LOOKUP)


def test_a_type_that_does_not_exist_cannot_be_wanted():
    with pytest.raises(ValueError, match="unknown type"):
        ENVIRONMENT.compile("1", "colour")


def test_a_bare_name_gives_a_value_of_any_size():
    items = [{"n": number} for number in range(200_000)]
    environment = Environment({"steps.x.output": {"type": "array"}})

    assert environment.compile("steps.x.output", "list").evaluate(lambda name: items) is items


def test_a_null_where_the_schema_allows_none_counts_as_absent():
    environment = Environment({"vars.name": {"type": "string"}})

    with pytest.raises(EvaluationError, match=r"vars\.name has no value yet"):
        environment.compile("vars.name + '!'").evaluate(lambda name: None)


def test_a_datetime_may_be_looked_up_as_it_is():
    moment = datetime(2026, 1, 1, tzinfo=UTC)

    assert ENVIRONMENT.compile("now").evaluate(lambda name: moment) == "2026-01-01T00:00:00Z"
    assert ENVIRONMENT.compile("now > timestamp('2025-01-01T00:00:00Z')").evaluate(lambda name: moment) is True


def test_numbers_within_objects_are_bound_by_their_schema():
    line = {"type": "object", "properties": {"price": {"type": "number"}, "count": {"type": "integer"}}}
    environment = Environment({"item": line})
    expression = environment.compile("{'a': item}.a.price + 0.5 + double({'a': item}.a.count + 1)")

    assert expression.evaluate(lookup_in({"item": {"price": 1, "count": 2.0}})) == 4.5


def test_a_schema_may_refer_to_its_own_parts_and_to_itself():
    tree = {
        "$ref": "#/$defs/node",
        "$defs": {
            "node": {
                "type": "object",
                "properties": {"size": {"type": "number"}, "left": {"$ref": "#/$defs/node"},
                               "right": {"$ref": "#/$defs/node"}},
            }
        },
    }  # fmt: skip
    expression = Environment({"tree": tree}).compile("tree.left.left.size + [tree][0].right.size")

    assert expression.evaluate(lookup_in({"tree": {"left": {"left": {"size": 1}}, "right": {"size": 2.5}}})) == 3.5


@pytest.mark.parametrize(
    "schema",
    [{"type": 5}, {"type": ["a", 1]}, {"properties": 5}, {"items": 7}, {"$ref": "#/nowhere"}, {"$ref": "#"},
     {"enum": 3}, {"type": "array", "items": {"$ref": "#"}}, {"type": {"a": 1}}],
)  # fmt: skip
def test_a_broken_schema_makes_a_name_of_any_type(schema):
    assert Environment({"input": schema}).compile("input == input").evaluate(lambda name: [1]) is True


def test_a_name_may_be_added_for_one_place():
    extended = ENVIRONMENT.extended({"error": {"type": "object", "properties": {"message": {"type": "string"}}}})

    assert extended.compile("error.message").evaluate(lookup_in({"error": {"message": "bad"}})) == "bad"
    assert ENVIRONMENT.extended({}) is ENVIRONMENT
    with pytest.raises(ExpressionError):
        ENVIRONMENT.compile("error.message")


def test_the_same_source_is_compiled_once():
    assert ENVIRONMENT.compile("input.vip") is ENVIRONMENT.compile("input.vip")


def test_threads_share_an_environment():
    wrong: list[object] = []

    def work(number: int) -> None:
        for turn in range(200):
            expression = ENVIRONMENT.compile(f"input.count + {turn}")
            if expression.evaluate(LOOKUP) != 3 + turn:
                wrong.append((number, turn))

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert wrong == []


def test_what_goes_wrong_names_the_expression():
    environment = Environment({"input.n": {"type": "integer"}})

    with pytest.raises(EvaluationError, match=r"^`100 / input\.n`: divide by zero"):
        environment.compile("100 /\n  input.n").evaluate({"input.n": 0}.__getitem__)


def test_a_long_expression_is_named_by_its_beginning():
    environment = Environment({"input.n": {"type": "integer"}})
    source = f"1 / input.n + size('{'a' * 200}')"

    with pytest.raises(EvaluationError, match=r"^`1 / input\.n .{100,110}…`: "):
        environment.compile(source).evaluate({"input.n": 0}.__getitem__)
