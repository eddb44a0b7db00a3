"""Read YAML (the safe part of 1.2) and JSON into plain values, refusing what would surprise or overload.

Only `true` and `false` are booleans, only JSON's numbers are numbers: `yes`, `on`, `2026-11-02`, `007` and `1_000`
stay text. Every refusal is an InvalidDocument with line and column.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any, Literal, NoReturn

import yaml

from orchestration.core.definition import Json
from orchestration.core.errors import InvalidDocument
from orchestration.core.tokens import place

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 50
MAX_WHOLE = 2**53 - 1  # what canonical JSON holds exactly

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_WHOLE = re.compile(r"-?(0|[1-9][0-9]*)")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)|-?Infinity|NaN")
_WORDS: dict[str, Json] = {"true": True, "false": False, "null": None, "~": None, "": None}
_JSON_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[\]{}]')
_BAD_TEXT = re.compile(r"[\ud800-\udfff\0]")
_BAD_ESCAPE = re.compile(r"\\u(0000|[dD][89a-fA-F][0-9a-fA-F]{2})")

Format = Literal["yaml", "json"]


def read(text: str | bytes, format: Format | None = None) -> dict[str, Json]:
    """Read a document; None guesses: what starts with `{` is JSON. Raises InvalidDocument with line and column."""
    source = _decode(text)
    if format is None:
        format = "json" if source.lstrip().startswith("{") else "yaml"
    value = _read_json(source) if format == "json" else _read_yaml(source)
    if not isinstance(value, dict):
        raise InvalidDocument("the document must be an object: `name: ...`, `steps: ...`.", 1, 1)
    return value


def plain_scalar(text: str) -> Json:
    """Read an unquoted YAML scalar. Raises ValueError for a number that can't be held."""
    if text in _WORDS:
        return _WORDS[text]
    if _NOT_FINITE.fullmatch(text):
        raise ValueError("NaN and infinity are not allowed.")
    if not _NUMBER.fullmatch(text):
        return text
    return _whole(text) if _WHOLE.fullmatch(text) else _decimal(text)


def _decode(text: str | bytes) -> str:
    if len(text) > MAX_BYTES:
        raise InvalidDocument(f"the document is larger than {MAX_BYTES // 1024} KB.", 1, 1)
    if isinstance(text, str):
        source = text
    else:
        try:
            source = text.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = text.count(b"\n", 0, error.start) + 1
            column = error.start - text.rfind(b"\n", 0, error.start)
            raise InvalidDocument("the document is not UTF-8 text.", line, column) from error
    found = _BAD_TEXT.search(source)
    if found:
        _refuse(source, found.start(), "NUL characters and lone surrogates are not allowed.")
    return source


def _refuse(source: str, offset: int, message: str) -> NoReturn:
    raise InvalidDocument(message, *place(source, offset))


def _whole(text: str) -> int:
    if len(text) > 17 or abs(int(text)) > MAX_WHOLE:
        raise ValueError("whole numbers beyond 2^53 - 1 can't be stored exactly: put them in quotes.")
    return int(text)


def _decimal(text: str) -> float:
    number = float(text)
    if number - number != 0.0:
        raise ValueError("the number is too large.")
    return number


def _read_json(source: str) -> Json:
    _check_json_depth(source)
    found = _BAD_ESCAPE.search(source)
    try:
        value = json.loads(
            source, object_pairs_hook=_unique, parse_int=_whole, parse_float=_decimal, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise InvalidDocument(f"not valid JSON: {error.msg}.", error.lineno, error.colno) from error
    except ValueError as error:
        raise InvalidDocument(str(error), *_json_place(source, error)) from error
    if found and any(_BAD_TEXT.search(text) for text in _texts(value)):
        _refuse(source, found.start(), "NUL characters and lone surrogates are not allowed.")
    return value


def _check_json_depth(source: str) -> None:
    depth = 0
    for found in _JSON_TOKEN.finditer(source):
        mark = found.group()
        depth += 1 if mark in "[{" else -1 if mark in "]}" else 0
        if depth > MAX_DEPTH:
            _refuse(source, found.start(), f"the document is nested more than {MAX_DEPTH} deep.")


def _unique(pairs: list[tuple[str, Json]]) -> dict[str, Json]:
    values = dict(pairs)
    if len(values) < len(pairs):
        seen: set[str] = set()
        double = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
        raise ValueError(f"the key '{double}' is given twice.")
    return values


def _constant(name: str) -> NoReturn:
    raise ValueError("NaN and infinity are not allowed.")


def _json_place(source: str, error: ValueError) -> tuple[int, int]:
    """Find where a refusal of valid JSON belongs: the YAML reader, which knows places, refuses the same."""
    try:
        _read_yaml(source)
    except InvalidDocument as located:
        if str(located) == str(error) and located.line and located.column:
            return located.line, located.column
    return 1, 1


def _texts(value: Json) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            yield key
            yield from _texts(item)


def _read_yaml(source: str) -> Json:
    try:
        return _Builder(yaml.parse(source, Loader=_LOADER)).document()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line, column = (mark.line + 1, mark.column + 1) if mark else (1, 1)
        raise InvalidDocument(f"not valid YAML: {error.problem or error.context}.", line, column) from error
    except yaml.reader.ReaderError as error:
        raise InvalidDocument(f"not valid YAML: {error.reason}.", *place(source, error.position)) from error


class _Builder:
    """Builds a value from YAML events, so that bombs are refused before anything grows."""

    def __init__(self, events: Iterator[Any]) -> None:
        self.events = events

    def document(self) -> Json:
        value: Json = None
        seen = 0
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                seen += 1
                if seen > 1:
                    self._refuse(event, "one document is expected, not several (`---`).")
            elif isinstance(event, yaml.NodeEvent):
                value = self._value(event, 1)
        return value

    def _value(self, event: Any, depth: int) -> Json:
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            self._refuse(event, "anchors and aliases (& and *) are not allowed: write the value out.")
        if event.tag is not None:
            self._refuse(event, f"tags ({event.tag}) are not allowed.")
        if depth > MAX_DEPTH + 1:
            self._refuse(event, f"the document is nested more than {MAX_DEPTH} deep.")
        if isinstance(event, yaml.ScalarEvent):
            return self._scalar(event)
        return self._list(depth) if isinstance(event, yaml.SequenceStartEvent) else self._object(depth)

    def _list(self, depth: int) -> list[Json]:
        items = []
        while not isinstance(event := next(self.events), yaml.SequenceEndEvent):
            items.append(self._value(event, depth + 1))
        return items

    def _object(self, depth: int) -> dict[str, Json]:
        values: dict[str, Json] = {}
        while not isinstance(event := next(self.events), yaml.MappingEndEvent):
            key = self._key(event)
            if key in values:
                self._refuse(event, f"the key '{key}' is given twice.")
            values[key] = self._value(next(self.events), depth + 1)
        return values

    def _key(self, event: Any) -> str:
        value = self._value(event, 1) if isinstance(event, yaml.ScalarEvent | yaml.AliasEvent) else None
        if not isinstance(value, str):
            self._refuse(event, "keys must be text: put this one in quotes.")
        return value

    def _scalar(self, event: Any) -> Json:
        if _BAD_TEXT.search(event.value):
            self._refuse(event, "NUL characters and lone surrogates are not allowed.")
        if not event.implicit[0]:  # quoted, or a block
            return event.value
        try:
            return plain_scalar(event.value)
        except ValueError as error:
            self._refuse(event, str(error))

    def _refuse(self, event: Any, message: str) -> NoReturn:
        raise InvalidDocument(message, event.start_mark.line + 1, event.start_mark.column + 1)
