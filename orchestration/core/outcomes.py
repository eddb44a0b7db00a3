"""What a step answers. A closed list: kinds return one of these, `decide` matches on them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from orchestration.core.definition import Json


@dataclass(frozen=True, slots=True)
class Succeeded:
    output: Json = None
    port: str = "done"
    reason: str = ""  # one sentence for the timeline: why this port, which rung, which row of the table
    cost_microusd: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Failed:
    """`code` is a slug (timeout, refusal, denied, ...); `unknown` marks an effect whose outcome nobody knows."""

    code: str
    message: str
    retryable: bool = False
    retry_after: float | None = None  # seconds, when the other side said so
    unknown: bool = False
    cost_microusd: int = 0
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class Blocked:
    """The guard or a limit said no: the run ends as blocked unless the step has an `error` edge."""

    code: str
    message: str


@dataclass(frozen=True, slots=True)
class WaitUntil:
    """Succeed at this instant."""

    at: datetime
    output: Json = None


@dataclass(frozen=True, slots=True)
class AskApproval:
    """Open a request and wait for its decision; expire at `decide_by`."""

    request: dict = field(default_factory=dict)  # what approvals.requests.open_for_step needs, rendered
    decide_by: datetime | None = None


@dataclass(frozen=True, slots=True)
class Finished:
    """`end`: end the run now with this state and message, cancelling what still runs."""

    state: str
    message: str = ""
    output: Json = None


Outcome = Succeeded | Failed | Blocked | WaitUntil | AskApproval | Finished
