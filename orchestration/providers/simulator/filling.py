"""Filling a JSON Schema with values that fit a text: candidates are made, and the first valid one is kept."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import Any

from jsonschema.exceptions import SchemaError
from referencing.exceptions import Unresolvable

from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError
from orchestration.core.values import validator
from orchestration.providers.simulator import scalars, scoring, texts
from orchestration.providers.simulator.merging import Schema, merged, plain, same, types_of
from orchestration.providers.simulator.reading import Reading

_BUDGET = 4000  # candidates tried in all: a schema may be made to have no end
_DEEPEST = 12
_UNUSABLE = (Unresolvable, SchemaError, EvaluationError, RecursionError, TypeError)  # what a bad schema raises
_ITEMS = 3  # as many items as a list gets when it may choose


class Filler:
    """Fills one schema from one reading."""

    def __init__(self, root: Mapping[str, Any], reading: Reading) -> None:
        self._root, self._reading = root, reading
        self._left = _BUDGET
        self._validator = _validator_of(root)

    def fill(self, schema: Any, name: str = "", depth: int = 0) -> Json:
        """Give the first candidate that is valid, else the first there is, else None."""
        found = list(islice(self._valid(schema, name, depth), 1))
        if found:
            return found[0]
        return next(iter(self._candidates(plain(schema, self._root), name, depth)), None)

    def _valid(self, schema: Any, name: str, depth: int) -> Iterator[Json]:
        for candidate in self._candidates(plain(schema, self._root), name, depth):
            self._left -= 1
            if self._is_valid(schema, candidate):
                yield candidate
            if self._left <= 0:
                return

    def _is_valid(self, schema: Any, value: Json) -> bool:
        if isinstance(schema, bool):
            return schema
        if self._validator is None:
            return True
        try:
            return bool(self._validator.evolve(schema=schema).is_valid(value))
        except _UNUSABLE:
            return False

    def _candidates(self, schema: Schema, name: str, depth: int) -> Iterator[Json]:
        if "const" in schema:
            yield schema["const"]
        if "enum" in schema:
            yield from self._ranked(schema["enum"], schema, name)
        if depth > _DEEPEST or "const" in schema or "enum" in schema:
            return
        yield from self._branches(schema, name, depth)
        for kind in types_of(schema):
            yield from self._of_type(kind, schema, name, depth)

    def _of_type(self, kind: str, schema: Schema, name: str, depth: int) -> Iterable[Json]:
        about = str(schema.get("description", ""))
        match kind:
            case "object":
                return self._objects(schema, depth)
            case "array":
                return self._arrays(schema, name, depth)
            case "string":
                return scalars.strings(schema, name, about, self._reading)
            case "integer" | "number":
                return scalars.numbers(schema, name, about, self._reading, whole=kind == "integer")
            case "boolean":
                first = scoring.is_so(name, about, self._reading)
                return (first, not first)
        return (None,)

    def _branches(self, schema: Schema, name: str, depth: int) -> Iterator[Json]:
        """Candidates of anyOf, oneOf and if/then/else: each branch merged with the rest."""
        for word in ("oneOf", "anyOf"):
            branches = schema.get(word)
            if not branches:
                continue
            base = {key: value for key, value in schema.items() if key != word}
            for branch in self._ordered(branches, schema, name):
                both = plain(merged(base, plain(branch, self._root)), self._root)
                yield from islice(self._candidates(both, name, depth + 1), 12)
        if "if" in schema:
            base = {key: value for key, value in schema.items() if key not in ("if", "then", "else")}
            for parts in (("if", "then"), ("else",)):
                both = base
                for part in parts:
                    both = merged(both, plain(schema.get(part, True), self._root))
                yield from islice(self._candidates(both, name, depth + 1), 6)

    def _ordered(self, branches: list[Any], schema: Schema, name: str) -> list[Any]:
        constants = [branch["const"] for branch in branches if isinstance(branch, dict) and "const" in branch]
        if len(constants) == len(branches):
            best = self._ranked(constants, schema, name)
            return sorted(
                branches, key=lambda branch: next(at for at, it in enumerate(best) if same(it, branch["const"]))
            )
        labels = [str(branch.get("title") or branch.get("description") or at) if isinstance(branch, dict) else str(at)
                  for at, branch in enumerate(branches)]  # fmt: skip
        if len(set(labels)) < len(labels) or labels == [str(at) for at in range(len(labels))]:
            return branches
        best = scoring.ranked(labels, name, "", {}, self._reading)
        return [branches[labels.index(label)] for label in best]

    def _ranked(self, options: list[Json], schema: Schema, name: str) -> list[Json]:
        about, notes = str(schema.get("description", "")), scoring.notes_of(schema)
        return scoring.ranked(options, name, about, notes, self._reading)

    def _objects(self, schema: Schema, depth: int) -> Iterator[dict[str, Json]]:
        required = list(dict.fromkeys(schema.get("required", ())))
        optional = [name for name in schema.get("properties", {}) if name not in required]
        full = [*required, *optional]
        most, least = schema.get("maxProperties", len(full)), schema.get("minProperties", 0)
        if depth < 5 and len(full) <= most:
            yield self._object(schema, self._padded(full, schema, least), depth)
        yield self._object(schema, self._padded(required, schema, least), depth)
        if len(full) > most > len(required):
            yield self._object(schema, full[:most], depth)
        for name in optional[:20]:
            yield self._object(schema, self._padded([*required, name], schema, least), depth)

    def _padded(self, names: list[str], schema: Schema, least: int) -> list[str]:
        """Add names of our own until there are as many as asked for."""
        wanted = [*names, *(name for name in schema.get("properties", {}) if name not in names)][
            : max(len(names), least)
        ]
        if len(wanted) < least:
            patterns = [{"pattern": pattern} for pattern in schema.get("patternProperties", {})]
            own = (
                [schema.get("propertyNames", {}), *patterns]
                if schema.get("additionalProperties") is not False
                else patterns
            )
            for source in own:
                made = (it for it in self._valid(source, "key", _DEEPEST) if isinstance(it, str) and it not in wanted)
                wanted += islice(dict.fromkeys(made), least - len(wanted))
        return wanted

    def _object(self, schema: Schema, names: list[str], depth: int) -> dict[str, Json]:
        wanted = list(names)
        for name in wanted:
            wanted += [other for other in schema.get("dependentRequired", {}).get(name, ()) if other not in wanted]
        return {name: self.fill(self._schema_of(name, schema), name, depth + 1) for name in wanted}

    def _schema_of(self, name: str, schema: Schema) -> Any:
        import re

        parts = [schema["properties"][name]] if name in schema.get("properties", {}) else []
        parts += [sub for pattern, sub in schema.get("patternProperties", {}).items() if re.search(pattern, name)]
        if not parts:
            return schema.get("additionalProperties", True)
        return parts[0] if len(parts) == 1 else {"allOf": parts}

    def _arrays(self, schema: Schema, name: str, depth: int) -> Iterator[list[Json]]:
        least = schema.get("minItems", 0)
        most = schema.get("maxItems", max(least, 50))
        wanted = min(max(least, 0 if depth > 5 else _ITEMS, len(schema.get("prefixItems", ()))), most)
        if "contains" in schema:
            needed = schema.get("minContains", 1)
            first = [self.fill(schema["contains"], name, depth + 1) for _ in range(needed)]
            yield [*first, *self._items(schema, name, depth, max(0, wanted - needed))]
            yield first
        for count in dict.fromkeys((wanted, least, min(1, most), most if most <= 100 else least)):
            yield self._items(schema, name, depth, count)

    def _items(self, schema: Schema, name: str, depth: int, count: int) -> list[Json]:
        head = [self.fill(sub, name, depth + 1) for sub in schema.get("prefixItems", ())[:count]]
        rest, item = count - len(head), schema.get("items", True)
        if rest <= 0 or item is False:
            return head
        found: list[Json] = []
        for candidate in islice(self._valid(item, texts.singular(name), depth + 1), 4 * rest + 8):
            if not any(same(candidate, other) for other in [*head, *found]):
                found.append(candidate)
            if len(found) == rest:
                break
        if not schema.get("uniqueItems") and found:
            least = max(0, schema.get("minItems", 0) - len(head))
            found += [found[at % len(found)] for at in range(least - len(found))]
        return [*head, *found]


def _validator_of(root: Mapping[str, Any]) -> Any:
    """Give the validator that will judge the answer, or None for a schema that nothing can be checked against."""
    try:
        return validator(root)
    except _UNUSABLE:
        return None
