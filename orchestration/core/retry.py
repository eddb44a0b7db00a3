"""When a failed attempt is tried again: a pure function of the policy."""

from __future__ import annotations

from datetime import datetime, timedelta

from orchestration.core.definition import Retry
from orchestration.core.outcomes import Failed


def next_attempt(policy: Retry, failures: int, failed: Failed, now: datetime) -> datetime | None:
    """Say when to try again after this many failures, or None for never.

    The other side's `retry_after` is obeyed where it is longer than the policy's own delay, up to `max_delay`.
    """
    if failed.unknown or not failed.retryable or failures >= policy.attempts:
        return None
    if policy.on and failed.code not in policy.on:
        return None
    delay = min(policy.delay * policy.factor ** (failures - 1), policy.max_delay)
    if failed.retry_after is not None:
        delay = max(delay, min(failed.retry_after, policy.max_delay))
    return now + timedelta(seconds=delay)
