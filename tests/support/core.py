"""Builders for the tests of `decide`: a run in memory that is written down, read back and checked after every fact.

Nothing here is a mock: the view is read back by the functions the engine uses (`runs.store`), from rows that only
the transitions produced.
"""

from __future__ import annotations

import uuid
from collections import Counter
from collections.abc import Mapping
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from textwrap import dedent
from typing import Any

import orjson

from orchestration.core import facts
from orchestration.core.catalog import Catalog
from orchestration.core.decide import decide
from orchestration.core.definition import Definition, Edge, Json
from orchestration.core.documents import parse, read
from orchestration.core.fingerprints import fingerprint
from orchestration.core.fold import fold
from orchestration.core.outcomes import Failed, Outcome, Succeeded
from orchestration.core.plan import Plan
from orchestration.core.transition import AttemptEnd, StepEnd, Transition
from orchestration.core.view import Open, View
from orchestration.kinds import KINDS
from runs.store import Claimed, EndedRow, run_columns, view_of
from tests.support.noop import Noop

T0 = datetime(2030, 1, 1, tzinfo=UTC)
KNOWN = {**KINDS, "noop": Noop()}
RUN_ID = uuid.UUID(int=7)


def a_definition(text: str | Mapping[str, Json]) -> Definition:
    """Read a definition from YAML or from its document, unjudged."""
    document = read(dedent(text), "yaml") if isinstance(text, str) else text
    return parse({"format": "baton/1", "name": "Test", **document})


def a_plan(text: str | Mapping[str, Json], kinds: Mapping[str, Any] | None = None) -> Plan:
    return Plan(a_definition(text), {**KNOWN, **(kinds or {})}, Catalog())


_LATE = Succeeded("late")


