"""What pydantic finds wrong with a request, in the words that the rest of the API uses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

# The type of an error -> a sentence, with what pydantic knows about the limit.
SENTENCES = {
    "missing": "This is needed.",
    "extra_forbidden": "There is no such field.",
    "string_type": "This must be text.",
    "string_too_short": "This needs {min_length} or more characters.",
    "string_too_long": "This may have {max_length} or fewer characters.",
    "string_pattern_mismatch": "This must match {pattern}.",
    "int_type": "This must be a whole number.",
    "int_parsing": "This must be a whole number.",
    "int_parsing_size": "This number is too large.",
    "int_from_float": "This must be a whole number.",
    "float_type": "This must be a number.",
    "float_parsing": "This must be a number.",
    "finite_number": "This must be a number.",
    "bool_type": "This must be true or false.",
    "bool_parsing": "This must be true or false.",
    "dict_type": "This must be an object.",
    "model_type": "This must be an object.",
    "model_attributes_type": "This must be an object.",
    "list_type": "This must be a list.",
    "too_short": "This needs {min_length} or more items.",
    "too_long": "This may have {max_length} or fewer items.",
    "greater_than": "This must be more than {gt}.",
    "greater_than_equal": "This must be at least {ge}.",
    "less_than": "This must be less than {lt}.",
    "less_than_equal": "This must be at most {le}.",
    "uuid_type": "This must be an id such as 0190f7c2-6a5e-7c3b-9f4e-2d1a8b7c6e5f.",
    "uuid_parsing": "This must be an id such as 0190f7c2-6a5e-7c3b-9f4e-2d1a8b7c6e5f.",
    "enum": "This must be {expected}.",
    "literal_error": "This must be {expected}.",
    "datetime_type": "This must be a date and time such as 2026-11-02T09:00:00Z.",
    "datetime_parsing": "This must be a date and time such as 2026-11-02T09:00:00Z.",
    "datetime_from_date_parsing": "This must be a date and time such as 2026-11-02T09:00:00Z.",
    "json_type": "This must be JSON.",
    "json_invalid": "This must be JSON.",
}
NO_BODY = "The request has no body."
NO_PARAMETER = "There is no such parameter."


def place_of(error: Mapping[str, Any]) -> dict[str, str]:
    """Give an error of pydantic as a problem, at its place as the caller wrote it: without ninja's own names."""
    source, *rest = [str(part) for part in error["loc"]]
    inner = {"body": rest[1:], "query": rest[-1:]}.get(source, rest)
    return {"step": "", "field": ".".join(inner) or source, "message": _message(error, source, inner), "fix": ""}


def _message(error: Mapping[str, Any], source: str, inner: list[str]) -> str:
    kind = str(error["type"])
    if kind == "missing" and source == "body" and not inner:
        return NO_BODY
    if kind == "extra_forbidden" and source == "query":
        return NO_PARAMETER
    known = {name: str(value).replace("'", "") for name, value in (error.get("ctx") or {}).items()}
    sentence = SENTENCES.get(kind)
    return sentence.format_map(known) if sentence else f"{error['msg']}."
