"""The errors of the core. The docstring of a class says what happened and what to do, and is its default message."""

from __future__ import annotations


class WorkflowError(Exception):
    """Something is wrong with a workflow or a run."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").strip())


class InvalidDocument(WorkflowError):
    """The document can't be read as YAML or JSON. `line` and `column` (from 1) name the place where known."""

    def __init__(self, message: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class InvalidDefinition(WorkflowError):
    """The definition has problems; `problems` lists them all."""

    def __init__(self, problems: list) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems


class ExpressionError(WorkflowError):
    """The expression can't be compiled. `line` and `column` count from 1 within its source."""

    def __init__(self, message: str, line: int = 1, column: int = 1) -> None:
        super().__init__(message)
        self.line = line
        self.column = column


class EvaluationError(WorkflowError):
    """The expression could not be evaluated over the values of this run."""


class InvalidValue(WorkflowError):
    """A value does not match its JSON Schema. `place` is a dotted path from the root of the value."""

    def __init__(self, message: str, place: str = "") -> None:
        super().__init__(f"{place}: {message}" if place else message)
        self.place = place
        self.reason = message

    @property
    def problems(self) -> list[InvalidValue]:
        """List every mistake that was found: this one, unless several were looked for."""
        return [self]


class InvalidValues(InvalidValue):
    """A value does not match its JSON Schema in several places: `problems` lists them all, this error is the first."""

    def __init__(self, problems: list[InvalidValue]) -> None:
        super().__init__(problems[0].reason, problems[0].place)
        self._problems = problems

    @property
    def problems(self) -> list[InvalidValue]:
        """List every mistake, in the order of the schema."""
        return self._problems