class Play:
    """One run, told one fact after another. Each transition is checked against what must always hold."""

    def __init__(
        self, text: str | Mapping[str, Json] | Plan, input: Json = None, kinds: Mapping[str, Any] | None = None
    ) -> None:
        self.plan = text if isinstance(text, Plan) else a_plan(text, kinds)
        self.now = T0
        initial = {name: variable.initial for name, variable in self.plan.definition.variables.items()}
        self.variables = deepcopy(initial)
        self.view = View({}, input or {}, T0, variables=deepcopy(initial))
        self.view.run = self.reread(rows=()).run
        self.rows: list[StepEnd] = []
        self.attempts: list[AttemptEnd] = []
        self.events: list[tuple[int, str, bool, Json]] = []
        self.performed: list[tuple[str, int, int]] = []
        self.forced: set[str] = set()  # targets of ways back, in the pass that this way began
        self.last: Transition | None = None

    # What happens

    def tell(self, fact: facts.Fact, after: float = 0.0) -> Transition | None:
        """Decide a fact `after` seconds, take the answer over and check it."""
        self.now += timedelta(seconds=after)
        before = deepcopy(self.view)
        self.last = transition = decide(self.plan, self.view, fact, self.now)
        assert self.view == before, "decide changed the view"
        if transition is not None:
            self._note(before, transition)
            self._check()
        return transition

    def start(self) -> Play:
        self.tell(facts.Started())
        return self

    def report(self, path: str, outcome: Outcome, after: float = 0.0) -> Transition | None:
        """Answer for the attempt of the step that is open."""
        step = self.view.active[path]
        return self.tell(facts.Reported(path, step.pass_number, step.attempt, outcome), after)

    def late(self, step: Open, outcome: Outcome = _LATE) -> Transition | None:
        """Answer for an attempt as it was open at some time."""
        return self.tell(facts.Reported(step.path, step.pass_number, step.attempt, outcome))

    def done(self, *paths: str, output: Json = None) -> Play:
        for path in paths:
            assert self.report(path, Succeeded(output)) is not None
        return self

    def fails(self, path: str, code: str = "broken", **more: Any) -> Play:
        assert self.report(path, Failed(code, f"{path} failed", **more)) is not None
        return self

    def wait(self, seconds: float) -> Transition | None:
        return self.tell(facts.TimeCame(), seconds)

    def cancel(self) -> Play:
        self.tell(facts.CancelAsked("ann", "too late"))
        return self

    def decided(self, path: str, port: str, **answer: Json) -> Transition | None:
        return self.tell(facts.Decided(path, self.view.active[path].pass_number, port, answer))

    def answered(self, path: str, answer: str, output: Json = None) -> Transition | None:
        step = self.view.active[path]
        return self.tell(facts.EffectAnswered(path, step.pass_number, answer, "ann", output))

    def crash(self) -> Play:
        """Forget the view and read it back from what was written."""
        self.view = self.reread()
        return self

    # What is to be seen

    @property
    def state(self) -> str:
        return str(self.view.standing.state)

    @property
    def waiting_for(self) -> str:
        return str(self.view.standing.waiting_for)

    @property
    def error(self) -> str:
        return (self.view.standing.error or {}).get("code", "")

    @property
    def output(self) -> Json:
        return self.view.standing.output

    @property
    def open(self) -> dict[str, str]:
        return {path: str(step.state) for path, step in self.view.active.items()}

    @property
    def ended(self) -> dict[str, str]:
        """Step -> state, in the present pass."""
        return {path: str(ended.state) for path, ended in self.view.ended.items()}

    def history(self, path: str) -> list[tuple[int, str]]:
        return [(row.pass_number, str(row.state)) for row in self.rows if row.path == path]

    def row(self, path: str) -> StepEnd:
        return [row for row in self.rows if row.path == path][-1]

    def runs_of(self, path: str) -> list[tuple[int, int]]:
        """(pass, attempt) of each attempt that was asked for."""
        return [(pass_number, attempt) for name, pass_number, attempt in self.performed if name == path]

    # What was written

    def _note(self, before: View, transition: Transition) -> None:
        standing = before.standing
        for seq, event in enumerate(transition.events, standing.seq + 1):
            self.events.append((seq, str(event.kind), event.terminal, _stored(event.body)))
            self._note_ways_back(event.body)
        self.rows += transition.rows
        self.attempts += transition.attempts
        self.view.apply(transition)
        self._check_asked(transition)
        self.performed += [(one.path, one.pass_number, one.attempt) for one in transition.performs]
        if transition.variables is not None:
            self.variables = transition.variables

    def _note_ways_back(self, body: Mapping[str, Any]) -> None:
        for key, _ in body.get("again", ()):
            target = next(e.target for e in self.plan.definition.edges if e.again and str(e) == key)
            self.forced -= self.plan.region(target)
            self.forced.add(target)

    def reread(self, rows: tuple[StepEnd, ...] | None = None) -> View:
        """Read the view back from rows, as the engine does when it takes a run up."""
        kept = self.rows if rows is None else rows
        columns = run_columns(self.view, keep=False, due_at=None, progress=False)
        claimed = Claimed(
            RUN_ID, 1, 0, 1, 1, 1, "", "api", None, self.view.input, columns["state"], columns["waiting_for"],
            columns["life"], columns["seq"], _stored(columns["active"]), _stored(columns["marks"]),
            _stored(columns["variables"]), _stored(columns["output"]), _stored(columns["error"]),
            columns["steps_started"], columns["tokens"], columns["cost_microusd"], 1, 0, False, T0,
            columns["started_at"], columns["ended_at"],
        )  # fmt: skip
        ended = [
            EndedRow(RUN_ID, r.path, r.pass_number, str(r.state), r.port, _stored(r.output), _stored(r.error))
            for r in sorted(kept, key=lambda row: row.pass_number)
        ]
        view = view_of(claimed, ended, "test")
        view.recount(self.plan)
        return view

    # What must always hold

    def _check_asked(self, transition: Transition) -> None:
        """What is asked of the world belongs to a step that is open and waits for it, and is asked once."""
        for one in transition.performs:
            step = self.view.active[one.path]
            assert (step.state, step.pass_number, step.attempt) == ("running", one.pass_number, one.attempt)
            assert (one.path, one.pass_number, one.attempt) not in self.performed, "performed twice"
            assert self.view.standing.closing is None, "started while the run is closing"
        for ask in transition.asks:
            if ask.kind == "step":
                assert self.view.active[ask.path].pass_number == ask.pass_number
                assert self.view.active[ask.path].waiting_for == "approval"

    def _check(self) -> None:
        self._check_rows()
        self._check_events()
        self._check_reread()
        if self.view.standing.closing is None and not self.view.standing.is_ended:
            self.check_edges()

    def _check_rows(self) -> None:
        twice = [key for key, count in Counter((r.path, r.pass_number) for r in self.rows).items() if count > 1]
        assert not twice, f"ended twice in one pass: {twice}"
        tries = Counter((a.path, a.pass_number, a.number) for a in self.attempts)
        assert not [key for key, count in tries.items() if count > 1], "an attempt ended twice"
        for step in self.view.active.values():
            numbers = sorted(
                n for path, pass_number, n in tries if (path, pass_number) == (step.path, step.pass_number)
            )
            followed = step.attempt if step.waiting_for == "retry" else step.attempt - 1
            assert numbers == list(range(1, followed + 1)), "an attempt before the open one left no trace"
        assert not (self.view.active and self.view.standing.is_ended)
        assert self.view.active or self.view.standing.is_ended, "nothing is open and the run has not ended"

    def _check_events(self) -> None:
        standing, folded = self.view.standing, fold(self.events)
        assert (folded.state, folded.waiting_for, folded.seq) == (standing.state, standing.waiting_for, standing.seq)
        assert folded.output == fingerprint(standing.output)
        assert folded.ended == {
            (row.path, row.pass_number): (row.state, row.port, fingerprint(row.output)) for row in self.rows
        }
        assert folded.open == {
            path: (step.pass_number, step.attempt, step.state) for path, step in self.view.active.items()
        }
        assert folded.again == self.view.again
        for name, told in folded.variables.items():
            assert told == fingerprint(self.variables[name])
        assert sum(terminal for _, _, terminal, _ in self.events) == standing.is_ended

    def _check_reread(self) -> None:
        live, read = self.view, self.reread()
        assert read.standing == live.standing
        assert (read.active, read.ended, read.variables) == (live.active, live.ended, live.variables)
        assert (read.passes, read.again, read.previous) == (live.passes, live.again, live.previous)
        assert _counted(read) == _counted(live)

    def check_edges(self) -> None:
        """Judge each step by the states of its edges alone, without anything `decide` keeps for itself."""
        for step in self.plan.definition.steps:
            wants = self._wants(step.id, step.join)
            begun, ended = step.id in self.view.active, self.view.ended.get(step.id)
            if wants == "run" or step.id in self.forced:
                lost = self._lost(step.id)
                assert begun or ended, f"{step.id} should have started"
                skipped = ended and ended.state == "skipped" and not ended.port
                assert not skipped or lost or step.run_if, f"{step.id} should not have been skipped"
            elif wants == "skip":
                assert not begun, f"{step.id} started before its join allows it"
                assert getattr(ended, "state", "") == "skipped", f"{step.id} should have been skipped"
            else:
                assert (begun, ended) == (False, None), f"{step.id} started before its join allows it"

    def _wants(self, step_id: str, join: str | int) -> str:
        incoming = [e for e in self.plan.definition.edges if e.target == step_id and e.again is None]
        states = [self._edge_state(edge) for edge in incoming]
        taken, open_ = states.count("taken"), states.count("open")
        if join == "all":
            return "wait" if open_ else "run" if taken else "skip"
        needed = 1 if join == "any" else int(join)
        return "run" if taken >= needed else "skip" if taken + open_ < needed else "wait"

    def _edge_state(self, edge: Edge) -> str:
        if edge.source == "start":
            return "taken"
        present = self.view.passes.get(edge.source, 0)
        ends = [row for row in self.rows if (row.path, row.pass_number) == (edge.source, present)]
        return "open" if not ends else "taken" if ends[-1].port == edge.port else "skipped"

    def _lost(self, step_id: str) -> bool:
        """Say whether a join further on that cancels the rest has begun."""
        joins = [step.id for step in self.plan.definition.steps if step.cancel_rest and step.id != step_id]
        begun = {path for path, ended in self.view.ended.items() if ended.state != "skipped" or ended.port}
        begun |= set(self.view.active)
        return any(join in begun and join in self.plan.region(step_id) for join in joins)


def _stored(value: Json) -> Json:
    """Give a value as the database gives it back."""
    return orjson.loads(orjson.dumps(value))


def _counted(view: View) -> dict[str, tuple[int, int]]:
    return {step: count for step, count in view.counts.items() if any(count)}
