"""Draw a definition: a layered layout, top down, with orthogonal edges. Pure and deterministic; pages make SVG of it.

Top down, because nodes are wider than high and pages scroll that way. Long edges run through gaps between nodes,
edges that go back run round the right side, and no two edges share a horizontal track.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from orchestration.core.definition import START, Definition, Edge, Step
from orchestration.core.layering import Layered, layered
from orchestration.core.routing import GRID, NODE_HEIGHT, NODE_WIDTH, Point, routes, spread

__all__ = ["NODE_HEIGHT", "NODE_WIDTH", "Layout", "Node", "Route", "layout"]


@dataclass(frozen=True, slots=True)
class Node:
    """A step (or `start`) at its place: the top left corner. All nodes are NODE_WIDTH x NODE_HEIGHT."""

    id: str
    x: int
    y: int
    layer: int


@dataclass(frozen=True, slots=True)
class Route:
    """An edge as the points of a line, from its source's border to its target's; the arrow is at the last one."""

    edge: Edge
    points: tuple[Point, ...]
    back: bool  # it goes against the order of the drawing
    label: Point  # where the name of its port may stand, left-aligned


@dataclass(frozen=True, slots=True)
class Layout:
    nodes: tuple[Node, ...]
    routes: tuple[Route, ...]
    width: int
    height: int


def layout(drawn: Definition | tuple[Iterable[Step | str], Iterable[Edge]]) -> Layout:
    """Lay out a definition, or steps (or their ids) and edges. Edges with an unknown end are left out.

    `start` is a node of its own where an edge leaves it.
    """
    steps, edges = (drawn.steps, drawn.edges) if isinstance(drawn, Definition) else drawn
    ids = list(dict.fromkeys(step if isinstance(step, str) else step.id for step in steps))
    listed = list(edges)
    if any(edge.source == START for edge in listed) and START not in ids:
        ids.insert(0, START)
    index = {step_id: number for number, step_id in enumerate(ids)}
    kept = [edge for edge in listed if edge.source in index and edge.target in index]
    pairs = [(index[edge.source], index[edge.target]) for edge in kept]
    graph = layered(len(ids), pairs, [edge.again is not None for edge in kept])
    return _assemble(ids, kept, pairs, graph)


def _assemble(ids: Sequence[str], edges: Sequence[Edge], pairs: Sequence[tuple[int, int]], graph: Layered) -> Layout:
    centres = spread(graph)
    lines, tops, width, height = routes(graph, pairs, centres)
    nodes = tuple(
        Node(step_id, centres[number] - NODE_WIDTH // 2, tops[graph.layer_of[number]], graph.layer_of[number])
        for number, step_id in enumerate(ids)
    )
    drawn = tuple(
        Route(edge, tuple(points), back, (points[0][0] + GRID // 2, points[0][1] + 2 * GRID))
        for edge, points, back in zip(edges, lines, graph.back, strict=True)
    )
    return Layout(nodes, drawn, width, height)
