"""`start`: the entry of every workflow. Implicit: no definition lists it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Step
from orchestration.kinds.base import Complaint, Kind
from orchestration.kinds.fields import closed


class Start(Kind):
    """The entry. Its output is the input of the run."""

    name = "start"
    label = "Start"
    icon = "play"
    summary = "Where a run begins, with the input it was given."
    listed = False
    config_schema = closed({})

    def ports(self, config: Mapping[str, Json]) -> tuple[str, ...]:
        return ("done",)

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        yield Complaint("kind", "`start` is always there", "Take the step out and draw edges `from: start`.")

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        return definition.input
