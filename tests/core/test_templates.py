from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.errors import EvaluationError, ExpressionError
from orchestration.core.expressions import Environment, lookup_in
from orchestration.core.templates import MAX_RENDERED, Template

ENVIRONMENT = Environment({"input": {"type": "object"}, "num": {"type": "number"}, "txt": {"type": "string"}})


def render(value: object, **values: object) -> object:
    return Template.compile(value, ENVIRONMENT).render(lookup_in(values))


@pytest.mark.parametrize("value", ["text", 5, 1.5, True, None, [1, "a"], {"k": [{}]}])
def test_a_value_that_is_one_expression_keeps_its_type(value):
    assert render("{{ input.x }}", input={"x": value}) == value


@pytest.mark.parametrize(
    ("value", "text"),
    [("é", "é"), (5, "5"), (1.5, "1.5"), (2.0, "2"), (1e20, "1e+20"), (True, "true"), (False, "false"), (None, ""),
     ([1, "a"], '[1,"a"]'), ({"k": None}, '{"k":null}')],
)  # fmt: skip
def test_values_within_text_are_written_as_people_expect(value, text):
    assert render("<{{ input.x }}>", input={"x": value}) == f"<{text}>"


def test_lists_and_objects_are_rendered_deep():
    found = render({"a": ["{{ txt }}", {"b": "{{ num }} of {{ txt }}"}], "c": 1}, num=2, txt="x")

    assert found == {"a": ["x", {"b": "2 of x"}], "c": 1}


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("{{ '{{' }} and {{ '}}' }}", "{{ and }}"),
        ("a } b { c }}", "a } b { c }}"),
        ("{{ {'a': {'b': txt}}['a'].b }}", "x"),
        ("{{ {'a': {'b': txt}} }}", {"a": {"b": "x"}}),
        ("{{txt}}", "x"),
        ("{{\n  txt // a note }}\n}}", "x"),
        ("", ""),
        ('{{ "}}" + txt }}', "}}x"),
    ],
)
def test_braces_are_told_apart(text, answer):
    assert render(text, txt="x") == answer


def test_names_are_those_of_all_expressions():
    assert Template.compile({"a": "{{ txt }}", "b": ["x {{ num }}"]}, ENVIRONMENT).names == {"txt", "num"}
    assert Template.compile("plain", ENVIRONMENT).names == frozenset()


@pytest.mark.parametrize(
    ("value", "message", "line", "column"),
    [
        ("hello {{ tt }}", "unknown name 'tt'", 1, 10),
        ("a\nb {{ txt }} {{ txt +\n  num }}", "can't be applied", 2, 20),
        ("a\n{{ txt\n + tt }}", "unknown name 'tt'", 3, 4),
        ("a {{ t", "not closed", 1, 3),
        ("a {{ 'x }}", "quote is not closed", 1, 6),
        ("{{ }}", "ends too early", 1, None),
        ({"a": [1, {"b": "{{ tt }}"}]}, r"a\[1\]\.b: unknown name", 1, 4),
    ],
)
def test_errors_point_into_the_text(value, message, line, column):
    with pytest.raises(ExpressionError, match=message) as caught:
        Template.compile(value, ENVIRONMENT)

    assert caught.value.line == line
    assert column is None or caught.value.column == column


def test_a_rendered_text_has_a_largest_size():
    half = "x" * (MAX_RENDERED // 2)

    with pytest.raises(EvaluationError, match="longer than"):
        render(["{{ txt }}!", "{{ txt }}!", "{{ txt }}!"], txt=half)


def test_an_absent_value_is_named():
    with pytest.raises(EvaluationError, match=r"input\.x is absent|no property 'x'"):
        render("a {{ input.x }}", input={})


def test_a_value_that_json_cannot_hold_is_refused_within_text():
    with pytest.raises(EvaluationError, match="JSON"):
        render("a {{ input }}", input={"x": "\ud800"})


@given(st.text(max_size=50).filter(lambda text: "{{" not in text))
def test_text_without_expressions_stays_as_it_is(text):
    assert render(text) == text


@given(st.text(max_size=100))
def test_any_text_is_a_template_or_is_refused_with_a_place(text):
    place = (1, 1)
    try:
        Template.compile("{{" + text, ENVIRONMENT)
    except ExpressionError as error:
        place = (error.line, error.column)

    assert min(place) >= 1
