"""From what a model said to a checked value: the schema it is asked for, and what was wrong with its answer."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from jsonschema.exceptions import SchemaError
from referencing.exceptions import Unresolvable

from orchestration.core import humane
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError
from orchestration.core.values import validator
from orchestration.providers.payloads import BadPayload, check_value, parse_json

_FENCED = re.compile(r"```[a-zA-Z]*\s*\n(.*?)```", re.DOTALL)
_MOST_PROBLEMS = 5


class BadAnswer(Exception):
    """The model's answer is not what was asked for; the message lists what is wrong."""


@dataclass(frozen=True, slots=True)
class AskedSchema:
    """A schema as a provider gets it. Providers want an object at the root, so other values travel in `value`."""

    schema: dict[str, Any]
    wrapped: bool

    @classmethod
    def of(cls, schema: Mapping[str, Json]) -> AskedSchema:
        if schema.get("type") == "object" or "properties" in schema:
            return cls(dict(schema), wrapped=False)
        inner = {key: value for key, value in schema.items() if key not in ("$defs", "definitions")}
        root = {"type": "object", "properties": {"value": inner}, "required": ["value"], "additionalProperties": False}
        return cls({**root, **{key: schema[key] for key in ("$defs", "definitions") if key in schema}}, wrapped=True)

    def unwrap(self, value: Json) -> Json:
        if self.wrapped and isinstance(value, dict) and set(value) == {"value"}:
            return value["value"]
        return value


def schema_text(schema: Mapping[str, Json] | None) -> str:
    """Write a schema as compact JSON; nothing for None."""
    return "" if schema is None else json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def instruction_for(schema: Mapping[str, Json]) -> str:
    """Ask in words for an answer of this schema, for models that take no schema."""
    return f"Answer with one JSON value that matches this JSON Schema, and with nothing else:\n{schema_text(schema)}"


def read_json(text: str) -> Json:
    """Read a model's answer as JSON, with or without a code fence around it. Raises BadAnswer."""
    fenced = _FENCED.search(text)
    body = (fenced[1] if fenced else text).strip()
    if not body:
        raise BadAnswer("the answer is empty; one JSON value was asked for")
    try:
        return parse_json(body)
    except BadPayload as error:
        raise BadAnswer(f"the answer is {error}") from None


def checked(value: Json, schema: Mapping[str, Json]) -> Json:
    """Give `value` back if it can be kept and matches `schema`. Raises BadAnswer listing up to five problems."""
    try:
        check_value(value)
        found = sorted(validator(schema).iter_errors(value), key=lambda error: list(map(str, error.absolute_path)))
    except BadPayload as error:
        raise BadAnswer(f"the answer {error}") from None
    except (Unresolvable, SchemaError, EvaluationError, RecursionError, TypeError) as error:
        raise BadAnswer(f"the step's output schema can't be used: {str(error)[:200]}") from None
    if found:
        raise BadAnswer("; ".join(list(dict.fromkeys(map(_sentence, found)))[:_MOST_PROBLEMS]))
    return value


def _sentence(error: Any) -> str:
    return f"{humane.place(error.absolute_path)} {humane.explain(error)}".strip()
