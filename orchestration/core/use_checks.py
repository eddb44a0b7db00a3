"""Compile each expression and template of a definition where it stands, with the names that can exist there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from orchestration.core import names
from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.errors import ExpressionError
from orchestration.core.expressions import Environment
from orchestration.core.graph import Graph
from orchestration.core.problems import Problem
from orchestration.core.templates import Template
from orchestration.core.types import is_metadata, run_names, step_names, step_of

_WANTS = {"S": "string", "I": "int", "D": "number", "B": "bool", "M": "map"}  # of a variable, by its letter


class UseChecker:
    """Checks the expressions of one definition; environments are shared between steps."""

    def __init__(
        self, definition: Definition, graph: Graph, kinds: Mapping[str, Any], catalog: Catalog, broken: frozenset[str]
    ) -> None:
        self.definition, self.graph, self.kinds, self.broken = definition, graph, kinds, broken
        self.run_names = run_names(definition)
        known = dict(self.run_names)
        for step in definition.steps:
            usable = kinds if step.id not in broken else {}
            known |= step_names(step, definition, usable, catalog)
        self.environment = Environment(known)
        self.extended: list[tuple[Mapping[str, Any], Environment]] = []

    def problems(self) -> Iterator[Problem]:
        """Yield what is wrong with any expression or template."""
        for step in self.definition.steps:
            yield from self._step(step)
        yield from self._key()
        if self.definition.output is not None:
            _, wrong = self._template("", "output", self.definition.output, self.environment)
            yield from wrong

    def _step(self, step: Step) -> Iterator[Problem]:
        yield from self._reads(step)
        if step.run_if is not None:
            yield from self._expression(step, "run_if", step.run_if, "bool")
        for variable, source in step.writes.items():
            yield from self._write(step, variable, source)
        if isinstance(step.on_error, Mapping) and "{{" in str(step.on_error.get("value")):
            message = "is used as it is written: it can't hold {{ }}."
            yield Problem(step.id, "on_error.value", message, "Write the value itself, or handle `error` by an edge.")
        kind = self.kinds.get(step.kind)
        if kind is not None and step.id not in self.broken:
            for use in kind.uses(step):
                yield from self._use(step, use)

    def _use(self, step: Step, use: Any) -> Iterator[Problem]:
        environment = self._extended(use.extra)
        if use.template:
            referred, wrong = self._template(step.id, use.field, use.source, environment)
            yield from wrong
            yield from self._placed(step, use.field, referred, use.extra, itself=False)
        elif not isinstance(use.source, str):
            yield Problem(step.id, use.field, "must be a CEL expression in quotes.")
        else:
            yield from self._expression(step, use.field, use.source, use.wants, environment, use.extra)

    def _write(self, step: Step, variable: str, source: str) -> Iterator[Problem]:
        field = f"writes.{variable}"
        declared = self.definition.variables.get(variable)
        if declared is None:
            fix = names.did_you_mean(variable, self.definition.variables).strip() or "Declare it under `variables`."
            yield Problem(step.id, field, f"there is no variable '{variable}'.", fix)
        wants = _WANTS.get(names.letter(declared.schema, declared.schema)) if declared else None
        yield from self._expression(step, field, source, wants, itself=True)

    def _expression(
        self,
        step: Step,
        field: str,
        source: str,
        wants: str | None,
        environment: Environment | None = None,
        extra: Mapping[str, Any] | None = None,
        itself: bool = False,
    ) -> Iterator[Problem]:
        try:
            expression = (environment or self.environment).compile(source, wants)
        except ExpressionError as error:
            yield Problem(step.id, field, str(error), line=error.line, column=error.column)
            return
        yield from self._placed(step, field, expression.names, extra or {}, itself)

    def _template(
        self, step_id: str, field: str, value: Json, environment: Environment
    ) -> tuple[frozenset[str], list[Problem]]:
        try:
            return Template.compile(value, environment).names, []
        except ExpressionError as error:
            return frozenset(), [Problem(step_id, field, str(error), line=error.line, column=error.column)]

    def _placed(
        self, step: Step, field: str, referred: frozenset[str], extra: Mapping[str, Any], itself: bool
    ) -> Iterator[Problem]:
        """Judge names by where they stand: steps that can't have run, data that `reads` does not list."""
        for name in sorted(referred):
            other = step_of(name)
            own = other == step.id and itself
            if other is not None and not own and not self.graph.may_have_run(other, step.id):
                message = f"step {other} cannot have run before {step.id}."
                yield Problem(step.id, field, message, f"Refer to a step that leads to {step.id}, or add an edge.")
            elif step.reads is not None and not (own or is_metadata(name) or _is_of(name, (*extra, *step.reads))):
                fix = f"Add {name} to `reads`, or leave it out here."
                yield Problem(step.id, field, f"uses {name}, which is not in its `reads`.", fix)

    def _reads(self, step: Step) -> Iterator[Problem]:
        for number, name in enumerate(step.reads or ()):
            if any(known.startswith(f"{name}.") for known in self.environment.names):
                continue
            try:
                found = names.resolve(self.environment.names, name.split("."))
            except names.UnknownName as error:
                yield Problem(step.id, f"reads[{number}]", str(error))
                continue
            if found.rest:
                message = f"{found.name} does not say which properties it has, so it is read as a whole."
                yield Problem(step.id, f"reads[{number}]", message, f"Write {found.name}.")

    def _key(self) -> Iterator[Problem]:
        if self.definition.key is None:
            return
        at_start = {name: schema for name, schema in self.run_names.items() if name in ("input", "trigger")}
        try:
            Environment(at_start).compile(self.definition.key)
        except ExpressionError as error:
            yield Problem("", "key", str(error), line=error.line, column=error.column)

    def _extended(self, extra: Mapping[str, Any]) -> Environment:
        if not extra:
            return self.environment
        for known, environment in self.extended:
            if known == extra:
                return environment
        environment = self.environment.extended(extra)
        self.extended.append((extra, environment))
        return environment


def _is_of(name: str, listed: Iterable[str]) -> bool:
    return any(name == item or name.startswith(f"{item}.") for item in listed)
