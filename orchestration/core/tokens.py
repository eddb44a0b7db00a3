"""Read CEL as tokens: enough to find the names, macros and operators of an expression, with their places.

The grammar itself is the engine's business (`cel.py`); a text this file misreads is one the engine refuses.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

MACROS = frozenset({"all", "exists", "exists_one", "map", "filter"})
AMPLIFIERS = frozenset({"replace", "join", "format"})  # their result can be far longer than what they are given

_TOKEN = re.compile(
    r"""(?P<space>\s+|//[^\n]*)
    |(?P<string>[bB]?(?:[rR](?:\"{3}(?s:.)*?\"{3}|'{3}(?s:.)*?'{3}|"[^"\n\r]*"|'[^'\n\r]*')
        |\"{3}(?:\\(?s:.)|[^\\])*?\"{3}|'{3}(?:\\(?s:.)|[^\\])*?'{3}
        |"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*'))
    |(?P<number>(?:0[xX][0-9a-fA-F]+|\d+\.\d+(?:[eE][+-]?\d+)?|\d+[eE][+-]?\d+|\.\d+(?:[eE][+-]?\d+)?|\d+)[uU]?)
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<quoted>`[^`\n]*`)
    |(?P<mark>&&|\|\||[=!<>]=|(?s:.))""",
    re.VERBOSE,
)


@dataclass(frozen=True, slots=True)
class Token:
    kind: str  # string | number | name | quoted | mark
    text: str
    start: int  # offset in the source
    end: int


@dataclass(frozen=True, slots=True)
class Chain:
    """`a.b.c` as written: the parts of a name and where they stand. A method call's own name is left out."""

    parts: tuple[str, ...]
    starts: tuple[int, ...]  # offset of each part
    ends: tuple[int, ...]
    first: int  # index of its first token
    last: int  # index of its last token
    rooted: bool = False  # written with a leading dot


@dataclass(frozen=True, slots=True)
class Call:
    """A method call `.name(...)`: the tokens of its arguments are those between `first` and `last`."""

    name: str
    first: int  # index of the opening bracket
    last: int  # index of the closing bracket, or of the last token when it is missing
    variable: str | None = None  # of a macro


def scan(text: str, start: int = 0) -> Iterator[Token]:
    """Yield the tokens of `text` from `start`, spaces and comments left out."""
    for match in _TOKEN.finditer(text, start):
        kind = match.lastgroup or "mark"
        if kind != "space":
            yield Token(kind, match.group(), match.start(), match.end())


def calls(tokens: Sequence[Token]) -> list[Call]:
    """Find each method call, in order of appearance."""
    closing = _closing(tokens)
    found = []
    for index in range(1, len(tokens) - 1):
        token = tokens[index]
        if token.kind == "name" and tokens[index - 1].text == "." and tokens[index + 1].text == "(":
            last = closing.get(index + 1, len(tokens) - 1)
            variable = _variable(tokens, index + 2) if token.text in MACROS else None
            found.append(Call(token.text, index + 1, last, variable))
    return found


def chains(tokens: Sequence[Token]) -> Iterator[Chain]:
    """Yield each name as it is written, functions and literal words left out."""
    index = 0
    while index < len(tokens):
        if tokens[index].kind != "name" or _is_member(tokens, index):
            index += 1
            continue
        last = _end_of_chain(tokens, index)
        called = last + 1 < len(tokens) and tokens[last + 1].text == "("
        stop = last - 2 if called else last
        if stop >= index and tokens[index].text not in ("true", "false", "null", "in"):
            parts = tokens[index : stop + 1 : 2]
            yield Chain(
                tuple(part.text.strip("`") for part in parts),
                tuple(part.start for part in parts),
                tuple(part.end for part in parts),
                index,
                stop,
                index > 0 and tokens[index - 1].text == ".",
            )
        index = last + 1


def place(text: str, offset: int) -> tuple[int, int]:
    """Turn an offset into a line and column, both from 1."""
    line = text.count("\n", 0, offset) + 1
    return line, offset - (text.rfind("\n", 0, offset) + 1) + 1


def _is_member(tokens: Sequence[Token], index: int) -> bool:
    """Say whether the token follows `something.`; a dot with nothing before it starts a name of its own."""
    if index == 0 or tokens[index - 1].text != ".":
        return False
    before = tokens[index - 2] if index > 1 else None
    return before is not None and (before.kind != "mark" or before.text in ")]}")


def _end_of_chain(tokens: Sequence[Token], index: int) -> int:
    while (
        index + 2 < len(tokens) and tokens[index + 1].text == "." and tokens[index + 2].kind in ("name", "quoted")
    ):  # fmt: skip
        index += 2
    return index


def _variable(tokens: Sequence[Token], index: int) -> str | None:
    if index + 1 < len(tokens) and tokens[index].kind == "name" and tokens[index + 1].text == ",":
        return tokens[index].text
    return None


def _closing(tokens: Sequence[Token]) -> dict[int, int]:
    """Map each opening bracket to its closing one."""
    pairs: dict[int, int] = {}
    open_at: list[int] = []
    for index, token in enumerate(tokens):
        if token.kind == "mark" and token.text in "([{":
            open_at.append(index)
        elif token.kind == "mark" and token.text in ")]}" and open_at:
            pairs[open_at.pop()] = index
    return pairs
