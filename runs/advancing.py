"""What a fact means for a run in hand: decide it, and prepare what follows. Touches nothing but the run's `Held`."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from datetime import datetime

from orchestration.core import facts
from orchestration.core.decide import decide
from orchestration.core.outcomes import Blocked, Failed
from runs import preparing
from runs.attempts import Report, crashed
from runs.facts import read
from runs.held import Attempt, Held
from runs.store import FactRow

MOST_DEATHS = 3  # workers that may die with a run while it is alone, before it is quarantined
NOT_SENT = ("failed", {"code": "not_sent", "message": "The attempt ended before the call went out."})


class Advancing:
    def __init__(self, now: Callable[[], datetime], stopping: threading.Event) -> None:
        """Decide by this clock; while `stopping` nothing new is prepared: a successor starts it."""
        self._now, self._stopping = now, stopping

    def decide(self, held: Held, fact: facts.Fact) -> None:
        """Decide a fact and prepare what follows; what can't be prepared or is denied is reported at once."""
        to_decide: deque[facts.Fact] = deque([fact])
        while to_decide:
            now = self._now()
            transition = decide(held.compiled.plan, held.view, to_decide.popleft(), now)
            if transition is None:
                continue
            held.note(transition, now)
            for one in transition.performs if not self._stopping.is_set() else ():
                outcome = preparing.prepare(held, one, now)
                if outcome is not None:
                    to_decide.append(facts.Reported(one.path, one.pass_number, one.attempt, outcome))
            to_decide += preparing.drop_unwanted(held)

    def begin(self, held: Held, rows: Sequence[FactRow]) -> None:
        """Catch up with what happened while nobody held the run."""
        held.begin_write()  # even if nothing changes: the run is given back
        if held.claimed.deaths > MOST_DEATHS:
            message = f"{MOST_DEATHS} workers died while they advanced this run alone."
            return self.fail(held, "quarantined", message, rows)
        self.decide(held, facts.WorkerLost(preparing.note_lost(held, self._now())))
        self.take_facts(held, rows)
        started = held.view.standing.started_at is not None
        return self.decide(held, facts.TimeCame() if started else facts.Started())

    def fail(self, held: Held, code: str, message: str, rows: Sequence[FactRow] = ()) -> None:
        """Fail a run that can't be advanced, and ask about the calls it had under way. The facts are not looked at."""
        held.begin_write().consumed += [row.id for row in rows]
        preparing.note_lost(held, self._now(), goes_on=False)
        self.decide(held, facts.Broken(code, message))

    def take_report(self, held: Held, attempt: Attempt, report: Report | BaseException) -> None:
        """Take what an attempt came to. One that is no longer waited for still settles its call."""
        prepared = held.in_flight.pop(attempt, None)
        if prepared is None:
            return
        if isinstance(report, BaseException):
            report = crashed(report, prepared.door)
        if report.spans:
            held.note_spans(attempt, report.spans)
        if prepared.intent:
            self._settle(held, attempt, prepared.intent.key, report)
        held.progress = True
        self.decide(held, facts.Reported(*attempt, report.outcome))

    def take_facts(self, held: Held, rows: Sequence[FactRow]) -> None:
        for row in rows:
            write = held.begin_write()
            if row.id in write.consumed:
                continue
            write.consumed.append(row.id)
            held.progress = True
            preparing.note_answer(held, row, self._now())
            self.decide(held, read(row.kind, row.body))

    def take_timers(self, held: Held) -> None:
        due = held.view.next_due(held.compiled.plan)
        if due is not None and due <= self._now():
            self.decide(held, facts.TimeCame())

    def deny(self, held: Held, attempt: Attempt, why: str) -> None:
        """Block an attempt whose approval can't be used; it is no longer prepared."""
        self.decide(held, facts.Reported(*attempt, Blocked("approval_not_usable", why)))

    def judge_again(self, held: Held) -> bool:
        """Judge what is prepared under a newer revision of the guard; False if there is none."""
        before = held.compiled.catalog.revision
        for denied in preparing.judge_again(held, self._now()):
            self.decide(held, denied)
        return held.compiled.catalog.revision != before

    def _settle(self, held: Held, attempt: Attempt, key: str, report: Report) -> None:
        state, receipt = report.settled or NOT_SENT
        held.note_settlement(key, state, receipt, self._now())
        once = held.effects[key].effect == "once"
        if state == "unknown" and once and not held.is_open(attempt):
            path, pass_number, _ = attempt
            failed = Failed("unknown_effect", "The step was cancelled, and its call ended without an answer.")
            preparing.ask_about(held, path, pass_number, failed)
