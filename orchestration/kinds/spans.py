"""Texts in the trace: whole where they are short, cut where they are not."""

from __future__ import annotations

from orchestration.core.definition import Json

TEXT_BYTES = 8 * 1024  # the most of one text that a span keeps


def texts(**named: str) -> dict[str, Json]:
    """Give these texts as attributes, each cut to 8 KB; `cut` counts the bytes left out, by name."""
    attributes: dict[str, Json] = {}
    cut: dict[str, int] = {}
    for name, text in named.items():
        attributes[name], lost = shortened(text, TEXT_BYTES)
        if lost:
            cut[name] = lost
    return {**attributes, "cut": cut} if cut else attributes


def shortened(text: str, limit: int) -> tuple[str, int]:
    """Give the start of a text in at most `limit` bytes of UTF-8, and how many bytes were cut off."""
    data = text.encode(errors="replace")
    if len(data) <= limit:
        return text, 0
    kept = data[:limit].decode(errors="ignore")
    return kept, len(data) - len(kept.encode())
