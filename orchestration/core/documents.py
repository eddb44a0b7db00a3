"""Workflow documents: read, judged, parsed into a Definition, and written back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from decimal import Decimal
from typing import Any

from orchestration.core.catalog import Catalog
from orchestration.core.definition import FORMAT, Again, Definition, Edge, Json, Limits, Retry, Step, Variable
from orchestration.core.document_schema import COMMON
from orchestration.core.durations import format_duration, parse_duration
from orchestration.core.errors import InvalidDocument
from orchestration.core.problems import Problem
from orchestration.core.reading import Format, read
from orchestration.core.structure import structure_problems
from orchestration.core.validation import problems
from orchestration.core.writing import to_yaml

__all__ = ["dump", "load", "parse", "read", "structure_problems", "to_yaml"]

_RETRY, _LIMITS, _STEP = Retry(), Limits(), Step("", "")
_INPUT: Mapping[str, Json] = {"type": "object"}
_DURATIONS = ("delay", "max_delay", "wall_time", "deadline")


def load(
    text: str | bytes, kinds: Mapping[str, Any], catalog: Catalog, format: Format | None = None
) -> tuple[Definition | None, list[Problem]]:
    """Read and check a text: its definition, and all its problems. No definition where its shape is wrong."""
    try:
        document = read(text, format)
    except InvalidDocument as error:
        return None, [Problem("", "", str(error), line=error.line, column=error.column)]
    wrong = structure_problems(document, kinds)
    if not wrong:
        definition = parse(document)
        return definition, problems(definition, kinds, catalog)
    rest = _without(document, wrong)
    if rest is not None:
        broken = frozenset(problem.step for problem in wrong if problem.step)
        found = problems(parse(rest), kinds, catalog, broken)
        wrong += [problem for problem in found if problem not in wrong]
    return None, wrong


def parse(document: Mapping[str, Json]) -> Definition:
    """Turn a document without structure problems into a Definition."""
    return Definition(
        name=document["name"],
        description=document.get("description", ""),
        steps=tuple(_parse_step(step) for step in document["steps"]),
        edges=tuple(_parse_edge(edge) for edge in document.get("edges", ())),
        input=document.get("input", _INPUT),
        variables={name: _parse_variable(value) for name, value in document.get("variables", {}).items()},
        limits=_parse_limits(document.get("limits", {})),
        output=document.get("output"),
        key=document.get("key"),
        tags=tuple(document.get("tags", ())),
        layout={step: (float(x), float(y)) for step, (x, y) in document.get("layout", {}).items()},
    )


def dump(definition: Definition) -> dict[str, Json]:
    """Turn a Definition into a document; what is as by default is left out. `parse` gives the same back."""
    document: dict[str, Json] = {
        "format": FORMAT,
        "name": definition.name,
        "description": definition.description,
        "input": None if definition.input == _INPUT else definition.input,
        "variables": {name: _dump_variable(variable) for name, variable in definition.variables.items()},
        "limits": _changed(definition.limits, _LIMITS),
        "key": definition.key,
        "tags": list(definition.tags),
    }
    document = {key: value for key, value in document.items() if key == "name" or value not in ("", None, {}, [])}
    if definition.input != _INPUT:
        document["input"] = definition.input
    document["steps"] = [_dump_step(step) for step in definition.steps]
    document["edges"] = [_dump_edge(edge) for edge in definition.edges]
    if definition.output is not None:
        document["output"] = definition.output
    if definition.layout:
        document["layout"] = {
            step: [int(n) if n.is_integer() else n for n in point] for step, point in definition.layout.items()
        }
    return document


def _parse_step(step: Mapping[str, Json]) -> Step:
    return Step(
        id=step["id"],
        kind=step["kind"],
        config={key: value for key, value in step.items() if key not in COMMON},
        title=step.get("title", ""),
        note=step.get("note", ""),
        run_if=step.get("run_if"),
        retry=_parse_retry(step.get("retry", {})),
        timeout=parse_duration(step["timeout"]) if "timeout" in step else None,
        on_error=step.get("on_error", "fail"),
        join=step.get("join", "all"),
        cancel_rest=step.get("cancel_rest", False),
        reads=tuple(step["reads"]) if "reads" in step else None,
        writes=dict(step.get("writes", {})),
    )


def _parse_retry(retry: Mapping[str, Json]) -> Retry:
    values = _seconds(retry)
    values["on"] = tuple(retry.get("on", ()))
    values["factor"] = float(retry.get("factor", _RETRY.factor))
    return Retry(**values)


def _parse_limits(limits: Mapping[str, Json]) -> Limits:
    values = _seconds(limits)
    if "usd" in limits:
        values["usd"] = Decimal(str(limits["usd"]))
    return Limits(**values)


def _seconds(values: Mapping[str, Json]) -> dict[str, Any]:
    return {key: parse_duration(value) if key in _DURATIONS else value for key, value in values.items()}


def _parse_edge(edge: Mapping[str, Json]) -> Edge:
    source, _, port = edge["from"].partition(".")
    again = Again(edge["again"]["max"]) if "again" in edge else None
    return Edge(source, port or "done", edge["to"], again)


def _parse_variable(variable: Mapping[str, Json]) -> Variable:
    return Variable(variable.get("schema", {}), variable.get("class", "internal"), variable.get("initial"))


def _changed(value: Retry | Limits, default: Retry | Limits) -> dict[str, Json]:
    """Give the fields that are not as by default, as a document has them."""
    changed: dict[str, Json] = {}
    for field in fields(value):
        item = getattr(value, field.name)
        if item != getattr(default, field.name):
            changed[field.name] = _written(field.name, item)
    return changed


def _written(name: str, item: Any) -> Json:
    if name in _DURATIONS:
        return format_duration(item)
    if isinstance(item, Decimal):
        return int(item) if item == item.to_integral_value() else float(item)
    return list(item) if isinstance(item, tuple) else item


def _dump_step(step: Step) -> dict[str, Json]:
    common: dict[str, Json] = {
        name: getattr(step, name)
        for name in ("title", "note", "run_if", "on_error", "join", "cancel_rest", "writes")
        if getattr(step, name) != getattr(_STEP, name)
    }
    if step.retry != _RETRY:
        common["retry"] = _changed(step.retry, _RETRY)
    if step.timeout is not None:
        common["timeout"] = format_duration(step.timeout)
    if step.reads is not None:
        common["reads"] = list(step.reads)
    return {"id": step.id, "kind": step.kind, **step.config, **common}


def _dump_edge(edge: Edge) -> dict[str, Json]:
    written: dict[str, Json] = {
        "from": edge.source if edge.port == "done" else f"{edge.source}.{edge.port}",
        "to": edge.target,
    }
    if edge.again:
        written["again"] = {"max": edge.again.max}
    return written


def _dump_variable(variable: Variable) -> dict[str, Json]:
    written: dict[str, Json] = {"schema": variable.schema} if variable.schema else {}
    if variable.data_class != "internal":
        written["class"] = variable.data_class
    if variable.initial is not None:
        written["initial"] = variable.initial
    return written


def _without(document: Mapping[str, Json], wrong: list[Problem]) -> dict[str, Json] | None:
    """Leave out what is broken, so that the rest can be judged too; None where too much is."""
    rest = dict(document)
    broken = {problem.step for problem in wrong if problem.step}
    for problem in wrong:
        key = problem.field.split(".")[0].split("[")[0]
        if problem.step:
            if problem.field == "id":
                return None
        elif key in ("steps", "edges", "input", "variables") or key == "":
            return None
        else:
            rest.pop(key, None)
    rest.setdefault("name", "")
    if not isinstance(rest.get("steps"), list):
        return None
    rest["steps"] = [
        {"id": step["id"], "kind": str(step.get("kind"))} if step["id"] in broken else step for step in rest["steps"]
    ]
    return rest
