from django.conf import settings

from designer import checks
from designer.kinds import kinds
from orchestration.kinds.base import ControlKind, Kind


class Whole(ControlKind):
    name, label, summary, icon = "whole", "Whole", "Does it.", "flag"


class Bare(Kind):
    name = "bare"


def test_every_kind_of_this_instance_is_complete():
    assert checks.kinds_are_complete(None) == []


def test_a_complete_kind_lacks_nothing():
    assert list(checks.lacks("whole", Whole(), frozenset({"flag"}))) == []


def test_each_thing_a_kind_lacks_is_told():
    assert [found.id for found in checks.lacks("other", Bare(), frozenset())] == [
        "designer.E001",
        "designer.E002",
        "designer.E003",
        "designer.E004",
    ]


def test_the_sprite_names_its_icons():
    assert "flag" in checks.sprite_icons(settings.BASE_DIR / "static" / "icons.svg")


def test_settings_add_kinds(settings, monkeypatch):
    monkeypatch.setattr("designer.kinds.KINDS", known := dict(kinds()))
    monkeypatch.setattr("orchestration.kinds.KINDS", known)
    settings.BATON_EXTRA_KINDS = {"whole": f"{__name__}.Whole"}

    assert isinstance(kinds()["whole"], Whole)
