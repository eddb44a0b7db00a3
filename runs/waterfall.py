"""The rows of the waterfall: a trace drawn over a time scale. Pure; the template only writes down what is here.

Grammar: solid is work, hatched is waiting, dots are back-off. Each attempt is a numbered segment of its own; one
that failed ends in a cross. Red is kept for attempts of a step that failed.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from orchestration.core.definition import Step
from runs.timescale import Scale, Span, scale, union_seconds
from runs.trace import SpanView, Trace, Try, Visit, title_of

FAILED = ("failed", "timed_out", "blocked")
DECIDING = ("branch", "rules", "approval", "wait")  # kinds whose reason stands in the lane
LEAST_WIDTH = 0.35  # per cent: a bar of a millisecond is still seen
ROOM_FOR_NUMBER = 3.0  # per cent
ROOM_FOR_CROSS = 9.0  # per cent: within a wide bar, after a narrow one
HALF = 55.0  # per cent: words stand right of bars that end before this, else left


@dataclass(frozen=True)
class Bar:
    form: str  # bar | hatch | hatch-you | back
    x: float  # per cent
    width: float
    look: str = "ok"  # ok | bad | calm | active
    number: str = ""
    cross: str = ""  # "", in or after

    @property
    def end(self) -> float:
        return self.x + self.width

    @property
    def middle(self) -> float:
        return self.x + self.width / 2


@dataclass(frozen=True)
class Words:
    """What stands beside the bars of a row."""

    text: str
    x: float
    before: bool  # left of the bars


@dataclass(frozen=True)
class Row:
    path: str
    pass_number: int
    level: int
    kind: str
    title: str
    note: str = ""
    state: str = ""  # of a step; "" for its spans
    waiting_for: str = ""
    bars: tuple[Bar, ...] = ()
    words: Words | None = None
    lasted: timedelta | None = None
    cost_microusd: int = 0
    span: int | None = None
    label: str = ""  # the bars in words
    reached: bool = True


@dataclass(frozen=True)
class Waterfall:
    rows: tuple[Row, ...]
    scale: Scale
    busy: timedelta
    waiting: timedelta


def waterfall(trace: Trace, start: datetime, end: datetime, ended: bool) -> Waterfall:
    """Draw the trace from the start of the run to its end or, while it goes on, to now."""
    work = [span for visit in trace.visits for span in _work(visit, end)]
    axis = scale(start, end, work)
    rows = [row for visit in trace.visits for row in _rows(visit, axis, start, end)]
    rows += [_unreached(step, ended) for step in trace.not_reached]
    busy = timedelta(seconds=union_seconds(work))
    return Waterfall(tuple(rows), axis, busy, max(end - start - busy, timedelta(0)))


def _work(visit: Visit, now: datetime) -> list[Span]:
    """List when a step was doing something. Waiting for people, timers and retries is not work."""
    if visit.kind in ("approval", "wait"):
        return [(visit.started_at, visit.started_at)] + ([(visit.ended_at, visit.ended_at)] if visit.ended_at else [])
    return [(one.started_at, one.ended_at or now) for one in visit.tries]


def _rows(visit: Visit, axis: Scale, start: datetime, now: datetime) -> Iterable[Row]:
    bars = tuple(_step_bars(visit, axis, now))
    yield Row(
        visit.path, visit.pass_number, 1, visit.kind, visit.title, _note(visit), visit.state, visit.waiting_for,
        bars, _words(visit, bars), (visit.ended_at or now) - visit.started_at, visit.cost_microusd,
        label=_label(visit, start, now),
    )  # fmt: skip
    if len(visit.tries) > 1:
        for one in visit.tries:
            yield _try_row(visit, one, axis, now)
            yield from (_span_row(visit, span, axis, 3) for span in visit.spans if span.attempt == one.number)
    else:
        yield from (_span_row(visit, span, axis, 2) for span in visit.spans)


def _step_bars(visit: Visit, axis: Scale, now: datetime) -> Iterable[Bar]:
    end = visit.ended_at or now
    if visit.state == "skipped":
        return
    if visit.kind in ("approval", "wait"):
        yield _bar(axis, visit.started_at, end, form="hatch-you" if visit.asks_people else "hatch")
        return
    models = [span for span in visit.spans if span.kind == "model"]
    if len(visit.tries) == 1 and len(models) > 1:
        yield from _rung_bars(visit, models, axis)
    else:
        yield from _try_bars(visit, axis, now)
    if visit.is_open and visit.state == "needs_approval":
        yield _bar(axis, visit.since, now, form="hatch-you")
    elif visit.is_open and visit.waiting_for == "retry":
        yield _bar(axis, visit.since, now, form="back")


def _try_bars(visit: Visit, axis: Scale, now: datetime) -> Iterable[Bar]:
    before: Try | None = None
    for one in visit.tries:
        if before and before.ended_at and one.started_at > before.ended_at:
            yield _bar(axis, before.ended_at, one.started_at, form="back")
        yield _try_bar(visit, one, axis, now)
        before = one


def _try_bar(visit: Visit, one: Try, axis: Scale, now: datetime) -> Bar:
    number = str(one.number) if len(visit.tries) > 1 else ""
    if one.ended_at is None:
        return _bar(axis, one.started_at, now, "active", number)
    failed = one.state in (*FAILED, "abandoned")
    look = "ok" if not failed else ("bad" if visit.state in FAILED else "calm")
    return _bar(axis, one.started_at, one.ended_at, "calm" if one.state == "cancelled" else look, number, failed)


def _rung_bars(visit: Visit, models: list[SpanView], axis: Scale) -> Iterable[Bar]:
    for span in models:
        failed = span.status != "ok"
        look = "ok" if not failed else ("bad" if visit.state in FAILED else "calm")
        yield _bar(axis, span.started_at, span.ended_at, look, str(span.about.get("rung", "")), failed)


def _bar(
    axis: Scale, start: datetime, end: datetime, look: str = "ok", number: str = "", failed: bool = False,
    form: str = "bar",
) -> Bar:  # fmt: skip
    x = min(axis.at(start), 100 - LEAST_WIDTH)
    width = max(axis.at(end) - x, LEAST_WIDTH)
    at_edge = x + width > 96
    cross = "" if not failed else ("in" if width >= ROOM_FOR_CROSS or at_edge else "after")
    room = ROOM_FOR_CROSS if cross == "in" else ROOM_FOR_NUMBER
    return Bar(form, x, width, look, number if width >= room else "", cross)


def _try_row(visit: Visit, one: Try, axis: Scale, now: datetime) -> Row:
    note = str((one.error or {}).get("code") or ("going on" if one.ended_at is None else one.state))
    lasted = (one.ended_at or now) - one.started_at
    bar = _try_bar(visit, one, axis, now)
    return Row(
        visit.path, visit.pass_number, 2, visit.kind, f"Attempt {one.number}", note.replace("_", " "), bars=(bar,),
        lasted=lasted,
    )  # fmt: skip


def _span_row(visit: Visit, span: SpanView, axis: Scale, level: int) -> Row:
    failed = span.status == "error"
    look = (
        "bad"
        if failed and visit.state in FAILED
        else ("ok" if span.status == "ok" and span.kind != "guard" else "calm")
    )
    bars = () if span.status == "skipped" else (_bar(axis, span.started_at, span.ended_at, look, "", failed),)
    return Row(
        visit.path, visit.pass_number, level, span.kind, span_title(span), span_note(span), bars=bars,
        lasted=None if span.status == "skipped" else span.ended_at - span.started_at,
        cost_microusd=int(span.about.get("cost_microusd") or 0), span=span.id,
    )  # fmt: skip


def span_title(span: SpanView) -> str:
    """Name a span for people: the model's alias, the tool, the guard."""
    return "Guard" if span.kind == "guard" else span.name


