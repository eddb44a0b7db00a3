"""What the audit page and the API read."""

from __future__ import annotations

from orchestration.access import Actor
from orchestration.models import AuditEvent


def events(actor: Actor, verb: str, username: str, before: int | None, limit: int) -> list[AuditEvent]:
    """Read up to `limit` events of the actor's workspace, newest first, older than the id `before`.

    `verb` and `username` narrow by exact match; empty is any. Rows come with their actor and seal.
    """
    rows = AuditEvent.objects.filter(workspace=actor.workspace).select_related("actor", "seal").order_by("-pk")
    if verb:
        rows = rows.filter(verb=verb)
    if username:
        rows = rows.filter(actor__username=username)
    if before is not None:
        rows = rows.filter(pk__lt=before)
    return list(rows[:limit])
