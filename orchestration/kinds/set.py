"""`set`: computes values. They are the step's output; the common setting `writes` moves them into variables."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.outcomes import Outcome, Succeeded
from orchestration.kinds.base import ControlKind, Scope, Use
from orchestration.kinds.fields import closed
from orchestration.kinds.shapes import shape_of


class Set(ControlKind):
    """Computes named values for later steps."""

    name = "set"
    label = "Set values"
    icon = "equal"
    summary = "Computes named values for later steps, without leaving the process."
    config_schema = closed(
        {
            "values": {
                "type": "object", "minProperties": 1, "x-editor": "value",
                "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
                "description": "Name -> value; texts may hold {{ cel }}. They become the output of this step.",
            }
        },
        required=("values",),
    )  # fmt: skip

    def uses(self, step: Step) -> Iterable[Use]:
        for name, value in step.config["values"].items():
            yield Use(f"values.{name}", value, template=True)

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        return shape_of(step.config["values"])

    def decide(self, step: Step, scope: Scope) -> Outcome:
        values = scope.render(step.config["values"])
        return Succeeded(output=values, reason="set " + ", ".join(values))
