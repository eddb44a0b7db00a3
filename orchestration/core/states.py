"""The states of runs and steps: one slug each, in code, URL, API and pages (DESIGN 4, point 11)."""

from __future__ import annotations

from enum import StrEnum


class RunState(StrEnum):
    QUEUED = "queued"  # accepted, no worker has taken it yet
    RUNNING = "running"
    WAITING = "waiting"  # `waiting_for` says for what
    NEEDS_APPROVAL = "needs_approval"  # a person must act; `waiting_for` says on what
    PAUSED = "paused"
    CANCELLING = "cancelling"  # asked to stop; calls in flight are being settled
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"  # denied, or a limit was reached


class StepState(StrEnum):
    RUNNING = "running"
    WAITING = "waiting"
    NEEDS_APPROVAL = "needs_approval"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    BLOCKED = "blocked"
    SKIPPED = "skipped"


class WaitingFor(StrEnum):
    TIMER = "timer"
    EVENT = "event"
    RETRY = "retry"
    SLOT = "slot"
    CHILD = "child"
    APPROVAL = "approval"
    UNKNOWN_EFFECT = "unknown_effect"


TERMINAL = frozenset({RunState.SUCCEEDED, RunState.FAILED, RunState.TIMED_OUT, RunState.CANCELLED, RunState.BLOCKED})
STEP_TERMINAL = frozenset(
    {
        StepState.SUCCEEDED,
        StepState.FAILED,
        StepState.TIMED_OUT,
        StepState.CANCELLED,
        StepState.BLOCKED,
        StepState.SKIPPED,
    }
)
