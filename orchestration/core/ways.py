"""How a transition finds its way through the graph: edges that arrive, races, ways back and what they reset."""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from orchestration.core.definition import Edge
from orchestration.core.outcomes import Failed
from orchestration.core.overlay import Overlay
from orchestration.core.states import StepState, WaitingFor
from orchestration.core.transition import Perform
from orchestration.core.view import Open

if TYPE_CHECKING:
    from orchestration.core.plan import Node

EXHAUSTED = "again_exhausted"


class Ways(Overlay):
    def _arrive(self, edge: Edge, taken: bool) -> None:
        done = self.counts(edge.target)
        self.transition.counts[edge.target] = (done[0] + taken, done[1] + (not taken))
        if taken:
            self.note("taken", f"{edge.source}.{edge.port}>{edge.target}")
        self.ready.append(edge.target)

    def _has_lost(self, node: Node) -> bool:
        """Say whether a join that this step leads to has begun without it, and cancels the rest."""
        for join in node.races:
            ended = self.ended(join)
            if self.opened(join) or (ended and (ended.port or ended.state != StepState.SKIPPED)):
                return True
        return False

    def _again(self, node: Node, port: str) -> Edge | None:
        """Find the way back from this port: one that may still be taken before one that may not."""
        if not port or self.standing.closing is not None:
            return None
        ways = [edge for edge in node.following.get(port, ()) if edge.again]
        return next((edge for edge in ways if not self._is_exhausted(edge)), ways[0]) if ways else None

    def _leads_on(self, node: Node, port: str) -> bool:
        return any(edge.again is None or not self._is_exhausted(edge) for edge in node.following.get(port, ()))

    def _is_exhausted(self, edge: Edge) -> bool:
        assert edge.again is not None
        key = str(edge)
        return self.transition.again.get(key, self.view.again.get(key, 0)) >= edge.again.max

    def _reset(self, edge: Edge, region: frozenset[str]) -> None:
        """Undecide the region of a way back in a new pass; arrivals from outside it stay."""
        transition, key = self.transition, str(edge)
        transition.again[key] = transition.again.get(key, self.view.again.get(key, 0)) + 1
        for step_id in region:
            transition.passes[step_id] = self.pass_of(step_id) + 1
            if step_id in transition.ended:
                transition.previous[step_id] = transition.ended.pop(step_id)
        transition.reset |= region
        for step_id in region:
            transition.counts[step_id] = self.count_from_outside(step_id, region)
        self.ready = deque(step_id for step_id in self.ready if step_id not in region)
        self.note("again", [key, transition.again[key]])
        self.forced -= region
        self.forced.add(edge.target)
        self.ready.append(edge.target)
        # What arrived from outside may be enough by itself for a join of any or n.
        self.ready.extend(step_id for step_id in self.plan.nodes if step_id in region and any(self.counts(step_id)))

    def _withdraw(self, step: Open) -> bool:
        """Take back what was asked for the step; tell whether an attempt has left and may still answer."""
        transition, where = self.transition, (step.path, step.pass_number)
        if step.state == StepState.RUNNING:
            attempt = Perform(*where, step.attempt)
            if attempt not in transition.performs:
                transition.interrupts.append(attempt)
                return True
            transition.performs.remove(attempt)
        elif step.waiting_for == WaitingFor.APPROVAL:
            asked = len(transition.asks)
            transition.asks = [ask for ask in transition.asks if (ask.path, ask.pass_number) != where]
            if len(transition.asks) == asked:
                transition.voids.append(step.path)
        return False


def exhausted(edge: Edge, last: Failed | None, tokens: int, cost: int) -> Failed:
    """Give the error of a step that may not go back once more; `last` is why it wanted to, if it had failed."""
    message = f"The way back to {edge.target} has been taken as often as it may be."
    if last is not None:
        message += f" The last error: {last.message}"
    return Failed(EXHAUSTED, message, tokens=tokens, cost_microusd=cost)
