"""Strict JSON from outside: what one reader would take differently from another is refused, not guessed."""

from __future__ import annotations

import json
import math
from typing import Any, NoReturn

MAX_DEPTH = 50


class InvalidJson(ValueError):
    """The text is not strict JSON. The message names the place where it is known."""


def parse(body: bytes) -> Any:
    """Read strict JSON (UTF-8). Raises InvalidJson for bad syntax, the same key twice, NaN, numbers out of range,
    NUL and lone surrogates in texts, and nesting deeper than MAX_DEPTH."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_unique, parse_constant=_refuse, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise InvalidJson(f"Line {error.lineno}, column {error.colno}: {error.msg}.") from error
    except UnicodeDecodeError as error:
        raise InvalidJson(f"Byte {error.start}: the body is not UTF-8.") from error
    except RecursionError as error:
        raise InvalidJson(f"It is nested deeper than {MAX_DEPTH} levels.") from error
    except InvalidJson:
        raise
    except ValueError as error:  # Python refuses to read a whole number of thousands of digits
        raise InvalidJson("A number has too many digits.") from error
    _check(value)
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise InvalidJson(f"The key {twice[:100]!r} is there twice.")
    return result


def _refuse(constant: str) -> NoReturn:
    raise InvalidJson(f"{constant} is not JSON.")


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise InvalidJson(f"The number {text[:50]} is out of range.")
    return number


def _check(value: Any) -> None:
    """Walk the value level by level, without recursion."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH and any(isinstance(item, dict | list) for item in level):
            raise InvalidJson(f"It is nested deeper than {MAX_DEPTH} levels.")
        for item in level:
            _check_text(item)
        level = [inner for item in level for inner in _inner(item)]


def _inner(item: Any) -> list[Any]:
    if isinstance(item, dict):
        return [*item.keys(), *item.values()]
    return item if isinstance(item, list) else []


def _check_text(item: Any) -> None:
    if not isinstance(item, str):
        return
    if "\x00" in item:
        raise InvalidJson("A text holds the character NUL, which can't be stored.")
    if not item.isascii() and any("\ud800" <= character <= "\udfff" for character in item):
        raise InvalidJson("A text holds a lone surrogate, which is not valid Unicode.")
