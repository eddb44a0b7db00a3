"""What every page says the same way: states, icons, times, durations, money."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from typing import Any
from uuid import UUID

from django import template
from django.conf import settings
from django.templatetags.static import static
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString

from orchestration import access
from orchestration.access import Actor, Right

register = template.Library()

# slug -> (word, tone, shape): one word for a state everywhere, and a shape so that colour never says it alone.
STATES = {
    "queued": ("Queued", "calm", "s-queued"),
    "running": ("Running", "active", "s-active"),
    "waiting": ("Waiting", "calm", "s-wait"),
    "needs_approval": ("Needs approval", "you", "s-you"),
    "paused": ("Paused", "calm", "s-paused"),
    "cancelling": ("Cancelling", "calm", "s-cancel"),
    "succeeded": ("Succeeded", "ok", "s-ok"),
    "failed": ("Failed", "bad", "s-bad"),
    "timed_out": ("Timed out", "bad", "s-timeout"),
    "cancelled": ("Cancelled", "calm", "s-cancel"),
    "blocked": ("Blocked", "bad", "s-blocked"),
    "skipped": ("Skipped", "calm", "s-skip"),
    "abandoned": ("Abandoned", "calm", "s-cancel"),
    "not_reached": ("Not reached", "calm", "s-none"),
}
WAITING_FOR = {
    "timer": "Waiting for a time",
    "event": "Waiting for an event",
    "retry": "Waiting to retry",
    "slot": "Waiting for a slot",
    "child": "Waiting for a run",
    "unknown_effect": "Needs an answer",
}
KIND_ICONS = {
    "start": "zap", "model": "cpu", "agent": "users", "tool": "wrench", "rules": "table-2", "branch": "git-branch",
    "set": "variable", "code": "code", "map": "layers", "repeat": "refresh-cw", "workflow": "workflow",
    "approval": "user-check", "wait": "hourglass", "emit": "megaphone", "notify": "bell", "end": "flag",
    "guard": "shield", "rung": "list-tree",
}  # fmt: skip
TRIGGER_ICONS = {
    "form": "user", "api": "braces", "schedule": "calendar", "webhook": "webhook", "event": "zap",
    "workflow": "workflow",
}  # fmt: skip
NAV = (
    ("Work", (("workflows", "Workflows", "workflow", None),
              ("runs", "Runs", "chart-gantt", None), ("approvals", "Approvals", "user-check", None))),
    ("Build", (("tools", "Tools", "wrench", None), ("models", "Models", "cpu", None),
               ("connections", "Connections", "plug", None))),
    ("Govern", (("audit", "Audit log", "scroll-text", Right.VIEW_AUDIT),)),
)  # fmt: skip


@register.simple_tag
def icon(name: str, css: str = "i") -> SafeString:
    """Draw an icon of the sprite; it is decoration, so words must stand beside it."""
    return format_html('<svg class="{}" aria-hidden="true"><use href="{}#{}"/></svg>', css, sprite(), name)


@register.simple_tag
def kind_icon(kind: str, css: str = "i") -> SafeString:
    """Draw the icon of a kind of step or span."""
    return icon(KIND_ICONS.get(kind, "box"), css)


@cache
def sprite() -> str:
    return static("icons.svg")


@register.filter
def trigger_icon(trigger: str) -> str:
    """Give the sprite's name for what started a run."""
    return TRIGGER_ICONS.get(trigger, "circle-play")


@register.simple_tag
def state_badge(state: str, waiting_for: str = "", css: str = "") -> SafeString:
    """Draw a state as a shape and its word; `css="pill"` fills it."""
    _, tone, shape = STATES.get(state, (state, "calm", "s-none"))
    word = state_word(state, waiting_for)
    return format_html('<span class="st {} {}">{}{}</span>', tone, css, icon(shape, "s"), word)


@register.simple_tag
def state_mark(state: str, waiting_for: str = "") -> SafeString:
    """Draw a state as its shape; the word is there for those who can't see it."""
    _, tone, shape = STATES.get(state, (state, "calm", "s-none"))
    word = state_word(state, waiting_for)
    return format_html('<span class="st {}">{}<span class="vh">{}</span></span>', tone, icon(shape, "s"), word)


@register.filter
def state_word(state: str, waiting_for: str = "") -> str:
    """Give the word of a state; a waiting one says for what."""
    if state in ("waiting", "needs_approval") and waiting_for in WAITING_FOR:
        return WAITING_FOR[waiting_for]
    return STATES[state][0] if state in STATES else state.replace("_", " ").capitalize()


@register.filter
def tone(state: str) -> str:
    """Give the tone of a state: ok, bad, active, you or calm."""
    return STATES[state][1] if state in STATES else "calm"


@register.filter
def shape(state: str) -> str:
    """Give the sprite's name of a state's shape."""
    return STATES[state][2] if state in STATES else "s-none"


