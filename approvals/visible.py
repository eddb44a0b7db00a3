"""Make text that people decide by honest: what a font would hide, reorder or fake is named. Pure."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

# Letters and symbols that draw as nothing although their category says otherwise.
BLANK = frozenset("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0")
HIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
MARKS_PER_LETTER = 2  # more combining marks than any living script stacks up may cover the lines around them
SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC", "GEORGIAN", "HEBREW", "LISU")
WORD = re.compile(r"[^\W\d_]+")
ADDRESS = re.compile(r"[^\s<>\"'(),;]*(?:@|://|[^\W_]\.[^\W\d_]{2})[^\s<>\"'(),;]*")


@dataclass(frozen=True, slots=True)
class Piece:
    """A stretch of text, or one hidden character: `code` is then its code point and `name` its Unicode name."""

    text: str
    code: str = ""
    name: str = ""


def pieces(text: str) -> Iterator[Piece]:
    """Split a text into stretches that show as they are and single characters that do not. Nothing is dropped."""
    shown: list[str] = []
    for index, character in enumerate(text):
        if not _hidden(text, index):
            shown.append(character)
            continue
        if shown:
            yield Piece("".join(shown))
            shown = []
        yield Piece(character, f"U+{ord(character):04X}", _name(character))
    if shown:
        yield Piece("".join(shown))


def spelled(text: str) -> str:
    """Give the text with each hidden character written as its code point in brackets, for titles and logs."""
    return "".join(f"[{piece.code}]" if piece.code else piece.text for piece in pieces(text))


def warnings(text: str) -> list[str]:
    """Say, in sentences, what in this text may look like something it is not; the same thing once."""
    found: dict[str, None] = {}
    hidden = sum(1 for piece in pieces(text) if piece.code)
    if hidden:
        found[f"{_count(hidden, 'hidden character')}: shown here by code point."] = None
    found.update(dict.fromkeys(_mixed_words(text)))
    found.update(dict.fromkeys(_odd_addresses(text)))
    return list(found)


def _hidden(text: str, index: int) -> bool:
    character = text[index]
    if " " <= character <= "~" or character in "\n\t" or text[index : index + 2] == "\r\n":
        return False
    category = unicodedata.category(character)
    if category == "Mn" and _is_variation_selector(character):
        return True
    if category in ("Mn", "Me"):
        return index == 0 or _marks_before(text, index) >= MARKS_PER_LETTER
    return category in HIDDEN_CATEGORIES or category == "Zs" or character in BLANK


def _marks_before(text: str, index: int) -> int:
    count = 0
    while count < index and count < MARKS_PER_LETTER and unicodedata.category(text[index - 1 - count]) in ("Mn", "Me"):
        count += 1
    return count


def _is_variation_selector(character: str) -> bool:
    return "\ufe00" <= character <= "\ufe0f" or "\U000e0100" <= character <= "\U000e01ef" or character in BLANK


def _name(character: str) -> str:
    return unicodedata.name(character, "") or {"\r": "CARRIAGE RETURN", "\0": "NULL"}.get(
        character, "character without a name"
    )


def _mixed_words(text: str) -> Iterator[str]:
    if text.isascii():
        return
    for word in WORD.findall(text):
        scripts = sorted({script for letter in word if (script := _script(letter))})
        if len(scripts) > 1:
            yield f"\u201c{_short(word)}\u201d mixes {' and '.join(scripts)} letters, which can look alike."


def _odd_addresses(text: str) -> Iterator[str]:
    if text.isascii():
        return
    for address in ADDRESS.findall(text):
        strange = sorted({letter for letter in address if not letter.isascii()})
        if strange:
            codes = ", ".join(f"U+{ord(letter):04X} {_name(letter)}" for letter in strange[:8])
            rest = f" and {len(strange) - 8} more" if len(strange) > 8 else ""
            yield f"The address \u201c{_short(address)}\u201d has letters outside ASCII: {codes}{rest}."


def _script(letter: str) -> str:
    if letter.isascii():
        return "Latin"
    first = unicodedata.name(letter, "").split(" ")[0]
    if first in ("FULLWIDTH", "MATHEMATICAL"):
        return first.capitalize()
    return first.capitalize() if first in SCRIPTS else ""


def _short(word: str) -> str:
    return spelled(word if len(word) <= 60 else f"{word[:60]}\u2026 ({len(word)} characters)")


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
