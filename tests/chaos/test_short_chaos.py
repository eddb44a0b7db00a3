"""The short forms of `make chaos`, and the control that shows that they can fail."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.tree import ROOT

LONGEST_SECONDS = 540


def chaos(*options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.chaos", "--short", "--no-report", "--seed", "5", *options],
        env=processes.environment(**settings), cwd=ROOT, capture_output=True, text=True, timeout=LONGEST_SECONDS,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="has its own database: it runs once, with SQLite")
def test_an_instance_in_one_process_loses_and_doubles_nothing_when_it_is_killed() -> None:
    done = chaos("--form", "embedded")

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.services
def test_a_cluster_loses_and_doubles_nothing_when_it_is_killed_and_its_broker_wiped() -> None:
    done = chaos("--form", "cluster", **server())

    assert done.returncode == 0, done.stdout + done.stderr
    assert '"broker_flushes": 1' in done.stdout


@pytest.mark.slow
@pytest.mark.skipif("TEST_DATABASE_URL" in os.environ, reason="has its own database: it runs once, with SQLite")
def test_the_harness_notices_when_a_defence_is_missing() -> None:
    done = chaos("--form", "embedded", "--without-defence")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "the harness notices" in done.stdout


def server() -> dict[str, str]:
    """Name the PostgreSQL that `make test` found; the round makes a database of its own there."""
    url = os.environ.get("TEST_DATABASE_URL")
    if not url:
        pytest.skip("needs PostgreSQL: `make test` finds or starts one")
    return {"DATABASE_URL": url}


def test_a_failed_round_is_kept_where_git_does_not_look() -> None:
    from bench import chaos as command

    kept = command.KEPT.relative_to(ROOT)

    assert Path("var") in kept.parents
