"""The axis and the bars of a waterfall, as values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from orchestration.core.definition import Step
from runs.timescale import scale, union_seconds
from runs.trace import SpanView, Trace, Try, Visit
from runs.waterfall import waterfall

START = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def a_visit(start: float = 0, end: float | None = 1, **columns) -> Visit:
    ended = None if end is None else at(end)
    tries = columns.pop("tries", (Try(1, columns.get("state", "succeeded"), at(start), ended),))
    defaults = {"path": "a", "pass_number": 0, "kind": "tool", "title": "A", "state": "succeeded"}
    return Visit(
        **{**defaults, "started_at": at(start), "since": at(start), "ended_at": ended, "tries": tries, **columns}
    )


def drawn(*visits: Visit, lasts: float = 10, not_reached: tuple[Step, ...] = ()):
    return waterfall(Trace(visits, not_reached, False), START, at(lasts), ended=True)


def test_time_is_laid_over_the_whole_lane():
    axis = scale(START, at(10), [(START, at(10))])

    assert [axis.at(at(seconds)) for seconds in (-5, 0, 5, 10, 99)] == [0, 0, 50, 100, 100]


def test_a_long_idle_stretch_is_folded_and_a_short_one_is_not():
    folded = scale(START, at(1000), [(START, at(10)), (at(990), at(1000))])
    plain = scale(START, at(100), [(START, at(48)), (at(52), at(100))])

    assert [fold.length for fold in folded.folds] == [timedelta(seconds=980)]
    assert folded.folds[0].width < 20
    assert plain.folds == ()


def test_after_a_fold_the_axis_counts_from_its_end():
    labels = [tick.label for tick in scale(START, at(1000), [(START, at(10)), (at(990), at(1000))]).ticks]

    assert labels[0] == "0 s"
    assert any(label.startswith("+") for label in labels)


def test_a_run_of_no_length_can_still_be_drawn():
    axis = scale(START, START, [])

    assert axis.at(START) == 0
    assert next(tick.label for tick in axis.ticks).startswith("0")


def test_overlapping_work_is_busy_time_once():
    assert union_seconds([(at(0), at(4)), (at(2), at(6)), (at(8), at(9))]) == 7


def test_waiting_for_people_is_not_work():
    found = drawn(a_visit(0, 2), a_visit(2, 10, path="b", kind="approval", state="succeeded"))

    assert (found.busy, found.waiting) == (timedelta(seconds=2), timedelta(seconds=8))
    assert [bar.form for bar in found.rows[1].bars] == ["hatch-you"]


def test_attempts_are_numbered_segments_with_back_off_between():
    tries = (Try(1, "failed", at(0), at(2)), Try(2, "failed", at(4), at(6)), Try(3, "succeeded", at(8), at(10)))

    bars = drawn(a_visit(0, 10, attempt=3, tries=tries)).rows[0].bars

    assert [bar.form for bar in bars] == ["bar", "back", "bar", "back", "bar"]
    assert [bar.number for bar in bars if bar.form == "bar"] == ["1", "2", "3"]
    assert [bar.look for bar in bars if bar.form == "bar"] == ["calm", "calm", "ok"]


def test_red_is_kept_for_attempts_of_a_step_that_failed():
    tries = (Try(1, "failed", at(0), at(2)), Try(2, "failed", at(4), at(6)))

    bars = drawn(a_visit(0, 6, state="failed", attempt=2, tries=tries)).rows[0].bars

    assert {bar.look for bar in bars if bar.form == "bar"} == {"bad"}
    assert all(bar.cross for bar in bars if bar.form == "bar")


def test_the_rungs_of_a_model_are_segments_of_its_step():
    spans = (
        SpanView(1, 1, "model", "fast", "error", at(0), at(4), {"rung": 1, "error__code": "timeout"}),
        SpanView(2, 1, "model", "smart", "ok", at(4), at(10), {"rung": 3}),
    )

    rows = drawn(a_visit(0, 10, kind="model", spans=spans)).rows

    assert [(bar.number, bar.look) for bar in rows[0].bars] == [("1", "calm"), ("3", "ok")]
    assert rows[0].note == "rung 3"
    assert [row.note for row in rows[1:]] == ["rung 1, timeout", "rung 3, answered"]


def test_a_step_that_waits_to_be_tried_again_shows_its_back_off_up_to_now():
    visit = a_visit(0, None, state="waiting", waiting_for="retry", since=at(3), tries=(Try(1, "failed", at(0), at(3)),))

    assert drawn(visit).rows[0].bars[-1].form == "back"


def test_the_reason_of_a_branch_stands_beside_its_bar_on_the_side_with_room():
    early = drawn(a_visit(0, 1, kind="branch", port="urgent", reason="0.91 >= 0.8 -> urgent"), lasts=4).rows[0]
    late = drawn(a_visit(3, 4, kind="branch", port="urgent", reason="0.91 >= 0.8 -> urgent"), lasts=4).rows[0]

    assert (early.words.before, late.words.before) == (False, True)
    assert early.note == "urgent"


def test_steps_that_were_not_reached_are_listed_without_bars():
    row = drawn(not_reached=(Step("reply", "tool"),)).rows[0]

    assert (row.title, row.note, row.bars, row.reached) == ("Reply", "not reached", (), False)
