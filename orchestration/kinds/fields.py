"""Pieces of config schemas. `x-editor` tells the designer which editor a field gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from orchestration.core.definition import Json

Schema = Mapping[str, Json]


def closed(properties: Mapping[str, Schema], required: Sequence[str] = (), description: str = "") -> dict[str, Json]:
    """Describe an object that takes these properties and no others."""
    schema: dict[str, Json] = {"type": "object", "properties": dict(properties), "additionalProperties": False}
    if required:
        schema["required"] = list(required)
    if description:
        schema["description"] = description
    return schema


def rows(item: Schema, description: str) -> dict[str, Json]:
    """Describe a list of at least one item."""
    return {"type": "array", "items": dict(item), "minItems": 1, "description": description}


def cel(description: str) -> dict[str, Json]:
    """Describe a bare CEL expression."""
    return {"type": "string", "minLength": 1, "x-editor": "cel", "description": description}


def template(description: str) -> dict[str, Json]:
    """Describe a text that may hold `{{ cel }}`."""
    return {"type": "string", "x-editor": "template", "description": description}


def value(description: str) -> dict[str, Json]:
    """Describe any JSON value whose texts may hold `{{ cel }}`."""
    return {"x-editor": "value", "description": description}


def values(description: str) -> dict[str, Json]:
    """Describe an object of named values whose texts may hold `{{ cel }}`."""
    return {"type": "object", "x-editor": "value", "description": description}


def duration(description: str) -> dict[str, Json]:
    """Describe a length of time: 20s, 5m, 2h, 7d, or a number of seconds."""
    return {"type": ["string", "number"], "x-editor": "duration", "description": description}


def json_schema(description: str) -> dict[str, Json]:
    """Describe a JSON Schema."""
    return {"type": "object", "x-editor": "schema", "description": description}


def pick(editor: str, description: str) -> dict[str, Json]:
    """Describe the name of something that is picked from a list: a tool, a model, a step, a port, a role."""
    return {"type": "string", "minLength": 1, "x-editor": editor, "description": description}


def whole(description: str, minimum: int, maximum: int, default: int | None = None) -> dict[str, Json]:
    """Describe a whole number within bounds."""
    schema: dict[str, Json] = {
        "type": "integer", "minimum": minimum, "maximum": maximum, "description": description,
    }  # fmt: skip
    return schema if default is None else {**schema, "default": default}
