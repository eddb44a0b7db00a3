"""Say in plain English what a JSON Schema error means. Values are never repeated: they may be personal.

An error is a `jsonschema.ValidationError`; its typing allows for fields that iterating over errors always sets.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from orchestration.core.names import did_you_mean

_TYPES = {
    "string": "text", "integer": "a whole number", "number": "a number", "boolean": "true or false",
    "array": "a list", "object": "an object", "null": "null",
}  # fmt: skip
_FORMATS = {
    "date-time": "a date and time such as 2026-11-02T09:00:00Z",
    "date": "a date such as 2026-11-02",
    "email": "an e-mail address",
    "uri": "a web address such as https://example.org/",
}


def explain(error: Any) -> str:
    """Give a sentence without its subject: `must be at least 1`. `x-message` in the schema says it itself."""
    if isinstance(error.schema, dict) and isinstance(error.schema.get("x-message"), str):
        return str(error.schema["x-message"])
    told = _SENTENCES.get(str(error.validator))
    return told(error) if told else f"does not satisfy `{error.validator}`"


def place(path: Iterable[str | int]) -> str:
    """Write a path as `steps[2].retry.attempts`."""
    text = ""
    for part in path:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def unknown_keys(error: Any) -> list[str]:
    """Name the keys that an `additionalProperties` error is about."""
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    return [key for key in error.instance if key not in known]


def type_words(kinds: str | list[str]) -> str:
    """Name JSON types: `text or null`."""
    return " or ".join(_TYPES.get(kind, kind) for kind in ([kinds] if isinstance(kinds, str) else kinds))


def _missing(error: Any) -> str:
    missing = [key for key in error.validator_value if key not in error.instance]
    return f"needs {', '.join(missing)}"


def _unknown(error: Any) -> str:
    if error.validator_value is not False:
        return "has a key that is not allowed"
    keys = unknown_keys(error)
    known = error.schema.get("properties", {}) if isinstance(error.schema, dict) else {}
    hint = did_you_mean(keys[0], known) if len(keys) == 1 else ""
    return f"does not know {', '.join(repr(key) for key in keys)}.{hint}".removesuffix(".")


def _choice(error: Any) -> str:
    choices = ", ".join(str(choice) for choice in error.validator_value[:20])
    hint = did_you_mean(error.instance, map(str, error.validator_value)) if isinstance(error.instance, str) else ""
    return f"must be one of {choices}.{hint}".removesuffix(".")


def _alternatives(error: Any) -> str:
    told = dict.fromkeys(explain(part) for part in error.context or () if not part.relative_path)
    return ", or ".join(told) if 0 < len(told) <= 3 else "has none of the allowed forms"


def _size(few: str, what: str) -> Callable[[Any], str]:
    return lambda error: f"must have {few} {error.validator_value} {what}"


_SENTENCES: dict[str, Callable[[Any], str]] = {
    "required": _missing,
    "additionalProperties": _unknown,
    "enum": _choice,
    "const": lambda error: f"must be {error.validator_value!r}",
    "type": lambda error: f"must be {type_words(error.validator_value)}",
    "minimum": lambda error: f"must be at least {error.validator_value}",
    "maximum": lambda error: f"must be at most {error.validator_value}",
    "exclusiveMinimum": lambda error: f"must be more than {error.validator_value}",
    "exclusiveMaximum": lambda error: f"must be less than {error.validator_value}",
    "multipleOf": lambda error: f"must be a multiple of {error.validator_value}",
    "minLength": lambda error: (
        "must not be empty" if error.validator_value == 1 else f"must have at least {error.validator_value} characters"
    ),
    "maxLength": _size("at most", "characters"),
    "minItems": _size("at least", "items"),
    "maxItems": _size("at most", "items"),
    "minProperties": _size("at least", "keys"),
    "maxProperties": _size("at most", "keys"),
    "uniqueItems": lambda error: "must not hold the same item twice",
    "pattern": lambda error: f"must match {error.validator_value}",
    "format": lambda error: f"must be {_FORMATS.get(error.validator_value, error.validator_value)}",
    "anyOf": _alternatives,
    "oneOf": lambda error: "must have exactly one of the allowed forms",
    "not": lambda error: "has a form that is not allowed",
    "False schema": lambda error: "is not allowed here",
}
