"""Schemas made plain: local references followed, `allOf` folded in."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

Schema = dict[str, Any]
NOTHING: Schema = {"not": {}}  # no value matches
_MOST_HOPS = 40
_LARGER = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties", "minContains")
_SMALLER = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties", "maxContains")
_TYPES = ("object", "array", "string", "integer", "number", "boolean", "null")


def plain(schema: Any, root: Any, hops: int = 0) -> Schema:
    """Give an equivalent schema without `$ref` and `allOf` at its top."""
    if schema is True:
        return {}
    if not isinstance(schema, Mapping) or hops > _MOST_HOPS:
        return dict(NOTHING)
    flat = {key: value for key, value in schema.items() if key not in ("$ref", "allOf", "$defs", "definitions")}
    others = [resolved(schema["$ref"], root)] if "$ref" in schema else []
    for other in [*others, *schema.get("allOf", ())]:
        flat = merged(flat, plain(other, root, hops + 1))
    return flat


def resolved(reference: str, root: Any) -> Any:
    """Follow a reference within the document; one that leads nowhere or outside matches nothing."""
    if not reference.startswith("#"):
        return NOTHING
    node: Any = root
    for part in reference[1:].split("/")[1:]:
        name = unquote(part).replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and name in node:
            node = node[name]
        elif isinstance(node, list) and name.isdigit() and int(name) < len(node):
            node = node[int(name)]
        else:
            return NOTHING
    return node


def merged(left: Mapping[str, Any], right: Mapping[str, Any]) -> Schema:
    """Give a schema that asks for what both ask for, as far as keywords can say it."""
    both = dict(left)
    for key, value in right.items():
        both[key] = _joined(key, both[key], value) if key in both else value
    return both


def types_of(schema: Mapping[str, Any]) -> list[str]:
    """List the types a schema allows, those it speaks of first."""
    given = schema.get("type")
    allowed = [given] if isinstance(given, str) else list(given) if isinstance(given, list) else list(_TYPES)
    if "number" in allowed and "integer" in allowed and given is not None:
        allowed.remove("integer")
    hinted = [name for name in allowed if any(word in schema for word in _HINTS[name])]
    rest = [name for name in (allowed if given is not None else ("string", *allowed)) if name not in hinted]
    return [
        *hinted,
        *(name for name in dict.fromkeys(rest) if name != "null"),
        *(["null"] if "null" in allowed else []),
    ]


def same(left: Any, right: Any) -> bool:
    """Compare JSON values; true is not 1."""
    return json.dumps(left, sort_keys=True) == json.dumps(right, sort_keys=True)


_HINTS: Mapping[str, tuple[str, ...]] = {
    "object": ("properties", "required", "additionalProperties", "patternProperties", "minProperties",
               "maxProperties", "propertyNames", "dependentRequired"),
    "array": ("items", "prefixItems", "minItems", "maxItems", "uniqueItems", "contains"),
    "string": ("minLength", "maxLength", "pattern", "format"),
    "integer": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "number": ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"),
    "boolean": (), "null": (),
}  # fmt: skip


def _joined(key: str, left: Any, right: Any) -> Any:
    if left == right and type(left) is type(right):
        return left
    if key in _LARGER:
        return max(left, right)
    if key in _SMALLER:
        return min(left, right)
    match key:
        case "required":
            return list(dict.fromkeys([*left, *right]))
        case "properties" | "patternProperties":
            return {**left, **{name: _both(left[name], sub) if name in left else sub for name, sub in right.items()}}
        case "type":
            return _common_types(left, right)
        case "enum":
            return [value for value in left if any(same(value, other) for other in right)]
        case "items" | "additionalProperties" | "propertyNames" | "contains":
            return _both(left, right)
        case "uniqueItems":
            return bool(left or right)
    return left  # what can't be joined is checked at the end


def _both(left: Any, right: Any) -> Any:
    if left is False or right is False:
        return False
    return right if left is True else left if right is True else {"allOf": [left, right]}


def _common_types(left: Any, right: Any) -> list[str]:
    ours, theirs = ([value] if isinstance(value, str) else list(value) for value in (left, right))
    common = [name for name in ours if name in theirs]
    if "integer" not in common and {"integer", "number"} <= {*ours, *theirs}:
        common.append("integer")
    return common
