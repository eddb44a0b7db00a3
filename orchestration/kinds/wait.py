"""`wait`: for a duration, or until an instant. Waiting costs a row, no worker."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import timedelta

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.outcomes import Outcome, WaitUntil
from orchestration.kinds.base import Complaint, ControlKind, Scope, Use
from orchestration.kinds.fields import cel, closed, duration
from orchestration.kinds.times import check_durations, instant, rendered_duration


class Wait(ControlKind):
    """Goes on later."""

    name = "wait"
    label = "Wait"
    icon = "hourglass"
    summary = "Goes on after a time, or at a point in time."
    config_schema = closed(
        {
            "for": duration("How long: 20s, 5m, 2h, 7d, or a template that gives one."),
            "until": cel("The point in time to wait for; one that has passed does not wait."),
        }
    )

    def uses(self, step: Step) -> Iterable[Use]:
        if isinstance(step.config.get("for"), str):
            yield Use("for", step.config["for"], template=True)
        if "until" in step.config:
            yield Use("until", step.config["until"], wants="timestamp")

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        if ("for" in step.config) == ("until" in step.config):
            yield Complaint("", "a wait needs either `for` or `until`", "Write one of the two.")
        if "{{" not in str(step.config.get("for", "")):
            yield from check_durations(step.config, "for")

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        until = {"type": "string", "format": "date-time"}
        return {"type": "object", "properties": {"until": until}, "required": ["until"], "additionalProperties": False}

    def decide(self, step: Step, scope: Scope) -> Outcome:
        config = step.config
        if "until" in config:
            at = instant(scope.evaluate(config["until"]))
        else:
            at = scope.now + timedelta(seconds=rendered_duration(scope.render(config["for"])))
        return WaitUntil(at=at, output={"until": at.isoformat()})
