"""The start form: every sort of property of a JSON Schema, and what its fields give."""

from __future__ import annotations

from typing import Any

import pytest

from runs.forms import form_for


def filled(schema: dict[str, Any], /, **fields: str):
    form = form_for(schema)({f"input-{name}": text for name, text in fields.items()})
    form.is_valid()
    return form


def value_of(prop: dict[str, Any], text: str, required: bool = True) -> Any:
    form = filled({"type": "object", "properties": {"x": prop}, "required": ["x"] if required else []}, x=text)
    assert form.is_valid(), form.errors
    return form.value().get("x", "absent")


@pytest.mark.parametrize(
    ("prop", "text", "value"),
    [
        ({"type": "string"}, " as it is ", " as it is "),
        ({"type": "string", "format": "date"}, "2026-11-22", "2026-11-22"),
        ({"type": "string", "format": "date-time"}, "2026-11-22T10:30", "2026-11-22T10:30:00+00:00"),
        ({"type": "integer"}, "7", 7),
        ({"type": "number"}, "0.25", 0.25),
        ({"type": "boolean"}, "on", True),
        ({"type": "boolean"}, "", False),
        ({"enum": ["a", "b"]}, "b", "b"),
        ({"enum": [1, 2, None]}, "2", 2),
        ({"type": "array", "items": {"type": "string"}}, "a\nb", ["a", "b"]),
        ({"type": "array", "items": {"type": "integer"}}, "[1, 2]", [1, 2]),
        ({"type": "object"}, '{"a": {"b": 1}}', {"a": {"b": 1}}),
        ({}, '"anything"', "anything"),
        ({"type": ["string", "null"]}, "text", "text"),
    ],
)
def test_each_sort_of_property_gives_its_own_type(prop, text, value):
    assert value_of(prop, text) == value


@pytest.mark.parametrize("prop", [{"type": "string"}, {"type": "integer"}, {"type": "boolean"}, {"enum": ["a"]},
                                  {"type": "array", "items": {"type": "string"}}, {"type": "object"}])  # fmt: skip
def test_an_optional_field_that_is_left_empty_stays_absent(prop):
    assert value_of(prop, "", required=False) == "absent"


@pytest.mark.parametrize(
    ("prop", "text"),
    [
        ({"type": "string", "maxLength": 3}, "four"),
        ({"type": "string"}, ""),
        ({"type": "integer", "minimum": 1}, "0"),
        ({"type": "integer", "exclusiveMaximum": 5}, "5"),
        ({"type": "integer"}, "1.5"),
        ({"type": "number"}, "NaN"),
        ({"enum": ["a"]}, "b"),
        ({"type": "object"}, "{not json"),
        ({"type": "object"}, '{"a": NaN}'),
        ({"type": "string", "format": "date"}, "yesterday"),
    ],
)
def test_what_does_not_fit_is_refused_at_its_field(prop, text):
    form = filled({"type": "object", "properties": {"x": prop}, "required": ["x"]}, x=text)

    assert list(form.errors) == ["x"]


@pytest.mark.parametrize("name", ["schema", "clean", "fields", "csrfmiddlewaretoken", "value", "a.b", "naïve name"])
def test_a_property_may_be_called_anything(name):
    form = filled({"type": "object", "properties": {name: {"type": "string"}}, "required": [name]}, **{name: "x"})

    assert form.is_valid()
    assert form.value() == {name: "x"}


def test_required_properties_come_first_in_the_order_they_are_required():
    schema = {"properties": {"a": {}, "b": {}, "c": {}}, "required": ["c", "b"]}

    assert list(form_for(schema).base_fields) == ["c", "b", "a"]


def test_a_refusal_of_the_whole_value_is_shown_at_the_field_it_is_about():
    form = filled({"properties": {"customer": {"type": "object"}}}, customer="{}")

    form.refuse("input.customer.name", "is missing")
    form.refuse("input", "is too large")

    assert form.errors == {"customer": ["is missing"], "__all__": ["is too large"]}


@pytest.mark.parametrize("text", ["[" * 3000, '{"x": "a", "x": 1}', "NaN", '"\\u0000"', '"\\ud800"'])
def test_a_json_field_is_read_as_strictly_as_the_api_reads_and_what_was_typed_stays(text):
    form = filled({"properties": {"any": {"type": "object"}}}, any=text)

    assert "not JSON" in form.errors["any"][0]
    assert form["any"].value() == text


def test_an_optional_json_field_is_empty_at_first():
    assert "null" not in str(form_for({"properties": {"any": {"type": "object"}}})()["any"])
