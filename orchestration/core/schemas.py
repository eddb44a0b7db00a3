"""Judge a JSON Schema that someone wrote: valid, bounded, closed in itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import orjson
from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match

from orchestration.core import cel, humane
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError

MAX_BYTES = 64 * 1024
MAX_DEPTH = 30
MAX_PARTS = 5_000  # subschemas, each counted as often as it is referred to
CLASSES = ("public", "internal", "personal", "secret")

_MAPS = ("properties", "$defs", "patternProperties", "dependentSchemas")
_LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
_SINGLE = ("items", "additionalProperties", "not", "if", "then", "else", "contains", "propertyNames")
_UNSUPPORTED = (
    "$id", "$anchor", "$dynamicRef", "$dynamicAnchor", "$recursiveRef", "unevaluatedProperties", "unevaluatedItems",
    "definitions", "dependencies",
)  # fmt: skip


def schema_problems(schema: Json) -> list[str]:
    """List what is wrong with a schema, in sentences; empty when it can be used."""
    if not isinstance(schema, Mapping):
        return ["a schema must be an object"]
    try:
        if len(orjson.dumps(schema, default=dict)) > MAX_BYTES:
            return [f"the schema is larger than {MAX_BYTES // 1024} KB"]
    except (TypeError, ValueError, RecursionError):
        return ["the schema can't be written as JSON, or is nested too deep"]
    if _depth(schema) > MAX_DEPTH * 2:
        return [f"the schema is nested more than {MAX_DEPTH} deep"]
    error = best_match(Draft202012Validator(Draft202012Validator.META_SCHEMA).iter_errors(schema))
    if error is not None:
        where = humane.place(error.absolute_path)
        return [f"{where} {humane.explain(error)}".strip()]
    found = [problem for place, part in _parts(schema, "") for problem in _part_problems(place, part, schema)]
    return found or _expansion_problems(schema)


def _depth(value: Json) -> int:
    """Measure nesting without recursion."""
    deepest, level = 0, [value]
    while level and deepest < 1_000:
        deepest += 1
        below: list[Json] = []
        for item in level:
            below += item.values() if isinstance(item, Mapping) else item if isinstance(item, list) else ()
        level = below
    return deepest


def _parts(schema: Json, place: str) -> Iterator[tuple[str, Mapping[str, Json]]]:
    """Yield each subschema with its place; what is mere data (const, enum, default) is not entered."""
    if not isinstance(schema, Mapping):
        return
    yield place, schema
    for name, child in children(schema):
        yield from _parts(child, f"{place}.{name}" if place else name)


def children(schema: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    """Yield the direct subschemas with their places."""
    for key in _MAPS:
        for name, child in _items(schema.get(key)):
            yield f"{key}.{name}", child
    for key in _LISTS:
        for index, child in enumerate(schema.get(key) or ()):
            yield f"{key}[{index}]", child
    for key in _SINGLE:
        if key in schema:
            yield key, schema[key]


def _items(found: Json) -> list[tuple[str, Json]]:
    return list(found.items()) if isinstance(found, Mapping) else []


def _part_problems(place: str, part: Mapping[str, Json], root: Mapping[str, Json]) -> Iterator[str]:
    at = f"{place}: " if place else ""
    for key in _UNSUPPORTED:
        if key in part:
            yield f"{at}{key} is not supported here"
    if part.get("x-class", "public") not in CLASSES:
        yield f"{at}x-class must be one of {', '.join(CLASSES)}"
    reference = part.get("$ref")
    if reference is not None and target(reference, root) is None:
        local = isinstance(reference, str) and reference.startswith("#")
        yield f"{at}$ref points to nothing" if local else f"{at}$ref must point into the schema itself (#/$defs/...)"
    patterns = [part["pattern"]] if "pattern" in part else []
    for pattern in [*patterns, *(part.get("patternProperties") or ())]:
        yield from (f"{at}{problem}" for problem in _pattern_problems(pattern))


def _pattern_problems(pattern: str) -> Iterator[str]:
    try:
        cel.matches(pattern, "")
    except EvaluationError:
        yield "the pattern is not a regular expression that can be used (RE2: no look-around, no back-references)"


def target(reference: Json, root: Mapping[str, Json]) -> Json:
    """Find what a local `$ref` points to; None where it is not local or points to nothing."""
    if not isinstance(reference, str) or (reference != "#" and not reference.startswith("#/")):
        return None
    found: Json = root
    for part in reference[1:].split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        if isinstance(found, Mapping):
            found = found.get(key)
        elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
            found = found[int(key)]
        else:
            return None
    return found


def _expansion_problems(schema: Mapping[str, Json]) -> list[str]:
    """Refuse references that loop, or that multiply: either makes a check endless."""
    sizes: dict[int, int | None] = {}

    def size(part: Json) -> int:
        if not isinstance(part, Mapping):
            return 1
        known = sizes.get(id(part), 0)
        if known is None:
            raise RecursionError
        if known:
            return known
        sizes[id(part)] = None
        below = [child for _, child in children(part)]
        if "$ref" in part:
            below.append(target(part["$ref"], schema))
        sizes[id(part)] = total = 1 + sum(size(child) for child in below)
        return total

    try:
        total = size(schema)
    except RecursionError:
        return ["the schema refers to itself: leave the inner part open ({}) instead"]
    return [f"the schema has more than {MAX_PARTS:,} parts once its $refs are followed"] if total > MAX_PARTS else []
