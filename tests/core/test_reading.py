from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.documents import read, to_yaml
from orchestration.core.errors import InvalidDocument

WORDS = "a: on\nb: yes\nc: 2026-11-02\nd: 007\ne: 1_000\nf: 0x1f\ng: 12:30\nh: True\ni: ~x"


def test_yaml_words_that_surprise_stay_text():
    assert set(map(type, read(WORDS).values())) == {str}


def test_only_true_and_false_are_booleans_and_json_numbers_are_numbers():
    assert read("a: true\nb: false\nc: 1\nd: -2.5\ne: 1e3\nf: null\ng:\nh: '1'") == {
        "a": True, "b": False, "c": 1, "d": -2.5, "e": 1000.0, "f": None, "g": None, "h": "1",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a: 1\nb: 2\na: 3", "the key 'a' is given twice", 3, 1),
        ('{"a": 1,\n "b": {"c": 1, "c": 2}}', "the key 'c' is given twice", 2, 16),
        ("a: &x 1\nb: *x", "anchors and aliases", 1, 4),
        ("a: !!python/object:os.system x", "tags", 1, 4),
        ("a: .nan", "NaN", 1, 4),
        ("a: -.inf", "NaN", 1, 4),
        ('{"a": NaN}', "NaN", 1, 7),
        ('{"a": -Infinity}', "NaN", 1, 7),
        ("a: 1e999", "too large", 1, 4),
        ('{"a": 1e999}', "too large", 1, 7),
        ("a: 9007199254740992", "2^53", 1, 4),
        ('{"a": 12345678901234567890}', "2^53", 1, 7),
        ("a: " + "9" * 5000, "2^53", 1, 4),
        ("1: a", "keys must be text", 1, 1),
        ("true: a", "keys must be text", 1, 1),
        ("? [a]\n: b", "keys must be text", 1, 3),
        ("a:\n  - b\n - c", "not valid YAML", 3, 2),
        ('{"a": 1,}', "not valid JSON", 1, 9),
        ('{"a": "\\ud800"}', "surrogates", 1, 8),
        ("a: '\ud800'", "surrogates", 1, 5),
        ('{"a": "\\u0000"}', "NUL", 1, 8),
        ('a: "\\0"', "NUL", 1, 4),
        ("a: \x01", "not valid YAML", 1, 4),
        ("a: 1\n---\nb: 1", "one document", 2, 1),
        ("- 1", "must be an object", 1, 1),
        ("", "must be an object", 1, 1),
        ("[" * 100_000, "nested more than 50 deep", 1, 52),
        ('{"a":' * 100_000, "nested more than 50 deep", 1, 251),
        ("x" * 2_000_000, "larger than 1024 KB", 1, 1),
        (b"a: 1\nb: \xc3\x28", "not UTF-8", 2, 4),
    ],
)
def test_what_would_surprise_or_overload_is_refused_with_its_place(text, message, line, column):
    with pytest.raises(InvalidDocument, match=message.replace("^", r"\^")) as caught:
        read(text)

    assert (caught.value.line, caught.value.column) == (line, column)


def test_escaped_characters_beyond_the_basic_plane_are_read_from_json():
    assert read('{"a": "\\ud83d\\ude00 \\\\u0000"}') == {"a": "\U0001f600 \\u0000"}


TEXTS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=30)
ODD_WORDS = st.sampled_from(
    ["yes", "on", "null", "~", "1e5", "007", "2026-11-02", ".nan", "- a", "a: b", "{{ x }}", " ", "#", "|", "1_0"]
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | TEXTS | ODD_WORDS
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS | ODD_WORDS, inner, max_size=4),
    max_leaves=20,
)  # fmt: skip


@given(st.dictionaries(TEXTS | ODD_WORDS, VALUES, max_size=4))
def test_what_is_written_as_yaml_is_read_back_the_same(value):
    assert read(to_yaml(value), "yaml") == value


@given(st.dictionaries(TEXTS, VALUES, max_size=4))
def test_json_is_read_as_the_standard_library_wrote_it(value):
    assert read(json.dumps(value), "json") == value


@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_read_or_refused_with_a_place(text):
    place: tuple[int | None, int | None] = (1, 1)
    try:
        read(text)
    except InvalidDocument as error:
        place = (error.line, error.column)

    assert None not in place
