"""Fixtures of the race tests: a scripted outside, and the invariants checked after each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.support.outside import outside, what_is_wrong

__all__ = ["outside"]


@pytest.fixture(autouse=True)
def _the_invariants_hold(transactional_db: None) -> Iterator[None]:
    yield
    assert what_is_wrong() == []
