"""Misbehaving on purpose: the parameters `latency`, `script` and `markers` of a simulated model.

    {"latency": 0.2, "markers": true, "script": [
        {"match": "text in the prompt", "unless": "other text", "do": "rate_limit", "retry_after": 2},
        {"do": "answer", "value": {"intent": "billing"}}]}

`do` is refuse, invalid, rate_limit, timeout, unavailable or answer; the first entry that matches counts, and one
without `match` always does. With `markers`, `[[simulate: refuse]]` in a prompt does the same.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.core.definition import Json

ACTIONS = ("refuse", "invalid", "rate_limit", "timeout", "unavailable", "answer")
_ALIASES = {"refusal": "refuse", "invalid_output": "invalid", "rate_limited": "rate_limit"}
_MARKER = re.compile(r"\[\[simulate:\s*([a-z_]+)(?:\s+(\d{1,4}(?:\.\d{1,3})?))?\s*\]\]")


class BadScript(ValueError):
    """The parameters of a simulated model can't be used; the message says why."""


@dataclass(frozen=True, slots=True)
class Behaviour:
    """What to do with one prompt."""

    latency: float = 0.0  # seconds
    action: str = ""  # empty: answer from the prompt and the schema
    value: Json = None  # with `answer`
    retry_after: float = 1.0  # seconds, with `rate_limit`


def behaviour_for(params: Mapping[str, Json], prompt: str) -> Behaviour:
    """Say how a model with these parameters treats this prompt. Raises BadScript."""
    latency = _seconds(params, "latency", 0.0)
    if params.get("markers") is True:
        for action, number in _MARKER.findall(prompt):
            if action == "latency":
                latency = float(number or 0)
            else:
                return Behaviour(latency, _action(action), retry_after=float(number or 1))
    script = params.get("script", [])
    if not isinstance(script, list):
        raise BadScript('"script" must be a list')
    for entry in script:
        if _matches(entry, prompt):
            return Behaviour(
                _seconds(entry, "latency", latency), _action(entry.get("do")), entry.get("value"),
                _seconds(entry, "retry_after", 1.0),
            )  # fmt: skip
    return Behaviour(latency)


def _matches(entry: Any, prompt: str) -> bool:
    if not isinstance(entry, Mapping):
        raise BadScript('each entry of "script" must be an object with "do"')
    unless = str(entry.get("unless", ""))
    return str(entry.get("match", "")) in prompt and not (unless and unless in prompt)


def _action(name: Any) -> str:
    action = _ALIASES.get(str(name), str(name))
    if action not in ACTIONS:
        raise BadScript(f'"do" is {name!r}: use one of {", ".join(ACTIONS)}')
    return action


def _seconds(params: Mapping[str, Any], name: str, default: float) -> float:
    value = params.get(name, default)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or value < 0:
        raise BadScript(f"{name!r} must be a number of seconds, not {value!r}")
    return float(value)
