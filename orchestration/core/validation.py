"""Judge a whole definition: every problem at once, the same for the designer, the API, the CLI and import."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.core import values
from orchestration.core.advice import warnings
from orchestration.core.catalog import Catalog
from orchestration.core.definition import START, Definition, Json, Step
from orchestration.core.document_schema import closed
from orchestration.core.errors import InvalidValue
from orchestration.core.graph import Graph
from orchestration.core.graph_checks import graph_problems
from orchestration.core.names import did_you_mean
from orchestration.core.problems import Problem, Severity
from orchestration.core.structure import error_problems
from orchestration.core.use_checks import UseChecker

__all__ = ["Problem", "problems"]


def problems(
    definition: Definition,
    kinds: Mapping[str, Any],
    catalog: Catalog,
    broken: frozenset[str] = frozenset(),
) -> list[Problem]:
    """List all that is wrong with a definition, in the order of the document; warnings last.

    `kinds` are `kinds.base.Kind` by name. `broken` steps are already known to be wrong: their config is not read.
    """
    known = {name: kind for name, kind in kinds.items() if name != START}
    found = [*_schema_problems(definition), *_limit_problems(definition)]
    found += [problem for step in definition.steps for problem in _timeout_problems(step)]
    config = [problem for step in definition.steps for problem in _config_problems(step, known, broken)]
    broken |= {problem.step for problem in config}
    graph = Graph(definition)
    found += [*config, *graph_problems(definition, graph, known, broken)]
    found += [problem for step in definition.steps for problem in _complaints(step, definition, known, catalog, broken)]
    found += [p for step in definition.steps for p in _stand_in_problems(step, definition, known, catalog, broken)]
    found += UseChecker(definition, graph, known, catalog, broken).problems()
    found += warnings(definition, catalog)
    return sorted(dict.fromkeys(found), key=lambda problem: problem.severity == "warning")


def _schema_problems(definition: Definition) -> Iterator[Problem]:
    wrong = values.schema_problems(definition.input)
    yield from (Problem("", "input", f"{message}.") for message in wrong)
    if not wrong and definition.input.get("type", "object") != "object":
        yield Problem("", "input", "the input must be an object.", "Write `type: object` and its properties.")
    for name, variable in definition.variables.items():
        wrong = values.schema_problems(variable.schema)
        yield from (Problem("", f"variables.{name}.schema", f"{message}.") for message in wrong)
        if not wrong and variable.initial is not None:
            yield from _initial_problems(name, variable.initial, variable.schema)


def _initial_problems(name: str, initial: Json, schema: Mapping[str, Json]) -> Iterator[Problem]:
    field = f"variables.{name}.initial"
    try:
        values.check(initial, schema, field)
    except InvalidValue as error:
        yield Problem("", error.place, f"{error.reason}.", "The initial value must match the variable's schema.")


def _limit_problems(definition: Definition) -> Iterator[Problem]:
    for name in ("usd", "tokens", "steps", "wall_time", "deadline"):
        limit = getattr(definition.limits, name)
        if limit is not None and limit <= 0 and name != "usd":
            yield Problem("", f"limits.{name}", "must be more than 0.", "Take the limit out to have none.")


def _timeout_problems(step: Step) -> Iterator[Problem]:
    if step.timeout is not None and step.timeout <= 0:
        yield Problem(step.id, "timeout", "must be more than 0.", "Take it out to have the kind's own.")


def _config_problems(step: Step, kinds: Mapping[str, Any], broken: frozenset[str]) -> Iterator[Problem]:
    """Judge a step's own settings by the schema of its kind, and the schemas that are written in them."""
    if step.id in broken:
        return
    kind = kinds.get(step.kind)
    if kind is None:
        fix = did_you_mean(step.kind, kinds).strip() or f"Kinds: {', '.join(kinds)}."
        yield Problem(step.id, "kind", f"there is no kind '{step.kind}'.", fix)
        return
    schema = closed(kind.config_schema)
    for error in values.validator(schema).iter_errors(dict(step.config)):
        yield from error_problems(error, step.id, list(error.absolute_path))
    for name, field in schema["properties"].items():
        if field.get("x-editor") == "schema" and name in step.config:
            for message in values.schema_problems(step.config[name]):
                yield Problem(step.id, name, f"{message}.")


def _stand_in_problems(
    step: Step, definition: Definition, kinds: Mapping[str, Any], catalog: Catalog, broken: frozenset[str]
) -> Iterator[Problem]:
    """The value that stands in for a failed step is read as its output, so it must look like it."""
    if step.id in broken or step.kind not in kinds or not isinstance(step.on_error, Mapping):
        return
    if "{{" in str(step.on_error.get("value")):
        return  # refused as such
    schema = kinds[step.kind].output_schema(step, definition, catalog)
    if values.schema_problems(schema):
        return
    for error in values.problems(step.on_error.get("value"), schema, "on_error.value"):
        fix = "It stands in for the step's output, so it must match its schema."
        yield Problem(step.id, error.place, f"{error.reason}.", fix)


def _complaints(
    step: Step, definition: Definition, kinds: Mapping[str, Any], catalog: Catalog, broken: frozenset[str]
) -> Iterator[Problem]:
    if step.id in broken or step.kind not in kinds:
        return
    for complaint in kinds[step.kind].check(step, definition, catalog):
        message = complaint.message if complaint.message.endswith((".", "?")) else f"{complaint.message}."
        severity: Severity = "warning" if complaint.warning else "error"
        yield Problem(step.id, complaint.field, message, complaint.fix, severity)
