from __future__ import annotations

import pytest

from orchestration.core.canonical import canonical, digest, execution_hash
from orchestration.core.errors import InvalidValue
from tests.core.language import document, say


def test_keys_are_sorted_and_numbers_have_one_form():
    assert canonical({"b": 1.0, "a": [True, None, "é"]}) == '{"a":[true,null,"é"],"b":1}'.encode()


def test_equal_values_have_one_digest_whatever_their_order():
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})
    assert len(digest({})) == 64


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (2**53, "2\\^53"),
        (float("nan"), "NaN"),
        (float("inf"), "NaN"),
        ("\ud800", "surrogate"),
        ({1: "a"}, "JSON"),
        (object(), "JSON"),
    ],
)
def test_what_json_cannot_hold_everywhere_is_refused(value, message):
    with pytest.raises(InvalidValue, match=message):
        canonical({"a": value} if not isinstance(value, dict) else value)


def test_a_value_nested_without_end_is_refused():
    value: list = []
    value.append(value)

    with pytest.raises(InvalidValue, match="nested"):
        canonical(value)


def test_the_execution_hash_leaves_out_what_does_not_run():
    plain = document([say("a")])
    dressed = {**document([say("a", title="A", note="b")]), "layout": {"a": [1, 2]}, "description": "c", "notes": "d"}

    assert execution_hash(plain) == execution_hash(dressed)


def test_the_execution_hash_changes_with_what_runs():
    assert execution_hash(document([say("a", "hello")])) != execution_hash(document([say("a", "bye")]))
