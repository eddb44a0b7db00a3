"""A definition as a drawing: what templates/designer/_graph.html makes SVG of, for versions and for runs."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from designer.kinds import kinds
from orchestration.core.definition import START, Definition, Edge
from orchestration.core.layout import NODE_HEIGHT, NODE_WIDTH, Node, Route, layout
from orchestration.templatetags.ui import sprite, state_word

TITLE_LETTERS = 16  # that fit beside the icon
NOTE_LETTERS = 20
LABEL_LETTERS = 24
NOT_REACHED = "not_reached"
CLASS_OF_STATE = {
    "needs_approval": "now",
    "running": "active",
    "waiting": "active",
    "failed": "bad",
    "timed_out": "bad",
    "blocked": "bad",
    "skipped": "off",
    NOT_REACHED: "off",
}


@dataclass(frozen=True)
class GraphNode:
    """A step at its place. `css` says how it is drawn, `state` is empty outside a run."""

    id: str
    x: int
    y: int
    title: str  # whole; `short` is what fits
    short: str
    note: str
    icon: str
    css: str
    state: str
    url: str


@dataclass(frozen=True)
class GraphWire:
    """An edge: its line, its arrow, and the name of its port beside it. `css` is taken, off or nothing."""

    line: str
    arrow: str
    css: str
    label: str
    x: int
    y: int
    anchor: str  # of the label: end where it stands to the left of its place


@dataclass(frozen=True)
class Graph:
    """A whole drawing. `summary` says in words what it shows."""

    width: int
    height: int
    node_width: int
    node_height: int
    nodes: tuple[GraphNode, ...]
    wires: tuple[GraphWire, ...]
    summary: str
    sprite: str  # address of the icons


def graph(
    definition: Definition,
    states: Mapping[str, str] | None = None,
    taken: Collection[str] | None = None,
    *,
    notes: Mapping[str, str] | None = None,
    urls: Mapping[str, str] | None = None,
) -> Graph:
    """Draw a definition, or a run of it.

    `states` gives a state's slug by step, for a run: steps without one were not reached. `taken` names the edges it
    took as `step.port>step`, like the events of a run. `notes` replaces the second line of a node, `urls` makes
    nodes links; both by step.
    """
    drawn = layout(definition)
    nodes = tuple(_node(node, definition, states, notes or {}, urls or {}) for node in drawn.nodes)
    return Graph(
        width=drawn.width,
        height=drawn.height,
        node_width=NODE_WIDTH,
        node_height=NODE_HEIGHT,
        nodes=nodes,
        wires=tuple(_wire(route, taken if states is not None else None) for route in drawn.routes),
        summary=_summary(definition, nodes, states is not None),
        sprite=sprite(),
    )


def _node(
    node: Node,
    definition: Definition,
    states: Mapping[str, str] | None,
    notes: Mapping[str, str],
    urls: Mapping[str, str],
) -> GraphNode:
    step = definition.step(node.id)
    kind = kinds()[step.kind if step else START]
    title = (step.title or _humane(step.id)) if step else kind.label
    state = "" if states is None else states.get(node.id, "succeeded" if node.id == START else NOT_REACHED)
    note = notes.get(node.id, kind.label if step else "")
    return GraphNode(
        id=node.id,
        x=node.x,
        y=node.y,
        title=title,
        short=_cut(title, TITLE_LETTERS),
        note=_cut(note, NOTE_LETTERS),
        icon=kind.icon,
        css=CLASS_OF_STATE.get(state, ""),
        state=state,
        url=urls.get(node.id, ""),
    )


def _wire(route: Route, taken: Collection[str] | None) -> GraphWire:
    edge = route.edge
    css = "" if taken is None else "taken" if f"{edge.source}.{edge.port}>{edge.target}" in taken else "off"
    x, y = route.points[-1]
    label_x, label_y, anchor = _label_place(route)
    return GraphWire(
        line="M" + "L".join(f"{point_x} {point_y}" for point_x, point_y in route.points),
        arrow=f"M{x} {y}l-3.5 -6l7 0z",
        css=css,
        label=_cut(_label(edge), LABEL_LETTERS),
        x=label_x,
        y=label_y,
        anchor=anchor,
    )


def _label_place(route: Route) -> tuple[int, int, str]:
    """Put the name of a port where its edge has parted from the others: after the first bend, beside the line.

    At the node itself there is room for one name, not for those of a branch with many cases.
    """
    if len(route.points) < 3:
        x, y = route.points[-1]
        return x + 6, y - 10, ""
    (left, _), (x, y) = route.points[1:3]
    if route.back:  # runs along the border of the drawing: the room is before the bend
        return x - 6, y - 4, "end"
    return (x + 6, y + 12, "") if left < x else (x - 6, y + 12, "end")


def _label(edge: Edge) -> str:
    port = "" if edge.port == "done" else edge.port.replace("_", " ")
    again = f"again, up to {edge.again.max}" if edge.again else ""
    return ", ".join(filter(None, (port, again)))


def _summary(definition: Definition, nodes: tuple[GraphNode, ...], is_run: bool) -> str:
    """Say what the drawing shows to those who can't see it: the steps, in a run by their states."""
    if not is_run:
        return f"Graph of {definition.name}: {', '.join(node.title for node in nodes)}."
    by_state: dict[str, list[str]] = {}
    for node in nodes:
        by_state.setdefault(state_word(node.state), []).append(node.title)
    parts = "; ".join(f"{word}: {', '.join(titles)}" for word, titles in by_state.items())
    return f"Graph of the run. {parts}."


def _humane(step_id: str) -> str:
    return step_id.replace("_", " ").capitalize()


def _cut(text: str, letters: int) -> str:
    return text if len(text) <= letters else f"{text[: letters - 1].rstrip()}…"
