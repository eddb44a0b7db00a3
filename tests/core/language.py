"""Builders for the tests of the language: tiny kinds, a catalog, documents."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any

from orchestration.core.catalog import Catalog, Tool
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.documents import load, parse
from orchestration.core.problems import Problem
from orchestration.core.validation import problems
from orchestration.kinds.base import Complaint, Kind, Use


class Say(Kind):
    """A kind with a template, a condition and an output of its own."""

    name = "say"
    config_schema: Mapping[str, Json] = {
        "type": "object",
        "required": ["text"],
        "properties": {
            "text": {"type": "string"},
            "when": {"type": "string"},
            "repair": {"type": "string"},
            "schema": {"type": "object", "x-editor": "schema"},
            "parts": {"type": "array", "items": {"$ref": "#/$defs/part"}},
        },
        "$defs": {"part": {"type": "object", "properties": {"size": {"type": "integer", "minimum": 1}}}},
    }

    def uses(self, step: Step) -> Iterable[Use]:
        yield Use("text", step.config["text"], template=True)
        if "when" in step.config:
            yield Use("when", step.config["when"], wants="bool")
        if "repair" in step.config:
            message = {"type": "object", "properties": {"message": {"type": "string"}}}
            yield Use("repair", step.config["repair"], template=True, extra={"error": message})

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        if step.config["text"] == "shout":
            yield Complaint("text", "is too loud", "Speak softly.")

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        return {"type": "object", "properties": {"text": {"type": "string"}, "score": {"type": "number"}}}


class Fork(Kind):
    name = "fork"

    def ports(self, config: Mapping[str, Json]) -> tuple[str, ...]:
        return ("left", "right", "error")


class CallTool(Kind):
    name = "tool"
    config_schema: Mapping[str, Json] = {"type": "object", "properties": {"tool": {"type": "string"}}}


class Ask(Kind):
    name = "model"
    config_schema: Mapping[str, Json] = {"type": "object", "properties": {"ladder": {"type": "array"}}}


KINDS: dict[str, Kind] = {kind.name: kind for kind in (Say(), Fork(), CallTool(), Ask())}
CATALOG = Catalog(
    tools={
        "desk.open": Tool("desk.open", risk="write", effect="once"),
        "desk.pay": Tool("desk.pay", risk="money", effect="once"),
        "desk.read": Tool("desk.read", risk="read", effect="read"),
    }
)
INPUT: Mapping[str, Json] = {
    "type": "object",
    "required": ["body"],
    "properties": {"body": {"type": "string"}, "amount": {"type": "number"}, "customer": {"type": "string"}},
}


def say(step_id: str, text: str = "hello", **more: Json) -> dict[str, Json]:
    return {"id": step_id, "kind": "say", "text": text, **more}


def edge(source: str, target: str, **more: Json) -> dict[str, Json]:
    return {"from": source, "to": target, **more}


def document(steps: list[Json], edges: list[Json] | None = None, **more: Json) -> dict[str, Json]:
    """Build a document; without edges the steps follow each other from `start`."""
    if edges is None:
        ids = ["start", *(step["id"] for step in steps)]
        edges = [edge(one, other) for one, other in pairwise(ids)]
    return {"format": "baton/1", "name": "Test", "input": dict(INPUT), "steps": steps, "edges": edges, **more}


def judged(steps: list[Json], edges: list[Json] | None = None, **more: Json) -> list[Problem]:
    return problems(parse(document(steps, edges, **more)), KINDS, CATALOG)


def loaded(text: str | bytes) -> tuple[Definition | None, list[Problem]]:
    return load(text, KINDS, CATALOG)


def the_one(found: list[Problem], **expected: Any) -> Problem:
    """Give the only problem that has these fields."""
    matching = [item for item in found if all(getattr(item, key) == value for key, value in expected.items())]
    assert len(matching) == 1, [str(item) for item in found]
    return matching[0]
