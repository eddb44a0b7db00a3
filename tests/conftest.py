"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from designer import registry
from runs import numbering, plans
from tests.support.flushing import flush_may_empty_the_audit_log


@pytest.fixture(scope="session", autouse=True)
def _emptying_the_audit_log_between_tests() -> Iterator[None]:
    with flush_may_empty_the_audit_log():
        yield


@pytest.fixture(autouse=True)
def _nothing_remembered_from_the_test_before() -> None:
    """Ids of rolled-back rows come again, so what a process remembers by id must not outlive a test."""
    registry.forget()
    plans.forget()
    numbering.forget()
