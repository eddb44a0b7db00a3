from __future__ import annotations

import pytest

from orchestration.core.errors import EvaluationError, ExpressionError
from orchestration.core.expressions import Environment, lookup_in
from orchestration.core.guards import MAX_INPUT

TEXT = {"type": "string"}
ENVIRONMENT = Environment({"body": TEXT, "tags": {"type": "array", "items": TEXT}, "any": {}})


def evaluate(source: str, **values: object) -> object:
    return ENVIRONMENT.compile(source).evaluate(lookup_in(values))


@pytest.mark.parametrize(
    "source",
    [
        "'" + "x" * 2_000 + "'",
        "tags.map(a, a).map(a, a).map(a, a).map(a, a)",
        "tags.all(a, tags.exists(b, tags.filter(c, true).map(d, d) == tags))",
        " + ".join(["1"] * 10),
        "(" * 900 + "1" + ")" * 900,
        "[" * 100 + "]" * 100,
        "+".join(["body"] * 10),
        "tags.map(" * 150,
        "size(tags) == 1 || (" * 60 + "true" + ")" * 60,
        "\ud800",
    ],
)
def test_an_expression_beyond_its_bounds_is_not_compiled(source):
    with pytest.raises(ExpressionError):
        ENVIRONMENT.compile(source)


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("tags.map(a, body + 'x')", {"tags": ["x"] * 9_000, "body": "y" * 200_000}),
        ("tags.map(a, body)", {"tags": ["x"] * 9_000, "body": "y" * 200_000}),
        ("tags.map(a, tags)", {"tags": ["x"] * 9_000}),
        ("tags.map(a, tags + tags)", {"tags": ["x"] * 9_000}),
        ("tags.filter(a, body.matches('(x+x+)+y'))", {"tags": ["x"] * 9_000, "body": "y" * 200_000}),
        ("[body].map(a, a+a+a).map(a, a+a+a).map(a, a+a+a+a+a)", {"body": "y" * 1_000_000}),
        ("[tags].map(t, tags.map(a, t))", {"tags": ["x"] * 9_000}),
        ("body.replace('', body)", {"body": "y" * 100_000}),
        ("tags.join(body)", {"tags": ["x"] * 9_000, "body": "y" * 100_000}),
        ("body.split('').map(c, body + c)", {"body": "y" * 100_000}),
        ("body.replace('a', '" + "b" * 900 + "').replace('b', '" + "c" * 900 + "')", {"body": "a" * 100_000}),
        ("[1].map(b, any.map(a, body.replace('y', a)))", {"any": ["z" * 9_000] * 9, "body": "y" * 90_000}),
        ("body + 'x'", {"body": "y" * (MAX_INPUT + 1)}),
        ("size(any)", {"any": ["y" * 1_000] * 300}),
    ],
)
def test_an_evaluation_that_would_grow_too_large_is_refused(source, values):
    with pytest.raises(EvaluationError, match=r"too much|bytes"):
        evaluate(source, **values)


def test_a_loop_of_too_many_rounds_is_stopped():
    with pytest.raises(EvaluationError, match="10,000"):
        evaluate("tags.all(a, tags.all(b, true))", tags=["x"] * 110)


@pytest.mark.parametrize(
    ("source", "values"),
    [
        ("tags.map(a, a)", {"tags": ["x"] * 2_100}),
        ("any.filter(a, a == 'y').size()", {"any": ["x"] * 9_000}),
        ("(tags + tags + tags).map(a, a)", {"tags": ["x"] * 700}),
        ("any.deep.list.filter(a, a == 1)", {"any": {"deep": {"list": [1] * 2_100}}}),
        ("body.split('\\n').map(a, a)", {"body": "line\n" * 2_100}),
        ("body.split(any).map(a, a)", {"body": "line\n" * 2_100, "any": "l"}),
    ],
)
def test_long_lists_are_not_collected_because_that_takes_quadratic_time(source, values):
    with pytest.raises(EvaluationError, match="map and filter"):
        evaluate(source, **values)


def test_linear_work_over_a_long_list_is_allowed():
    assert len(evaluate("tags.map(a, a + '!')", tags=["word"] * 1_500)) == 1_500
    assert len(evaluate("any.map(a, a.x)", any=[{"x": 1, "y": 2, "z": 3}] * 1_500)) == 1_500
    assert len(evaluate("body.split('\\n').filter(l, l != '')", body="a line of text\n" * 100)) == 100
    assert evaluate("tags.exists(t, t == 'x')", tags=["word"] * 9_000) is False
    assert evaluate("tags.exists(t, body.contains(t))", tags=["a", "z"] * 5, body="x" * 100_000 + "z") is True
    assert evaluate("tags.join(', ').size()", tags=["word"] * 5_000) == 29_998


def test_a_pattern_cannot_make_it_slow():
    assert evaluate("body.matches('^(a+)+$')", body="a" * 50_000 + "b") is False


@pytest.mark.parametrize("value", ["a\0b", ["a\0b"], {"k": ["a\0b"]}, {"a\0": 1}])
def test_a_nul_character_is_refused_rather_than_cut_off(value):
    with pytest.raises(EvaluationError, match="NUL"):
        evaluate("any == any", any=value)


@pytest.mark.parametrize("value", ["\ud800", ["\ud800"], [2**70]])
def test_values_that_cel_cannot_hold_are_refused(value):
    with pytest.raises(EvaluationError):
        evaluate("any == any", any=value)


def test_escaped_backslashes_are_not_nul_characters():
    assert evaluate("any[0]", any=["\\u0000"]) == "\\u0000"


def test_more_names_than_there_are_slots_are_refused():
    environment = Environment({f"n.a{number}": TEXT for number in range(80)})

    with pytest.raises(ExpressionError, match="too many names"):
        environment.compile("[" + ",".join(f"n.a{number}" for number in range(80)) + "]")
