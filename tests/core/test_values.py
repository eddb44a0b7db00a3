from __future__ import annotations

import pytest

from orchestration.core.errors import InvalidValue
from orchestration.core.values import MOST_PROBLEMS, check, problems, schema_problems, with_defaults


def refused(value: object, schema: dict, place: str = "") -> InvalidValue:
    with pytest.raises(InvalidValue) as caught:
        check(value, schema, place)
    return caught.value


def test_a_value_that_matches_passes():
    check({"a": [1, "x"]}, {"type": "object", "properties": {"a": {"type": "array"}}})
    check(object(), {})


def test_the_place_of_what_is_wrong_is_named():
    schema = {"properties": {"lines": {"items": {"properties": {"size": {"minimum": 1}}}}}}
    error = refused({"lines": [{"size": 0}]}, schema, "input")

    assert (error.place, error.reason) == ("input.lines[0].size", "must be at least 1")
    assert str(refused(["x"], {"items": {"type": "integer"}}, "items")) == "items[0]: must be a whole number"


@pytest.mark.parametrize(
    ("value", "schema", "reason"),
    [
        (1, {"type": ["string", "null"]}, "must be text or null"),
        ({}, {"required": ["a", "b"]}, "needs a, b"),
        ({"pormpt": 1}, {"properties": {"prompt": {}}, "additionalProperties": False},
         "does not know 'pormpt'. Did you mean 'prompt'?"),
        ("bilings", {"enum": ["billing", "outage"]}, "must be one of billing, outage. Did you mean 'billing'?"),
        ("x", {"const": "y"}, "must be 'y'"),
        ("", {"minLength": 1}, "must not be empty"),
        ([1, 1], {"uniqueItems": True}, "must not hold the same item twice"),
        ("x", {"pattern": "^[0-9]+$"}, "must match ^[0-9]+$"),
        ("x", {"format": "email"}, "must be an e-mail address"),
        (1, {"anyOf": [{"type": "string"}, {"type": "null"}]}, "must be text, or must be null"),
        (1, {"x-message": "must be nice", "type": "string"}, "must be nice"),
        ({"a": 1}, {"additionalProperties": {"type": "string"}}, "must be text"),
        ({"xa": 1}, {"patternProperties": {"^x": {"type": "string"}}}, "must be text"),
        ({"y": 1}, {"patternProperties": {"^x": {}}, "additionalProperties": False}, "does not know 'y'"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_plain_english(value, schema, reason):
    assert refused(value, schema).reason == reason


def test_all_mistakes_are_listed_each_with_its_place():
    schema = {
        "required": ["ticket_id", "body"],
        "properties": {"ticket_id": {"type": "string"}, "lines": {"items": {"minimum": 1}}},
        "additionalProperties": False,
    }

    found = problems({"ticket_id": 1, "lines": [0, 2, 0], "evil": 1}, schema, "input")

    assert {(problem.place, problem.reason) for problem in found} == {
        ("input.ticket_id", "must be text"),
        ("input.lines[0]", "must be at least 1"),
        ("input.lines[2]", "must be at least 1"),
        ("input", "needs body"),
        ("input", "does not know 'evil'"),
    }


def test_a_mistake_is_listed_once_and_a_value_that_matches_has_none():
    schema = {"required": ["a", "b"]}

    assert [problem.reason for problem in problems({}, schema)] == ["needs a, b"]
    assert problems({"a": 1, "b": 2}, schema) == []


def test_a_value_of_endless_mistakes_lists_the_first_of_them():
    assert len(problems([0] * 1000, {"items": {"minimum": 1}})) == MOST_PROBLEMS


def test_a_value_that_can_not_be_checked_is_one_problem():
    assert "schema is wrong" in problems({}, {"type": 5})[0].reason


def test_values_are_not_repeated_in_messages():
    assert "4111" not in str(refused({"card": "4111-1111"}, {"properties": {"card": {"type": "integer"}}}))


@pytest.mark.parametrize(
    ("format", "good", "bad"),
    [
        ("date-time", ["2026-11-02T09:00:00Z", "2026-11-02T09:00:00.5+01:00"],
         ["2026-11-02", "2026-13-02T09:00:00Z", "2026-11-02T09:00:00", "x"]),
        ("date", ["2026-02-28"], ["2026-02-30", "20260228", "2026-W01-1"]),
        ("email", ["a@b.org"], ["a", "@b", "a@", "a b@c", "a@b@c", "a@" + "b" * 400]),
        ("uri", ["https://example.org/x?y", "mailto:a@b"], ["example", "//x", "http://a b", "http://[", ""]),
    ],
)  # fmt: skip
def test_formats_are_checked(format, good, bad):
    for text in good:
        check(text, {"format": format})
    for text in bad:
        assert refused(text, {"format": format}).reason.startswith("must be")
    check(5, {"format": format})


def test_a_hostile_pattern_takes_no_time():
    assert refused("a" * 50_000 + "b", {"pattern": "^(a+)+$"})


@pytest.mark.parametrize(
    "schema",
    [{"$ref": "http://example.org/x"}, {"$ref": "#"}, {"type": "nothing"}, {"pattern": "(?=a)"}, {"minimum": "x"}],
)
def test_a_schema_that_cannot_be_used_refuses_instead_of_passing(schema):
    assert refused("text", schema, "input").place.startswith("input")


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/t"}}, "$defs": {"t": {"type": "string"}}},
        {"properties": {"$ref": {"type": "string"}}},
        {"enum": [{"$ref": "http://example.org/x"}], "default": {"$ref": "y"}},
        {"type": "string", "x-class": "personal", "pattern": "^a+$", "format": "email"},
        {"prefixItems": [{"type": "string"}], "items": False},
    ],
)
def test_a_sane_schema_has_no_problems(schema):
    assert schema_problems(schema) == []


def nested(depth: int) -> dict:
    schema: dict = {}
    for _ in range(depth):
        schema = {"items": schema}
    return schema


LAUGHS = {
    "$ref": "#/$defs/a0",
    "$defs": {f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}] * 2} for n in range(40)} | {"a40": {}},
}


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (5, "must be an object"),
        ({"type": "strin"}, "type must be one of"),
        ({"required": "a"}, "required must be a list"),
        ({"properties": {"a": {"minimum": "x"}}}, "properties.a.minimum"),
        ({"properties": {"a": {"$ref": "https://example.org/s"}}}, "properties.a: $ref must point into the schema"),
        ({"$ref": "#/$defs/none"}, "points to nothing"),
        ({"$ref": "#"}, "refers to itself"),
        ({"properties": {"a": {"$ref": "#"}}}, "refers to itself"),
        (LAUGHS, "more than 5,000 parts"),
        ({"pattern": "(?=a)"}, "RE2"),
        ({"patternProperties": {"(": {}}}, "RE2"),
        ({"x-class": "top"}, "x-class must be one of"),
        ({"$id": "https://example.org/s"}, "$id is not supported"),
        ({"unevaluatedProperties": False}, "unevaluatedProperties is not supported"),
        (nested(100), "nested"),
        (nested(5_000), "nested"),
        ({"description": "x" * 70_000}, "larger than 64 KB"),
        ({"enum": [object()]}, "JSON"),
    ],
)
def test_a_schema_that_is_wrong_or_without_bounds_is_refused(schema, message):
    found = schema_problems(schema)

    assert message in found[0], found


def test_defaults_are_filled_in_deep_and_the_value_is_left_alone():
    schema = {
        "properties": {
            "a": {"properties": {"b": {"default": 1}}},
            "c": {"default": {}, "properties": {"d": {"default": 2}}},
            "rows": {"items": {"properties": {"n": {"default": 0}}}},
        }
    }
    value = {"a": {}, "rows": [{}, {"n": 5}, 7], "x": None}

    assert with_defaults(value, schema) == {
        "a": {"b": 1}, "rows": [{"n": 0}, {"n": 5}, 7], "x": None, "c": {"d": 2},
    }  # fmt: skip
    assert value == {"a": {}, "rows": [{}, {"n": 5}, 7], "x": None}
