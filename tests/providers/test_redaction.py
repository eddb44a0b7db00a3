"""A secret leaves in no spelling."""

from __future__ import annotations

import base64
import json
from urllib.parse import quote

import pytest

from orchestration.providers.redaction import redact, redact_exact

SECRET = 'tok/+"en-ABCDEF_0123456789é'
SPELLED = {
    "raw": SECRET,
    "base64": base64.b64encode(SECRET.encode()).decode(),
    "base64 with a prefix": base64.b64encode(b"Bearer:" + SECRET.encode() + b"tail").decode(),
    "url-safe base64": base64.urlsafe_b64encode(b"u:" + SECRET.encode()).decode(),
    "hex": SECRET.encode().hex(),
    "upper hex": SECRET.encode().hex().upper(),
    "url": quote(SECRET, safe=""),
    "json": json.dumps(SECRET)[1:-1],
}


@pytest.mark.parametrize("spelling", SPELLED)
def test_no_long_piece_of_a_secret_is_left_in_a_text(spelling):
    text = redact(f"before {SPELLED[spelling]} after", [SECRET])
    inner = SPELLED[spelling][6:-6]
    assert not any(inner[at : at + 8] in text for at in range(len(inner) - 7))
    assert text.startswith("before ")
    assert "after" in text


def test_pieces_of_eight_characters_are_taken_out():
    assert "ABCDEF_0" not in redact("they said ABCDEF_012 was wrong", [SECRET])


def test_texts_without_the_secret_stay_as_they_are():
    assert redact("nothing to see", [SECRET]) == "nothing to see"


def test_long_texts_lose_whole_secrets():
    assert SECRET not in redact_exact("x" * 100_000 + SECRET, [SECRET])


def test_a_tiny_secret_does_not_blank_everything():
    assert redact("abc abc", ["a"]) == "abc abc"
