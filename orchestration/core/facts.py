"""What can happen to a run. The engine turns rows, reports and clocks into these; `decide` answers each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from orchestration.core.definition import Json
from orchestration.core.outcomes import Outcome


@dataclass(frozen=True, slots=True)
class Started:
    """The run was taken up for the first time."""


@dataclass(frozen=True, slots=True)
class Reported:
    """A step answered. `attempt` and `pass_number` tell a late report from the one that is waited for."""

    path: str
    pass_number: int
    attempt: int
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class TimeCame:
    """It is now: a wait, a retry or a limit of time may be due."""


@dataclass(frozen=True, slots=True)
class CancelAsked:
    by: str
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Decided:
    """People answered the request of an approval step."""

    path: str
    pass_number: int
    port: str  # approved | rejected | expired
    answer: Mapping[str, Json] = field(default_factory=dict)  # becomes the step's output


@dataclass(frozen=True, slots=True)
class EffectAnswered:
    """A person said what became of a call nobody knew the outcome of: happened, try_again or skip."""

    path: str
    pass_number: int
    answer: str
    by: str
    output: Json = None


@dataclass(frozen=True, slots=True)
class WorkerLost:
    """The worker that held the run is gone. `unsettled` are paths with a `once` call that may have gone out."""

    unsettled: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Broken:
    """The run can't be advanced (its data can't be stored, its workers die on it): fail it with this reason."""

    code: str
    message: str


Fact = Started | Reported | TimeCame | CancelAsked | Decided | EffectAnswered | WorkerLost | Broken
