"""JSON from outside: parsed strictly, bounded, and free of what a database or a page can't hold."""

from __future__ import annotations

import json
from typing import Any, NoReturn

from orchestration.core.definition import Json

MAX_VALUE_BYTES = 256 * 1024
MAX_DEPTH = 64


class BadPayload(ValueError):
    """What came back is not JSON that Baton can keep."""


def parse_json(data: bytes | str) -> Json:
    """Parse JSON and check it. Raises BadPayload for anything that is not standard JSON."""
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
    except RecursionError:
        raise BadPayload(f"nested deeper than {MAX_DEPTH} levels") from None
    except ValueError as error:  # JSONDecodeError, UnicodeDecodeError, over-long integers
        raise BadPayload(f"not JSON: {error}") from None
    return check_value(value)


def check_value(value: Json) -> Json:
    """Give `value` back if it can be kept. Raises BadPayload for NUL, lone surrogates, NaN, depth and foreign types."""
    todo: list[tuple[Json, int]] = [(value, 0)]
    while todo:
        item, depth = todo.pop()
        if depth > MAX_DEPTH:
            raise BadPayload(f"nested deeper than {MAX_DEPTH} levels")
        todo.extend((child, depth + 1) for child in _children(item))
    return value


def _children(item: Json) -> list[Any]:
    match item:
        case str():
            check_text(item)
        case bool() | int() | None:
            pass
        case float():
            if item != item or item in (float("inf"), float("-inf")):
                raise BadPayload("holds a number that JSON has no word for (NaN or infinity)")
        case list():
            return item
        case dict():
            return [*item.keys(), *item.values()]
        case _:
            raise BadPayload(f"holds a {type(item).__name__}, which is not JSON")
    return []


def check_text(text: str) -> str:
    """Give `text` back if it can be kept. Raises BadPayload for NUL characters and lone surrogates."""
    if "\0" in text:
        raise BadPayload("holds a NUL character")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadPayload("holds half of a surrogate pair") from None
    return text


def check_size(value: Json) -> int:
    """Give the size in bytes of `value` as JSON. Raises BadPayload above 256 KB."""
    size = len(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode())
    if size > MAX_VALUE_BYTES:
        raise BadPayload(f"{size:,} bytes are too many: a result may have {MAX_VALUE_BYTES:,}")
    return size


def _refuse_constant(name: str) -> NoReturn:
    raise BadPayload(f"holds {name}, which is not JSON")
