"""Folding events gives the state they tell."""

from __future__ import annotations

import pytest

from orchestration.core.fingerprints import fingerprint
from orchestration.core.fold import fold


def test_no_events_are_a_run_that_was_only_accepted() -> None:
    folded = fold([])

    assert (folded.state, folded.seq, folded.open, folded.ended) == ("queued", 0, {}, {})


def test_a_gap_in_the_sequence_is_refused() -> None:
    with pytest.raises(ValueError, match="event 3 follows event 1"):
        fold([(1, "started", False, {}), (3, "step_reported", False, {})])


def test_an_event_told_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="event 1 follows event 1"):
        fold([(1, "started", False, {}), (1, "started", False, {})])


def test_a_step_that_ends_is_no_longer_open() -> None:
    folded = fold(
        [
            (1, "started", False, {"opened": [["a", 0, 1, "running"]], "run": ["running", ""]}),
            (2, "step_reported", False, {"ended": [["a", 0, "succeeded", "done", "ab"]]}),
        ]
    )

    assert folded.open == {}
    assert folded.ended == {("a", 0): ("succeeded", "done", "ab")}
    assert (folded.state, folded.seq) == ("running", 2)


def test_a_step_that_ended_and_started_again_in_one_event_is_open_in_its_new_pass() -> None:
    body = {"ended": [["a", 0, "cancelled", "", ""]], "opened": [["a", 1, 1, "running"]], "again": [["b.done -> a", 1]]}

    folded = fold([(1, "started", False, {"opened": [["a", 0, 1, "running"]]}), (2, "step_reported", False, body)])

    assert folded.open == {"a": (1, 1, "running")}
    assert folded.again == {"b.done -> a": 1}


def test_the_last_write_of_a_variable_counts() -> None:
    folded = fold([(1, "started", False, {"variables": [["n", "aa"], ["m", "bb"], ["n", "cc"]]})])

    assert folded.variables == {"n": "cc", "m": "bb"}


def test_the_terminal_event_names_the_end_and_its_output() -> None:
    waits = {"run": ["waiting", "timer"]}

    folded = fold([(1, "started", False, waits), (2, "succeeded", True, {"output": fingerprint({"n": 1})})])

    assert (folded.state, folded.waiting_for, folded.output) == ("succeeded", "", fingerprint({"n": 1}))
