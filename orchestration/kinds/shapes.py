"""What is known of a template value before it is rendered, as JSON Schema: so that later steps are checked by type."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import reduce

from orchestration.core.definition import Json

Schema = Mapping[str, Json]
_SCALARS: Mapping[type, str] = {bool: "boolean", int: "integer", float: "number", type(None): "null"}


def shape_of(value: Json) -> dict[str, Json]:
    """Give the JSON Schema that every rendering of `value` matches; {} where it can be anything."""
    if isinstance(value, str):
        return {} if _is_one_expression(value) else {"type": "string"}
    if isinstance(value, Mapping):
        return _object(value)
    if isinstance(value, (list, tuple)):
        return {"type": "array", "items": union(shape_of(item) for item in value)}
    return {"type": _SCALARS[type(value)]}


def union(shapes: Iterable[Schema]) -> dict[str, Json]:
    """Give a schema that matches whatever one of `shapes` matches, as narrow as is worth it."""
    listed = [dict(shape) for shape in shapes]
    return reduce(_either, listed) if listed else {}


def _is_one_expression(text: str) -> bool:
    # Such a value keeps the type of its expression; with text around it, it is text.
    bare = text.strip()
    return bare.startswith("{{") and bare.endswith("}}")


def _object(value: Mapping[str, Json]) -> dict[str, Json]:
    properties = {name: shape_of(item) for name, item in value.items()}
    return {"type": "object", "properties": properties, "required": list(properties), "additionalProperties": False}


def _either(one: dict[str, Json], other: dict[str, Json]) -> dict[str, Json]:
    if one == other:
        return one
    kinds = {one.get("type"), other.get("type")}
    if kinds == {"integer", "number"}:
        return {"type": "number"}
    if kinds == {"object"}:
        return _either_object(one, other)
    return {}


def _either_object(one: dict[str, Json], other: dict[str, Json]) -> dict[str, Json]:
    ours, theirs = one["properties"], other["properties"]
    properties = {**theirs, **ours}
    for name in ours.keys() & theirs.keys():
        properties[name] = _either(ours[name], theirs[name])
    required = [name for name in one["required"] if name in other["required"]]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
