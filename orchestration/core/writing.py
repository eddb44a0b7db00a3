"""Write a document as YAML that people like to read: a stable order of keys, blocks for long texts, short lists."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import yaml

from orchestration.core.definition import Json
from orchestration.core.reading import plain_scalar

_TOP = (
    "format", "name", "description", "notes", "tags", "key", "input", "variables", "limits", "steps", "edges",
    "output", "layout",
)  # fmt: skip
_FIRST = ("id", "kind", "title", "note")
_LAST = ("reads", "writes", "run_if", "join", "cancel_rest", "retry", "timeout", "on_error")
_SHORT = 60  # characters: a list of single values up to this stands on one line


class _Flow(dict[str, Json]):
    """Written on one line: `{from: a, to: b}`."""


class _Dumper(yaml.SafeDumper):
    """Quotes whatever our reader, or an older YAML, would not read back as text."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def increase_indent(self, flow: bool = False, indentless: bool = False) -> None:
        super().increase_indent(flow, False)


def to_yaml(document: Mapping[str, Json]) -> str:
    """Write a document. `documents.read` gives the same back."""
    ordered = _ordered(document, _TOP, ())
    if isinstance(ordered.get("steps"), list):
        ordered["steps"] = [_ordered(step, _FIRST, _LAST) for step in ordered["steps"]]
    if isinstance(ordered.get("edges"), list):
        ordered["edges"] = [_Flow(edge) for edge in ordered["edges"]]
    return str(yaml.dump(ordered, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


def _ordered(values: Mapping[str, Json], first: Iterable[str], last: Iterable[str]) -> dict[str, Json]:
    first, last = tuple(first), tuple(last)
    middle = [key for key in values if key not in first and key not in last]
    return {key: values[key] for key in (*first, *middle, *last) if key in values}


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    style = None
    if not all(mark.isprintable() or mark == "\n" for mark in text):
        style = '"'  # the only style with escapes
    elif "\n" in text and not any(line.endswith(" ") for line in text.split("\n")):
        style = "|"
    elif not _reads_as_text(text):
        style = "'"
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


def _list(dumper: yaml.SafeDumper, items: list[Json]) -> yaml.SequenceNode:
    short = all(not isinstance(item, dict | list) for item in items) and sum(len(str(item)) for item in items) <= _SHORT
    return dumper.represent_sequence("tag:yaml.org,2002:seq", items, flow_style=short)


def _reads_as_text(text: str) -> bool:
    try:
        return bool(plain_scalar(text) == text)
    except ValueError:
        return False


_Dumper.add_representer(str, _text)
_Dumper.add_representer(
    _Flow, lambda dumper, value: dumper.represent_mapping("tag:yaml.org,2002:map", value.items(), flow_style=True)
)
_Dumper.add_representer(list, _list)
