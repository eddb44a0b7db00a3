"""The kinds of step this instance knows: the product's own and what its settings add."""

from __future__ import annotations

from collections.abc import Mapping

from django.conf import settings

from orchestration.kinds import KINDS, extend
from orchestration.kinds.base import Kind


def kinds() -> Mapping[str, Kind]:
    """Give all kinds by name. `BATON_EXTRA_KINDS` maps further names to dotted paths of Kind classes."""
    if settings.BATON_EXTRA_KINDS.keys() - KINDS.keys():
        extend(settings.BATON_EXTRA_KINDS)
    return KINDS
