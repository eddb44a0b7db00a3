"""A run in the hands of this worker: its view, and what the next commit will write of it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from orchestration.core.definition import Json
from orchestration.core.scope import RunScope
from orchestration.core.states import StepState
from orchestration.core.transition import Ask, Perform, StepEnd, Transition
from orchestration.core.view import Ended, View
from orchestration.kinds.base import Job, SpanRecord
from runs.effects import Intent, entered, intent_row, settlement_row
from runs.guard import Door, Verdict
from runs.plans import Compiled
from runs.store import Claimed, EffectRow, RunId, Write, run_columns

Attempt = tuple[str, int, int]  # path, pass, attempt


@dataclass(slots=True)
class Prepared:
    """An admitted attempt that starts once its intent is committed."""

    perform: Perform
    kind: Any
    job: Job
    intent: Intent | None
    verdict: Verdict
    door: Door | None = None

    @property
    def attempt(self) -> Attempt:
        return (self.perform.path, self.perform.pass_number, self.perform.attempt)


@dataclass(slots=True)
class Held:
    claimed: Claimed
    compiled: Compiled
    view: View
    effects: dict[str, EffectRow]
    lease_ends: float  # by this machine's boot clock: nothing leaves after it
    taken_at: float  # monotonic
    alone: bool = False  # claimed alone: a worker has died with it
    is_broken: bool = False  # its failing is all that is still to be written
    in_flight: dict[Attempt, Prepared] = field(default_factory=dict)
    # For the next commit
    write: Write | None = None
    prepared: list[Prepared] = field(default_factory=list)
    asks: list[Ask] = field(default_factory=list)
    voids: list[str] = field(default_factory=list)
    interrupts: list[Attempt] = field(default_factory=list)
    settlements: dict[str, dict[str, Any]] = field(default_factory=dict)  # by effect key
    progress: bool = False

    @property
    def id(self) -> RunId:
        return self.claimed.id

    @property
    def is_dirty(self) -> bool:
        return self.write is not None

    @property
    def keeps(self) -> bool:
        """Say whether this worker must go on holding the run: something is performed, or an effect is on its way."""
        return self.view.is_running or any(one.intent for one in self.in_flight.values())

    @property
    def needs_ports(self) -> bool:
        """Say whether the commit must call other apps, and so goes by Django's connection."""
        uses = any(one.intent and one.intent.uses for one in self.prepared)
        return bool(self.asks or self.voids or uses)

    def scope(self, now: datetime) -> RunScope:
        """What a step may name, outside `decide`: when its job is rendered."""
        return RunScope(self.compiled.plan, self.view.run, self.view.input, self.view.variables, self.readable, now)

    def readable(self, step_id: str) -> Ended | None:
        return self.view.ended.get(step_id) or self.view.previous.get(step_id)

    def is_open(self, attempt: Attempt) -> bool:
        """Say whether this attempt is the one that its step is performing."""
        path, pass_number, number = attempt
        step = self.view.active.get(path)
        if step is None or step.state != StepState.RUNNING:
            return False
        return (step.pass_number, step.attempt) == (pass_number, number)

    def in_doubt(self, path: str, pass_number: int) -> EffectRow | None:
        """Find the call of a step whose outcome is not settled; the latest one."""
        rows = [row for row in self.effects.values() if (row.path, row.pass_number) == (path, pass_number)]
        open_ones = [row for row in rows if row.state in ("intended", "unknown")]
        return open_ones[-1] if open_ones else None

    def begin_write(self) -> Write:
        if self.write is None:
            self.write = Write(self.id, self.claimed.epoch, self.view.standing.seq, {})
        return self.write

    def note(self, transition: Transition, now: datetime) -> None:
        """Add a transition to the next commit and take it over into the view."""
        write, before = self.begin_write(), self.view.standing
        for seq, event in enumerate(transition.events, start=before.seq + 1):
            write.events.append({
                "run_id": self.id, "seq": seq, "life": before.life, "kind": str(event.kind),
                "terminal": event.terminal, "body": event.body, "at": now,
            })  # fmt: skip
        write.steps += [self._step_row(row, now) for row in transition.rows]
        write.attempts += [
            {"run_id": self.id, "path": a.path, "pass": a.pass_number, "number": a.number, "state": a.state,
             "error": a.error, "started_at": a.started, "ended_at": now}
            for a in transition.attempts
        ]  # fmt: skip
        # A step that asks and is cancelled in one wave has never asked: its request must not open after its void.
        self.asks = [ask for ask in self.asks if ask.kind != "step" or ask.path not in transition.voids]
        self.asks += transition.asks
        self.voids += transition.voids
        self.interrupts += [(one.path, one.pass_number, one.attempt) for one in transition.interrupts]
        self.view.apply(transition)

    def note_settlement(self, key: str, state: str, receipt: Json, now: datetime) -> None:
        """Add what became of an effect to the next commit, and take it over."""
        self.begin_write()
        self.settlements[key] = settlement_row(self.id, key, state, receipt, now)
        if known := self.effects.get(key):
            self.effects[key] = replace(known, state=state)

    def note_spans(self, attempt: Attempt, spans: tuple[SpanRecord, ...]) -> None:
        path, pass_number, number = attempt
        self.begin_write().spans += [
            {"run_id": self.id, "path": path, "pass": pass_number, "attempt": number, "kind": span.kind,
             "name": span.name, "status": span.status, "attributes": span.attributes,
             "started_at": span.started_at, "ended_at": span.ended_at}
            for span in spans
        ]  # fmt: skip

    def finish_write(self, now: datetime) -> Write:
        """Complete the write for the commit: the run row, the verdicts and the intents."""
        write = self.begin_write()
        due_at = None if self.keeps else self.view.next_due(self.compiled.plan)
        write.run = run_columns(self.view, keep=self.keeps, due_at=due_at, progress=self.progress)
        self.enter_intents(now)
        write.guard = self.compiled.catalog.revision if self.prepared else None
        return write

    def enter_intents(self, now: datetime) -> None:
        """Put the calls about to go out into the write. One that is sent again is not settled by its last attempt."""
        intents = [one.intent for one in self.prepared if one.intent]
        again = {intent.key for intent in intents}
        write = self.begin_write()
        write.intents = [intent_row(intent, now) for intent in intents]
        write.settlements = [row for key, row in self.settlements.items() if key not in again]

    def written(self) -> list[Prepared]:
        """Forget what was committed; give the attempts that may start now."""
        ready, self.prepared = self.prepared, []
        self.effects.update({one.intent.key: entered(one.intent) for one in ready if one.intent})
        self.alone = self.alone and not self.progress
        self.write, self.asks, self.voids, self.settlements, self.progress = None, [], [], {}, False
        return ready

    def _step_row(self, row: StepEnd, now: datetime) -> dict[str, Any]:
        return {
            "run_id": self.id, "path": row.path, "pass": row.pass_number, "kind": row.kind, "state": str(row.state),
            "port": row.port, "attempt": row.attempt, "reason": row.reason, "output": row.output, "error": row.error,
            "tokens": row.tokens, "cost_microusd": row.cost_microusd, "started_at": row.started, "ended_at": now,
        }  # fmt: skip
