"""The JSON Schema of a whole workflow document: what editors offer and what `structure` judges by."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.core.definition import FORMAT, START, Json
from orchestration.core.durations import PATTERN
from orchestration.core.schemas import CLASSES

MAX_STEPS = 2_000
MAX_EDGES = 10_000
ID = "^[a-z][a-z0-9_]{0,62}$"

_TEXT = {"type": "string", "maxLength": 10_000}
_EXPRESSION = {"type": "string", "minLength": 1, "x-message": "must be a CEL expression in quotes"}
_DURATION = {
    "anyOf": [{"type": "string", "pattern": PATTERN, "maxLength": 40}, {"type": "number", "minimum": 0}],
    "x-message": "must be a duration such as 500ms, 20s, 5m, 1h30m or 2d",
}
_NAME = {
    "type": "string",
    "pattern": ID,
    "not": {"const": START},
    "x-message": "must be small letters, digits and _, starting with a letter, at most 63, and not `start`",
}
_RETRY = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "attempts": {"type": "integer", "minimum": 1, "maximum": 100},
        "delay": _DURATION,
        "factor": {"type": "number", "minimum": 1, "maximum": 100},
        "max_delay": _DURATION,
        "on": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 50},
    },
}
COMMON: Mapping[str, Json] = {
    "id": _NAME,
    "kind": {"type": "string"},
    "title": {"type": "string", "maxLength": 200},
    "note": _TEXT,
    "run_if": _EXPRESSION,
    "retry": _RETRY,
    "timeout": _DURATION,
    "on_error": {
        "anyOf": [
            {"enum": ["fail", "continue"]},
            {"type": "object", "required": ["value"], "properties": {"value": {}}, "additionalProperties": False},
        ],
        "x-message": "must be `fail`, `continue` or `{value: ...}`",
    },
    "join": {
        "anyOf": [{"enum": ["all", "any"]}, {"type": "integer", "minimum": 1}],
        "x-message": "must be `all`, `any` or a number of edges, 1 or more",
    },
    "cancel_rest": {"type": "boolean"},
    "reads": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 200},
    "writes": {"type": "object", "additionalProperties": _EXPRESSION},
}
_EDGE = {
    "type": "object",
    "required": ["from", "to"],
    "additionalProperties": False,
    "properties": {
        "from": {
            "type": "string",
            "pattern": r"^[a-z][a-z0-9_]{0,62}(\.[a-z][a-z0-9_]{0,62})?$",
            "x-message": "must be a step's id, or a step and its port: `tag_intent.error`",
        },
        "to": {"type": "string", "minLength": 1},
        "again": {
            "type": "object",
            "required": ["max"],
            "additionalProperties": False,
            "properties": {"max": {"type": "integer", "minimum": 1, "maximum": 1_000}},
        },
    },
}
_VARIABLE = {
    "type": "object",
    "additionalProperties": False,
    "properties": {"schema": {"type": "object"}, "class": {"enum": list(CLASSES)}, "initial": {}},
}
_LIMITS = {
    "type": "object",
    "additionalProperties": False,
    "properties": {
        "usd": {"type": "number", "minimum": 0, "maximum": 1_000_000},
        "tokens": {"type": "integer", "minimum": 1},
        "steps": {"type": "integer", "minimum": 1, "maximum": 1_000_000},
        "wall_time": _DURATION,
        "deadline": _DURATION,
    },
}
_TOP = {
    "format": {"const": FORMAT},
    "name": {"type": "string", "minLength": 1, "maxLength": 200},
    "description": _TEXT,
    "input": {"type": "object"},
    "variables": {"type": "object", "propertyNames": _NAME, "additionalProperties": _VARIABLE},
    "limits": _LIMITS,
    "key": _EXPRESSION,
    "tags": {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": 50}, "maxItems": 20},
    "notes": _TEXT,
    "edges": {"type": "array", "items": _EDGE, "maxItems": MAX_EDGES},
    "output": {},
    "layout": {
        "type": "object",
        "additionalProperties": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
    },
}


def document_schema(kinds: Mapping[str, Any]) -> dict[str, Json]:
    """Build the JSON Schema (2020-12) of documents that use these kinds (`kinds.base.Kind` by name)."""
    listed = [name for name in kinds if name != START]
    definitions: dict[str, Json] = {}
    for name in listed:
        definitions[f"step_{name}"] = _step_schema(name, kinds[name].config_schema, definitions)
    step = {
        "type": "object",
        "required": ["id", "kind"],
        "properties": {"id": _NAME, "kind": {"enum": listed}},
        "allOf": [
            {"if": {"properties": {"kind": {"const": name}}, "required": ["kind"]},
             "then": {"$ref": f"#/$defs/step_{name}"}}
            for name in listed
        ],
    }  # fmt: skip
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Baton workflow",
        "type": "object",
        "required": ["format", "name", "steps"],
        "additionalProperties": False,
        "properties": {**_TOP, "steps": {"type": "array", "items": step, "minItems": 1, "maxItems": MAX_STEPS}},
        "$defs": definitions,
    }


def closed(config: Mapping[str, Json]) -> dict[str, Json]:
    """Give a kind's config schema with unknown keys refused."""
    return {"type": "object", "properties": {}, **config, "additionalProperties": False}


def _step_schema(kind: str, config: Mapping[str, Json], definitions: dict[str, Json]) -> dict[str, Json]:
    """Merge the common settings with a kind's own; its `$defs` move to the document's, renamed."""
    own = {key: value for key, value in config.items() if key != "$defs"}
    for name, schema in config.get("$defs", {}).items():
        definitions[f"{kind}_{name}"] = _moved(schema, kind)
    own = _moved(own, kind)
    properties = {**own.get("properties", {}), **COMMON, "kind": {"const": kind}}
    return {
        **own,
        "type": "object",
        "properties": properties,
        "required": ["id", "kind", *own.get("required", [])],
        "additionalProperties": False,
    }


def _moved(schema: Json, kind: str) -> Json:
    """Point the references within a kind's schema to where its `$defs` went."""
    if isinstance(schema, Mapping):
        return {
            key: value.replace("#/$defs/", f"#/$defs/{kind}_", 1)
            if key == "$ref" and isinstance(value, str)
            else _moved(value, kind)
            for key, value in schema.items()
        }
    return [_moved(item, kind) for item in schema] if isinstance(schema, list | tuple) else schema
