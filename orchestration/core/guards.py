"""Keep one expression within its bounds: what CEL does not bound itself (LIBRARIES.md 3.1).

CEL stops loops at 10,000 rounds, but each round may copy a value of any size. So before it runs, the work is
estimated from the sizes of the values and from where their names stand: inside a loop, or outside.
"""

from __future__ import annotations

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
_ROUNDS = 10_000
_ITEM = 16  # bytes the engine spends on an item, on top of its own


@dataclass(frozen=True, slots=True)
class Shape:
    """What of an expression decides its cost, known when it is compiled."""

    looped: frozenset[str] = frozenset()  # names that stand inside a macro
    amplified: frozenset[str] = frozenset()  # names that stand in the arguments of replace, join or format
    macros: int = 0
    nested: bool = False  # a macro within another, or a loop's variable in the arguments of an amplifier
    splits: bool = False
    growth: float = 1.0  # how many times longer than its input the result may be, by + and by literals


def shape(source: str, tokens: Sequence[Token], found: Sequence[Call], names: Iterable[tuple[int, str]]) -> Shape:
    """Measure an expression; `names` are (token index, name). Raises ExpressionError where it is too large."""
    macros = [call for call in found if call.name in MACROS]
    pluses = [token for token in tokens if token.text == "+"]
    if len(macros) > MAX_MACROS:
        raise _too_much(source, tokens[macros[MAX_MACROS].first], f"at most {MAX_MACROS} of all, exists, map, filter")
    if len(pluses) > MAX_PLUS:
        raise _too_much(source, pluses[MAX_PLUS], f"at most {MAX_PLUS} of `+`")
    amplifiers = [call for call in found if call.name in AMPLIFIERS]
    rounds = max(1, len(macros))
    growth = ((len(pluses) + rounds) / rounds) ** rounds
    for call in amplifiers:
        literals = sum(len(token.text) for token in tokens[call.first : call.last] if token.kind == "string")
        growth *= 1 + literals + (source.count("%") if call.name == "format" else 0)
    placed = list(names)
    return Shape(
        looped=frozenset(name for index, name in placed if _within(index, macros)),
        amplified=frozenset(name for index, name in placed if _within(index, amplifiers)),
        macros=len(macros),
        nested=any(_within(call.first, macros) for call in macros) or _uses_variable(tokens, amplifiers, macros),
        splits=any(call.name == "split" for call in found),
        growth=growth,
    )


def check_length(source: str) -> None:
    """Refuse a text that is too long, before anything reads it. Raises ExpressionError."""
    if len(source) > MAX_SOURCE:
        raise ExpressionError(f"the expression has {len(source)} characters; at most {MAX_SOURCE:,} are allowed.")


def check_work(form: Shape, values: Mapping[str, Json]) -> None:
    """Refuse an evaluation that would be too large. Raises EvaluationError."""
    total = items = looped = amplified = 0
    for name, value in values.items():
        size, count = _weigh(name, value)
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
    if form.macros or form.growth > 1 or form.amplified:
        _check_growth(form, total, items, looped, amplified)


def _check_growth(form: Shape, total: int, items: int, looped: int, amplified: int) -> None:
    rounds = min(_ROUNDS, (items + (total if form.splits else 0) + 1) ** form.macros)
    if form.nested:
        looped = amplified = total + _ITEM * items
    work = form.growth * (1 + amplified) * (total + rounds * looped)
    if work > MAX_WORK:
        raise EvaluationError(
            "it would copy too much for values of this size (a long value used in every round of a loop, "
            "say). Use less of them, or compute a smaller value in a step before."
        )


def _weigh(name: str, value: Json) -> tuple[int, int]:
    """Give a value's bytes and its number of items, both roughly. Raises EvaluationError for what CEL would cut."""
    if isinstance(value, str):
        if "\0" in value:
            raise EvaluationError(f"{name} holds a NUL character.")
        return len(value), 0
    if not isinstance(value, list | dict):
        return 8, 0
    try:
        text = orjson.dumps(value)
    except (TypeError, ValueError) as error:
        raise EvaluationError(f"{name} can't be read as JSON: {error}.") from error
    if b"\\u0000" in text and _has_nul(value):
        raise EvaluationError(f"{name} holds a NUL character.")
    return len(text), text.count(b",") + 1


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