def span_note(span: SpanView) -> str:
    """Say in a few words what a span came to."""
    about = span.about
    if span.kind == "guard":
        return str(about.get("verdict", ""))
    if span.status == "skipped":
        return str(about.get("why") or "not needed")
    came_to = "answered" if span.kind == "model" else "done"
    if span.status != "ok":
        came_to = str(about.get("error__code") or about.get("status") or "failed").replace("_", " ")
    return f"rung {about['rung']}, {came_to}" if "rung" in about else came_to


def _note(visit: Visit) -> str:
    """Say beside the name what is worth knowing at a glance."""
    parts = [f"pass {visit.pass_number + 1}"] if visit.pass_number else []
    if visit.state == "skipped":
        parts.append("skipped")
    elif len(visit.tries) > 1 or visit.attempt > 1:
        parts.append(f"attempt {visit.attempt}")
    elif visit.port not in ("", "done", "error"):
        parts.append(visit.port)
    elif rungs := [span.about["rung"] for span in visit.spans if span.kind == "model" and "rung" in span.about]:
        parts += [f"rung {rungs[-1]}"] if str(rungs[-1]) != "1" else []
    return ", ".join(parts)


def _words(visit: Visit, bars: tuple[Bar, ...]) -> Words | None:
    text = visit.reason if visit.kind in DECIDING or visit.state == "skipped" else ""
    if visit.state in FAILED and visit.port:
        text = f"left by {visit.port}: {visit.reason or (visit.error or {}).get('message', '')}"
    if not text:
        return None
    if not bars:
        return Words(text, 0.0, False)
    before = bars[-1].end > HALF
    return Words(text, bars[0].x if before else bars[-1].end, before)


def _label(visit: Visit, start: datetime, now: datetime) -> str:
    """Say the bars in words, for those who can't see them."""
    begins = (visit.started_at - start).total_seconds()
    lasts = ((visit.ended_at or now) - visit.started_at).total_seconds()
    attempts = f", attempt {visit.attempt}" if visit.attempt > 1 else ""
    return f"{visit.state.replace('_', ' ')}{attempts}, starts at {begins:.1f} s, lasts {lasts:.1f} s"


def _unreached(step: Step, ended: bool) -> Row:
    note = "not reached" if ended else "not yet"
    return Row(step.id, 0, 1, step.kind, title_of(step.id, step), note, "not_reached", label=note, reached=False)
