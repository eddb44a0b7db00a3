"""Texts that match a regular expression, for the simple ones that schemas use."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from re import _constants as code  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from typing import Any

_REPEATS = (0, 1, 2, 3, 5, 8, 13, 21, 34)  # beyond the least a repetition needs
_LONGEST = 2000
_LETTERS = "abcdefghijklmnopqrstuvwxyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_-. @/#"
_CATEGORIES: dict[Any, Callable[[str], bool]] = {
    code.CATEGORY_DIGIT: str.isdigit,
    code.CATEGORY_NOT_DIGIT: lambda char: not char.isdigit(),
    code.CATEGORY_SPACE: str.isspace,
    code.CATEGORY_NOT_SPACE: lambda char: not char.isspace(),
    code.CATEGORY_WORD: lambda char: char.isalnum() or char == "_",
    code.CATEGORY_NOT_WORD: lambda char: not (char.isalnum() or char == "_"),
}


def matching(pattern: str) -> Iterator[str]:
    """Yield texts that match `pattern`, shorter ones first; none if it can't be read or is beyond this."""
    try:
        tree = parser.parse(pattern)
        compiled = re.compile(pattern)
    except (re.error, OverflowError, RecursionError):
        return
    seen: set[str] = set()
    for more in _REPEATS:
        for turn in range(3):
            text = _Writer(more, turn).write(tree)
            if text not in seen and compiled.search(text):
                seen.add(text)
                yield text


class _Writer:
    """Walks a parsed pattern. `more` is added to each repetition, `turn` chooses among branches and characters."""

    def __init__(self, more: int, turn: int) -> None:
        self._more, self._turn = more, turn
        self._groups: dict[int, str] = {}
        self._room = _LONGEST

    def write(self, tree: Any) -> str:
        return "".join(self._item(kind, argument) for kind, argument in tree)

    def _item(self, kind: Any, argument: Any) -> str:
        match kind:
            case code.LITERAL:
                return chr(argument)
            case code.NOT_LITERAL:
                return self._char(lambda char: ord(char) != argument)
            case code.ANY:
                return self._char(lambda char: True)
            case code.IN:
                return self._char_in(argument)
            case code.BRANCH:
                branches = argument[1]
                return self.write(branches[self._turn % len(branches)])
            case code.SUBPATTERN:
                text = self.write(argument[3])
                self._groups[argument[0]] = text
                return text
            case code.MAX_REPEAT | code.MIN_REPEAT | code.POSSESSIVE_REPEAT:
                return self._repeated(*argument)
            case code.GROUPREF:
                return self._groups.get(argument, "")
            case code.ATOMIC_GROUP:
                return self.write(argument)
        return ""  # anchors and look-arounds: the whole text is checked at the end

    def _repeated(self, least: int, most: int, tree: Any) -> str:
        times = min(least + self._more, int(most), max(least, self._room), _LONGEST)
        self._room -= times
        return "".join(self.write(tree) for _ in range(times))

    def _char_in(self, members: Any) -> str:
        negated = members[0][0] is code.NEGATE
        rest = members[1:] if negated else members
        chars = [char for char in _LETTERS if _is_member(char, rest) != negated]
        if not chars and not negated:
            first = rest[0]
            chars = (
                [chr(first[1] if first[0] is code.LITERAL else first[1][0])] if first[0] is not code.CATEGORY else []
            )
        return chars[self._turn % len(chars)] if chars else ""

    def _char(self, fits: Any) -> str:
        return next(char for char in _LETTERS[self._turn :] if fits(char))


def _is_member(char: str, members: Any) -> bool:
    for kind, argument in members:
        if kind is code.LITERAL and ord(char) == argument:
            return True
        if kind is code.RANGE and argument[0] <= ord(char) <= argument[1]:
            return True
        if kind is code.CATEGORY and _in_category(char, argument):
            return True
    return False


def _in_category(char: str, category: Any) -> bool:
    judge = _CATEGORIES.get(category)
    return judge is not None and bool(judge(char))
