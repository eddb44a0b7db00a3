"""Find where in a document's text a problem lies, so that people are pointed at a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from orchestration.core.problems import Problem

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_PART = re.compile(r"\[(\d+)\]|([^.\[\]]+)")


@dataclass(frozen=True, slots=True)
class Place:
    """A place in a text; both count from 1."""

    line: int = 1
    column: int = 1


class Places:
    """The places of one readable document. JSON is read as the YAML it also is."""

    def __init__(self, text: str) -> None:
        try:
            # The text has been read before: no aliases, bounded depth and size, so composing it is safe.
            self._root = yaml.compose(text, Loader=_LOADER)
        except yaml.YAMLError:  # JSON with a tab between its marks is no YAML: then every problem is at the top
            self._root = None

    def of(self, problem: Problem) -> Place:
        """Give the place of a problem: that of its field, else of the nearest part around it that is there."""
        if not problem.step and not problem.field and problem.line and problem.column:
            return Place(problem.line, problem.column)  # the text could not be read: the place is that of the text
        node, mark = self._step(problem.step) if problem.step else (self._root, None)
        for part in _parts(problem.field):
            found = _child(node, part)
            if found is None:
                return _place(mark or node)
            mark, node = found
        return _within(node, mark, problem)

    def _step(self, step_id: str) -> tuple[Any, Any]:
        """Find the entry of a step by its id; the whole list where it is not there."""
        found = _child(self._root, "steps")
        steps = found[1] if found else None
        for entry in getattr(steps, "value", ()) if isinstance(steps, yaml.SequenceNode) else ():
            named = _child(entry, "id")
            if named and named[1].value == step_id:
                return entry, None
        return steps, None


def _parts(field: str) -> Iterator[str | int]:
    for index, name in _PART.findall(field):
        yield int(index) if index else name


def _child(node: Any, part: str | int) -> tuple[Any, Any] | None:
    """Give what to point at and the value of a key or an index of a node."""
    if isinstance(node, yaml.MappingNode):
        return next(((key, value) for key, value in node.value if key.value == str(part)), None)
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
        return node.value[part], node.value[part]
    return None


def _within(node: Any, mark: Any, problem: Problem) -> Place:
    """Add the place within the text of the field, where there is one and the text is written as it reads."""
    if problem.line is None or problem.column is None or not isinstance(node, yaml.ScalarNode):
        return _place(mark or node)
    start = _place(node)
    if node.style == "|":  # indented by an amount the parser does not tell: the line is exact, the column is not
        return Place(start.line + problem.line, 1)
    if problem.line == 1 and node.style != ">":
        return Place(start.line, start.column + problem.column - 1 + (1 if node.style else 0))
    return start


def _place(node: Any) -> Place:
    mark = getattr(node, "start_mark", None)
    return Place(mark.line + 1, mark.column + 1) if mark else Place()
