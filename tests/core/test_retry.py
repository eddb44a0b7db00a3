"""When a failed attempt is tried again."""

from __future__ import annotations

from datetime import timedelta

import pytest

from orchestration.core.definition import Retry
from orchestration.core.outcomes import Failed
from orchestration.core.retry import next_attempt
from tests.support.core import T0


def seconds(policy: Retry, failures: int = 1, **failed: object) -> float | None:
    at = next_attempt(policy, failures, Failed("busy", "later", **{"retryable": True, **failed}), T0)
    return None if at is None else (at - T0) / timedelta(seconds=1)


def test_without_a_policy_nothing_is_tried_again() -> None:
    assert seconds(Retry()) is None


def test_only_retryable_errors_are_tried_again() -> None:
    assert seconds(Retry(3), retryable=False) is None
    assert seconds(Retry(3)) == 1


def test_what_nobody_knows_the_outcome_of_is_never_tried_again() -> None:
    assert seconds(Retry(3), unknown=True) is None


@pytest.mark.parametrize(("failures", "expected"), [(1, 2), (2, 6), (3, 10), (4, None)])
def test_delays_grow_up_to_the_most_until_the_attempts_are_used_up(failures: int, expected: float | None) -> None:
    assert seconds(Retry(4, delay=2, factor=3, max_delay=10), failures) == expected


def test_a_factor_of_one_is_a_fixed_delay() -> None:
    assert [seconds(Retry(9, delay=4, factor=1), failures) for failures in (1, 2, 8)] == [4, 4, 4]


def test_only_the_named_errors_are_tried_again() -> None:
    assert seconds(Retry(3, on=("timeout",))) is None
    assert seconds(Retry(3, on=("timeout", "busy"))) == 1


@pytest.mark.parametrize(("told", "expected"), [(0.5, 2), (7, 7), (900, 60)])
def test_the_other_side_may_ask_for_more_time_but_not_for_more_than_the_most(told: float, expected: float) -> None:
    assert seconds(Retry(3, delay=2, max_delay=60), retry_after=told) == expected
