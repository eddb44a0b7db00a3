"""What stands in the middle of a transition: the view, with the transition's own changes laid over it."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestration.core.definition import Edge, Json
from orchestration.core.scope import RunScope
from orchestration.core.transition import Transition
from orchestration.core.view import Ended, Open, View

if TYPE_CHECKING:
    from orchestration.core.plan import Plan


class Overlay:
    def __init__(self, plan: Plan, view: View, now: datetime) -> None:
        self.plan, self.view, self.now = plan, view, now
        self.standing = view.standing
        self.transition = Transition(self.standing)
        self.ready: deque[str] = deque()  # steps an edge has reached
        self.forced: set[str] = set()  # of those, what starts whatever its edges say: the run went back to it
        self.body: dict[str, list[Any]] = {}  # of the event

    def opened(self, path: str) -> Open | None:
        changed = self.transition.open
        return changed[path] if path in changed else self.view.active.get(path)

    def open_steps(self) -> list[Open]:
        merged = {**self.view.active, **self.transition.open}
        return [step for step in merged.values() if step is not None]

    def ended(self, step_id: str) -> Ended | None:
        made = self.transition.ended.get(step_id)
        if made is None and step_id not in self.transition.reset:
            made = self.view.ended.get(step_id)
        return made

    def readable(self, step_id: str) -> Ended | None:
        """What expressions see: the present pass, else the one before."""
        previous = self.transition.previous.get(step_id) or self.view.previous.get(step_id)
        if step_id in self.transition.reset and step_id not in self.transition.previous:
            previous = self.view.ended.get(step_id) or previous
        return self.ended(step_id) or previous

    def variables(self) -> dict[str, Json]:
        return self.view.variables if self.transition.variables is None else self.transition.variables

    def scope(self) -> RunScope:
        return RunScope(self.plan, self.view.run, self.view.input, self.variables(), self.readable, self.now)

    def pass_of(self, step_id: str) -> int:
        return self.transition.passes.get(step_id, self.view.passes.get(step_id, 0))

    def out_of_time(self) -> str:
        """Say which limit of time has passed, or nothing."""
        wall, deadline = self.view.wall_ends(self.plan), self.view.deadline(self.plan)
        if deadline and deadline <= self.now:
            return f"The run's deadline of {self.plan.definition.limits.deadline:g} s has passed."
        if wall and wall <= self.now:
            return f"The run has used its wall time of {self.plan.definition.limits.wall_time:g} s."
        return ""

    def is_open(self) -> bool:
        """Say whether any step is still open."""
        if any(step is not None for step in self.transition.open.values()):
            return True
        return any(path not in self.transition.open for path in self.view.active)

    def counts(self, step_id: str) -> tuple[int, int]:
        """Say how many of the step's incoming edges were taken and skipped."""
        return self.transition.counts.get(step_id) or self.view.counts.get(step_id, (0, 0))

    def count_from_outside(self, step_id: str, region: Iterable[str]) -> tuple[int, int]:
        outside = [edge for edge in self.plan.sources.get(step_id, ()) if edge.source not in region]
        states = [self.edge_state(edge) for edge in outside]
        return states.count(True), states.count(False)

    def edge_state(self, edge: Edge) -> bool | None:
        if edge.source not in self.plan.nodes:
            return True
        ended = self.ended(edge.source)
        return None if ended is None else bool(ended.port) and ended.port == edge.port

    def note(self, key: str, entry: Any) -> None:
        self.body.setdefault(key, []).append(entry)
