"""Fold the events of a run into the state they tell, to be compared with the stored state (invariant I10)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.core.states import RunState


@dataclass(slots=True)
class Folded:
    """What a run's events say: fingerprints stand for values."""

    state: str = RunState.QUEUED
    waiting_for: str = ""
    seq: int = 0
    output: str = ""
    ended: dict[tuple[str, int], tuple[str, str, str]] = field(default_factory=dict)  # (path, pass) -> state, port, fp
    open: dict[str, tuple[int, int, str]] = field(default_factory=dict)  # path -> pass, attempt, state
    variables: dict[str, str] = field(default_factory=dict)
    again: dict[str, int] = field(default_factory=dict)


def fold(events: Iterable[tuple[int, str, bool, Mapping[str, Any]]]) -> Folded:
    """Fold (seq, kind, terminal, body) in order of seq. Raises ValueError where the sequence has a gap."""
    folded = Folded()
    for seq, kind, terminal, body in events:
        if seq != folded.seq + 1:
            raise ValueError(f"event {seq} follows event {folded.seq}")
        folded.seq = seq
        if terminal:
            folded.state, folded.waiting_for, folded.output = kind, "", body.get("output", "")
        else:
            _take(folded, body)
    return folded


def _take(folded: Folded, body: Mapping[str, Any]) -> None:
    for path, pass_number, attempt, state in body.get("opened", ()):
        folded.open[path] = (pass_number, attempt, state)
    for path, pass_number, state, port, output in body.get("ended", ()):
        folded.ended[path, pass_number] = (state, port, output)
        if folded.open.get(path, (pass_number,))[0] == pass_number:
            folded.open.pop(path, None)
    folded.variables.update(dict(body.get("variables", ())))
    folded.again.update(dict(body.get("again", ())))
    if "run" in body:
        folded.state, folded.waiting_for = body["run"]
