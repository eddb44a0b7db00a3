"""What can be wrong with the steps' ids, the edges and the way they join."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

from orchestration.core.definition import START, Definition, Edge, Step
from orchestration.core.document_schema import ID
from orchestration.core.graph import Graph
from orchestration.core.names import did_you_mean
from orchestration.core.problems import Problem


def graph_problems(
    definition: Definition, graph: Graph, kinds: Mapping[str, Any], broken: frozenset[str]
) -> Iterator[Problem]:
    """Yield what is wrong; of `broken` steps the ports are not known."""
    yield from _id_problems(definition)
    steps = {step.id: step for step in definition.steps}
    for number, edge in enumerate(definition.edges):
        yield from _edge_problems(f"edges[{number}]", edge, steps, graph)
        step = steps.get(edge.source)
        if step is not None and step.kind in kinds and step.id not in broken:
            yield from _port_problems(f"edges[{number}].from", edge, step, kinds)
    yield from _double_edges(definition)
    yield from _cycle_problems(graph)
    yield from _reach_problems(definition, graph)
    yield from _join_problems(definition, graph)


def _id_problems(definition: Definition) -> Iterator[Problem]:
    counts = Counter(step.id for step in definition.steps)
    for step_id, count in counts.items():
        if step_id == START:
            fix = "`start` is always there: give the step another id."
            yield Problem(step_id, "id", "`start` can't be the id of a step.", fix)
        elif not re.fullmatch(ID, step_id):
            fix = "Use small letters, digits and _, starting with a letter, at most 63."
            yield Problem(step_id, "id", "is not a valid id.", fix)
        if count > 1:
            yield Problem(step_id, "id", f"{count} steps have this id.", "Give each step an id of its own.")


def _edge_problems(field: str, edge: Edge, steps: Mapping[str, Step], graph: Graph) -> Iterator[Problem]:
    for end, step_id in (("from", edge.source), ("to", edge.target)):
        if step_id not in steps and not (end == "from" and step_id == START):
            message = "nothing can lead back to `start`." if step_id == START else f"there is no step '{step_id}'."
            fix = did_you_mean(step_id, steps).strip() or "Add the step, or take the edge out."
            yield Problem("", f"{field}.{end}", message, fix)
    if edge.source == START and edge.port != "done":
        yield Problem("", f"{field}.from", f"`start` has no port '{edge.port}'.", "Write `from: start`.")
    if edge in graph.back and not graph.goes_back(edge):
        message = f"this edge says `again`, but {edge.target} does not lead to {edge.source}."
        yield Problem("", f"{field}.again", message, "Take `again` out, or let the edge go to an earlier step.")


def _port_problems(field: str, edge: Edge, step: Step, kinds: Mapping[str, Any]) -> Iterator[Problem]:
    ports = kinds[step.kind].ports(step.config)
    if edge.port not in ports:
        fix = did_you_mean(edge.port, ports).strip() or f"It has {', '.join(ports) or 'none'}."
        yield Problem("", field, f"step {step.id} ({step.kind}) has no port '{edge.port}'.", fix)


def _double_edges(definition: Definition) -> Iterator[Problem]:
    counts = Counter((edge.source, edge.port, edge.target) for edge in definition.edges)
    for (source, port, target), count in counts.items():
        if count > 1:
            message = f"there are {count} edges from {source}.{port} to {target}."
            yield Problem("", "edges", message, "Keep one.")


def _cycle_problems(graph: Graph) -> Iterator[Problem]:
    cycle = graph.cycle()
    if cycle:
        way = " -> ".join([*cycle, cycle[0]])
        fix = "Mark the edge that goes back with `again: {max: 5}`, or take it out."
        yield Problem("", "edges", f"these steps lead round in a circle: {way}.", fix)


def _reach_problems(definition: Definition, graph: Graph) -> Iterator[Problem]:
    if not graph.ahead[0]:
        yield Problem("", "edges", "nothing follows `start`.", "Add an edge: {from: start, to: ...}.")
        return
    reached = graph.reach(START)
    connected = {end for edge in definition.edges for end in (edge.source, edge.target)}
    for step in definition.steps:
        if reached >> graph.index[step.id] & 1:
            continue
        if step.id not in connected:
            fix = "Connect it, or take it out."
            yield Problem(step.id, "", "is not connected to anything, so it never runs.", fix, "warning")
        else:
            yield Problem(step.id, "", "can't be reached from `start`.", "Add an edge that leads to it.")


def _join_problems(definition: Definition, graph: Graph) -> Iterator[Problem]:
    incoming = Counter(edge.target for edge in graph.forward)
    for step in definition.steps:
        if isinstance(step.join, int) and step.join > incoming[step.id]:
            message = f"waits for {step.join} edges, but only {incoming[step.id]} lead to it."
            yield Problem(step.id, "join", message, "Lower the number, or use `all`.")
        if step.cancel_rest and step.join == "all":
            message = "means nothing with `join: all`, which waits for every branch."
            yield Problem(step.id, "cancel_rest", message, "Use `join: any` or a number, or take it out.", "warning")
