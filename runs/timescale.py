"""The axis of a waterfall: time to per cent, with long idle stretches folded. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

FOLD_SECONDS = 5.0  # an idle stretch is folded when it is longer than this ...
FOLD_SHARE = 0.08  # ... and than this share of the whole
FOLDED_WIDTH = 14.0  # per cent of the lane one folded stretch gets
FOLDED_AT_MOST = 42.0  # per cent for all of them
NICE = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400)  # seconds between ticks
TICKS = 6
ROOM = 5.0  # per cent kept free before a fold, for its own label

Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class Piece:
    start: datetime
    end: datetime
    x: float  # per cent
    width: float
    folded: bool

    @property
    def length(self) -> timedelta:
        return self.end - self.start


@dataclass(frozen=True)
class Tick:
    x: float
    label: str


@dataclass(frozen=True)
class Scale:
    pieces: tuple[Piece, ...]

    def at(self, moment: datetime) -> float:
        """Give the place of an instant in per cent, clamped to the axis."""
        for piece in self.pieces:
            if moment <= piece.end:
                length = piece.length.total_seconds()
                share = (moment - piece.start).total_seconds() / length if length else 0.0
                return piece.x + piece.width * min(1.0, max(0.0, share))
        return 100.0

    @property
    def folds(self) -> tuple[Piece, ...]:
        return tuple(piece for piece in self.pieces if piece.folded)

    @property
    def ticks(self) -> tuple[Tick, ...]:
        """Give round times to write on the axis; after a fold they count from its end."""
        plain = [piece for piece in self.pieces if not piece.folded]
        step = _nice_step(sum(piece.length.total_seconds() for piece in plain))
        return tuple(
            tick for index, piece in enumerate(plain) for tick in _ticks(piece, step, sign="+" if index else "")
        )


def scale(start: datetime, end: datetime, busy: Iterable[Span]) -> Scale:
    """Lay the time from start to end over 100 per cent, with the long stretches where nothing is busy folded."""
    end = max(end, start + timedelta(milliseconds=1))
    total = (end - start).total_seconds()
    least = max(FOLD_SECONDS, FOLD_SHARE * total)
    folds = [gap for gap in _gaps(start, end, busy) if (gap[1] - gap[0]).total_seconds() > least]
    width = min(FOLDED_WIDTH, FOLDED_AT_MOST / len(folds)) if folds else 0.0
    left = total - sum((stop - begin).total_seconds() for begin, stop in folds)
    per_second = (100.0 - width * len(folds)) / left if left > 0 else 0.0
    return Scale(tuple(_lay(start, end, folds, width, per_second)))


def union_seconds(spans: Iterable[Span]) -> float:
    """Add up how long at least one of the spans was going on."""
    return sum((stop - begin).total_seconds() for begin, stop in _merged(spans))


def _lay(start: datetime, end: datetime, folds: list[Span], width: float, per_second: float) -> Iterable[Piece]:
    x, cursor = 0.0, start
    for begin, stop in [*folds, (end, end)]:
        if begin > cursor:
            plain = (begin - cursor).total_seconds() * per_second
            yield Piece(cursor, begin, x, plain, False)
            x += plain
        if stop > begin:
            yield Piece(begin, stop, x, width, True)
            x += width
        cursor = stop


def _gaps(start: datetime, end: datetime, busy: Iterable[Span]) -> Iterable[Span]:
    cursor = start
    for begin, stop in _merged(busy):
        if begin > cursor:
            yield cursor, min(begin, end)
        cursor = max(cursor, stop)
    if end > cursor:
        yield cursor, end


def _merged(spans: Iterable[Span]) -> list[Span]:
    merged: list[Span] = []
    for begin, stop in sorted(spans):
        if merged and begin <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
        else:
            merged.append((begin, stop))
    return merged


def _nice_step(seconds: float) -> float:
    if seconds < TICKS:
        return next(step for step in (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0) if seconds / step <= TICKS)
    return next((step for step in NICE if seconds / step <= TICKS), seconds / TICKS)


def _ticks(piece: Piece, step: float, sign: str) -> Iterable[Tick]:
    length = piece.length.total_seconds()
    for index in range(1 if sign else 0, int(length / step) + 1):
        x = piece.x + piece.width * index * step / length
        if index == 0 or x < min(97.0, piece.x + piece.width - ROOM):
            yield Tick(x, sign + _label(index * step, step))


def _label(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:g} s"
    if step < 60:
        return f"{seconds:.0f} s" if seconds < 120 else f"{seconds // 60:.0f} m {seconds % 60:02.0f} s"
    return f"{seconds / 60:.0f} m" if seconds < 7200 else f"{seconds / 3600:g} h"
