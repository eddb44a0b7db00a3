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
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import connections

from orchestration.core import facts
from orchestration.core.decide import decide
from orchestration.core.outcomes import Blocked, Failed
from orchestration.providers.io_loop import IoLoop
from runs import hints, preparing
from runs.attempts import Report, perform
from runs.connections import LOST
from runs.facts import read
from runs.failpoints import failpoint
from runs.guard import BOOTTIME
from runs.held import Attempt, Held, Prepared
from runs.journal import Journal, Stopped
from runs.lane import commit_with_ports
from runs.plans import compiled
from runs.store import Claimed, FactRow, Loaded, RunId, view_of

log = logging.getLogger("baton.engine")

MOST_DEATHS = 3  # workers that may die with a run while it is alone, before it is quarantined
CLAIM_AT_ONCE = 200  # runs a claim takes at most
LONGEST_TURN_SECONDS = 0.25  # the loop looks around at least this often while it holds runs
ALONE_SECONDS = 5.0  # a suspect keeps its worker to itself for so long


class Engine:
    def __init__(self, owner: RunId, connect: Callable[[], Any], io: IoLoop) -> None:
        self.owner, self.io = owner, io
        self.stopping = threading.Event()
        self.bell = threading.Event()
        self.journal = Journal(owner, connect, self.stopping)
        self.held: dict[RunId, Held] = {}
        self._reports: deque[tuple[Any, Report | BaseException]] = deque()
        self._called: set[RunId] = set()
        self._claim_wanted = True
        self._offset = 0.0  # database clock minus this machine's monotonic clock, in seconds since the epoch
        self._swept = self._renewed = 0.0
        self._wake_at: float | None = None  # monotonic: when a run this worker gave back is due

    # The thread

    def run(self) -> None:
        """Advance runs until stopped, then drain and give the rest back."""
        hints.listen(self.bell)
        try:
            while not self.stopping.is_set():
                self._turn_safely()
                self._rest()
            self._drain()
        except Stopped:
            log.warning("Stopped while the database was away")
        finally:
            hints.leave(self.bell)
            self.journal.close()
            connections.close_all()

    def stop(self) -> None:
        """Ask the loop to end. It takes no more runs, and waits BATON_DRAIN_SECONDS for attempts in flight."""
        self.stopping.set()
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
        return datetime.fromtimestamp(time.monotonic() + self._offset, tz=UTC)

    def _turn_safely(self) -> None:
        """A wave that raises loses its runs to the sweep; it never takes the worker down."""
        try:
            while self.turn() and not self.stopping.is_set():
                pass
        except LOST as error:
            self.journal.lose(error)
            self.stopping.wait(0.1)
        except Stopped:
            raise
        except Exception:
            log.exception("The engine's wave failed; its runs are given up and claimed again")
            self._give_up()

    def _rest(self) -> None:
        if self._reports or self._called:
            return
        timeout = LONGEST_TURN_SECONDS if self.held else settings.BATON_SWEEP_SECONDS
        if self._wake_at is not None:
            timeout = min(timeout, max(0.0, self._wake_at - time.monotonic()))
        if self.bell.wait(timeout):
            self.bell.clear()
            self._claim_wanted = True

    # What happened

    def _sweep(self) -> None:
        """Once a sweep: look at the database's clock, for due runs and for facts of the runs in hand."""
        monotonic = time.monotonic()
        if self.held and monotonic - self._renewed >= settings.BATON_LEASE_RENEW_SECONDS:
            self._renew()
        due = self._wake_at is not None and monotonic >= self._wake_at
        if due or monotonic - self._swept >= settings.BATON_SWEEP_SECONDS:
            before = time.monotonic()
            moment = self.journal.store.now().timestamp()
            self._offset = moment - (before + time.monotonic()) / 2
            self._swept, self._claim_wanted, self._wake_at = monotonic, True, None
            self._called |= set(self.held)

    def _take_reports(self) -> int:
        taken = 0
        while self._reports and taken < 10_000:
            (run_id, epoch, attempt), report = self._reports.popleft()
            held = self.held.get(run_id)
            if held is not None and held.claimed.epoch == epoch:
                self._take_report(held, attempt, report)
            taken += 1
        return taken

    def _take_report(self, held: Held, attempt: Attempt, report: Report | BaseException) -> None:
        prepared = held.in_flight.pop(attempt)
        if isinstance(report, BaseException):
            log.error("Attempt %s of run %s crashed", attempt, held.id, exc_info=report)
            report = Report(Failed("crashed", f"{type(report).__name__}: {report}"))
        path, pass_number, number = attempt
        if report.spans:
            held.note_spans(attempt, report.spans)
        if prepared.intent and report.settled:
            preparing.note_settlement(held, prepared.intent, report.settled, self.now())
        held.progress = True
        self._decide(held, facts.Reported(path, pass_number, number, report.outcome))

    def _take_facts(self) -> None:
        called, self._called = [run_id for run_id in self._called if run_id in self.held], set()
        if not called:
            return
        for run_id, rows in self.journal.store.facts(called).items():
            self._take_fact_rows(self.held[run_id], rows)

    def _take_fact_rows(self, held: Held, rows: Sequence[FactRow]) -> None:
        for row in rows:
            write = held.begin_write()
            if row.id in write.consumed:
                continue
            write.consumed.append(row.id)
            held.progress = True
            preparing.note_answer(held, row, self.now())
            self._decide(held, read(row.kind, row.body))

    def _take_timers(self) -> None:
        now = self.now()
        for held in self.held.values():
            due = held.view.next_due(held.compiled.plan)
            if due is not None and due <= now:
                self._decide(held, facts.TimeCame())

    def _claim(self) -> int:
        """Take up due runs while there is room. A suspect is taken by an empty-handed worker, and alone."""
        if not self._claim_wanted or self.stopping.is_set() or any(held.alone for held in self.held.values()):
            return 0
        self._claim_wanted = False
        store, room = self.journal.store, settings.BATON_RUNS_PER_WORKER - len(self.held)
        claimed, alone = [], False
        if not self.held:
            claimed = store.claim(self.owner, 1, alone=True)
            alone = bool(claimed)
        if not alone and room > 0:
            limit = min(room, CLAIM_AT_ONCE)
            claimed = store.claim(self.owner, limit)
            if len(claimed) == limit:
                hints.ring()  # there is more, perhaps for others
                self._claim_wanted = True
        if claimed:
            self._take_up(claimed, alone)
        return len(claimed)

    def _take_up(self, claimed: Sequence[Claimed], alone: bool) -> None:
        loaded = self.journal.store.load([one.id for one in claimed])
        for one in claimed:
            held = self.held[one.id] = self._hold(one, loaded, alone)
            failpoint("claimed")
            self._begin(held, loaded.facts.get(one.id, ()))

    def _hold(self, one: Claimed, loaded: Loaded, alone: bool) -> Held:
        done = compiled(one.version_id, one.workspace_id, one.guard_revision)
        view = view_of(one, loaded.ended.get(one.id, ()), done.workflow)
        view.recount(done.plan)
        effects = {row.key: row for row in loaded.effects.get(one.id, ())}
        return Held(one, done, view, effects, self._lease_end(), time.monotonic(), alone)

    def _begin(self, held: Held, rows: Sequence[FactRow]) -> None:
        """Catch up with what happened while nobody held the run."""
        if held.claimed.deaths > MOST_DEATHS:
            message = f"{MOST_DEATHS} workers died while they advanced this run alone."
            self._decide(held, facts.Broken("quarantined", message))
        self._decide(held, facts.WorkerLost(preparing.note_lost(held, self.now())))
        if held.view.standing.started_at is None:
            self._take_fact_rows(held, rows)
            self._decide(held, facts.Started())
        else:
            self._take_fact_rows(held, rows)
            self._decide(held, facts.TimeCame())
        held.begin_write()  # even if nothing changed: the run is given back

    # Deciding

    def _decide(self, held: Held, fact: facts.Fact) -> None:
        """Decide a fact and prepare what follows; what can't be prepared or is denied is reported at once."""
        to_decide: deque[facts.Fact] = deque([fact])
        while to_decide:
            now = self.now()
            transition = decide(held.compiled.plan, held.view, to_decide.popleft(), now)
            if transition is None:
                continue
            held.note(transition, now)
            for one in transition.performs if not self.stopping.is_set() else ():
                outcome = preparing.prepare(held, one, now)
                if outcome is not None:
                    to_decide.append(facts.Reported(one.path, one.pass_number, one.attempt, outcome))

    # Committing

    def _commit(self, dirty: list[Held]) -> None:
        now = self.now()
        for held in dirty:
            preparing.drop_interrupted(held)
            held.finish_write(now)
        plain = [held for held in dirty if not held.needs_ports]
        if plain:
            result = self.journal.commit([held.begin_write() for held in plain])
            for held in plain:
                self._committed(held, held.id in result.written, held.id in result.called, result.refused.get(held.id))
        for held in dirty:
            if held.write is not None and held.needs_ports and held.id in self.held:
                self._commit_alone(held, now)
        failpoint("committed")
        self._start([held for held in dirty if self.held.get(held.id) is held])

    def _commit_alone(self, held: Held, now: datetime) -> None:
        """The second lane: other apps are called in the same transaction, on Django's connection."""
        reply = commit_with_ports(self.owner, held, now)
        for perform_, why in reply.denied:
            self._decide(held, facts.Reported(*perform_, Blocked("approval_not_usable", why)))
        if reply.denied:
            held.finish_write(now)
            return self._commit_alone(held, now)
        return self._committed(held, reply.written, reply.called, reply.refused)

    def _committed(self, held: Held, written: bool, called: bool, refused: str | None) -> None:
        if refused is not None:
            return self._fail_offender(held, refused)
        if not written:
            return self._not_written(held)
        if called:
            self._called.add(held.id)
            self._claim_wanted = True
        return None

    def _not_written(self, held: Held) -> None:
        """Fenced: the run is no longer ours. Or the guard changed its mind: judge again under its new revision."""
        standing = self.journal.store.standing([held.id]).get(held.id)
        write = held.begin_write()
        if standing == (write.epoch, write.seq_from) and write.guard is not None:
            for denied in preparing.judge_again(held, self.now()):
                self._decide(held, denied)
            held.finish_write(self.now())
            return self._commit([held])
        log.warning("Run %s was fenced: another worker has taken it over", held.id)
        return self._drop(held)

    def _fail_offender(self, held: Held, why: str) -> None:
        """The database refused what the run wants to write: fail it, from what its rows say."""
        self._drop(held)
        rows = [one for one in self.journal.store.read([held.id]) if one.epoch == held.claimed.epoch]
        if rows:
            fresh = self.held[held.id] = self._hold(rows[0], self.journal.store.load([held.id]), alone=False)
            self._decide(fresh, facts.Broken("unstorable", f"The database refused what the run produced: {why}"))
            self._commit([fresh])

    # Performing

    def _start(self, committed: list[Held]) -> None:
        """Start what the commit allowed, interrupt what is no longer wanted, give back what only waits."""
        batch = []
        for held in committed:
            for attempt in held.interrupts:
                in_flight = held.in_flight.get(attempt)
                if in_flight is not None and in_flight.intent is None:
                    self.io.cancel((held.id, held.claimed.epoch, attempt))
            held.interrupts = []
            for prepared in held.written():
                held.in_flight[prepared.attempt] = prepared
                batch.append(((held.id, held.claimed.epoch, prepared.attempt), self._performing(held, prepared)))
            if not held.keeps:
                self._give_back(held)
        if batch:
            self.io.spawn_many(batch, self._report)

    def _performing(self, held: Held, prepared: Prepared) -> Any:
        prepared.door = preparing.open_door(held, prepared, self.now)
        return perform(prepared.kind, prepared.job, prepared.door)

    def _report(self, key: Any, report: Any) -> None:
        """Called on the I/O thread: hand the report over and wake the loop."""
        self._reports.append((key, report))
        self.bell.set()

    # Leases

    def _renew(self) -> None:
        self._renewed = time.monotonic()
        end = self._lease_end()
        ours = self.journal.store.renew(self.owner, {held.id: held.claimed.epoch for held in self.held.values()})
        for held in list(self.held.values()):
            if held.id in ours:
                held.lease_ends = end
                held.alone = held.alone and self._renewed - held.taken_at < ALONE_SECONDS
            else:
                self._drop(held)

    def _lease_end(self) -> float:
        return time.clock_gettime(BOOTTIME) + settings.BATON_LEASE_SECONDS - settings.BATON_LEASE_MARGIN_SECONDS

    def _give_back(self, held: Held) -> None:
        """The commit has released the run: forget it, and remember when it is due."""
        self.held.pop(held.id, None)
        due = held.view.next_due(held.compiled.plan)
        if due is not None:
            at = time.monotonic() + max(0.0, (due - self.now()) / timedelta(seconds=1))
            self._wake_at = at if self._wake_at is None else min(self._wake_at, at)

    def _drop(self, held: Held) -> None:
        """Forget a run that is no longer ours, and stop what is being performed for it."""
        self.held.pop(held.id, None)
        for attempt in held.in_flight:
            self.io.cancel((held.id, held.claimed.epoch, attempt))

    def _give_up(self) -> None:
        for held in list(self.held.values()):
            self._drop(held)

    def _drain(self) -> None:
        """Let what is in flight end, as far as time allows, and give every run back, due at once.

        Nothing new starts: a successor finds such attempts open and starts them over.
        """
        end = time.monotonic() + settings.BATON_DRAIN_SECONDS
        self._return(lambda held: not held.in_flight)
        while self.held and time.monotonic() < end:
            self.bell.wait(0.05)
            self.bell.clear()
            self.turn()
            self._return(lambda held: not held.in_flight)
        for held in self.held.values():
            for attempt in held.in_flight:
                self.io.cancel((held.id, held.claimed.epoch, attempt))
        self._return(lambda held: True)

    def _return(self, which: Callable[[Held], bool]) -> None:
        epochs = {held.id: held.claimed.epoch for held in self.held.values() if which(held) and not held.is_dirty}
        if epochs:
            self.journal.store.release(self.owner, epochs)
            for run_id in epochs:
                del self.held[run_id]
