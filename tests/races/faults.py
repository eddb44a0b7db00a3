"""Databases that fail at a chosen moment, and runs whose rows the database refuses."""

from __future__ import annotations

import sqlite3
from collections import deque
from collections.abc import Iterable, Sequence
from typing import Any

import pytest

from runs.connections import open_store
from runs.engine import Engine
from runs.held import Held
from runs.models import Run
from runs.store import Committed, RunId, Store, Write

GONE = sqlite3.OperationalError("the database went away")


class Faulty:
    """A store whose commits fail as scripted: `before` they are written, or `after`, when only the answer is lost."""

    def __init__(self, store: Store, faults: deque[str]) -> None:
        self._store, self._faults = store, faults

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)

    def commit(self, owner: RunId, writes: Sequence[Write]) -> Committed:
        fault = self._faults.popleft() if self._faults else ""
        if fault == "before":
            raise GONE
        reply = self._store.commit(owner, writes)
        if fault == "after":
            raise GONE
        return reply


def with_faults(engine: Engine, faults: Iterable[str]) -> deque[str]:
    """Give the engine a database that fails so; what is left of the script is returned."""
    script = deque(faults)
    engine.journal._connect = lambda: Faulty(open_store(), script)
    return script


def refuse_rows_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the database refuse the rows of steps that this run did not end by failing."""
    row_of = Held._step_row

    def with_nonsense(held: Held, *given: Any) -> dict[str, Any]:
        row = row_of(held, *given)
        return {**row, "state": "nonsense"} if held.id == run.id and row["state"] == "succeeded" else row

    monkeypatch.setattr(Held, "_step_row", with_nonsense)
