"""Group commit: what is ready together goes to the database in one statement and one commit.

No delay is added: a batch is what queued up while the last commit was in flight. Three things can go wrong, and each
has one answer: a fence that doesn't hold (the run is no longer ours), a value the database refuses (commit run by
run, name the offender), a connection lost before the answer (look what became of it, then write what is missing).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from runs.connections import LOST, REFUSED
from runs.store import RunId, Store, Write

log = logging.getLogger("baton.journal")

SHORTEST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.05, 2.0


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
        pause = SHORTEST_PAUSE_SECONDS
        while self._store is None:
            try:
                self._store = self._connect()
            except LOST as error:
                log.warning("The database can't be reached, trying again: %s", error)
                pause = self._pause(pause, error)
        return self._store

    def commit(self, writes: Sequence[Write]) -> Result:
        """Write all that can be written; what is in neither `written` nor `refused` was fenced.

        While the database is away this waits, and then writes what is missing. Raises Stopped.
        """
        result, missing, pause = Result(), list(writes), 0.0
        while missing:
            try:
                replied = self.store.commit(self._owner, missing)
            except REFUSED as error:
                self._one_by_one(missing, error, result)
            except LOST as error:
                self.lose(error)
                pause = self._pause(pause, error)
                missing = self._missing(missing, result)
                continue
            else:
                result.written |= replied.runs
                result.called |= replied.called
            break
        return result

    def standing(self, run_ids: Sequence[RunId]) -> Mapping[RunId, tuple[int, int]]:
        """Give (epoch, seq) of runs, waiting for the database where it is away. Raises Stopped."""
        pause = 0.0
        while True:
            try:
                return self.store.standing(run_ids)
            except LOST as error:
                self.lose(error)
                pause = self._pause(pause, error)

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
            result.refused[writes[0].run_id] = first_line(error)
            return
        for write in writes:
            self._add(result, self.commit([write]))

    def _missing(self, writes: Sequence[Write], result: Result) -> list[Write]:
        """Find out what a commit without an answer did; give what is still to be written."""
        standing = self.standing([write.run_id for write in writes])
        done = {write.run_id for write in writes if write.is_done(standing.get(write.run_id))}
        result.written |= done
        result.called |= done  # perhaps: looking costs nothing
        return [w for w in writes if w.run_id not in done and standing.get(w.run_id) == (w.epoch, w.seq_from)]

    def _pause(self, pause: float, error: Exception) -> float:
        """Wait before the next try, longer each time and not at all before the first; give the next pause."""
        if pause and self._stopping.wait(pause):
            raise Stopped from error
        return min(max(pause * 2, SHORTEST_PAUSE_SECONDS), LONGEST_PAUSE_SECONDS)

    def _add(self, result: Result, more: Result) -> None:
        result.written |= more.written
        result.called |= more.called
        result.refused |= more.refused


def first_line(error: Exception) -> str:
    """Say in a line what the database would not take; drivers add details below it, or say nothing."""
    return next(iter(str(error).splitlines()), type(error).__name__)


class Stopped(Exception):
    """The worker is stopping while the database is away; leases run out by themselves."""
