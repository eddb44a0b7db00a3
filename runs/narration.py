"""The events of a run, told in words."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from orchestration.core.definition import Definition
from runs.models import Event
from runs.trace import title_of

KINDS = {
    "started": "The run started",
    "step_reported": "A step reported",
    "time_came": "A time came",
    "cancel_asked": "Cancelling was asked for",
    "decided": "A person decided",
    "effect_answered": "A person said what became of an unknown effect",
    "worker_lost": "A worker was lost",
    "broken": "The run could not go on",
    "succeeded": "The run succeeded",
    "failed": "The run failed",
    "timed_out": "The run timed out",
    "cancelled": "The run was cancelled",
    "blocked": "The run was blocked",
}
OPENED = {"running": "started", "waiting": "waits", "needs_approval": "asks people"}


@dataclass(frozen=True)
class Told:
    seq: int
    at: datetime
    what: str
    steps: list[str]
    edges: list[str]
    terminal: bool


def tell(events: Iterable[Event], definition: Definition) -> list[Told]:
    """Tell each event: what it was, what it did to steps, which edges were taken."""
    titles = {step.id: title_of(step.id, step) for step in definition.steps}
    return [
        Told(event.seq, event.at, KINDS.get(event.kind, event.kind.replace("_", " ").capitalize()),
             list(_steps(event.body, titles)), list(_edges(event.body, titles)), event.terminal)
        for event in events
    ]  # fmt: skip


def _steps(body: Mapping[str, Any], titles: Mapping[str, str]) -> Iterable[str]:
    for path, pass_number, state, port, *_ in body.get("ended", ()):
        by = f" by {port}" if port and port != "done" else ""
        yield f"{titles.get(path, path)}{_pass(pass_number)} {state.replace('_', ' ')}{by}"
    for path, pass_number, attempt, state, *_ in body.get("opened", ()):
        which = f", attempt {attempt}" if attempt > 1 else ""
        yield f"{titles.get(path, path)}{_pass(pass_number)} {OPENED.get(state, state)}{which}"
    for edge, times in body.get("again", ()):
        yield f"Goes back along {edge}, time {times}"
    for name, _ in body.get("variables", ()):
        yield f"Variable {name} was written"
    if error := body.get("error"):
        yield f"{error.get('code', 'error')}: {error.get('message', '')}"


def _edges(body: Mapping[str, Any], titles: Mapping[str, str]) -> Iterable[str]:
    for edge in body.get("taken", ()):
        source, _, target = str(edge).partition(">")
        step, _, port = source.rpartition(".")
        by = f" by {port}" if port not in ("", "done") else ""
        yield f"{titles.get(step, step)}{by} → {titles.get(target, target)}"


def _pass(number: int) -> str:
    return f" (pass {number + 1})" if number else ""
