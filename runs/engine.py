"""The loop that advances runs: claim -> view -> decide -> commit -> perform, wave after wave.

One thread owns all runs of the process, so nothing here is locked. A wave takes what happened since the last one
(reports of attempts, facts, timers, newly claimed runs), decides each, commits all together, and only then starts
what the commit allowed. Between any two lines the process may die: what was committed goes on elsewhere, what was
not never happened.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connection, connections

from orchestration.providers.io_loop import IoLoop
from runs import hints, preparing
from runs.advancing import Advancing
from runs.attempts import Report, perform
from runs.connections import LOST
from runs.failpoints import failpoint
from runs.guard import BOOTTIME
from runs.held import Held, Prepared
from runs.journal import Journal, Result, Stopped
from runs.lane import commit_with_ports
from runs.plans import compiled
from runs.store import Claimed, Loaded, RunId, view_of
from runs.timers import Timers

log = logging.getLogger("baton.engine")

CLAIM_AT_ONCE = 200  # runs a claim takes at most
LONGEST_TURN_SECONDS = 0.25  # the loop looks around at least this often while it holds runs
PASSED_ON: tuple[type[Exception], ...] = (Stopped, *LOST)  # no fault of any one run
ALONE_SECONDS = 1.0  # a suspect keeps its worker to itself for so long: what kills, kills at once


class Engine:
    def __init__(self, owner: RunId, connect: Callable[[], Any], io: IoLoop) -> None:
        self.owner, self.io = owner, io
        self.stopping = threading.Event()
        self.bell = threading.Event()
        self.journal = Journal(owner, connect, self.stopping)
        self.held: dict[RunId, Held] = {}
        self._advancing = Advancing(self.now, self.stopping)
        self._reports: deque[tuple[Any, Report | BaseException]] = deque()
        self._called: set[RunId] = set()
        self._claim_wanted = True
        self._look_for_suspects = True  # at sweeps only: a hint is about new work, and should be answered at once
        self._offset = 0.0  # database clock minus this machine's boot clock, in seconds since the epoch
        self._swept = self._renewed = 0.0
        self._timers = Timers()

    # The thread

    def run(self) -> None:
        """Advance runs until stopped, then drain and give the rest back."""
        hints.listen(self.hint)
        try:
            while not self.stopping.is_set():
                self._turn_safely()
                self._rest()
            self._drain()
        except PASSED_ON:
            log.warning("Stopped while the database was away; leases run out by themselves")
        finally:
            hints.leave(self.hint)
            self.journal.close()
            connections.close_all()

    def stop(self) -> None:
        """Ask the loop to end. It takes no more runs, and waits BATON_DRAIN_SECONDS for attempts in flight."""
        self.stopping.set()
        self.bell.set()

    def hint(self) -> None:
        """Say that there may be something to claim. Called on any thread."""
        self._claim_wanted = True
        self.bell.set()

    def turn(self) -> bool:
        """Make one wave; tell whether anything was done."""
        self._sweep()
        reports = self._take_reports()
        self._take_facts()
        self._take_timers()
        claimed = self._claim()
        dirty = [held for held in self.held.values() if held.is_dirty]
        if dirty:
            self._commit(dirty)
        return bool(reports or claimed or dirty)

    def now(self) -> datetime:
        """The database's time, as far as this process can tell between two questions."""
        return datetime.fromtimestamp(_clock() + self._offset, tz=UTC)

    def _turn_safely(self) -> None:
        """A wave that raises never takes the worker down; at worst its runs are lost to the sweep."""
        try:
            while self.turn() and not self.stopping.is_set():
                pass
        except LOST as error:
            self.journal.lose(error)
            connection.close()  # Django keeps a dead one otherwise
            self.stopping.wait(0.1)
        except Stopped:
            raise
        except Exception:
            log.exception("The engine's wave failed; its runs are given up and claimed again")
            self._give_up()

    @contextmanager
    def _containing(self, held: Held) -> Iterator[None]:
        """Keep what one run brings out from its neighbours: it is given up, and quarantined if it goes on so."""
        try:
            yield
        except PASSED_ON:
            raise
        except Exception:
            log.exception("Run %s could not be advanced; it is given up and claimed again", held.id)
            self._drop(held)

    def _rest(self) -> None:
        if self._reports or self._called:
            return
        timeout = LONGEST_TURN_SECONDS if self.held else settings.BATON_SWEEP_SECONDS
        if self.bell.wait(min(timeout, self._timers.left(_clock()))):
            self.bell.clear()

    # What happened

    def _sweep(self) -> None:
        """Once a sweep: look at the database's clock, for due runs and for facts of the runs in hand."""
        now = _clock()
        if self.held and now - self._renewed >= settings.BATON_LEASE_RENEW_SECONDS:
            self._renew()
        if self._timers.take_due(now):
            self._claim_wanted = True
        if now - self._swept >= settings.BATON_SWEEP_SECONDS:
            before, moment = _clock(), self.journal.store.now().timestamp()
            self._offset = moment - (before + _clock()) / 2
            self._swept, self._claim_wanted, self._look_for_suspects = now, True, True
            self._called |= set(self.held)

    def _take_reports(self) -> int:
        taken = 0
        while self._reports and taken < 10_000:
            (run_id, epoch, attempt), report = self._reports.popleft()
            held = self.held.get(run_id)
            if held is not None and held.claimed.epoch == epoch:
                with self._containing(held):
                    self._advancing.take_report(held, attempt, report)
            taken += 1
        return taken

    def _take_facts(self) -> None:
        called, self._called = [run_id for run_id in self._called if run_id in self.held], set()
        if not called:
            return
        for run_id, rows in self.journal.store.facts(called).items():
            held = self.held[run_id]
            with self._containing(held):
                self._advancing.take_facts(held, rows)

    def _take_timers(self) -> None:
        for held in list(self.held.values()):
            with self._containing(held):
                self._advancing.take_timers(held)

    def _claim(self) -> int:
        """Take up due runs while there is room. A suspect is taken by an empty-handed worker, and alone."""
        room = settings.BATON_RUNS_PER_WORKER - len(self.held)
        if not self._claim_wanted or self.stopping.is_set() or room <= 0:
            return 0
        now = _clock()
        if any(held.alone and now - held.taken_at < ALONE_SECONDS for held in self.held.values()):
            return 0
        self._claim_wanted = False
        store, limit = self.journal.store, min(room, CLAIM_AT_ONCE)
        claimed = store.claim(self.owner, 1, alone=True) if self._look_for_suspects and not self.held else []
        self._look_for_suspects = alone = bool(claimed)
        if not alone:
            claimed = store.claim(self.owner, limit)
        if alone or len(claimed) == limit:
            self._claim_wanted = True
            hints.ring()  # there is more, perhaps for others
        if claimed:
            self._take_up(claimed, alone)
        return len(claimed)

    def _take_up(self, claimed: Sequence[Claimed], alone: bool) -> None:
        store, ids = self.journal.store, [one.id for one in claimed]
        # A run that was only accepted has nothing to read but perhaps a fact.
        loaded = store.load(ids) if any(one.seq > 1 for one in claimed) else Loaded({}, store.facts(ids), {})
        for one in claimed:
            if earlier := self.held.get(one.id):  # our own lease had run out
                self._drop(earlier)
            try:
                held = self.held[one.id] = self._hold(one, loaded, alone)
            except LOST:
                raise
            except Exception:
                log.exception("Run %s can't be taken up; somebody tries again when the lease has run out", one.id)
                continue
            failpoint("claimed")
            with self._containing(held):
                self._advancing.begin(held, loaded.facts.get(one.id, ()))

    def _hold(self, one: Claimed, loaded: Loaded, alone: bool) -> Held:
        done = compiled(one.version_id, one.workspace_id, one.guard_revision)
        view = view_of(one, loaded.ended.get(one.id, ()), done.workflow)
        view.recount(done.plan)
        effects = {row.key: row for row in loaded.effects.get(one.id, ())}
        return Held(one, done, view, effects, _lease_end(), _clock(), alone)

    # Committing

    def _commit(self, dirty: Sequence[Held]) -> None:
        """Commit a wave, start what that allows, and only then look after the runs that were not written."""
        now, lost = self.now(), None
        for held in dirty:
            held.finish_write(now)
        alone = [held for held in dirty if held.needs_ports]
        plain = [held.begin_write() for held in dirty if not held.needs_ports]
        result = self.journal.commit(plain) if plain else Result()
        for held in alone:
            try:
                with self._containing(held):
                    self._commit_alone(held, now, result)
            except LOST as error:
                lost = error
        failpoint("committed")
        self._start([held for held in dirty if held.id in result.written], result.called)
        if lost:
            raise lost
        for held in dirty:
            if held.id not in result.written and self.held.get(held.id) is held:
                with self._containing(held):
                    self._look_after(held, result.refused.get(held.id))

    def _commit_alone(self, held: Held, now: datetime, result: Result) -> None:
        """The second lane: other apps are called in the same transaction, on Django's connection."""
        reply = commit_with_ports(self.owner, held, now)
        while reply.denied:
            for attempt, why in reply.denied:
                self._advancing.deny(held, attempt, why)
            held.finish_write(now)
            reply = commit_with_ports(self.owner, held, now)
        if reply.written:
            result.written.add(held.id)
        if reply.called:
            result.called.add(held.id)
        if reply.refused is not None:
            result.refused[held.id] = reply.refused

    def _look_after(self, held: Held, refused: str | None) -> None:
        """Not written: the database refused it, the guard changed its mind, or the run is no longer ours."""
        if refused is not None:
            return self._fail_offender(held, refused)
        write = held.begin_write()
        standing = self.journal.standing([held.id]).get(held.id)
        if write.is_done(standing):
            return self._start([held], {held.id})
        if standing == (write.epoch, write.seq_from) and write.guard is not None and self._advancing.judge_again(held):
            return self._commit([held])
        log.warning("Run %s was fenced: another worker has taken it over", held.id)
        return self._drop(held)

    def _fail_offender(self, held: Held, why: str) -> None:
        """The database refused what the run wants to write: fail it, from what its rows say."""
        self._drop(held)
        rows = [one for one in self.journal.store.read([held.id]) if one.epoch == held.claimed.epoch]
        if held.is_broken or not rows:
            log.error("Run %s can't even be failed: %s", held.id, why)
            return
        fresh = self.held[held.id] = self._hold(rows[0], self.journal.store.load([held.id]), alone=False)
        fresh.is_broken = True
        self._advancing.fail(fresh, "unstorable", f"The database refused what the run produced: {why}")
        self._commit([fresh])

    # Performing

    def _start(self, committed: Sequence[Held], called: Iterable[RunId]) -> None:
        """Start what the commit allowed, interrupt what is no longer wanted, give back what only waits."""
        if any(held.prepared and held.lease_ends <= _clock() for held in committed):
            self._renew()  # the commit took long: look whether they are still ours
        batch = []
        for held in [held for held in committed if self.held.get(held.id) is held]:
            if held.id in called:
                self._called.add(held.id)
                self._claim_wanted = True
            self._interrupt(held)
            for prepared in held.written():
                held.in_flight[prepared.attempt] = prepared
                batch.append(((held.id, held.claimed.epoch, prepared.attempt), self._performing(held, prepared)))
            if not held.keeps:
                self._give_back(held)
        if batch:
            self.io.spawn_many(batch, self._report)

    def _interrupt(self, held: Held) -> None:
        """Cancel attempts that nobody waits for any more; an effect on its way is left to end."""
        for attempt in held.interrupts:
            in_flight = held.in_flight.get(attempt)
            if in_flight is not None and in_flight.intent is None:
                self.io.cancel((held.id, held.claimed.epoch, attempt))
        held.interrupts = []

    def _performing(self, held: Held, prepared: Prepared) -> Any:
        prepared.door = preparing.open_door(held, prepared, self.now)
        return perform(prepared.kind, prepared.job, prepared.door)

    def _report(self, key: Any, report: Any) -> None:
        """Called on the I/O thread: hand the report over and wake the loop."""
        self._reports.append((key, report))
        self.bell.set()

    # Leases

    def _renew(self) -> None:
        end = _lease_end()
        ours = self.journal.store.renew(self.owner, {held.id: held.claimed.epoch for held in self.held.values()})
        self._renewed = _clock()
        for held in list(self.held.values()):
            if held.id in ours:
                held.lease_ends = end
            else:
                self._drop(held)

    def _give_back(self, held: Held) -> None:
        """The commit has released the run: forget it, and remember when it is due."""
        self.held.pop(held.id, None)
        due = held.view.next_due(held.compiled.plan)
        if due is not None:
            now = _clock()
            self._timers.add(now + max(0.0, (due - self.now()) / timedelta(seconds=1)), now)

    def _drop(self, held: Held) -> None:
        """Forget a run that is no longer ours; nothing more leaves for it, what is being performed is stopped."""
        self.held.pop(held.id, None)
        held.lease_ends = 0.0
        for attempt in held.in_flight:
            self.io.cancel((held.id, held.claimed.epoch, attempt))

    def _give_up(self) -> None:
        for held in list(self.held.values()):
            self._drop(held)

    def _drain(self) -> None:
        """Let what is in flight end, as far as time allows, and give every run back, due at once.

        Nothing new starts: a successor finds such attempts open and starts them over.
        """
        end = _clock() + settings.BATON_DRAIN_SECONDS
        self._return(lambda held: not held.in_flight)
        while self.held and _clock() < end:
            self.bell.wait(0.05)
            self.bell.clear()
            self._turn_safely()
            self._return(lambda held: not held.in_flight)
        self._return(lambda held: True)

    def _return(self, which: Callable[[Held], bool]) -> None:
        returned = [held for held in self.held.values() if which(held) and not held.is_dirty]
        for held in returned:
            self._drop(held)
        if returned:
            self.journal.store.release(self.owner, {held.id: held.claimed.epoch for held in returned})


def _clock() -> float:
    """Seconds that go on while the machine sleeps."""
    return time.clock_gettime(BOOTTIME)


def _lease_end() -> float:
    return _clock() + settings.BATON_LEASE_SECONDS - settings.BATON_LEASE_MARGIN_SECONDS
