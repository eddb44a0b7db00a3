"""The way in for everything from outside a run: an insert-only row, then a ring of the bell."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from orchestration.core import facts
from orchestration.kinds.approval import output_of
from orchestration.models import User
from runs import hints
from runs.models import Fact
from runs.times import database_now


def record(run_id: uuid.UUID, kind: str, body: Mapping[str, Any], actor: User | None = None) -> Fact:
    """Insert a fact in the caller's transaction and ring for the run once that has committed.

    `kind`: cancel_asked {by, reason}, decided {path, pass, port, by, comment, answer, request},
    effect_answered {path, pass, effect_key, answer, output, by}.
    """
    fact = Fact.objects.create(run_id=run_id, kind=kind, body=dict(body), actor=actor, at=database_now())
    transaction.on_commit(hints.ring)
    return fact


def read(kind: str, body: Mapping[str, Any]) -> facts.Fact:
    """Turn a stored fact into the core's value. Raises ValueError for a kind nobody knows."""
    match kind:
        case "cancel_asked":
            return facts.CancelAsked(body["by"], body.get("reason", ""))
        case "decided":
            return facts.Decided(body["path"], body["pass"], body["port"], output_of(body["port"], body))
        case "effect_answered":
            return facts.EffectAnswered(body["path"], body["pass"], body["answer"], body["by"], body.get("output"))
    raise ValueError(f"unknown fact {kind}")
