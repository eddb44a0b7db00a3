"""Numbers and strings for a schema, the most plausible first."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from itertools import count, islice
from typing import Any

from orchestration.providers.simulator import texts
from orchestration.providers.simulator.patterns import matching
from orchestration.providers.simulator.reading import Reading
from orchestration.providers.simulator.scoring import level
from orchestration.providers.simulator.words import name_words

_AMOUNTS = frozenset(
    "amount price total count quantity number cost sum value usd eur betrag anzahl montant monto".split()
)
_NUMBER = re.compile(r"(?<![\w.])-?\d{1,12}(?:\.\d{1,6})?(?![\w])")
_FOUND_BY = {
    "email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"), "idn-email": re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    "uri": re.compile(r"https?://[^\s\"'<>]+"), "url": re.compile(r"https?://[^\s\"'<>]+"),
    "date": re.compile(r"\d{4}-\d\d-\d\d(?!T)"), "time": re.compile(r"\d\d:\d\d:\d\dZ"),
    "date-time": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)"),
    "uuid": re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "ipv4": re.compile(r"(?:\d{1,3}\.){3}\d{1,3}"),
}  # fmt: skip
_STAND_INS = {
    "email": "someone@example.com", "idn-email": "someone@example.com", "uri": "https://example.com/",
    "url": "https://example.com/", "uri-reference": "/", "iri": "https://example.com/", "date": "2026-01-01",
    "time": "12:00:00Z", "date-time": "2026-01-01T12:00:00Z", "duration": "PT1H", "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1", "hostname": "example.com", "idn-hostname": "example.com", "regex": ".*",
    "json-pointer": "", "uuid": "00000000-0000-4000-8000-000000000000",
}  # fmt: skip


def numbers(
    schema: Mapping[str, Any], name: str, about: str, reading: Reading, *, whole: bool
) -> Iterator[int | float]:
    """Yield numbers within the schema's bounds: one the text gives or its signals suggest, then its neighbours."""
    low, high = _bounds(schema, whole)
    step = schema.get("multipleOf")
    first = _wanted(schema, name, about, reading, whole, low, high)
    seen: set[float] = set()
    for value in _around(first, low, high, step or (1 if whole or high - low > 20 else (high - low) / 20 or 1), step):
        fitted = round(value) if whole else round(value, 6) if not step else value
        if isinstance(fitted, float) and fitted.is_integer() and step:
            fitted = int(fitted)
        if fitted not in seen:
            seen.add(fitted)
            yield fitted


def strings(schema: Mapping[str, Any], name: str, about: str, reading: Reading) -> Iterator[str]:
    """Yield texts of the schema's length, pattern and format: the most plausible first, then fillers."""
    least, most = int(schema.get("minLength", 0)), schema.get("maxLength")
    if "pattern" in schema:
        found = reading.labels.get("".join(name_words(name)))
        tokens = [found] if found else []
        for text in [*tokens, *reading.data.split()[:200], *matching(schema["pattern"])]:
            yield text
            yield _fitted(text, least, most)
        return
    kind = schema.get("format")
    if kind in _STAND_INS:
        yield from _formatted(str(kind), reading)
    listed = name.endswith("[]")
    ordinary = () if listed else (texts.field_text(name, about, reading),)
    for text in [*ordinary, *reading.keywords, *reading.sentences[:20]]:
        yield _fitted(text, least, most)
    for number in islice(count(1), 60):
        yield _fitted(f"{name.removesuffix('[]') or 'text'} {number}", least, most)
        yield _fitted(str(number), least, most)


def _formatted(kind: str, reading: Reading) -> Iterator[str]:
    if kind in _FOUND_BY:
        yield from _FOUND_BY[kind].findall(reading.data)[:5]
    yield _STAND_INS[kind]


def _fitted(text: str, least: int, most: float | None) -> str:
    if most is not None and len(text) > most:
        text = texts.shortened(text, int(most))
    while len(text) < least:
        text += "." if not text or len(text) > 4000 else f" {text}"[: least - len(text)]
        if len(text) > 4000:
            text += "." * (least - len(text))
    return text


def _bounds(schema: Mapping[str, Any], whole: bool) -> tuple[float, float]:
    low = max((schema[key] for key in ("minimum", "exclusiveMinimum") if key in schema), default=None)
    high = min((schema[key] for key in ("maximum", "exclusiveMaximum") if key in schema), default=None)
    width = 10 if whole or (low or 0) > 1 or (high is not None and high < 0) else 1
    if low is None:
        low = min(0, high - width) if high is not None else 0
    if high is None:
        high = low + width
    return low, high


def _wanted(
    schema: Mapping[str, Any], name: str, about: str, reading: Reading, whole: bool, low: float, high: float
) -> float:
    given = reading.labels.get("".join(name_words(name)), "")
    told = _NUMBER.findall(given) or (_NUMBER.findall(reading.data) if _AMOUNTS & set(name_words(name)) else [])
    open_ended = not {"maximum", "exclusiveMaximum"} & set(schema)
    for text in told:
        value = float(text)
        if low <= value and (open_ended or value <= high) and (not whole or value.is_integer()):
            return value
    return low + (high - low) * level(name, about, reading)


def _around(first: float, low: float, high: float, width: float, step: float | None) -> Iterator[float]:
    if step:
        first = _multiple(first, low, step)
    yield first
    for away in range(1, 60):
        for value in (first + away * width, first - away * width):
            if low <= value <= max(high, first + 60 * width):
                yield _multiple(value, low, step) if step else value
    yield from (low, high, (low + high) / 2)


def _multiple(value: float, low: float, step: float) -> float:
    times = round(value / step)
    if times * step < low:
        times = math.ceil(low / step)
    return times * step
