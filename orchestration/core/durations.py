"""Durations as people write them: `500ms`, `20s`, `1h30m`, `2d`. In values they are seconds."""

from __future__ import annotations

import re
from decimal import Decimal

from orchestration.core.definition import Json
from orchestration.core.errors import InvalidValue

PATTERN = r"^([0-9]+(\.[0-9]+)?(ms|s|m|h|d|w))+$"  # for JSON Schemas
LONGEST = 10 * 365 * 86_400.0  # seconds

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(ms|s|m|h|d|w)")
_WHOLE = re.compile(PATTERN.strip("^$"))
_SECONDS = {
    "ms": Decimal("0.001"),
    "s": Decimal(1),
    "m": Decimal(60),
    "h": Decimal(3_600),
    "d": Decimal(86_400),
    "w": Decimal(604_800),
}


def parse_duration(value: Json) -> float:
    """Read a duration as seconds; a bare number is seconds. Raises InvalidValue."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        seconds = float(value)
    elif isinstance(value, str) and len(value) <= 40 and _WHOLE.fullmatch(value):
        parts = _PART.findall(value)
        seconds = float(sum((Decimal(number) * _SECONDS[unit] for number, unit in parts), Decimal(0)))
    else:
        raise InvalidValue("must be a duration such as 500ms, 20s, 5m, 1h30m or 2d.")
    if not 0 <= seconds <= LONGEST:
        raise InvalidValue("must be between 0 and 10 years.")
    return seconds


def format_duration(seconds: float) -> str:
    """Write seconds as people do: 90.0 is `1m30s`, 0.5 is `500ms`."""
    if seconds != int(seconds):
        exact = Decimal(repr(seconds))
        return f"{exact * 1000:f}ms".replace(".0ms", "ms") if seconds < 1 else f"{exact:f}s"
    rest, text = int(seconds), ""
    for unit, size in (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1)):
        count, rest = divmod(rest, size)
        text += f"{count}{unit}" if count else ""
    return text or "0s"
