"""Text with `{{ cel }}` in it, and values made of such texts.

A value that is exactly one `{{ }}` keeps its type. Within text: strings as they are, null as nothing, whole doubles
without `.0`, lists and objects as compact JSON. `{{ '{{' }}` writes braces.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NoReturn

import orjson

from orchestration.core import tokens
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError, ExpressionError
from orchestration.core.expressions import Environment, Expression, Lookup

MAX_RENDERED = 256 * 1024  # characters of all texts of one template value


@dataclass(frozen=True, slots=True)
class _Text:
    parts: tuple[str | Expression, ...]


@dataclass(frozen=True, slots=True)
class _List:
    items: tuple[_Node, ...]


@dataclass(frozen=True, slots=True)
class _Object:
    items: tuple[tuple[str, _Node], ...]


@dataclass(frozen=True, slots=True)
class _Constant:
    value: Json


_Node = _Text | _List | _Object | _Constant | Expression


@dataclass(frozen=True, slots=True)
class Template:
    """A compiled template value. `names` are the flat dotted names that its expressions refer to."""

    names: frozenset[str]
    _node: _Node

    @classmethod
    def compile(cls, value: Json, environment: Environment) -> Template:
        """Compile a value, deep. Raises ExpressionError with line and column within the text that is wrong."""
        node = _compile(value, environment, "")
        return cls(frozenset(name for expression in _expressions(node) for name in expression.names), node)

    def render(self, lookup: Lookup) -> Json:
        """Give the value with each `{{ }}` answered. Raises EvaluationError."""
        if isinstance(self._node, Expression):
            return self._node.evaluate(lookup)
        return _render(self._node, lookup, [MAX_RENDERED])


def _compile(value: Json, environment: Environment, where: str) -> _Node:
    if isinstance(value, str):
        return _compile_text(value, environment, where) if "{{" in value else _Constant(value)
    if isinstance(value, list | tuple):
        items = tuple(_compile(item, environment, f"{where}[{index}]") for index, item in enumerate(value))
        return _Constant(value) if all(isinstance(item, _Constant) for item in items) else _List(items)
    if isinstance(value, dict):
        pairs = tuple(
            (key, _compile(item, environment, f"{where}.{key}" if where else key)) for key, item in value.items()
        )
        return _Constant(value) if all(isinstance(item, _Constant) for _, item in pairs) else _Object(pairs)
    return _Constant(value)


def _compile_text(text: str, environment: Environment, where: str) -> _Node:
    parts: list[str | Expression] = []
    try:
        for piece, offset in _pieces(text):
            parts.append(piece if offset is None else _compile_piece(text, piece, offset, environment))
    except ExpressionError as error:
        if where:
            raise ExpressionError(f"{where}: {error}", error.line, error.column) from error
        raise
    if len(parts) == 1 and isinstance(parts[0], Expression):
        return parts[0]
    return _Text(tuple(parts))


def _pieces(text: str) -> Iterator[tuple[str, int | None]]:
    """Cut a text into literal pieces (None) and expressions (with their offset)."""
    position = 0
    while (start := text.find("{{", position)) >= 0:
        if start > position:
            yield text[position:start], None
        end = _end(text, start)
        yield text[start + 2 : end], start + 2
        position = end + 2
    if position < len(text):
        yield text[position:], None


def _end(text: str, start: int) -> int:
    """Find the `}}` that closes the `{{` at `start`; braces of objects and within quotes are not it."""
    depth = 0
    for token in tokens.scan(text, start + 2):
        if token.text == "}" and depth == 0 and text.startswith("}}", token.start):
            return token.start
        if token.kind == "mark":
            depth += {"{": 1, "}": -1}.get(token.text, 0)
    line, column = tokens.place(text, start)
    raise ExpressionError("this {{ is not closed by }}; write {{ '{{' }} for the braces themselves.", line, column)


def _compile_piece(text: str, source: str, offset: int, environment: Environment) -> Expression:
    body = source.strip()
    offset += len(source) - len(source.lstrip())
    try:
        return environment.compile(body)
    except ExpressionError as error:
        _raise_within(text, offset, error)


def _raise_within(text: str, offset: int, error: ExpressionError) -> NoReturn:
    line, column = tokens.place(text, offset)
    column = column + error.column - 1 if error.line == 1 else error.column
    raise ExpressionError(str(error), line + error.line - 1, column) from error


def _expressions(node: _Node) -> Iterator[Expression]:
    match node:
        case Expression():
            yield node
        case _Text(parts):
            yield from (part for part in parts if isinstance(part, Expression))
        case _List(items):
            for item in items:
                yield from _expressions(item)
        case _Object(pairs):
            for _, item in pairs:
                yield from _expressions(item)


def _render(node: _Node, lookup: Lookup, left: list[int]) -> Json:
    """Render a node; `left` holds the one number of characters that may still be written."""
    match node:
        case _Constant(value):
            return value
        case _Text(parts):
            return _join(parts, lookup, left)
        case _List(items):
            return [_render(item, lookup, left) for item in items]
        case _Object(pairs):
            return {key: _render(item, lookup, left) for key, item in pairs}
    return node.evaluate(lookup)


def _join(parts: tuple[str | Expression, ...], lookup: Lookup, left: list[int]) -> str:
    written = []
    for part in parts:
        text = part if isinstance(part, str) else _as_text(part.evaluate(lookup))
        left[0] -= len(text)
        if left[0] < 0:
            raise EvaluationError(f"the rendered text is longer than {MAX_RENDERED:,} characters.")
        written.append(text)
    return "".join(written)


def _as_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, int | float):
        return str(value)
    try:
        return orjson.dumps(value).decode()
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"a value can't be written as JSON: {error}.") from error
