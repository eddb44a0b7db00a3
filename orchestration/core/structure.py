"""Judge the shape of a document before it is parsed, by the same schema that editors use."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestration.core import humane
from orchestration.core.definition import Json
from orchestration.core.document_schema import MAX_EDGES, MAX_STEPS, document_schema
from orchestration.core.names import did_you_mean
from orchestration.core.problems import Problem
from orchestration.core.values import validator

MAX_PROBLEMS = 200


def structure_problems(document: Mapping[str, Json], kinds: Mapping[str, Any]) -> list[Problem]:
    """List what is wrong with the shape of a document, the first 200; empty means that `parse` will work."""
    for key, most in (("steps", MAX_STEPS), ("edges", MAX_EDGES)):
        items = document.get(key)
        if isinstance(items, list) and len(items) > most:
            fix = "Split the workflow: a step can run another one."
            return [Problem("", key, f"there are {len(items):,}; at most {most:,} are allowed.", fix)]
    found: dict[Problem, None] = {}
    for error in validator(document_schema(kinds)).iter_errors(document):
        found.update(dict.fromkeys(_problems(error, document)))
        if len(found) >= MAX_PROBLEMS:
            break
    return list(found)[:MAX_PROBLEMS]


def error_problems(error: Any, step: str, path: Sequence[str | int]) -> Iterator[Problem]:
    """Turn one schema error into problems; `path` is the place within the step, or within the document."""
    if error.validator == "additionalProperties" and error.validator_value is False:
        known = error.schema.get("properties", {})
        for key in humane.unknown_keys(error):
            fix = did_you_mean(key, known).strip() or f"Known here: {', '.join(known)}."
            yield Problem(step, humane.place([*path, key]), "is not known here.", fix)
        return
    sentence = humane.explain(error).removesuffix("?")
    yield Problem(step, humane.place(path), f"{sentence}{'?' if 'Did you mean' in sentence else '.'}")


def _problems(error: Any, document: Mapping[str, Json]) -> Iterator[Problem]:
    path = list(error.absolute_path)
    if len(path) >= 2 and path[0] == "steps":
        step_id = _step_id(document["steps"][path[1]])
        if step_id and path[2:] != ["id"]:
            return error_problems(error, step_id, path[2:])
    return error_problems(error, "", path)


def _step_id(step: Json) -> str:
    found = step.get("id") if isinstance(step, Mapping) else None
    return found if isinstance(found, str) else ""
