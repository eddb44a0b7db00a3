"""Choosing: which option fits a text best, whether something is the case, how much of it there is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

from orchestration.core.definition import Json
from orchestration.providers.simulator.reading import Reading
from orchestration.providers.simulator.words import (
    LABELS,
    LANGUAGE_NAMES,
    OTHER,
    SCALE,
    STOP,
    alike,
    concepts_of,
    folded,
    name_words,
    words_of,
)

_LEVELS = {
    "urgency": "urgency urgent priority severity severe impact escalate escalation critical emergency".split(),
    "risk": "risk risky danger dangerous destructive breaking harm harmful unsafe".split(),
    "sentiment": "sentiment satisfaction mood positive polarity".split(),
    "confidence": "confidence confident certainty certain probability likelihood".split(),
}
_COMMON = frozenset(word for words in STOP.values() for word in words)


def ranked(options: Sequence[Json], name: str, about: str, notes: Mapping[str, str], reading: Reading) -> list[Json]:
    """Order options, the best first. `about` describes the field, `notes` single options."""
    if len(options) < 2:
        return list(options)
    order = _by_language(options, reading) or _by_scale(options, name, reading)
    if order is None:
        scores = [_score(option, notes.get(str(option), ""), f"{about}\n{reading.instructions}", reading)
                  for option in options]  # fmt: skip
        order = (
            scores
            if max(scores) > 0
            else [_fallback(option, at, options, reading) for at, option in enumerate(options)]
        )
    places = sorted(range(len(options)), key=lambda at: (-order[at], at))
    return [options[at] for at in places]


def level(name: str, about: str, reading: Reading) -> float:
    """Give how much of what the field is about there is, from 0 to 1."""
    words = [*name_words(name), *words_of(about)[:12]]
    for kind, entries in _LEVELS.items():
        if any(word in entries for word in words):
            return evidence(reading) if kind == "confidence" else float(getattr(reading, kind))
    hits = sum(reading.concepts[concept] for concept in _concepts(words))
    return round(1 - math.exp(-hits / 2), 2) if hits else 0.2 + reading.pick(31, name) / 100


def evidence(reading: Reading) -> float:
    """Give how sure one may be of a judgement about this text: more telling words, more sure."""
    known = sum(reading.concepts.values())
    return round(0.55 + 0.4 * (1 - math.exp(-known / 3)), 2)


def is_so(name: str, about: str, reading: Reading) -> bool:
    """Judge a yes/no field by its name and description."""
    words = [word for word in name_words(name) if word not in _COMMON]
    if any(word in (*_LEVELS["urgency"], *_LEVELS["risk"]) for word in words):
        return level(name, "", reading) >= 0.6
    if _concepts(words):
        return any(reading.concepts[concept] for concept in _concepts(words))
    return any(_mentions(word, reading) > 0 for word in [*words, *words_of(about)] if len(word) > 4)


def _score(option: Json, note: str, descriptions: str, reading: Reading) -> float:
    words = [word for word in name_words(str(option)) if word not in OTHER]
    if not words:
        return 0.0
    told = [word for word in words_of(note or _note_in(descriptions, str(option))) if word not in _COMMON]
    by_concept = sum(math.log1p(reading.concepts[concept]) for concept in _concepts(words))
    by_name = sum(math.log1p(max(0, _mentions(word, reading))) for word in words if word not in _COMMON)
    by_note = sum(math.log1p(reading.concepts[concept]) for concept in _concepts(told))
    by_note += sum(math.log1p(max(0, _mentions(word, reading))) for word in told if len(word) > 3)
    return by_concept + 1.2 * by_name + 0.4 * by_note


def _mentions(word: str, reading: Reading) -> int:
    """Count a word in the text; a mention beside a negation counts against."""
    return sum(-1 if reading.denied(at) else 1 for at, other in enumerate(reading.words) if alike(word, other))


def _concepts(words: Sequence[str]) -> set[str]:
    found: set[str] = set()
    for word in words:
        found |= set(LABELS.get(word, ())) | concepts_of(word)
    return found


def _note_in(descriptions: str, option: str) -> str:
    """Find what a description says of one option: `billing: invoices and refunds; outage: ...`."""
    found = re.search(rf"(?<!\w){re.escape(option)}\W{{0,3}}[:=(-]\s*([^;.\n)]+)", descriptions, re.IGNORECASE)
    return found[1] if found else ""


def _by_language(options: Sequence[Json], reading: Reading) -> list[float] | None:
    codes = [next((code for code, names in LANGUAGE_NAMES.items() if folded(str(option)) in names), None)
             for option in options]  # fmt: skip
    if sum(code is not None for code in codes) < max(2, len(options) // 2):
        return None
    return [1.0 if code == reading.language else 0.0 for code in codes]


def _by_scale(options: Sequence[Json], name: str, reading: Reading) -> list[float] | None:
    places = [SCALE.get("".join(name_words(str(option)))) for option in options]
    if any(place is None for place in places):
        return None
    wanted = level(name, "", reading) if _kind_known(name) else max(reading.urgency, reading.risk - 0.1)
    return [1 - abs((place or 0.0) - wanted) for place in places]


def _kind_known(name: str) -> bool:
    return any(word in entries for word in name_words(name) for entries in _LEVELS.values())


def _fallback(option: Json, at: int, options: Sequence[Json], reading: Reading) -> float:
    if any(word in OTHER for word in name_words(str(option))):
        return 2.0
    return 1.0 if at == reading.pick(len(options), "fallback") else 0.0


def notes_of(schema: Mapping[str, Any]) -> dict[str, str]:
    """Collect what a schema says of single options: branches with `const`, and the x- extensions in use."""
    notes = {str(key): str(value) for name in ("x-enum-descriptions", "x-descriptions")
             for key, value in _as_mapping(schema.get(name)).items()}  # fmt: skip
    for branch in [*schema.get("oneOf", ()), *schema.get("anyOf", ())]:
        if isinstance(branch, Mapping) and "const" in branch:
            notes[str(branch["const"])] = f"{branch.get('title', '')} {branch.get('description', '')}".strip()
    return notes


def _as_mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
