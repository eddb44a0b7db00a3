"""`end`: ends the run now, cancelling what still runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestration.core.definition import Json, Step
from orchestration.core.outcomes import Finished, Outcome
from orchestration.kinds.base import ControlKind, Scope, Use
from orchestration.kinds.fields import closed, template, value

STATES = ("succeeded", "failed", "cancelled")


class End(ControlKind):
    """Ends the run with a state, a message and an output of its own."""

    name = "end"
    label = "End"
    icon = "flag"
    summary = "Ends the run now with a state and a message; branches still running are cancelled."
    config_schema = closed(
        {
            "state": {"enum": list(STATES), "default": "succeeded", "description": "How the run ends."},
            "message": template("One sentence for people: why the run ended here."),
            "output": value("The output of the run, instead of the workflow's own `output`."),
        }
    )

    def ports(self, config: Mapping[str, Json]) -> tuple[str, ...]:
        return ()

    def uses(self, step: Step) -> Iterable[Use]:
        if "message" in step.config:
            yield Use("message", step.config["message"], template=True)
        if "output" in step.config:
            yield Use("output", step.config["output"], template=True)

    def decide(self, step: Step, scope: Scope) -> Outcome:
        """Give Finished; its output is None where the workflow's own output is to be rendered."""
        message = scope.render(step.config.get("message", ""))
        output = scope.render(step.config["output"]) if "output" in step.config else None
        return Finished(state=step.config.get("state", "succeeded"), message=str(message), output=output)
