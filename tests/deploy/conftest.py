"""Servers of the machine for the processes under test. `make test` finds or starts them and passes their addresses."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from tools import services


@pytest.fixture
def database_url() -> Iterator[str]:
    """A PostgreSQL database of this test's own."""
    server = os.environ.get("TEST_DATABASE_URL")
    if not server:
        pytest.skip("needs PostgreSQL: `make test` finds or starts one")
    with services.database(server) as url:
        yield url


@pytest.fixture
def redis_url() -> str:
    """A Redis number that is ours alone; it must not be flushed, for the server may be a stranger's."""
    url = os.environ.get("TEST_REDIS_URL")
    if not url:
        pytest.skip("needs Redis: `make test` finds or starts one")
    return url