@register.filter
def duration(value: timedelta | float | None) -> str:
    """Say a length of time in at most two units: 4 ms, 2.1 s, 3 m 05 s, 3 h 25 m, 2 d 4 h."""
    if value is None:
        return "—"
    seconds = max(0.0, value.total_seconds() if isinstance(value, timedelta) else float(value))
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 3600:
        return f"{whole // 60} m {whole % 60:02d} s"
    if whole < 48 * 3600:
        return f"{whole // 3600} h {whole % 3600 // 60:02d} m"
    return f"{whole // 86400} d {whole % 86400 // 3600} h"


@register.filter
def money(microusd: int | None) -> str:
    """Say an amount of dollars: three decimals below a dollar, two above; nothing spent is a dash."""
    if not microusd:
        return "—"
    usd = microusd / 1_000_000
    if 0 < usd < 0.0005:
        return "<$0.001"
    return f"${usd:,.3f}" if usd < 1 else f"${usd:,.2f}"


@register.filter
def dollars(usd: Decimal | float | None) -> str:
    """Say a limit in dollars, with as many decimals as it has and at least two."""
    if usd is None:
        return "none"
    text = f"{usd:,.6f}".rstrip("0")
    whole, _, cents = text.partition(".")
    return f"${whole}.{cents:0<2}"


@register.filter
def short_id(value: UUID | str) -> str:
    """Give the last eight digits of an id: the first ones are the time and look alike."""
    return str(value)[-8:]


@register.filter
def when(at: datetime | None) -> SafeString | str:
    """Say how long ago or from now, with the exact time on hover."""
    if at is None:
        return "—"
    return format_html(
        '<time datetime="{}" title="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC", ago(at)
    )


def ago(at: datetime) -> str:
    """Say an instant relative to now, in one unit."""
    seconds = (timezone.now() - at).total_seconds()
    size = abs(seconds)
    if size < 1:
        return "now"
    for limit, unit, letter in ((60, 1, "s"), (3600, 60, "m"), (48 * 3600, 3600, "h"), (60 * 86400, 86400, "d")):
        if size < limit:
            text = f"{int(size // unit)} {letter}"
            return f"{text} ago" if seconds > 0 else f"in {text}"
    return f"{at:%-d %b %Y}"


@register.filter
def clock(at: datetime | None) -> SafeString | str:
    """Say the time of day to the millisecond, with the date when it is not today."""
    if at is None:
        return "—"
    text = f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}"
    if at.date() != timezone.now().date():
        text = f"{at:%-d %b} {text}"
    return format_html('<time datetime="{}" title="{}">{}</time>', at.isoformat(), f"{at:%Y-%m-%d %H:%M:%S} UTC", text)


@register.filter
def initials(name: object) -> str:
    """Give up to two letters for a person's mark."""
    words = str(name).replace(".", " ").replace("_", " ").split()
    return ("".join(word[0] for word in words[:2]) or "?").upper()


@register.filter
def pretty(value: Any) -> str:
    """Write a JSON value over several lines, as people read it; a text stays a text."""
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False, default=str)


@register.filter
def minus(end: datetime | None, start: datetime | None) -> timedelta | None:
    """Give the time between two instants; None where one is not known."""
    return end - start if end and start else None


@register.filter
def item(mapping: Any, key: Any) -> Any:
    """Look a key up in a mapping; None where it is not there."""
    return mapping.get(key) if hasattr(mapping, "get") else None


@register.inclusion_tag("ui/_sidebar.html", takes_context=True)
def sidebar(context: dict[str, Any]) -> dict[str, Any]:
    """Draw the navigation: only pages that exist and that this person may open."""
    actor, request = context.get("actor"), context.get("request")
    path = request.path if request else ""
    groups = [(title, _items(actor, items, path)) for title, items in NAV] if actor else []
    return {
        "actor": actor,
        "groups": [(title, items) for title, items in groups if items],
        "tokens_url": _address("tokens", actor) if actor else "",
        "path": path,
        "csrf_token": context.get("csrf_token"),
        "open_approvals": _waiting_for(actor, request) if actor else 0,
    }


def _waiting_for(actor: Actor, request: Any) -> int:
    """Count what waits for this person, once a page: the navigation is drawn twice, wide and narrow."""
    if not hasattr(request, "waiting_for_me"):
        request.waiting_for_me = import_string(settings.BATON_WAITING_FOR_ME)(actor)
    return int(request.waiting_for_me)


def _items(actor: Actor, items: tuple, path: str) -> list[dict[str, Any]]:
    shown = []
    for name, label, icon_name, right in items:
        url = _address(name, actor)
        if url and access.may(actor, right or Right.VIEW):
            shown.append({"name": name, "label": label, "icon": icon_name, "url": url, "here": path.startswith(url)})
    return shown


def _address(name: str, actor: Actor) -> str:
    try:
        return reverse(name, kwargs={"workspace": actor.workspace.slug})
    except NoReverseMatch:
        return ""
