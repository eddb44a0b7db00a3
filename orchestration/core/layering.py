"""The first half of a layered drawing: which layer each node is in, and in which order within it.

Nodes are numbers. An edge over several layers is cut into pieces by bends: nodes of their own that take no room.
"""

from __future__ import annotations

import itertools
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

Pair = tuple[int, int]

_SWEEPS = 6
_MOST_BENDS = 4_000  # above, long edges go round the outside: bends grow with layers times edges


@dataclass(slots=True)
class Layered:
    """Nodes in layers. Numbers from `nodes` on are bends. A `way` is the nodes an edge runs through."""

    nodes: int
    layers: list[list[int]] = field(default_factory=list)
    ways: list[list[int]] = field(default_factory=list)  # one an edge; empty: the edge goes round the outside
    layer_of: list[int] = field(default_factory=list)
    back: list[bool] = field(default_factory=list)  # one an edge


def layered(nodes: int, edges: Sequence[Pair], going_back: Sequence[bool]) -> Layered:
    """Put nodes into layers by longest path and order them so that few edges cross. Deterministic."""
    result = Layered(nodes)
    result.layer_of, result.back = _assign(nodes, edges, going_back)
    _add_bends(result, edges)
    result.layers = [[] for _ in range(max(result.layer_of, default=-1) + 1)]
    for node, layer in enumerate(result.layer_of):
        result.layers[layer].append(node)
    _order(result)
    return result


def _assign(nodes: int, edges: Sequence[Pair], going_back: Sequence[bool]) -> tuple[list[int], list[bool]]:
    """Give each node its layer. Where a circle leaves no node free, the first one's incoming edges count as back."""
    back = [again or source == target for (source, target), again in zip(edges, going_back, strict=True)]
    leaving: list[list[int]] = [[] for _ in range(nodes)]
    waiting = [0] * nodes
    for number, (source, target) in enumerate(edges):
        if not back[number]:
            leaving[source].append(number)
            waiting[target] += 1
    layer_of, done = [0] * nodes, [False] * nodes
    ready = [node for node in range(nodes) if waiting[node] == 0]
    first = 0
    while True:
        for node in ready:  # grows while it is walked
            done[node] = True
            for number in leaving[node]:
                target = edges[number][1]
                if done[target]:
                    back[number] = True
                    continue
                layer_of[target] = max(layer_of[target], layer_of[node] + 1)
                waiting[target] -= 1
                if waiting[target] == 0:
                    ready.append(target)
        while first < nodes and done[first]:
            first += 1
        if first == nodes:
            return layer_of, back
        ready = [first]


def _add_bends(result: Layered, edges: Sequence[Pair]) -> None:
    spans = [result.layer_of[target] - result.layer_of[source] for source, target in edges]
    budget = _MOST_BENDS
    for number, (source, target) in enumerate(edges):
        bends = spans[number] - 1
        if result.back[number] or bends > budget:
            result.ways.append([])
            continue
        budget -= bends
        first = len(result.layer_of)
        result.layer_of += range(result.layer_of[source] + 1, result.layer_of[target])
        result.ways.append([source, *range(first, first + bends), target])


def _order(result: Layered) -> None:
    """Sweep down and up by the mean place of the neighbours; keep the order with the fewest crossings."""
    above: list[list[int]] = [[] for _ in result.layer_of]
    below: list[list[int]] = [[] for _ in result.layer_of]
    for way in result.ways:
        for one, other in itertools.pairwise(way):
            below[one].append(other)
            above[other].append(one)
    best, fewest = [list(layer) for layer in result.layers], _crossings(result.layers, below)
    for sweep in range(_SWEEPS):
        if fewest == 0:
            break
        down = sweep % 2 == 0
        _sweep(result.layers if down else result.layers[::-1], above if down else below)
        crossings = _crossings(result.layers, below)
        if crossings < fewest:
            best, fewest = [list(layer) for layer in result.layers], crossings
    result.layers = best


def _sweep(layers: Sequence[list[int]], neighbours: Sequence[Sequence[int]]) -> None:
    place: dict[int, int] = {}
    for layer in layers:
        here = {node: index for index, node in enumerate(layer)}

        def wish(node: int, here: dict[int, int] = here) -> tuple[float, int]:
            found = [place[other] for other in neighbours[node]]
            return (sum(found) / len(found) if found else here[node], here[node])

        layer.sort(key=wish)
        place.update((node, index) for index, node in enumerate(layer))


def _crossings(layers: Sequence[Sequence[int]], below: Sequence[Sequence[int]]) -> int:
    """Count the crossings between neighbouring layers: pairs of edges whose ends are in opposite order."""
    total = 0
    for upper, lower in itertools.pairwise(layers):
        place = {node: index for index, node in enumerate(lower)}
        seen: list[int] = []
        for node in upper:
            ends = sorted(place[other] for other in below[node])
            total += sum(len(seen) - bisect_left(seen, end + 1) for end in ends)
            for end in ends:
                insort(seen, end)
    return total
