"""What a person sees of an action is what its bytes hold, all of it."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from approvals.drawing import MAX_ROWS, draw, named_values
from orchestration.core.canonical import canonical
from tests.support.approvals import an_action


def drawn(arguments: object) -> dict[str, tuple[str, str]]:
    action = {**an_action(), "arguments": arguments}
    return {field.name: (field.type, field.text) for field in draw(canonical(action)).arguments}


def test_each_value_has_its_name_and_type() -> None:
    arguments = {"to": "ines", "paid": False, "lines": [{"sku": "A", "n": 2}], "note": None, "tags": [], "more": {}}

    assert drawn(arguments) == {
        "to": ("text", "ines"),
        "paid": ("yes or no", "false"),
        "lines[0].sku": ("text", "A"),
        "lines[0].n": ("number", "2"),
        "note": ("nothing", "null"),
        "tags": ("list", "(empty)"),
        "more": ("object", "(empty)"),
    }


def test_a_number_is_shown_as_it_is_sent() -> None:
    assert draw(b'{"arguments":{"amount":1e+21,"cent":0.1}}').arguments[0].text == "1e+21"


def test_a_text_that_looks_like_a_number_is_told_from_one() -> None:
    assert drawn({"a": "1", "b": 1}) == {"a": ("text", "1"), "b": ("number", "1")}


def test_a_name_cannot_pass_for_another_level() -> None:
    assert drawn({"a.b": 1, "a": {"b": 2}}) == {'["a.b"]': ("number", "1"), "a.b": ("number", "2")}


def test_a_hidden_character_in_a_name_is_warned_of() -> None:
    field = draw(canonical({"arguments": {"to\u200b": "x"}})).arguments[0]

    assert field.warnings == ("1 hidden character: shown here by code point.",)


def test_a_long_value_is_whole_and_counted() -> None:
    field = draw(canonical({"arguments": {"body": "x" * 102_400}})).arguments[0]

    assert field.is_long
    assert field.length == 102_400


def test_where_the_list_stops_the_whole_follows() -> None:
    fields = draw(canonical({"arguments": {f"n{number:04}": number for number in range(1000)}})).arguments

    assert len(fields) == MAX_ROWS + 1
    assert '"n0999": 999' in fields[-1].text


def test_a_deep_value_is_shown_as_one_block() -> None:
    value: object = "treasure"
    for _ in range(40):
        value = {"in": value}

    [field] = draw(canonical({"arguments": {"deep": value}})).arguments

    assert field.type == "JSON"
    assert "treasure" in field.text


def test_bytes_that_are_not_json_are_shown_as_not_inspectable() -> None:
    assert draw(b"\xff{rm -rf}").unreadable == "\\xff{rm -rf}"


def test_bytes_nested_beyond_reading_are_shown_as_not_inspectable() -> None:
    assert draw(b"[" * 100_000 + b"]" * 100_000).unreadable.startswith("[[[")


def test_what_the_action_says_besides_its_arguments_is_shown_too() -> None:
    drawing = draw(canonical({**an_action(), "surprise": {"x": 1}, "tool": 7}))

    assert {"host", "connection", "surprise.x", "tool"} <= {field.name for field in drawing.facts}


def test_a_context_of_named_values_is_drawn_by_name() -> None:
    assert [(field.name, field.text) for field in named_values('{"reason": "late", "days": 2}')] == [
        ("reason", "late"),
        ("days", "2"),
    ]


def test_a_context_of_plain_text_stays_a_text() -> None:
    assert named_values("just words")[0].text == "just words"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53) + 1, 2**53 - 1)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner)
    ),
    max_leaves=20,
)


def leaves(value: object) -> list[str]:
    match value:
        case dict() if value:
            return [leaf for item in value.values() for leaf in leaves(item)]
        case list() if value:
            return [leaf for item in value for leaf in leaves(item)]
        case dict() | list():
            return ["(empty)"]
        case str():
            return [value]
        case _:
            return [json.dumps(value)]


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), JSON, max_size=5))
def test_no_value_of_any_action_is_left_out(arguments: dict) -> None:
    shown = "\n".join(field.text for field in draw(canonical({"arguments": arguments})).arguments)

    for leaf in leaves(arguments) if arguments else []:
        assert leaf in shown or json.dumps(leaf, ensure_ascii=False) in shown
