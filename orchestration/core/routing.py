"""The second half of a layered drawing: where the nodes stand within their layers, and the lines between them."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

from orchestration.core.layering import Layered, Pair

Point = tuple[int, int]

NODE_WIDTH = 176
NODE_HEIGHT = 56
GRID = 8
MARGIN = 24
_APART = 40  # between nodes of a layer
_BEND_APART = 24
_GAP = 56  # between layers, at least
_TRACK = 12  # between parallel lines
_CLEAR = 20  # between a layer and its first line
_ROUNDS = 8


@dataclass(slots=True)
class _Line:
    """A horizontal piece of an edge in the gap above a layer."""

    edge: int
    gap: int
    left: int
    right: int
    track: int = 0


def spread(graph: Layered) -> list[int]:
    """Give each node and bend the x of its middle: near its neighbours, never nearer to the next than allowed."""
    above: list[list[int]] = [[] for _ in graph.layer_of]
    below: list[list[int]] = [[] for _ in graph.layer_of]
    for way in graph.ways:
        for one, other in itertools.pairwise(way):
            below[one].append(other)
            above[other].append(one)
    middle = [0.0] * len(graph.layer_of)
    for layer in graph.layers:
        _place(layer, [0.0] * len(layer), graph.nodes, middle)
    for number in range(_ROUNDS):
        down = number % 2 == 0
        for layer in graph.layers if down else graph.layers[::-1]:
            near = above if down else below
            wishes = [_mean([middle[other] for other in near[node]], middle[node]) for node in layer]
            _place(layer, wishes, graph.nodes, middle)
    left = min((middle[node] - _half(node, graph.nodes) for node in range(len(middle))), default=0.0)
    return [GRID * round((x - left + MARGIN) / GRID) for x in middle]


def routes(
    graph: Layered, pairs: Sequence[Pair], centres: Sequence[int]
) -> tuple[list[list[Point]], list[int], int, int]:
    """Give each edge its points, each layer its top, and the width and height of the whole."""
    leave = _leaving_points(graph, pairs, centres)
    right = max((centres[node] + _half(node, graph.nodes) for node in range(len(centres))), default=0)
    outside = [number for number, way in enumerate(graph.ways) if not way]
    lanes = {edge: right + MARGIN + _TRACK * place for place, edge in enumerate(outside)}
    lines: list[_Line] = []
    corners = [_corners(graph, pairs, centres, leave, lanes, edge, lines) for edge in range(len(pairs))]
    counts = _assign_tracks(lines, len(graph.layers) + 1)
    tops, bottom = _tops(counts, len(graph.layers))
    tracks = {(line.edge, line.gap): line.track for line in lines}
    points = [_points(graph, pair, corners[edge], edge, tracks, tops) for edge, pair in enumerate(pairs)]
    width = max([right, *lanes.values()], default=0) + MARGIN
    return points, tops, width, bottom


def _place(layer: Sequence[int], wishes: Sequence[float], nodes: int, middle: list[float]) -> None:
    """Put a layer's nodes as near to their wishes as their distances allow (least squares, in one pass)."""
    shift, shifts = 0.0, []
    for index, node in enumerate(layer):
        shift += _apart(layer[index - 1], node, nodes) if index else 0.0
        shifts.append(shift)
    blocks: list[tuple[float, int]] = []  # mean of the wishes, how many nodes: kept in rising order
    for wish, offset in zip(wishes, shifts, strict=True):
        mean, count = wish - offset, 1
        while blocks and blocks[-1][0] > mean:
            other, others = blocks.pop()
            mean, count = (mean * count + other * others) / (count + others), count + others
        blocks.append((mean, count))
    means = [mean for mean, count in blocks for _ in range(count)]
    for node, mean, offset in zip(layer, means, shifts, strict=True):
        middle[node] = mean + offset


def _apart(one: int, other: int, nodes: int) -> float:
    gap = _APART if one < nodes and other < nodes else _BEND_APART
    return _half(one, nodes) + gap + _half(other, nodes)


