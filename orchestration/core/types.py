"""Which names an expression of a definition may use, and the JSON Schema of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Step
from orchestration.core.expressions import Environment
from orchestration.core.graph import Graph
from orchestration.core.names import TIMESTAMP, Schema

_TEXT: Schema = {"type": "string"}
ERROR: Schema = {"type": "object", "properties": {"code": _TEXT, "message": _TEXT}}
RUN: Mapping[str, Schema] = {
    "run.id": _TEXT,
    "run.number": {"type": "integer"},
    "run.key": {"type": ["string", "null"]},
    "run.started_at": TIMESTAMP,
    "run.workflow": _TEXT,
}


def run_names(definition: Definition) -> dict[str, Schema]:
    """Give the names that exist before any step has run."""
    return {
        "input": definition.input,
        **{f"vars.{name}": variable.schema for name, variable in definition.variables.items()},
        **RUN,
        "trigger": {},
        "now": TIMESTAMP,
    }


def step_names(step: Step, definition: Definition, kinds: Mapping[str, Any], catalog: Catalog) -> dict[str, Schema]:
    """Give the names that a step brings for those after it."""
    kind = kinds.get(step.kind)
    output = kind.output_schema(step, definition, catalog) if kind else {}
    place = f"steps.{step.id}"
    return {f"{place}.output": output, f"{place}.status": _TEXT, f"{place}.error": ERROR}


def names_at(definition: Definition, step_id: str, kinds: Mapping[str, Any], catalog: Catalog) -> Mapping[str, Schema]:
    """Give the names a step may use: of the run, and of the steps that can have run before it."""
    graph = Graph(definition)
    names = run_names(definition)
    for step in definition.steps:
        if graph.may_have_run(step.id, step_id):
            names |= step_names(step, definition, kinds, catalog)
    return names


def compile_environment(definition: Definition, kinds: Mapping[str, Any], catalog: Catalog) -> Environment:
    """Give the environment of a whole definition, for run time: every name that any step may use."""
    names = run_names(definition)
    for step in definition.steps:
        names |= step_names(step, definition, kinds, catalog)
        for use in kinds[step.kind].uses(step) if step.kind in kinds else ():
            for name, schema in use.extra.items():
                # Names such as `error` come from several steps: where their types differ, any is taken.
                names[name] = schema if names.get(name, schema) == schema else {}
    return Environment(names)


def is_metadata(name: str) -> bool:
    """Say whether a name carries no data of the run, so that `reads` need not list it."""
    parts = name.split(".")
    return parts[0] in ("run", "now") or (parts[0] == "steps" and parts[2:] == ["status"])


def step_of(name: str) -> str | None:
    """Give the id of the step that a name belongs to."""
    root, _, rest = name.partition(".")
    return rest.split(".", 1)[0] if root == "steps" and rest else None
