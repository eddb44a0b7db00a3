"""Draw what is asked for people: every value of the frozen bytes, with name and type, and nothing left out. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from approvals import visible

MAX_ROWS = 400  # beyond, what is left is shown as one block of JSON: still whole
MAX_DEPTH = 12
LONG = 240  # characters: longer values stand in a block of their own that scrolls


@dataclass(frozen=True, slots=True)
class Field:
    """One value. `text` is it as written in the bytes (a string without its quotes)."""

    name: str
    type: str
    text: str
    warnings: tuple[str, ...] = ()

    @property
    def length(self) -> int:
        return len(self.text)

    @property
    def is_long(self) -> bool:
        return len(self.text) > LONG or "\n" in self.text


@dataclass(frozen=True, slots=True)
class Drawing:
    """What a person sees of an action. `unreadable` holds the bytes, escaped, where they are not JSON."""

    tool: str = ""
    title: str = ""
    effect: str = ""
    facts: tuple[Field, ...] = ()  # connection, host, definition hash
    arguments: tuple[Field, ...] = ()
    size: int = 0  # bytes
    unreadable: str = ""


class Literal(str):
    """A number exactly as it stands in the bytes."""


def draw(action: bytes) -> Drawing:
    """Read the frozen bytes into a Drawing. Never raises: what can't be read is shown as it is, and said so."""
    try:
        return _draw(action, json.loads(action.decode(), parse_int=Literal, parse_float=Literal))
    except (ValueError, RecursionError):
        return Drawing(size=len(action), unreadable=action.decode("utf-8", "backslashreplace"))


def named_values(text: str) -> tuple[Field, ...]:
    """Draw the context of a request: its named values, or the text as it is."""
    try:
        value = json.loads(text, parse_int=Literal, parse_float=Literal)
        return tuple(_arguments(value)) if isinstance(value, dict) else (_field("context", "text", text),)
    except (ValueError, RecursionError):
        return (_field("context", "text", text),)


def _draw(action: bytes, value: Any) -> Drawing:
    if not isinstance(value, dict):
        return Drawing(size=len(action), arguments=tuple(_fields("action", value)))
    return Drawing(
        tool=_text(value.get("tool")),
        title=_text(value.get("title")),
        effect=_text(value.get("effect")),
        facts=tuple(_facts(value)),
        arguments=tuple(_arguments(value.get("arguments"))),
        size=len(action),
    )


def _facts(action: dict[str, Any]) -> Iterator[Field]:
    for name, value in action.items():
        in_head = name in ("tool", "title", "effect") and type(value) is str
        if not in_head and name != "arguments" and value not in (None, ""):
            yield from _fields(_step("", name).replace("_", " "), value)


def _arguments(arguments: Any) -> Iterator[Field]:
    if not isinstance(arguments, dict):
        yield from _fields("arguments", arguments)
        return
    made = 0
    for name, value in arguments.items():
        for field in _fields(_step("", name), value):
            made += 1
            if made > MAX_ROWS:
                yield _rest(arguments)
                return
            yield field


def _rest(arguments: dict[str, Any]) -> Field:
    # The list above stops here, so the whole is given: a tail that is cut off is where a bad value would hide.
    return Field(f"all arguments (the first {MAX_ROWS} values are listed above)", "JSON", _json(arguments))


def _fields(name: str, value: Any, depth: int = 0) -> Iterator[Field]:
    if not value or not isinstance(value, dict | list):
        yield _leaf(name, value)
    elif depth >= MAX_DEPTH:
        yield _field(name, "JSON", _json(value))
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from _fields(_step(name, key), item, depth + 1)
    else:
        for index, item in enumerate(value):
            yield from _fields(f"{name}[{index}]", item, depth + 1)


def _step(name: str, key: str) -> str:
    plain = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
    if not plain:
        return f"{name}[{json.dumps(key, ensure_ascii=False)}]"  # a dot in a key must not read as a level
    return f"{name}.{key}" if name else key


def _leaf(name: str, value: Any) -> Field:
    match value:
        case Literal():
            return _field(name, "number", str(value))
        case str():
            return _field(name, "text", value)
        case bool():
            return _field(name, "yes or no", "true" if value else "false")
        case None:
            return _field(name, "nothing", "null")
        case _:
            return _field(name, "list" if isinstance(value, list) else "object", "(empty)")


def _field(name: str, type_: str, text: str) -> Field:
    return Field(name, type_, text, (*visible.warnings(name), *visible.warnings(text)))


def _json(value: Any) -> str:
    match value:
        case Literal():
            return str(value)
        case dict():
            inside = (f"{json.dumps(key, ensure_ascii=False)}: {_json(item)}" for key, item in value.items())
            return "{" + ",\n".join(inside) + "}"
        case list():
            return "[" + ", ".join(_json(item) for item in value) + "]"
        case _:
            return json.dumps(value, ensure_ascii=False)


def _text(value: Any) -> str:
    return value if type(value) is str else ""
