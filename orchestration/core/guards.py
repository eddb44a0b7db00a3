"""Keep one expression within its bounds: what CEL does not bound itself (LIBRARIES.md 3.1).

CEL stops loops at 10,000 rounds, but each round may copy a value of any size, and `map` and `filter` copy all they
have collected so far (2,000 items: 0.2 s, 8,000: 4 s). So before it runs, the work is estimated from the sizes of
the values and from where their names stand: inside a loop, or outside.
"""

from __future__ import annotations

from ast import literal_eval
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import orjson

from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError, ExpressionError
from orchestration.core.tokens import AMPLIFIERS, MACROS, Call, Token, place

MAX_SOURCE = 2_000  # characters
MAX_MACROS = 3
MAX_PLUS = 8
MAX_INPUT = 256 * 1024  # bytes of all values an expression refers to
MAX_WORK = 32 * 1024 * 1024  # bytes, roughly, that one evaluation may copy or compare
MAX_COLLECTED = 2_000  # items of a list that map or filter goes over
_ROUNDS = 10_000
_ITEM = 16  # bytes the engine spends on an item, on top of its own


@dataclass(frozen=True, slots=True)
class Shape:
    """What of an expression decides its cost, known when it is compiled."""

    looped: frozenset[str] = frozenset()  # names that stand inside a macro
    amplified: frozenset[str] = frozenset()  # names that stand in the arguments of replace, join or format
    macros: int = 0
    nested: bool = False  # a macro within another: its body may refer to any item of the outer one
    varied: bool = False  # a loop's variable stands in the arguments of replace, join or format
    separators: tuple[str, ...] = ()  # what texts are split at; an empty one is any
    collected: int = 0  # how many lists are joined by + before map or filter goes over them; 0: neither is used
    growth: float = 1.0  # how many times longer than its input the result may be, by + and by literals


def shape(source: str, tokens: Sequence[Token], found: Sequence[Call], names: Iterable[tuple[int, str]]) -> Shape:
    """Measure an expression; `names` are (token index, name). Raises ExpressionError where it is too large."""
    macros = [call for call in found if call.name in MACROS]
    pluses = [index for index, token in enumerate(tokens) if token.text == "+"]
    if len(macros) > MAX_MACROS:
        raise _too_much(source, tokens[macros[MAX_MACROS].first], f"at most {MAX_MACROS} of all, exists, map, filter")
    if len(pluses) > MAX_PLUS:
        raise _too_much(source, tokens[pluses[MAX_PLUS]], f"at most {MAX_PLUS} of `+`")
    amplifiers = [call for call in found if call.name in AMPLIFIERS]
    nested = any(_within(call.first, macros) for call in macros)
    joined = [index for index in pluses if nested or not _within(index, macros)]
    placed = list(names)
    return Shape(
        looped=frozenset(name for index, name in placed if _within(index, macros)),
        amplified=frozenset(name for index, name in placed if _within(index, amplifiers)),
        macros=len(macros),
        nested=nested,
        varied=_uses_variable(tokens, amplifiers, macros),
        separators=tuple(_separator(tokens, call) for call in found if call.name == "split"),
        collected=len(joined) + 1 if any(call.name in ("map", "filter") for call in macros) else 0,
        growth=_growth(source, tokens, amplifiers, len(pluses), max(1, len(macros))),
    )


def _growth(source: str, tokens: Sequence[Token], amplifiers: Sequence[Call], pluses: int, rounds: int) -> float:
    """Say how much longer than its input a result may be: sums within chained loops multiply."""
    growth = ((pluses + rounds) / rounds) ** rounds
    for call in amplifiers:
        literals = sum(len(token.text) for token in tokens[call.first : call.last] if token.kind == "string")
        growth *= 1 + literals + (source.count("%") if call.name == "format" else 0)
    return float(growth)


def _separator(tokens: Sequence[Token], call: Call) -> str:
    """Read the literal that a text is split at; empty where it is anything else."""
    argument = tokens[call.first + 1]
    if argument.kind != "string":
        return ""
    try:
        found = literal_eval(argument.text)
    except (ValueError, SyntaxError):
        return ""
    return found if isinstance(found, str) else ""


