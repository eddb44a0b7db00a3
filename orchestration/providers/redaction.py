"""Take a secret out of a text, however the other side spelled it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable
from urllib.parse import quote, quote_plus

MARK = "[redacted]"
_PIECE = 8  # a run of this many characters of a secret is a leak


def redact(text: str, secrets: Iterable[str]) -> str:
    """Replace each secret in `text`, raw or encoded (base64, hex, URL, JSON), and pieces of 8 characters or more."""
    for secret in secrets:
        for spelling in spellings(secret):
            text = _redact_spelling(text, spelling)
    return text


def redact_exact(text: str, secrets: Iterable[str]) -> str:
    """Replace whole secrets only, raw or encoded: for long texts, where the search for pieces would be slow."""
    for secret in secrets:
        for spelling in spellings(secret):
            text = text.replace(spelling, MARK)
    return text


def spellings(secret: str) -> list[str]:
    """List the ways a secret may be written, longest first. A secret under 4 characters has none."""
    if len(secret) < 4:
        return []
    raw = secret.encode()
    found = {secret, raw.hex(), raw.hex().upper(), quote(secret, safe=""), quote_plus(secret)}
    found |= {json.dumps(secret)[1:-1], secret.replace("/", "\\/")}
    for encode in (base64.b64encode, base64.urlsafe_b64encode):
        found |= {_aligned(encode(b"\0" * pad + raw), pad) for pad in range(3)}
    return sorted((text for text in found if len(text) >= 4), key=len, reverse=True)


def _aligned(encoded: bytes, pad: int) -> str:
    # The characters that mix in a neighbour's bits differ with what stands before and after: leave them out.
    text = encoded.decode().rstrip("=")
    return text[(0, 2, 3)[pad] : -1]


def _redact_spelling(text: str, spelling: str) -> str:
    text = text.replace(spelling, MARK)
    if len(spelling) < _PIECE:
        return text
    pieces = {spelling[at : at + _PIECE] for at in range(len(spelling) - _PIECE + 1)}
    hits = [at for at in range(len(text) - _PIECE + 1) if text[at : at + _PIECE] in pieces]
    return _cut_out(text, hits) if hits else text


def _cut_out(text: str, hits: list[int]) -> str:
    covered = [False] * len(text)
    for at in hits:
        covered[at : at + _PIECE] = [True] * _PIECE
    kept = "".join("\0" if gone else char for char, gone in zip(text, covered, strict=True))
    return re.sub("\0+", MARK, kept)
