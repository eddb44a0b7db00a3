"""A definition compiled for the engine: who follows whom, what going back resets, expressions compiled once.

A plan is immutable in meaning and shared between the runs of a version; it may be used by several threads.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from orchestration.core.catalog import Catalog
from orchestration.core.definition import START, Definition, Edge, Json, Step
from orchestration.core.expressions import Expression
from orchestration.core.templates import Template
from orchestration.core.types import compile_environment


@dataclass(frozen=True, slots=True)
class Node:
    """A step with its place in the graph. `incoming` counts forward edges: going back never joins."""

    step: Step
    kind: Any  # kinds.base.Kind: core does not import kinds
    incoming: int
    needed: int  # taken edges that let it run: 0 means every edge decided and at least one taken (join: all)
    following: Mapping[str, tuple[Edge, ...]]  # port -> edges
    edges: tuple[Edge, ...]  # all that leave it
    races: tuple[str, ...] = ()  # joins further on that cancel what comes too late for them


class Plan:
    def __init__(self, definition: Definition, kinds: Mapping[str, Any], catalog: Catalog) -> None:
        self.definition = definition
        self.environment = compile_environment(definition, kinds, catalog)
        incoming: dict[str, int] = defaultdict(int)
        leaving: dict[str, list[Edge]] = defaultdict(list)
        for edge in definition.edges:
            leaving[edge.source].append(edge)
            incoming[edge.target] += edge.again is None
        self.nodes = {
            step.id: _node(step, kinds[step.kind], incoming[step.id], leaving[step.id]) for step in definition.steps
        }
        self.first = tuple(leaving[START])
        self.sources = _sources(definition)
        self._regions: dict[str, frozenset[str]] = {}
        self._note_races()
        self._expressions: dict[str, Expression] = {}
        self._templates: dict[str | int, Template] = {}

    def region(self, target: str) -> frozenset[str]:
        """Name what going back to `target` resets: it and all that is reachable from it by forward edges."""
        if target not in self._regions:
            self._regions[target] = self._reach(target)
        return self._regions[target]

    def expression(self, source: str) -> Expression:
        compiled = self._expressions.get(source)
        if compiled is None:
            compiled = self._expressions[source] = self.environment.compile(source)
        return compiled

    def template(self, value: Json) -> Template:
        """Compile a template value of this definition. Containers are known by identity: the definition keeps them."""
        known: str | int = value if isinstance(value, str) else id(value)
        compiled = self._templates.get(known)
        if compiled is None:
            compiled = self._templates[known] = Template.compile(value, self.environment)
        return compiled

    def _note_races(self) -> None:
        joins = [node.step.id for node in self.nodes.values() if node.needed and node.step.cancel_rest]
        for step_id, node in self.nodes.items() if joins else ():
            races = tuple(join for join in joins if join != step_id and join in self.region(step_id))
            self.nodes[step_id] = replace(node, races=races)

    def _reach(self, target: str) -> frozenset[str]:
        reached, to_visit = {target}, [target]
        while to_visit:
            for edge in self.nodes[to_visit.pop()].edges:
                if edge.again is None and edge.target not in reached:
                    reached.add(edge.target)
                    to_visit.append(edge.target)
        return frozenset(reached)


def _node(step: Step, kind: Any, incoming: int, leaving: list[Edge]) -> Node:
    following: dict[str, list[Edge]] = defaultdict(list)
    for edge in leaving:
        following[edge.port].append(edge)
    needed = 0 if step.join == "all" else 1 if step.join == "any" else int(step.join)
    ports = {port: tuple(edges) for port, edges in following.items()}
    return Node(step, kind, incoming, needed, ports, tuple(leaving))


def _sources(definition: Definition) -> dict[str, tuple[Edge, ...]]:
    """Forward edges by target."""
    sources: dict[str, list[Edge]] = defaultdict(list)
    for edge in definition.edges:
        if edge.again is None:
            sources[edge.target].append(edge)
    return {target: tuple(edges) for target, edges in sources.items()}
