"""How pages say states, times, lengths and money; and that what is vendored is what the lock says."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest
from django.conf import settings

from orchestration.core.states import RunState, StepState
from orchestration.templatetags import ui

STATIC = Path(settings.BASE_DIR) / "static"
SYMBOLS = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "icons.svg").read_text()))


@pytest.mark.parametrize("state", [*RunState, *StepState])
def test_every_state_has_a_word_a_tone_and_a_shape_of_the_sprite(state):
    word, tone, shape = ui.STATES[state.value]

    assert word
    assert tone in ("ok", "bad", "active", "you", "calm")
    assert shape in SYMBOLS


def test_every_icon_the_templates_name_is_in_the_sprite():
    templates = Path(settings.BASE_DIR) / "templates"
    named = {name for file in templates.rglob("*.html") for name in re.findall(r'{% icon "([^"]+)"', file.read_text())}
    named |= {*ui.KIND_ICONS.values(), *ui.TRIGGER_ICONS.values()}
    named |= {item[2] for _, items in ui.NAV for item in items}

    assert named <= SYMBOLS


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0.0041, "4 ms"),
        (2.14, "2.1 s"),
        (59.99, "1 m 00 s"),
        (185, "3 m 05 s"),
        (12300, "3 h 25 m"),
        (187200, "2 d 4 h"),
    ],
)
def test_lengths_of_time_are_said_in_at_most_two_units(seconds, said):
    assert ui.duration(seconds) == ui.duration(timedelta(seconds=seconds)) == said


@pytest.mark.parametrize(
    ("microusd", "said"), [(0, "—"), (None, "—"), (100, "<$0.001"), (143_000, "$0.143"), (1_204_000, "$1.20")]
)
def test_money_is_said_with_the_decimals_that_matter(microusd, said):
    assert ui.money(microusd) == said


@pytest.mark.parametrize(
    ("usd", "said"), [(Decimal("0.5"), "$0.50"), (Decimal("0.005"), "$0.005"), (Decimal(1200), "$1,200.00")]
)
def test_a_limit_keeps_its_decimals(usd, said):
    assert ui.dollars(usd) == said


def test_a_waiting_state_says_for_what():
    assert ui.state_word("waiting", "retry") == "Waiting to retry"
    assert ui.state_word("needs_approval", "unknown_effect") == "Needs an answer"


def test_an_icon_name_can_not_leave_its_attribute():
    assert '"><script' not in ui.icon('x"><script>')


def test_vendored_files_are_what_the_lock_says():
    lock = json.loads((STATIC / "vendor" / "vendor.lock.json").read_text())

    for package in lock["packages"]:
        for name, digest in package["files"].items():
            assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == digest, name


def test_no_template_has_what_the_content_policy_refuses():
    templates = Path(settings.BASE_DIR) / "templates"
    refused = re.compile(r"\sstyle=|<style|\son[a-z]+=|<script(?![^>]*\ssrc=)|hx-on|javascript:")
    found = [file.name for file in templates.rglob("*.html") if refused.search(file.read_text())]

    assert found == []
