"""A work step that fails now and then and may be tried again: it makes the engine's retries part of the chaos."""

from __future__ import annotations

import random

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Step
from orchestration.core.outcomes import Failed, Succeeded
from orchestration.kinds.base import Job, Performed, Ports, Scope, WorkKind

SHARE = 0.4  # of the attempts


class Flaky(WorkKind):
    name = "flaky"
    label = "Flaky"
    icon = "circle"
    summary = "Fails now and then."
    config_schema = {"type": "object", "properties": {}, "additionalProperties": False}

    def prepare(self, step: Step, scope: Scope, catalog: Catalog) -> Job:
        return Job("flaky", None, 10.0)

    async def perform(self, job: Job, ports: Ports) -> Performed:
        if random.random() < SHARE:
            return Performed(Failed("flaky", "This time it did not work.", retryable=True))
        return Performed(Succeeded({"worked": True}))
