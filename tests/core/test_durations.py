from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.durations import LONGEST, format_duration, parse_duration
from orchestration.core.errors import InvalidValue


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("500ms", 0.5), ("20s", 20), ("5m", 300), ("1h30m", 5400), ("2d", 172_800), ("1w", 604_800), ("1.5h", 5400),
     (90, 90), (0.25, 0.25)],
)  # fmt: skip
def test_durations_are_read_as_seconds(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    "text", ["", "5", "5 m", "1x", "-5s", "s", True, None, [], "9" * 50 + "s", "11000d", -1, "1h\n"]
)
def test_what_is_not_a_duration_is_refused(text):
    with pytest.raises(InvalidValue):
        parse_duration(text)


@pytest.mark.parametrize(("seconds", "text"), [(0, "0s"), (0.5, "500ms"), (90, "1m30s"), (7200, "2h"), (86_400, "1d")])
def test_seconds_are_written_as_people_do(seconds, text):
    assert format_duration(seconds) == text


@given(st.floats(0, LONGEST) | st.integers(0, int(LONGEST)).map(float))
def test_a_written_duration_is_read_back_the_same(seconds):
    text = format_duration(seconds)

    if len(text) <= 40:  # more digits than any person writes
        assert parse_duration(text) == seconds