def check_length(source: str) -> None:
    """Refuse a text that is too long, before anything reads it. Raises ExpressionError."""
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"the expression has {len(source)} characters; at most {MAX_SOURCE:,} are allowed.")


def check_work(form: Shape, values: Mapping[str, Json]) -> None:
    """Refuse an evaluation that would be too large. Raises EvaluationError."""
    total = items = looped = amplified = 0
    for name, value in values.items():
        size, count = _weigh(name, value, form.separators)
        total += size
        items += count
        if name in form.looped:
            looped += size + _ITEM * count
        if name in form.amplified:
            amplified += size
    if total > MAX_INPUT:
        raise EvaluationError(
            f"the values it refers to are {total:,} bytes; at most {MAX_INPUT:,} are allowed. "
            "Refer to less of them, or compute a smaller value in a step before."
        )
    looped = total + _ITEM * items if form.nested else looped
    amplified = total if form.varied else amplified
    rounds = min(_ROUNDS, (items + 1) ** form.macros)
    if form.growth * (1 + amplified) * (total + rounds * looped) > MAX_WORK:
        raise EvaluationError(
            "it would copy too much for values of this size (a long value used in every round of a loop, "
            "say). Use less of them, or compute a smaller value in a step before."
        )
    if form.collected * items > MAX_COLLECTED:
        _check_collected(form, values)


def _check_collected(form: Shape, values: Mapping[str, Json]) -> None:
    """Count lists exactly, now that the rough number of items is too large."""
    longest = max(_longest(value) + _pieces(value, form.separators) for value in values.values())
    if form.collected * longest > MAX_COLLECTED:
        raise EvaluationError(
            f"map and filter take lists of up to {MAX_COLLECTED:,} items; this could be too much at {longest:,}. "
            "Use `exists` or `all`, or a step for lists that long."
        )


def _longest(value: Json) -> int:
    """Give the length of the longest list or object within a value."""
    if not isinstance(value, list | dict):
        return 0
    below = value.values() if isinstance(value, dict) else value
    return max(len(value), *(_longest(item) for item in below if isinstance(item, list | dict)), 0)


def _pieces(value: Json, separators: Sequence[str]) -> int:
    """Say how many pieces the texts of a value are split into at most."""
    text = value if isinstance(value, str) else orjson.dumps(value).decode() if separators else ""
    pieces = 0
    for separator in separators:
        written = separator if isinstance(value, str) else orjson.dumps(separator)[1:-1].decode()
        pieces += text.count(written) + 1 if written else len(text)
    return pieces


def _weigh(name: str, value: Json, separators: Sequence[str]) -> tuple[int, int]:
    """Give a value's bytes and its number of items, both roughly. Raises EvaluationError for what CEL would cut."""
    if isinstance(value, str):
        if "\0" in value:
            raise EvaluationError(f"{name} holds a NUL character.")
        return len(value), _pieces(value, separators)
    if not isinstance(value, list | dict):
        return 8, 0
    try:
        text = orjson.dumps(value)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{name} can't be read as JSON: {error}.") from error
    if b"\\u0000" in text and _has_nul(value):
        raise EvaluationError(f"{name} holds a NUL character.")
    return len(text), text.count(b",") + 1 + _pieces(value, separators)


def _has_nul(value: Json) -> bool:
    if isinstance(value, dict):
        return any("\0" in key or _has_nul(item) for key, item in value.items())
    if isinstance(value, list):
        return any(_has_nul(item) for item in value)
    return isinstance(value, str) and "\0" in value


def moment(value: Json) -> Json:
    """Read an RFC 3339 text as an aware datetime; anything else passes as it is."""
    try:
        return datetime.fromisoformat(value.replace("Z", "+00:00")) if isinstance(value, str) else value
    except ValueError:
        return value


def _within(index: int, spans: Iterable[Call]) -> bool:
    return any(span.first < index < span.last for span in spans)


def _uses_variable(tokens: Sequence[Token], amplifiers: Iterable[Call], macros: Iterable[Call]) -> bool:
    variables = {macro.variable for macro in macros}
    return any(token.text in variables for call in amplifiers for token in tokens[call.first : call.last])


def _too_much(source: str, token: Token, limit: str) -> ExpressionError:
    line, column = place(source, token.start)
    return ExpressionError(f"the expression does too much: {limit} are allowed.", line, column)
