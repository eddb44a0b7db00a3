from __future__ import annotations

import logging
import threading
from pathlib import Path

import pytest
from django.db import OperationalError

from orchestration import clock

pytestmark = pytest.mark.django_db(transaction=True)  # the clock closes the connections that it finds stale


class Sweeps:
    """A sweep that answers from a list, one answer a call, and stops the clock after the last."""

    def __init__(self, *answers: Exception | None) -> None:
        self.answers = list(answers)
        self.limits: list[int] = []
        self.stopping = threading.Event()

    def __call__(self, limit: int) -> dict[str, int]:
        self.limits.append(limit)
        answer = self.answers.pop(0)
        if not self.answers:
            self.stopping.set()
        if answer:
            raise answer
        return {"woken": 0}


@pytest.fixture(autouse=True)
def no_pause(settings) -> None:
    settings.BATON_SWEEP_SECONDS = 0


def test_it_sweeps_until_it_is_told_to_stop() -> None:
    sweeps = Sweeps(None, None, None)

    clock.run(sweeps.stopping, sweeps)

    assert sweeps.limits == [clock.ROWS_PER_SWEEP] * 3


def test_it_goes_on_after_the_database_was_away(caplog: pytest.LogCaptureFixture) -> None:
    sweeps = Sweeps(OperationalError("terminating connection"), None)

    with caplog.at_level(logging.WARNING, "baton.clock"):
        clock.run(sweeps.stopping, sweeps)

    assert len(sweeps.limits) == 2
    assert "could not use the database, trying again: terminating connection" in caplog.text


def test_a_bug_in_a_sweep_is_logged_whole_and_does_not_end_it(caplog: pytest.LogCaptureFixture) -> None:
    sweeps = Sweeps(ZeroDivisionError("a bug"), None)

    clock.run(sweeps.stopping, sweeps)

    assert len(sweeps.limits) == 2
    assert "ZeroDivisionError: a bug" in caplog.text


def test_it_leaves_a_mark_after_a_good_sweep_only(tmp_path: Path) -> None:
    bad, good = tmp_path / "bad", tmp_path / "good"

    clock.run((sweeps := Sweeps(OperationalError("away"))).stopping, sweeps, bad)
    clock.run((sweeps := Sweeps(None)).stopping, sweeps, good)

    assert not bad.exists()
    assert good.exists()


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(0, 1.0), (1, 2.0), (4, 16.0), (5, 30.0), (1000, 30.0)],  # doubled, then half a minute at most
)
def test_the_pause_doubles_with_each_failure_up_to_half_a_minute(failures: int, seconds: float) -> None:
    assert clock.pause_seconds(failures, interval=1.0, jitter=0.0) == seconds


def test_an_interval_longer_than_half_a_minute_is_kept_after_failures() -> None:
    assert clock.pause_seconds(3, interval=60.0, jitter=0.0) == 60.0


def test_jitter_is_a_share_of_the_pause() -> None:
    assert clock.pause_seconds(1, interval=1.0, jitter=-0.2) == pytest.approx(1.6)
