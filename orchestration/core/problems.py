"""A problem of a workflow document, as the designer, the API, the CLI and import all show it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Literal

from orchestration.core.definition import Json

Severity = Literal["error", "warning"]


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong where, and how to put it right. `line` and `column` are within the text of the field."""

    step: str  # the step's id; empty when it is about the whole document
    field: str  # dotted place within the step, or within the document
    message: str
    fix: str = ""
    severity: Severity = "error"
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        where = ", ".join(filter(None, [f"step {self.step}" if self.step else "", self.field]))
        if self.line is not None and self.column is not None:
            where += f" (line {self.line}, column {self.column})"
        text = f"{where}: {self.message}" if where else self.message
        return f"{text} {self.fix}".strip()

    def to_dict(self) -> dict[str, Json]:
        """Give the problem as JSON, for the API."""
        return asdict(self)


def errors(found: Iterable[Problem]) -> list[Problem]:
    """Keep what stands in the way of saving; warnings do not."""
    return [problem for problem in found if problem.severity == "error"]