def _half(node: int, nodes: int) -> int:
    return NODE_WIDTH // 2 if node < nodes else 0


def _mean(found: Sequence[float], otherwise: float) -> float:
    return sum(found) / len(found) if found else otherwise


def _leaving_points(graph: Layered, pairs: Sequence[Pair], centres: Sequence[int]) -> list[int]:
    """Give each edge the x where it leaves its source: side by side, in the order in which they part."""
    by_source: dict[int, list[int]] = {}
    for edge, (source, _) in enumerate(pairs):
        by_source.setdefault(source, []).append(edge)
    leave = [0] * len(pairs)
    for source, edges in by_source.items():
        edges.sort(key=lambda edge: (_heading(graph, centres, edge), edge))
        for place, edge in enumerate(edges, 1):
            leave[edge] = centres[source] - NODE_WIDTH // 2 + NODE_WIDTH * place // (len(edges) + 1)
    return leave


def _heading(graph: Layered, centres: Sequence[int], edge: int) -> float:
    way = graph.ways[edge]
    return centres[way[1]] if way else float("inf")


def _corners(
    graph: Layered,
    pairs: Sequence[Pair],
    centres: Sequence[int],
    leave: Sequence[int],
    lanes: dict[int, int],
    edge: int,
    lines: list[_Line],
) -> list[tuple[int, int]]:
    """List the gaps an edge changes its x in, as (gap, new x); gap n lies above layer n. Notes its lines."""
    source, target = pairs[edge]
    way = graph.ways[edge]
    if way:
        turns = [(graph.layer_of[node], centres[node]) for node in way[1:]]
    else:
        entry = centres[target] + NODE_WIDTH // 4  # apart from the edges that come from above
        turns = [(graph.layer_of[source] + 1, lanes[edge]), (graph.layer_of[target], entry)]
    x = leave[edge]
    for gap, new in turns:
        if new != x:
            lines.append(_Line(edge, gap, min(x, new), max(x, new)))
        x = new
    return [(leave[edge], leave[edge]), *turns]


def _assign_tracks(lines: Sequence[_Line], gaps: int) -> list[int]:
    """Give lines of a gap that would touch tracks of their own. Returns how many tracks each gap has."""
    counts = [0] * gaps
    for gap in range(gaps):
        ends: list[int] = []  # of each track, the right end of its last line
        for line in sorted((line for line in lines if line.gap == gap), key=lambda line: (line.left, line.edge)):
            free = next((track for track, end in enumerate(ends) if end + _TRACK <= line.left), len(ends))
            ends[free:] = [line.right, *ends[free + 1 :]]
            line.track = free
        counts[gap] = len(ends)
    return counts


def _tops(counts: Sequence[int], layers: int) -> tuple[list[int], int]:
    """Give each layer its top, and the bottom of the whole: a gap is as high as its tracks need."""
    y, tops = MARGIN, []
    for layer in range(layers):
        needed = 2 * _CLEAR + _TRACK * max(counts[layer] - 1, 0) if counts[layer] else 0
        y += needed if layer == 0 else max(_GAP, needed)
        tops.append(y)
        y += NODE_HEIGHT
    last = 2 * _CLEAR + _TRACK * (counts[layers] - 1) if counts[layers] else 0
    return tops, y + max(last, MARGIN)


def _points(
    graph: Layered,
    pair: Pair,
    corners: Sequence[tuple[int, int]],
    edge: int,
    tracks: dict[tuple[int, int], int],
    tops: Sequence[int],
) -> list[Point]:
    source, target = pair
    x = corners[0][1]
    points = [(x, tops[graph.layer_of[source]] + NODE_HEIGHT)]
    for gap, new in corners[1:]:
        if new != x:
            y = _gap_top(gap, tops) + _CLEAR + _TRACK * tracks[edge, gap]
            points += [(x, y), (new, y)]
        x = new
    points.append((x, tops[graph.layer_of[target]]))
    return points


def _gap_top(gap: int, tops: Sequence[int]) -> int:
    return MARGIN if gap == 0 else tops[gap - 1] + NODE_HEIGHT
