"""Durations and instants in configs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from orchestration.core.definition import Json
from orchestration.core.durations import parse_duration
from orchestration.core.errors import EvaluationError, InvalidValue
from orchestration.kinds.base import Complaint


def check_durations(config: Mapping[str, Json], *fields: str, place: str = "") -> Iterable[Complaint]:
    """Complain of each of these fields that holds something that is not a duration."""
    for field in fields:
        if field not in config:
            continue
        try:
            parse_duration(config[field])
        except InvalidValue as error:
            fix = "Write a number and a unit: 20s, 5m, 2h or 7d."
            yield Complaint(place + field, f"{config[field]!r:.60} can't be used: it {error}", fix)


def rendered_duration(value: Json) -> float:
    """Read what a template gave as seconds. Raises EvaluationError."""
    try:
        return parse_duration(value)
    except InvalidValue as error:
        raise EvaluationError(f"the template gave {value!r:.60}; a duration {error}") from error


def instant(value: Json) -> datetime:
    """Read an RFC 3339 instant with its offset. Raises EvaluationError."""
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise EvaluationError(f"{value!r:.60} is not a point in time such as 2026-05-01T09:00:00Z") from None
    if found.tzinfo is None:
        raise EvaluationError(f"{value!r:.60} lacks its offset from UTC; write 2026-05-01T09:00:00Z, say")
    return found
