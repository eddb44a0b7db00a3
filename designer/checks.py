"""A system check: each kind of step has what its pages draw it with. It fails the start, not a page later."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register

from designer.kinds import kinds
from orchestration.core.definition import START
from orchestration.kinds.base import ControlKind, Kind, WorkKind

_SYMBOL = re.compile(r'<symbol id="([^"]+)"')


@register()
def kinds_are_complete(app_configs: object, **kwargs: Any) -> list[CheckMessage]:
    """List what a kind lacks: a label, a summary, an icon of the sprite, a way to be run."""
    icons = sprite_icons(settings.BASE_DIR / "static" / "icons.svg")
    return [message for name, kind in kinds().items() for message in lacks(name, kind, icons)]


def lacks(name: str, kind: Kind, icons: frozenset[str]) -> Iterator[CheckMessage]:
    """Yield an error for each thing a kind lacks."""
    if kind.name != name:
        yield _error(name, f"its class says it is {kind.name!r}", "Register it by its own name.", 1)
    if not kind.label or not kind.summary:
        yield _error(name, "it has no label or summary", "Set both on its class.", 2)
    if kind.icon not in icons:
        yield _error(name, f"the sprite has no icon {kind.icon!r}", "Add it to static/icons.svg.", 3)
    if name != START and not isinstance(kind, ControlKind | WorkKind):  # a run starts by itself
        yield _error(name, "nothing can run it", "Derive it from ControlKind or WorkKind.", 4)


def sprite_icons(file: Path) -> frozenset[str]:
    """Name the icons of the sprite."""
    return frozenset(_SYMBOL.findall(file.read_text(encoding="utf-8")))


def _error(kind: str, message: str, hint: str, number: int) -> CheckMessage:
    return Error(f"The kind {kind}: {message}.", hint=hint, id=f"designer.E{number:03d}")
