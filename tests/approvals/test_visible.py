"""Text that people decide by shows what it holds."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from approvals.visible import pieces, spelled, warnings

HIDDEN = {
    "right-to-left override": "\u202e",
    "left-to-right isolate": "\u2066",
    "arabic letter mark": "\u061c",
    "zero-width space": "\u200b",
    "zero-width joiner": "\u200d",
    "byte order mark": "\ufeff",
    "soft hyphen": "\u00ad",
    "word joiner": "\u2060",
    "no-break space": "\u00a0",
    "em space": "\u2003",
    "line separator": "\u2028",
    "next line": "\u0085",
    "carriage return": "\r",
    "backspace": "\b",
    "escape": "\x1b",
    "delete": "\x7f",
    "tag letter": "\U000e0041",
    "variation selector": "\ufe0f",
    "variation selector of the supplement": "\U000e0100",
    "combining grapheme joiner": "\u034f",
    "hangul filler": "\u3164",
    "halfwidth hangul filler": "\uffa0",
    "braille blank": "\u2800",
    "private use": "\ue000",
    "unassigned": "\u0378",
    "object replacement": "\ufff9",
}


@pytest.mark.parametrize("name", HIDDEN)
def test_a_hidden_character_is_named_by_its_code_point(name: str) -> None:
    character = HIDDEN[name]

    assert spelled(f"pay{character}me") == f"pay[U+{ord(character):04X}]me"
    assert warnings(f"pay{character}me")[0].startswith("1 hidden character")


@pytest.mark.parametrize("text", ["plain", "two\nlines", "a\ttab", "mail\r\nlines", "Zürich", "東京", "Привет", "سلام"])
def test_ordinary_text_stays_as_it_is(text: str) -> None:
    assert spelled(text) == text
    assert warnings(text) == []


def test_marks_stacked_beyond_two_are_shown_apart() -> None:
    assert spelled("Z\u0301\u0302\u0303\u0304") == "Z\u0301\u0302[U+0303][U+0304]"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("p\u0430ypal", "mixes Cyrillic and Latin"),
        ("\u0391pple", "mixes Greek and Latin"),
        ("send to b\u043eb@bank.example", "letters outside ASCII: U+043E CYRILLIC SMALL LETTER O"),
        ("https://\u0430\u0440\u0440\u04cf\u0435.com/pay", "letters outside ASCII"),
        ("\uff50aypal", "mixes Fullwidth and Latin"),
        ("\U0001d429aypal", "mixes Latin and Mathematical"),
    ],
)
def test_a_look_alike_is_pointed_out(text: str, said: str) -> None:
    assert any(said in warning for warning in warnings(text)), warnings(text)


@given(st.text())
def test_no_character_is_lost(text: str) -> None:
    assert "".join(piece.text for piece in pieces(text)) == text
