"""Values against JSON Schemas (draft 2020-12), and schemas against what this program will take.

Patterns are RE2, which no text can make slow; references stay within the schema; formats are checked.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from functools import lru_cache
from typing import Any
from urllib.parse import urlsplit

import orjson
from jsonschema import Draft202012Validator, FormatChecker, ValidationError
from jsonschema.exceptions import SchemaError, best_match
from jsonschema.validators import extend
from referencing import Registry
from referencing.exceptions import Unresolvable

from orchestration.core import cel, humane
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError, InvalidValue
from orchestration.core.schemas import schema_problems

__all__ = ["check", "problems", "schema_problems", "validator", "with_defaults"]

MOST_PROBLEMS = 50  # listed of one value

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d[Tt ]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)")
_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_LONGEST_ADDRESS = 320  # characters of an e-mail address

formats = FormatChecker(formats=())


def check(value: Json, schema: Mapping[str, Json], place: str = "") -> None:
    """Check a value. Raises InvalidValue that names the place, below `place` where given."""
    error = best_match(_errors(value, schema, place))
    if error is not None:
        raise _invalid(error, place)


def problems(value: Json, schema: Mapping[str, Json], place: str = "") -> list[InvalidValue]:
    """List all that is wrong with a value, each mistake once; empty when it matches. At most MOST_PROBLEMS."""
    told: dict[tuple[str, str], InvalidValue] = {}
    try:
        for error in _errors(value, schema, place):
            found = _invalid(best_match([error]), place)
            told.setdefault((found.place, found.reason), found)
            if len(told) == MOST_PROBLEMS:
                break
    except InvalidValue as error:  # it can't be checked at all
        return [error]
    return list(told.values())


def _errors(value: Json, schema: Mapping[str, Json], place: str) -> Iterator[Any]:
    """Yield what the validator finds. Raises InvalidValue where it can't look."""
    if not schema:
        return
    try:
        yield from validator(schema).iter_errors(value)
    except RecursionError as problem:
        raise InvalidValue("is nested too deep to be checked", place) from problem
    except SchemaError as problem:
        raise InvalidValue(f"can't be checked, its schema is wrong: {problem.message[:200]}", place) from problem
    except (Unresolvable, EvaluationError, TypeError) as problem:
        raise InvalidValue(f"can't be checked, its schema is wrong: {problem}", place) from problem


def _invalid(error: Any, place: str) -> InvalidValue:
    below = humane.place(error.absolute_path)
    where = f"{place}{below}" if below.startswith("[") else ".".join(filter(None, (place, below)))
    return InvalidValue(humane.explain(error), where)


def validator(schema: Mapping[str, Json]) -> Any:
    """Give the compiled validator of a schema; the same schema is compiled once. Raises SchemaError."""
    return _compiled(orjson.dumps(schema, default=dict))


def with_defaults(value: Json, schema: Mapping[str, Json]) -> Json:
    """Give the value with the schema's defaults filled in, deep; the value itself is not changed."""
    if isinstance(value, dict):
        known = schema.get("properties")
        properties = known if isinstance(known, Mapping) else {}
        filled = {key: with_defaults(item, _schema(properties.get(key))) for key, item in value.items()}
        for key, child in properties.items():
            if key not in filled and isinstance(child, Mapping) and "default" in child:
                filled[key] = with_defaults(child["default"], child)
        return filled
    if isinstance(value, list):
        items = _schema(schema.get("items"))
        return [with_defaults(item, items) for item in value]
    return value


def _schema(found: Json) -> Mapping[str, Json]:
    return found if isinstance(found, Mapping) else {}


@lru_cache(maxsize=1024)
def _compiled(text: bytes) -> Any:
    schema = orjson.loads(text)
    _Validator.check_schema(schema)
    # An empty registry: a `$ref` to another host is never fetched.
    return _Validator(schema, format_checker=formats, registry=Registry())


def _pattern(_: Any, pattern: str, instance: Json, schema: Json) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not cel.matches(pattern, instance):
        yield ValidationError("pattern")


def _pattern_properties(
    checker: Any, patterns: Mapping[str, Json], instance: Json, schema: Json
) -> Iterator[ValidationError]:
    for pattern, child in patterns.items() if isinstance(instance, dict) else ():
        for key, item in instance.items():
            if cel.matches(pattern, key):
                yield from checker.descend(item, child, path=key, schema_path=pattern)


def _additional(checker: Any, allowed: Json, instance: Json, schema: Json) -> Iterator[ValidationError]:
    if not isinstance(instance, dict):
        return
    known, patterns = schema.get("properties", {}), schema.get("patternProperties", {})
    extra = [key for key in instance if key not in known and not any(cel.matches(item, key) for item in patterns)]
    if allowed is False and extra:
        yield ValidationError("additionalProperties")
    elif isinstance(allowed, dict):
        for key in extra:
            yield from checker.descend(instance[key], allowed, path=key)


_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {"pattern": _pattern, "patternProperties": _pattern_properties, "additionalProperties": _additional},
)


@formats.checks("date-time")
def _is_instant(value: object) -> bool:
    if not isinstance(value, str):
        return True
    if not _INSTANT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value.upper().replace("Z", "+00:00"))
    except ValueError:
        return False
    return True


@formats.checks("date")
def _is_date(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        return bool(_DAY.fullmatch(value) and date.fromisoformat(value))
    except ValueError:
        return False


@formats.checks("email")
def _is_email(value: object) -> bool:
    if not isinstance(value, str):
        return True
    name, at, host = value.partition("@")
    spaced = any(mark.isspace() for mark in value)
    return bool(name and at and host) and "@" not in host and not spaced and len(value) <= _LONGEST_ADDRESS


@formats.checks("uri")
def _is_uri(value: object) -> bool:
    if not isinstance(value, str):
        return True
    try:
        parts = urlsplit(value)
    except ValueError:
        return False
    return bool(parts.scheme and (parts.netloc or parts.path)) and not any(mark.isspace() for mark in value)
