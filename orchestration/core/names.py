"""What a dotted name of an expression stands for: its JSON Schema, its CEL type, how its value is bound."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from orchestration.core.definition import Json

Schema = Mapping[str, Json]
Convert = Callable[[Json], Json]
TIMESTAMP: Schema = {"type": "string", "format": "date-time", "x-cel": "timestamp"}  # bound as a CEL timestamp

_LETTERS = {"string": "S", "integer": "I", "number": "D", "boolean": "B", "object": "M"}
_LISTS = {"S": "P", "I": "Q", "D": "R", "B": "U", "M": "W"}
_WORDS = {"S": "text", "I": "a whole number", "D": "a number", "B": "true or false", "T": "a point in time"}
_OPEN = ("anyOf", "oneOf", "allOf", "patternProperties", "if", "$dynamicRef")
_DEPTH = 20


@dataclass(frozen=True, slots=True)
class Resolved:
    """A name that exists. `rest` are the parts that only the value can answer (properties of an open object)."""

    name: str
    schema: Schema
    root: Schema  # what a `$ref` within `schema` points into
    rest: tuple[str, ...] = ()


class UnknownName(Exception):
    """A name that can't exist. `part` is the index of the part that is wrong."""

    def __init__(self, message: str, part: int) -> None:
        super().__init__(message)
        self.part = part


def resolve(names: Mapping[str, Schema], parts: Sequence[str]) -> Resolved:
    """Find what `parts` stands for among the declared dotted names. Raises UnknownName."""
    for length in range(1, len(parts) + 1):
        name = ".".join(parts[:length])
        if name in names:
            return _descend(name, names[name], parts, length)
    raise _unknown(names, parts)


def letter(schema: Schema, root: Schema) -> str:
    """Name the CEL type of values of this schema, by the letter that `cel.py` uses for it."""
    schema = _deref(schema, root)
    if schema.get("x-cel") == "timestamp":
        return "T"
    kind = _type(schema)
    if kind != "array":
        return _LETTERS.get(kind or "", "A")
    items = schema.get("items")
    item = _type(_deref(items, root)) if isinstance(items, Mapping) else None
    return _LISTS.get(_LETTERS.get(item or "", ""), "V")


def allows_null(schema: Schema, root: Schema) -> bool:
    """Say whether null is a value; where it is not, a null counts as absent."""
    return letter(schema, root) == "A"


def converter(schema: Schema, root: Schema, seen: dict[int, Convert | None] | None = None) -> Convert | None:
    """Build what makes `number` a float and `integer` an int, deep; None where there is nothing to convert.

    `seen` keeps each part's answer, so that a schema whose references branch or loop is walked once.
    """
    seen = {} if seen is None else seen
    schema = _deref(schema, root)
    kinds = schema.get("type")
    if kinds == "integer" or (isinstance(kinds, list) and "integer" in kinds):
        return _whole
    if kinds == "number" or (isinstance(kinds, list) and "number" in kinds):
        return _floating
    if id(schema) not in seen:
        seen[id(schema)] = None
        seen[id(schema)] = _items_converter(schema, root, seen) or _properties_converter(schema, root, seen)
    return seen[id(schema)]


