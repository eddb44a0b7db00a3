"""The CEL engine behind `expressions.py`: the one file that imports it.

All expressions share one environment of typed slots (S0.., I0.., one letter a type): an environment per workflow
would cost 110 KB an expression, this costs 4. `expressions.py` writes the slots over the names it has resolved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_strings

from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError, ExpressionError

SLOTS = 64  # of each type, so at most this many names of one type in one expression

_MAP = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_TYPES = {
    "S": cel.Type.STRING,
    "I": cel.Type.INT,
    "D": cel.Type.DOUBLE,
    "B": cel.Type.BOOL,
    "T": cel.Type.TIMESTAMP,
    "A": cel.Type.DYN,
    "M": _MAP,
    "P": cel.Type.List(cel.Type.STRING),
    "Q": cel.Type.List(cel.Type.INT),
    "R": cel.Type.List(cel.Type.DOUBLE),
    "U": cel.Type.List(cel.Type.BOOL),
    "V": cel.Type.List(cel.Type.DYN),
    "W": cel.Type.List(_MAP),
}
_ERROR = re.compile(r"ERROR: <input>:(\d+):(\d+): (.*)")
_OVERLOAD = re.compile(r"[Nn]o matching overloads? (?:found )?(?:for '(?P<name>.*?)' applied to '|: (?P<rest>.*))")
_METHOD = re.compile(r"^\((\w+)[^)]*\)\.(\w+)\(")  # as the evaluator writes `x.size()`: (int64).size()
_NESTED = re.compile(r"(\w+)\([^()]*\)")  # list(string) is a list
_WORDS = {
    "string": "text", "int": "a whole number", "int64": "a whole number", "uint": "an unsigned number",
    "double": "a number with a point", "bool": "true or false", "null_type": "null", "map": "an object",
    "list": "a list", "timestamp": "a point in time", "google.protobuf.Timestamp": "a point in time",
    "google.protobuf.Duration": "a duration", "duration": "a duration", "bytes": "bytes", "dyn": "anything",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Program:
    """A compiled expression over slots. `gives` is the CEL name of its static type, lower case: bool, string, dyn."""

    expression: Any
    gives: str

    def run(self, slots: Mapping[str, Json]) -> Json:
        """Evaluate over the values of the slots. Raises EvaluationError; the answer is JSON-shaped."""
        try:
            value = self.expression.eval(data=slots)
            kind = value.type()
            answer = value.plain_value()
        except (RuntimeError, UnicodeError, ValueError, OverflowError) as error:
            raise EvaluationError(_runtime_message(str(error))) from error
        if kind == cel.Type.ERROR:
            raise EvaluationError(_runtime_message(str(answer)))
        return plain(answer)


def compile_slots(source: str) -> Program:
    """Compile a text whose names are slots. Raises ExpressionError with the place of the first error."""
    try:
        expression = _environment().compile(source)
    except TypeError as error:  # how the engine refuses a lone surrogate
        raise ExpressionError("the expression holds characters that are not valid Unicode.") from error
    except (RuntimeError, UnicodeError, ValueError) as error:
        raise _compile_error(str(error)) from error
    return Program(expression, expression.return_type().name().lower().split("<")[0])


def matches(pattern: str, text: str) -> bool:
    """Search a text for an RE2 pattern: no pattern can make it slow. Raises EvaluationError for an invalid one."""
    return bool(_matching().run({"S0": text, "S1": pattern}))


def type_name(letter: str) -> str:
    """Give the CEL type of a slot's letter, as `Program.gives` has it."""
    return str(_TYPES[letter].name()).lower().split("<")[0]


def word(gives: str) -> str:
    """Say a CEL type in plain English."""
    return _WORDS.get(gives, gives)


