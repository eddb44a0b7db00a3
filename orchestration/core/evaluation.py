"""A compiled expression and how it is evaluated. Made by `compilation.py`; used through `expressions.py`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from orchestration.core import cel, guards, names
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError

Lookup = Callable[[str], Json]

SHOWN = 120  # characters of an expression in a message

WANTS = {
    "bool": ("bool", "true or false"),
    "string": ("string timestamp duration", "text"),
    "int": ("int", "a whole number"),
    "number": ("int double", "a number"),
    "list": ("list", "a list"),
    "map": ("map", "an object"),
    "timestamp": ("timestamp", "a point in time, such as now + duration('1h')"),
    "duration": ("duration", "a duration, such as duration('90s')"),
}


@dataclass(frozen=True, slots=True)
class Binding:
    name: str
    slot: str
    convert: names.Convert | None
    nullable: bool


@dataclass(frozen=True, slots=True)
class Presence:
    """`has(name)`: a flag bound in the place of the call."""

    name: str
    slot: str
    rest: tuple[str, ...]
    nullable: bool


@dataclass(frozen=True, slots=True)
class Expression:
    """A compiled expression. `names` are the flat dotted names it refers to: all that `evaluate` looks up."""

    source: str
    names: frozenset[str]
    _wants: str | None
    _program: cel.Program | None  # None: nothing but a name
    _bindings: tuple[Binding, ...]
    _presences: tuple[Presence, ...]
    _shape: guards.Shape
    _rest: tuple[str, ...] = ()  # properties to follow after a bare name

    def evaluate(self, lookup: Lookup) -> Json:
        """Answer over the values that `lookup` gives (LookupError: absent). Raises EvaluationError."""
        if self._program is None:
            return self._read(lookup)
        try:
            answer = self._program.run(self._bind(lookup))
        except EvaluationError as error:
            raise self._named(error, lookup) from error
        return self._wanted(answer)

    def _bind(self, lookup: Lookup) -> dict[str, Json]:
        """Give each slot its value. An absent one stays unbound: CEL fails on it, unless its logic passes it by."""
        slots: dict[str, Json] = {}
        sizes: dict[str, Json] = {}
        for item in self._bindings:
            found, value = _look(lookup, item)
            if found:
                slots[item.slot] = sizes[item.name] = item.convert(value) if item.convert else value
        for flag in self._presences:
            slots[flag.slot] = _is_present(lookup, flag)
        guards.check_work(self._shape, sizes)
        return slots

    def _read(self, lookup: Lookup) -> Json:
        item = self._bindings[0]
        found, value = _look(lookup, item)
        if not found:
            raise EvaluationError(_absent(lookup, item.name))
        path = item.name
        for part in self._rest:
            if not isinstance(value, dict) or part not in value:
                raise EvaluationError(f"{path} has no property '{part}' (test it with has()).")
            path, value = f"{path}.{part}", value[part]
        value = guards.moment(value) if item.convert is guards.moment else value
        return self._wanted(cel.rfc3339(value) if isinstance(value, datetime) else value)

    def _named(self, error: EvaluationError, lookup: Lookup) -> EvaluationError:
        """Put the names back where the engine speaks of slots."""
        text = str(error)
        for item in self._bindings:
            if f'name "{item.slot}"' in text:
                return EvaluationError(_absent(lookup, item.name))
            text = re.sub(rf"'{item.slot}(?=['\[])", f"'{item.name}", text)
        return EvaluationError(f"`{_short(self.source)}`: {text}")

    def _wanted(self, answer: Json) -> Json:
        if self._wants is None or _is_a(self._wants, answer):
            return answer
        raise EvaluationError(
            f"`{_short(self.source)}` must give {WANTS[self._wants][1]}, but it gave {_kind_of(answer)}."
        )


def _short(source: str) -> str:
    """Write an expression on one line, to be found again by its beginning."""
    line = " ".join(source.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def _look(lookup: Lookup, item: Binding | Presence) -> tuple[bool, Json]:
    """Say whether there is a value, and which."""
    try:
        value = lookup(item.name)
    except LookupError:
        return False, None
    return value is not None or item.nullable, value


def _absent(lookup: Lookup, name: str) -> str:
    """Say what is missing: the whole value, or one property of it."""
    parts = name.split(".")
    whole = {"steps": 3, "vars": 2}.get(parts[0], 1)
    for length in range(whole, len(parts)):
        shorter = ".".join(parts[:length])
        try:
            lookup(shorter)
        except LookupError:
            return _absence(shorter, length == whole)
    return _absence(name, len(parts) == whole)


def _absence(name: str, is_whole: bool) -> str:
    return f"{name} has no value yet." if is_whole else f"{name} is absent (test it with has())."


def _is_present(lookup: Lookup, flag: Presence) -> bool:
    found, value = _look(lookup, flag)
    for part in flag.rest if found else ():
        if not isinstance(value, dict) or part not in value:
            return False
        value = value[part]
    return found


def _is_a(wants: str, answer: Json) -> bool:
    match wants:
        case "bool":
            return isinstance(answer, bool)
        case "string":
            return isinstance(answer, str)
        case "int":
            return isinstance(answer, int) and not isinstance(answer, bool)
        case "number":
            return isinstance(answer, int | float) and not isinstance(answer, bool)
        case "list":
            return isinstance(answer, list)
        case "map":
            return isinstance(answer, dict)
        case "timestamp":
            moment = guards.moment(answer)
            return isinstance(moment, datetime) and moment.tzinfo is not None
    return isinstance(answer, str) and re.fullmatch(r"-?\d+(\.\d+)?s", answer) is not None


def _kind_of(answer: Json) -> str:
    kinds = {str: "text", bool: "true or false", int: "a number", float: "a number", list: "a list", dict: "an object"}
    return kinds.get(type(answer), "null")