def nearest(word: str, known: Iterable[str]) -> str | None:
    """Give the known word most like this one, if any is."""
    found = difflib.get_close_matches(word, list(known), 1, 0.6)
    return found[0] if found else None


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Give ` Did you mean 'x'?`, or nothing."""
    found = nearest(word, known)
    return f" Did you mean '{found}'?" if found else ""


def _descend(name: str, root: Schema, parts: Sequence[str], length: int) -> Resolved:
    """Follow the known properties from a declared name as far as the schema tells."""
    schema = root
    for index in range(length, len(parts)):
        schema = _deref(schema, root)
        properties = schema.get("properties")
        properties = properties if isinstance(properties, Mapping) else {}
        part = parts[index]
        if part in properties and isinstance(properties[part], Mapping):
            name, schema = f"{name}.{part}", properties[part]
            continue
        _refuse_unknown(name, schema, part, properties, index)
        return Resolved(name, schema, root, tuple(parts[index:]))
    return Resolved(name, schema, root)


def _refuse_unknown(name: str, schema: Schema, part: str, properties: Mapping[str, Json], index: int) -> None:
    kind = _type(schema)
    if kind not in (None, "object"):
        word = "a list" if kind == "array" else _WORDS.get(_LETTERS.get(kind, ""), kind)
        raise UnknownName(f"{name} is {word}: it has no property '{part}'.", index)
    is_open = bool(schema.get("additionalProperties")) or any(key in schema for key in _OPEN)
    if is_open or part in properties or (not properties and "additionalProperties" not in schema):
        return
    close = nearest(part, properties)
    if close and not close.isidentifier():
        raise UnknownName(f"{name} has no property '{part}'. Write {name}[\"{close}\"].", index)
    hint = f" Did you mean '{close}'?" if close else _listing(properties)
    raise UnknownName(f"{name} has no property '{part}'.{hint}", index)


def _listing(known: Iterable[str]) -> str:
    words = list(known)
    return f" It has {', '.join(words)}." if 0 < len(words) <= 8 else ""


def _unknown(names: Mapping[str, Schema], parts: Sequence[str]) -> UnknownName:
    """Say which part of a name is wrong and what it might have been."""
    for index, part in enumerate(parts):
        prefix = ".".join(parts[:index])
        known = _next_parts(names, prefix)
        if part not in known:
            return UnknownName(_unknown_part(prefix, part, known), index)
    whole = ".".join(parts)
    known = _next_parts(names, whole)
    return UnknownName(f"{whole} is not a value by itself: write {whole}.{next(iter(known))}, say.", 0)


def _unknown_part(prefix: str, part: str, known: Mapping[str, None]) -> str:
    if prefix == "" and part in ("secrets", "secret"):
        return "secrets can't be read in an expression: a secret reaches only the connection that owns it."
    what = {"": "unknown name", "steps": "there is no step", "vars": "there is no variable"}.get(prefix)
    head = f"{what} '{part}'." if what else f"{prefix} has no '{part}'."
    return head + (did_you_mean(part, known) or (_listing(known) if what is None else ""))


def _next_parts(names: Mapping[str, Schema], prefix: str) -> dict[str, None]:
    """List what may follow `prefix.`, in the order of declaration."""
    start = f"{prefix}." if prefix else ""
    return {name[len(start) :].split(".", 1)[0]: None for name in names if name.startswith(start)}


def _deref(schema: Schema, root: Schema) -> Schema:
    """Follow local `$ref`s; what can't be followed is anything."""
    for _ in range(_DEPTH):
        reference = schema.get("$ref")
        if not isinstance(reference, str):
            return schema
        schema = _pointer(root, reference)
    return {}


def _pointer(root: Schema, reference: str) -> Schema:
    found: Json = root
    for part in reference.removeprefix("#").split("/")[1:]:
        key = part.replace("~1", "/").replace("~0", "~")
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _type(schema: Schema) -> str | None:
    """Name the one JSON type of a schema, from `type`, `const` or `enum`; None where there are several."""
    kind = schema.get("type")
    if isinstance(kind, str):
        return kind
    if kind is not None:
        return kind[0] if isinstance(kind, list) and len(kind) == 1 and isinstance(kind[0], str) else ""
    values = [schema["const"]] if "const" in schema else schema.get("enum")
    if isinstance(values, list) and values and all(isinstance(value, str) for value in values):
        return "string"
    if isinstance(schema.get("properties"), Mapping) and not any(key in schema for key in _OPEN):
        return "object"
    return None


def _items_converter(schema: Schema, root: Schema, seen: dict[int, Convert | None]) -> Convert | None:
    items = schema.get("items")
    each = converter(items, root, seen) if isinstance(items, Mapping) else None
    if each is None:
        return None
    return lambda value: [each(item) for item in value] if isinstance(value, list) else value


def _properties_converter(schema: Schema, root: Schema, seen: dict[int, Convert | None]) -> Convert | None:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping):
        return None
    parts = {
        name: convert
        for name, child in properties.items()
        if isinstance(child, Mapping) and (convert := converter(child, root, seen))
    }
    if not parts:
        return None
    return lambda value: (
        {key: parts[key](item) if key in parts else item for key, item in value.items()}
        if isinstance(value, dict)
        else value
    )


def _whole(value: Json) -> Json:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _floating(value: Json) -> Json:
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
