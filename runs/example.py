"""The ready call of a workflow: an input made up from its schema, and the curl that starts a run with it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from typing import Any

from orchestration.core.definition import Json

Schema = Mapping[str, Any]
BY_TYPE: dict[str, Json] = {"integer": 1, "number": 1.5, "boolean": True, "array": [], "object": {}, "null": None}


def example_input(schema: Schema) -> dict[str, Json]:
    """Make an input with every required property (all of them where none is), from examples, defaults and types."""
    properties = schema.get("properties", {})
    wanted = schema.get("required") or list(properties)
    return {name: example_of(properties.get(name, {}), name) for name in wanted}


def example_of(schema: Any, name: str = "") -> Json:
    """Make one value: the schema's own example or default, else something of its type."""
    if not isinstance(schema, Mapping):
        return name
    for key in ("example", "default", "const"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    kind = schema.get("type")
    kind = kind[0] if isinstance(kind, list) and kind else kind
    if kind == "object":
        return example_input(schema)
    if kind in ("integer", "number") and "minimum" in schema:
        return schema["minimum"]
    return BY_TYPE.get(str(kind), f"<{name}>" if name else "")


def curl(base_url: str, slug: str, schema: Schema) -> str:
    """Write the call that starts a run over REST; the token stays in the environment."""
    body = json.dumps({"input": example_input(schema)}, ensure_ascii=False)
    return " \\\n  ".join(
        [
            f"curl {shlex.quote(f'{base_url}/api/v1/workflows/{slug}/runs')}",
            '-H "Authorization: Bearer $BATON_TOKEN"',
            "-H 'Content-Type: application/json'",
            f"-d {shlex.quote(body)}",
        ]
    )
