"""The waterfall's marks, written as SVG: many rows, so Python and not a template writes them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString, mark_safe

from orchestration.templatetags.ui import duration, icon
from runs.run_page import Look
from runs.timescale import Scale
from runs.waterfall import Bar, Row, Words

register = template.Library()

MOST_WORDS = 110  # characters beside a bar; the inspector has them all
MOST_SHOWN = 32_768  # characters of a payload
CROSS = "m3-3.5 7 7m0-7-7 7"
EFFECTS = {
    "intended": ("active", "s-active", "On its way"),
    "confirmed": ("ok", "s-ok", "Confirmed"),
    "failed": ("calm", "s-cancel", "Not acted on"),
    "unknown": ("you", "s-you", "Unknown"),
    "skipped": ("calm", "s-skip", "Skipped"),
}


@register.simple_tag
def axis(scale: Scale, height: int) -> SafeString:
    """Draw the head of the lane, and define the grid that each row shows again."""
    labels = format_html_join(
        "", '<text{} x="{}" y="16">{}</text>',
        ((mark_safe(' class="mid"') if tick.x > 2 else "", pc(max(tick.x, 0.4)), tick.label) for tick in scale.ticks),
    )  # fmt: skip
    folds = format_html_join(
        "", '<text class="{} t" x="{}" y="16">{}</text>',
        (("end", "100%", duration(fold.length)) if fold.x + fold.width > 99.9
         else ("mid", pc(fold.x + fold.width / 2), duration(fold.length)) for fold in scale.folds),
    )  # fmt: skip
    return format_html(
        '<svg class="lane" aria-hidden="true"><defs><g id="lane-grid">{}</g></defs><use href="#lane-grid"/>{}{}</svg>',
        _grid(scale), labels, folds,
    )  # fmt: skip


def _grid(scale: Scale) -> SafeString:
    bands = format_html_join(
        "", '<rect class="lane-fold" x="{0}" width="{1}" height="32"/><line class="lane-edge" x1="{0}" x2="{0}"'
        ' y2="32"/><line class="lane-edge" x1="{2}" x2="{2}" y2="32"/>',
        ((pc(fold.x), pc(fold.width), pc(fold.x + fold.width)) for fold in scale.folds),
    )  # fmt: skip
    lines = format_html_join(
        "", '<line class="lane-line" x1="{0}" x2="{0}" y2="32"/>', ((pc(tick.x),) for tick in scale.ticks if tick.x > 0)
    )
    return bands + lines


@register.simple_tag
def lane(row: Row, scale: Scale) -> SafeString:
    """Draw the bars of a row over the grid, with its words beside them."""
    hidden = format_html('<span class="vh">{}</span>', row.label) if row.label else ""
    marks = [part for bar in row.bars for part in _bar(bar)]
    words = [_words(row.words, row.bars)] if row.words else []
    return format_html(
        '<svg class="lane" aria-hidden="true"><use href="#lane-grid"/>{}</svg>{}', _joined([*marks, *words]), hidden
    )


def _bar(bar: Bar) -> Iterable[SafeString]:
    if bar.form == "back":
        yield format_html('<line class="back" x1="{}" x2="{}" y1="14" y2="14"/>', pc(bar.x), pc(bar.end))
        return
    if bar.form != "bar":
        css = "f-hatch-you" if bar.form == "hatch-you" else "f-hatch"
        yield format_html('<rect class="{}" x="{}" y="11" width="{}" height="6"/>', css, pc(bar.x), pc(bar.width))
        return
    yield format_html(
        '<rect class="bar f-{}" x="{}" y="7" width="{}" height="14" rx="2"/>', bar.look, pc(bar.x), pc(bar.width)
    )
    if bar.number:
        yield format_html('<text class="n {}" x="{}" y="18.5">{}</text>', bar.look, pc(bar.middle), bar.number)
    if bar.cross == "in":
        yield format_html(
            '<svg class="xin {}" x="{}" y="14" overflow="visible"><path d="m-12-3.5 7 7m0-7-7 7"/></svg>',
            bar.look, pc(bar.end),
        )  # fmt: skip
    elif bar.cross:
        yield format_html(
            '<svg class="x {0}" x="{1}" y="14" overflow="visible"><path class="halo" d="{2}"/><path d="{2}"/></svg>',
            bar.look, pc(bar.end), CROSS,
        )  # fmt: skip


def _words(words: Words, bars: tuple[Bar, ...]) -> SafeString:
    text = words.text if len(words.text) <= MOST_WORDS else f"{words.text[:MOST_WORDS]}…"
    shift = -6 if words.before else (16 if bars and bars[-1].cross == "after" else 6)
    anchor = " end" if words.before else ""
    return format_html(
        '<text class="why{}" x="{}" dx="{}" y="18">{}</text>', anchor, pc(words.x), shift if bars else 0, text
    )


def pc(share: float) -> str:
    """Write a place on the lane in per cent."""
    return f"{share:.2f}%"


def _joined(parts: Iterable[SafeString]) -> SafeString:
    return mark_safe("".join(parts))  # noqa: S308  every part is made by format_html


@register.simple_tag
def step_query(look: Look, row: Row) -> str:
    """Give the query string that looks at the row's step; a model or tool span opens its tab."""
    tab = {"model": "messages", "tool": "calls"}.get(row.kind, "") if row.span else ""
    return look.query(step=row.path, pass_number=row.pass_number, tab=tab)


@register.simple_tag
def effect_mark(state: str) -> SafeString:
    """Draw the state of an effect as its shape, with the word for those who can't see it."""
    tone, shape, word = EFFECTS.get(state, ("calm", "s-none", state))
    return format_html('<span class="st {}">{}<span class="vh">{}</span></span>', tone, icon(shape, "s"), word)


@register.filter
def json_text(text: Any) -> str:
    """Write JSON that is kept as a text over several lines; other texts stay as they are."""
    if not isinstance(text, str):
        return json.dumps(text, indent=2, ensure_ascii=False)[:MOST_SHOWN]
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)[:MOST_SHOWN]
    except ValueError:
        return text[:MOST_SHOWN]


@register.filter
def json_bytes(data: Any) -> str:
    """Write frozen bytes of JSON over several lines."""
    return json_text(bytes(data).decode(errors="replace"))
