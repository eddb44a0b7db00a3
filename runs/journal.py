"""Group commit: what is ready together goes to the database in one statement and one commit.

No delay is added: a batch is what queued up while the last commit was in flight. Three things can go wrong, and each
has one answer: a fence that doesn't hold (the run is no longer ours), a value the database refuses (commit run by
run, name the offender), a connection lost before the answer (look what became of it, then write what is missing).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from runs.connections import LOST, REFUSED
from runs.store import RunId, Store, Write

log = logging.getLogger("baton.journal")

LONGEST_PAUSE_SECONDS = 2.0


@dataclass(slots=True)
class Result:
    written: set[RunId] = field(default_factory=set)
    called: set[RunId] = field(default_factory=set)  # of those: facts are waiting
    refused: dict[RunId, str] = field(default_factory=dict)  # why the database would not take it


class Journal:
    """The engine's connection, opened again whenever it is lost. Not shared between threads."""

    def __init__(self, owner: RunId, connect: Callable[[], Store], stopping: threading.Event) -> None:
        self._owner, self._connect, self._stopping = owner, connect, stopping
        self._store: Store | None = None

    @property
    def store(self) -> Store:
        """The connected store; waits for the database as long as it takes. Raises Stopped when the worker stops."""
        pause = 0.05
        while self._store is None:
            try:
                self._store = self._connect()
            except LOST as error:
                log.warning("The database can't be reached, trying again: %s", error)
                if self._stopping.wait(pause):
                    raise Stopped from error
                pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
        return self._store

    def commit(self, writes: Sequence[Write]) -> Result:
        """Write all that can be written; what is in neither `written` nor `refused` was fenced."""
        result = Result()
        try:
            replied = self.store.commit(self._owner, writes)
        except REFUSED as error:
            self._one_by_one(writes, error, result)
        except LOST as error:
            self.lose(error)
            self._make_good(writes, result)
        else:
            result.written |= replied.runs
            result.called |= replied.called
        return result

    def lose(self, error: Exception) -> None:
        """Drop the connection; the next use opens another."""
        log.warning("The database connection was lost: %s", error)
        store, self._store = self._store, None
        if store is not None:
            try:
                store.close()
            except LOST as again:
                log.debug("closing a lost connection: %s", again)

    def close(self) -> None:
        if self._store is not None:
            self._store.close()
            self._store = None

    def _one_by_one(self, writes: Sequence[Write], error: Exception, result: Result) -> None:
        if len(writes) == 1:
            log.error("Run %s could not be written: %s", writes[0].run_id, error)
            result.refused[writes[0].run_id] = str(error).splitlines()[0]
            return
        for write in writes:
            self._add(result, self.commit([write]))

    def _make_good(self, writes: Sequence[Write], result: Result) -> None:
        """Find out what a commit without an answer did. A row at our epoch and our event was written by it."""
        standing: dict[RunId, tuple[int, int]] = {}
        while not standing:
            try:
                standing = dict(self.store.standing([write.run_id for write in writes]))
            except LOST as error:
                self.lose(error)
                if self._stopping.wait(0.1):
                    raise Stopped from error
        done = [w for w in writes if w.events and standing.get(w.run_id) == (w.epoch, w.run["seq"])]
        result.written |= {write.run_id for write in done}
        result.called |= result.written  # perhaps: looking costs nothing
        missing = [w for w in writes if w not in done and standing.get(w.run_id) == (w.epoch, w.seq_from)]
        if missing:
            self._add(result, self.commit(missing))

    def _add(self, result: Result, more: Result) -> None:
        result.written |= more.written
        result.called |= more.called
        result.refused |= more.refused


class Stopped(Exception):
    """The worker is stopping while the database is away; leases run out by themselves."""
