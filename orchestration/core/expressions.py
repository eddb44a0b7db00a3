"""The one expression language: CEL over dotted names whose types come from JSON Schemas.

A name is resolved against the declared names and their schemas as far as the schemas tell, and only the names an
expression refers to are bound. So `steps.tag.output.intent` is one typed value, `vars.account.plan` (an object
without known properties) is `vars.account` and then a property, and both are checked when compiled.

- An optional value that is absent, or null where its schema allows no null, has no value: using it is an
  EvaluationError that names it. `has(name)` asks first, at any depth: false where anything on the way is absent.
- CEL's logic absorbs errors: `steps.x.status == 'succeeded' && steps.x.output.ok` is false when x has not run.
- `number` binds as double, `integer` as int. Times come out as RFC 3339 text, durations as `90s`.
- An expression that is nothing but a name is answered without CEL, whatever the size of the value.
"""

from __future__ import annotations

from collections.abc import Mapping

from orchestration.core.compilation import Compiler
from orchestration.core.definition import Json
from orchestration.core.evaluation import Expression, Lookup
from orchestration.core.names import Schema

__all__ = ["Environment", "Expression", "Lookup", "lookup_in"]

_CACHE = 10_000  # compiled expressions an environment keeps


class Environment:
    """The names that may be used, each a dotted root with the JSON Schema of its value. Safe for threads."""

    def __init__(self, schemas: Mapping[str, Schema]) -> None:
        self.names = dict(schemas)
        self._roots = frozenset(name.split(".", 1)[0] for name in self.names)
        self._compiled: dict[tuple[str, str | None], Expression] = {}

    def extended(self, schemas: Mapping[str, Schema]) -> Environment:
        """Give an environment that has these names too."""
        return Environment({**self.names, **schemas}) if schemas else self

    def compile(self, source: str, wants: str | None = None) -> Expression:
        """Compile CEL; `wants` is bool, string, int, number, list, map, timestamp, duration or None for anything.

        The same source is compiled once. Raises ExpressionError with line and column.
        """
        key = (source, wants)
        found = self._compiled.get(key)
        if found is None:
            found = Compiler(self.names, self._roots, source, wants).compile()
            if len(self._compiled) >= _CACHE:
                self._compiled.clear()
            self._compiled[key] = found
        return found


def lookup_in(values: Mapping[str, Json]) -> Lookup:
    """Look flat names up in nested values: `steps.x.output.intent` in {"steps": {"x": {"output": ...}}}.

    A step that is not there has the empty status and no other value.
    """

    def lookup(name: str) -> Json:
        parts = name.split(".")
        value: Json = values
        for part in parts:
            if not isinstance(value, Mapping) or part not in value:
                if parts[0] == "steps" and parts[2:] == ["status"]:
                    return ""
                raise LookupError(name)
            value = value[part]
        return value

    return lookup
