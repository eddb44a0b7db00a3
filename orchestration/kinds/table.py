"""Conditions and decision tables, as branches, rules and the ladder of a model read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from orchestration.core import tokens
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError, ExpressionError
from orchestration.kinds.base import Scope

SHOWN = 160  # characters of an expression that a reason repeats

_ROOTS = ("input", "vars", "steps")


def holds(scope: Scope, condition: str) -> bool:
    """Say whether a condition is true. Raises EvaluationError, also where the answer is neither true nor false."""
    answer = scope.evaluate(condition)
    if not isinstance(answer, bool):
        raise EvaluationError(f"`{condition}` gave {answer!r:.60}; a condition must be true or false")
    return answer


def matches(rows: Sequence[Mapping[str, Json]], scope: Scope) -> Iterator[tuple[int, Mapping[str, Json]]]:
    """Yield the rows that match, each with its number from 1, in order. A row without `when` always matches."""
    for number, row in enumerate(rows, start=1):
        if "when" not in row or holds(scope, row["when"]):
            yield number, row


def describe(number: int, row: Mapping[str, Json]) -> str:
    """Name a row for a person: its number, its name if it has one, and its condition."""
    named = f"row {number}, {row['name']}" if row.get("name") else f"row {number}"
    return f"{named}: {shown(row['when'])}" if "when" in row else f"{named}: no condition"


def readings(scope: Scope, condition: str) -> str:
    """Tell the numbers and flags that a condition looked at: `steps.score.output.urgency = 0.91`.

    Texts are left out: they may be personal, and a reason is read by everyone who may see the run.
    """
    scanned = list(tokens.scan(condition))
    names = dict.fromkeys(".".join(chain.parts) for chain in tokens.chains(scanned) if chain.parts[0] in _ROOTS)
    found = {name: _reading(scope, name) for name in names}
    return ", ".join(f"{name} = {value}" for name, value in found.items() if value)


def _reading(scope: Scope, name: str) -> str:
    try:
        value = scope.evaluate(name)
    except (EvaluationError, ExpressionError):  # not there, or a name only CEL can follow
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, int | float) else ""


def shown(expression: str) -> str:
    """Give an expression on one line, shortened if it is long."""
    line = " ".join(expression.split())
    return line if len(line) <= SHOWN else line[: SHOWN - 1] + "…"
