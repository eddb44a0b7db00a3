"""A work step that does nothing, for engine tests and benches: it goes through `perform` and has its own commit."""

from __future__ import annotations

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Step
from orchestration.core.outcomes import Failed, Succeeded
from orchestration.kinds.base import Job, Performed, Ports, Scope, WorkKind


class Noop(WorkKind):
    name = "noop"
    label = "No-op"
    icon = "circle"
    summary = "Does nothing, durably."
    config_schema = {
        "type": "object",
        "properties": {"answer": {}, "fails": {"type": "integer"}},
        "additionalProperties": False,
    }

    def prepare(self, step: Step, scope: Scope, catalog: Catalog) -> Job:
        return Job("noop", dict(step.config), 10.0)

    async def perform(self, job: Job, ports: Ports) -> Performed:
        if "fails" in job.payload:
            return Performed(Failed("noop_failed", "It was told to fail.", retryable=True))
        return Performed(Succeeded(job.payload.get("answer")))