def plain(value: Any) -> Json:
    """Turn an answer of the engine into JSON: RFC 3339 for times, `90s` for durations. Raises EvaluationError."""
    if value is None or isinstance(value, str | bool | int):
        return value
    if isinstance(value, float):
        if value - value != 0.0:
            raise EvaluationError("the result is not a finite number (a division by zero?).")
        return value
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.6f}".rstrip("0").rstrip(".") + "s"
    raise EvaluationError("the result is neither text, number, true or false, null, a list nor an object.")


def rfc3339(moment: datetime) -> str:
    """Write an aware datetime as `2026-11-02T09:00:00Z`."""
    return moment.isoformat().replace("+00:00", "Z")


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise EvaluationError(f"an object's keys must be text, not {key!r}.")
    return key


@cache
def _matching() -> Program:
    return compile_slots("S0.matches(S1)")


@cache
def _environment() -> Any:
    variables = {f"{letter}{index}": kind for letter, kind in _TYPES.items() for index in range(SLOTS)}
    return cel.NewEnv(variables=variables, extensions=[ext_strings.ExtStrings()])


def _compile_error(text: str) -> ExpressionError:
    """Read the engine's first error. A broken text gives follow-up errors that only distract."""
    found = _ERROR.search(text)
    if not found:
        return ExpressionError(_runtime_message(text.splitlines()[0] if text else "it can't be compiled"))
    line, column, message = int(found[1]), int(found[2]), found[3].removesuffix(" [INVALID_ARGUMENT]")
    return ExpressionError(_compile_message(message), line, max(column, 1))


def _compile_message(message: str) -> str:
    if "token recognition error at" in message:
        return f"{message.split('at: ', 1)[-1][:40]} is not understood here (a quote that is not closed?)."
    if message.startswith("Syntax error: mismatched input '<EOF>'"):
        return "the expression ends too early."
    if message.startswith("Syntax error:"):
        return f"{message.removeprefix('Syntax error: ').split(' expecting', 1)[0]}."
    if message.startswith("undeclared reference to"):
        return f"unknown name or function {message.split(' ')[3]}."
    return _no_overload(message) or f"{message}."


def _runtime_message(message: str) -> str:
    message = re.sub(r"^[A-Z_]+: ", "", message).strip()
    if "recursion limit" in message:
        return "it is nested too deep (at most 31 levels)."
    if "teration budget" in message:
        return "it loops more than 10,000 times; use a step for lists that long."
    if "Key not found in map" in message:
        return f"there is no property {message.rsplit(' : ', 1)[-1]} (test it with has())."
    if "SELECT to non-message" in message:
        return "only an object has properties."
    if "basic_string" in message:
        return "a text holds characters that are not valid Unicode."
    return _no_overload(message) or f"{message[:200].rstrip('.')}."


def _no_overload(message: str) -> str | None:
    """Say in words what could not be applied to what."""
    if "<jump_condition>" in message:
        return "a condition must be true or false."
    if "<iter_range>" in message:
        return "only a list or an object can be looped over."
    found = _OVERLOAD.search(message)
    if not found:
        return None
    if found["name"] is not None:
        return _explain(found["name"], message.rsplit("applied to '", 1)[-1].strip("'"))
    method = _METHOD.match(found["rest"])
    if method:
        return _explain(method[2], f"({method[1]})")
    name, _, types = found["rest"].partition("(")
    return _explain(name, f"({types}")


def _explain(name: str, types: str) -> str:
    if name == "_?_:_":
        return "both answers of `? :` must be of one type."
    shown = "[ ]" if name == "_[_]" else name.replace("@", "").strip("_")
    inner = types.removeprefix("(").removesuffix(")")
    while (shorter := _NESTED.sub(r"\1", inner)) != inner:
        inner = shorter
    kinds = [kind for kind in inner.split(", ") if kind]
    words = " and ".join(_WORDS.get(kind, kind) for kind in kinds)
    hint = ""
    if "double" in kinds and {"int", "int64"} & set(kinds):
        hint = " Write the whole number with a point: 3.0."
    return f"`{shown}` can't be applied to {words or 'these values'}.{hint}"
