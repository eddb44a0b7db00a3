"""Fixtures for every test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.flushing import flush_may_empty_the_audit_log


@pytest.fixture(scope="session", autouse=True)
def _emptying_the_audit_log_between_tests() -> Iterator[None]:
    with flush_may_empty_the_audit_log():
        yield
