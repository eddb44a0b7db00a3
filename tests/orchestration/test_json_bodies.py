"""Strict JSON."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.json_bodies import MAX_DEPTH, InvalidJson, parse

TEXT = st.text(alphabet=st.characters(exclude_categories=["Cs"], exclude_characters="\x00"))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**80), 2**80) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
)


@given(VALUES)
def test_what_json_can_say_is_read_as_it_was_written(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("body", "place"),
    [
        (b'{"a": 1, "b": 2, "a": 3}', "'a'"),
        (b'{"in": {"x": 1, "x": 1}}', "'x'"),
        (b'{"a": NaN}', "NaN"),
        (b"[Infinity]", "Infinity"),
        (b"[-Infinity]", "-Infinity"),
        (b"[1e999]", "1e999"),
        (b"[" + b"9" * 5000 + b"]", "digits"),
        (b'{"a": 1,\n  b}', "Line 2, column 3"),
        (b"", "Line 1"),
        (b'["\xff"]', "Byte 2"),
        ('["é"]'.encode("utf-16"), "UTF-8"),
        (b'["\\u0000"]', "NUL"),
        (b'{"\\u0000": 1}', "NUL"),
        (b'["\\ud800"]', "surrogate"),
        (b"[" * 100_000, "nested"),
        (b"[" * (MAX_DEPTH + 1) + b"]" * (MAX_DEPTH + 1), "nested"),
        (b'{"a":' * 60 + b"1" + b"}" * 60, "nested"),
    ],
)
def test_anything_else_is_refused_with_its_place(body: bytes, place: str) -> None:
    with pytest.raises(InvalidJson, match=place.replace("'", ".")):
        parse(body)


def test_the_deepest_allowed_nesting_is_read() -> None:
    assert parse(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH)
