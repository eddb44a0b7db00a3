"""The forward graph of a definition: order, ancestors, regions of going back, cycles. Steps are bits of whole numbers.

Edges whose ends do not exist are left out here; `graph_checks.py` complains of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from orchestration.core.definition import START, Definition, Edge


class Graph:
    """Steps by index, `start` is 0. For a graph with cycles, all that concerns order is generous."""

    def __init__(self, definition: Definition) -> None:
        self.ids = (START, *dict.fromkeys(step.id for step in definition.steps))
        self.index = {step_id: number for number, step_id in enumerate(self.ids)}
        known = [edge for edge in definition.edges if edge.source in self.index and edge.target in self.index]
        self.forward = [edge for edge in known if edge.again is None]
        self.back = [edge for edge in known if edge.again is not None]
        self.ahead: list[list[int]] = [[] for _ in self.ids]
        for edge in self.forward:
            self.ahead[self.index[edge.source]].append(self.index[edge.target])
        self.order = self._order()
        self.before = self._before()
        self.regions = {edge.target: self.reach(edge.target) for edge in self.back}

    def reach(self, step_id: str) -> int:
        """Give the bits of a step and of all that forward edges lead to from it."""
        first = self.index[step_id]
        reached, to_visit = 1 << first, [first]
        while to_visit:
            for number in self.ahead[to_visit.pop()]:
                if not reached >> number & 1:
                    reached |= 1 << number
                    to_visit.append(number)
        return reached

    def may_have_run(self, step_id: str, at: str) -> bool:
        """Say whether a step can have run when `at` starts: it is before it, or both are in a region that repeats."""
        one, other = self.index[step_id], self.index[at]
        if self.before[other] >> one & 1:
            return True
        return any(region >> one & 1 and region >> other & 1 for region in self.regions.values())

    def cycle(self) -> list[str]:
        """Name the steps of one cycle of forward edges, in order; empty when there is none."""
        stuck = set(range(len(self.ids))) - set(self.order)
        if not stuck:
            return []
        # Each stuck step has a stuck one before it: walking back must come round.
        sources = {target: number for number in stuck for target in self.ahead[number] if target in stuck}
        walked: list[int] = []
        number = min(stuck & sources.keys())
        while number not in walked:
            walked.append(number)
            number = sources[number]
        round_trip = walked[walked.index(number) :][::-1]
        first = round_trip.index(min(round_trip))
        return [self.ids[step] for step in round_trip[first:] + round_trip[:first]]

    def goes_back(self, edge: Edge) -> bool:
        """Say whether the target of an edge leads to its source by forward edges."""
        return bool(self.reach(edge.target) >> self.index[edge.source] & 1)

    def names(self, bits: int) -> list[str]:
        """Name the steps of these bits, `start` left out."""
        return [step_id for number, step_id in enumerate(self.ids) if number and bits >> number & 1]

    def _order(self) -> list[int]:
        """Order the steps so that each edge goes forward; steps on a cycle, and after one, are missing."""
        waiting = [0] * len(self.ids)
        for targets in self.ahead:
            for target in targets:
                waiting[target] += 1
        ready = [number for number, count in enumerate(waiting) if count == 0]
        for number in ready:  # grows while it is walked
            for target in self.ahead[number]:
                waiting[target] -= 1
                if waiting[target] == 0:
                    ready.append(target)
        return ready

    def _before(self) -> Sequence[int]:
        """Give each step's ancestors as bits; steps that have no order may see everything."""
        everything = (1 << len(self.ids)) - 1
        before = [0] * len(self.ids)
        for number in self.order:
            for target in self.ahead[number]:
                before[target] |= before[number] | 1 << number
        for number in set(range(len(self.ids))) - set(self.order):
            before[number] = everything
        return before
