"""Sealing the audit log: hash chains over its events, one a workspace, and their heads kept outside the database."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import time
from collections import defaultdict
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import TypedDict

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from orchestration.core.canonical import canonical
from orchestration.models import AuditEvent, AuditPending, AuditSeal, Workspace

log = logging.getLogger("baton.audit")

GENESIS = "0" * 64
INSTANCE = "instance"  # the chain of events that belong to no workspace
SEALER_LOCK = 0x62_61_74_6F_6E  # advisory lock on PostgreSQL: one sealer at a time
ANCHOR_SECONDS = 240.0  # the anchored heads are never older than 5 minutes while the sweeper runs


class Head(TypedDict):
    """The last seal of a chain, as the anchor file keeps it."""

    number: int
    hash: str


def seal(limit: int = 1000) -> int:
    """Seal up to `limit` waiting events and return how many. A second sealer at the same moment seals none.

    Takes the sealer's advisory lock on PostgreSQL and the write lock on SQLite, for one short transaction.
    """
    sealed = 0
    if AuditPending.objects.exists():
        with transaction.atomic():
            sealed = _seal_batch(limit) if _alone() else 0
    if not connection.in_atomic_block and _anchor_is_old():
        anchor()
    return sealed


def chain_of(event: AuditEvent) -> str:
    """Name the chain an event belongs to."""
    return INSTANCE if event.workspace_id is None else str(event.workspace_id)


def hash_of(event: AuditEvent, link: AuditSeal) -> str:
    """Hash an event together with its place in the chain: changing either changes the hash."""
    content = {
        "chain": link.chain,
        "number": link.number,
        "previous_hash": link.previous_hash,
        "sealed_at": _instant(link.sealed_at),
        "event": {
            "id": event.pk,
            "workspace": event.workspace_id,
            "at": _instant(event.at),
            "actor": event.actor_id,
            "actor_name": event.actor_name,
            "token_prefix": event.token_prefix,
            "verb": event.verb,
            "subject_type": event.subject_type,
            "subject_id": event.subject_id,
            "subject_name": event.subject_name,
            "details": event.details,
        },
    }
    return hashlib.sha256(canonical(content)).hexdigest()


def anchor_file() -> Path:
    """Say where the heads are anchored: outside the database, so that a cut tail shows."""
    return Path(settings.BATON_DATA) / "audit_anchor.json"


def anchored_heads() -> dict[str, Head]:
    """Read the anchored heads by chain; no file means none, which proves nothing."""
    try:
        heads: dict[str, Head] = json.loads(anchor_file().read_text())
    except FileNotFoundError:
        return {}
    return heads


def anchor() -> None:
    """Write the heads of all chains to the anchor file. A head the database no longer has stays, as evidence."""
    kept = anchored_heads()
    for chain, head in _heads():
        before = kept.get(chain)
        if before is None or has(chain, before):
            kept[chain] = head
        else:
            log.error("audit chain %s no longer has its anchored seal %s: run `audit verify`", chain, before["number"])
    _write_private(anchor_file(), json.dumps(kept, indent=1))


def has(chain: str, head: Head) -> bool:
    """Tell whether the database still has this seal."""
    return AuditSeal.objects.filter(chain=chain, number=head["number"], hash=head["hash"]).exists()


def _alone() -> bool:
    if connection.vendor != "postgresql":
        return True  # SQLite has one writer, and BEGIN IMMEDIATE made it us
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s)", [SEALER_LOCK])
        return bool(cursor.fetchone()[0])


def _seal_batch(limit: int) -> int:
    waiting = list(AuditPending.objects.order_by("event_id").values_list("event_id", flat=True)[:limit])
    by_chain: dict[str, list[AuditEvent]] = defaultdict(list)
    for event in AuditEvent.objects.filter(pk__in=waiting).order_by("pk"):
        by_chain[chain_of(event)].append(event)
    links = [link for chain, events in by_chain.items() for link in _links(chain, events)]
    AuditSeal.objects.bulk_create(links)
    AuditPending.objects.filter(event_id__in=[link.event_id for link in links]).delete()
    return len(links)


def _links(chain: str, events: list[AuditEvent]) -> Iterator[AuditSeal]:
    last = AuditSeal.objects.filter(chain=chain).order_by("-number").first()
    number, previous_hash = (last.number, last.hash) if last else (0, GENESIS)
    sealed_at = timezone.now()
    for number, event in enumerate(events, start=number + 1):  # noqa: B020 - the start is read once
        link = AuditSeal(
            event_id=event.pk, chain=chain, number=number, previous_hash=previous_hash, sealed_at=sealed_at
        )
        link.hash = previous_hash = hash_of(event, link)
        yield link


def _heads() -> Iterator[tuple[str, Head]]:
    # One look-up by index a chain: an aggregate would read every seal there is.
    for chain in [INSTANCE, *map(str, Workspace.objects.values_list("pk", flat=True))]:
        last = AuditSeal.objects.filter(chain=chain).order_by("-number").values("number", "hash").first()
        if last:
            yield chain, Head(number=last["number"], hash=last["hash"])


def _anchor_is_old() -> bool:
    try:
        return time.time() - anchor_file().stat().st_mtime >= ANCHOR_SECONDS
    except FileNotFoundError:
        return True


def _write_private(file: Path, content: str) -> None:
    """Replace the file at once, so that nobody reads half of it."""
    file.parent.mkdir(parents=True, exist_ok=True)
    new = file.with_suffix(f".{os.getpid()}.new")
    new.touch(mode=0o600)
    new.write_text(content)
    new.replace(file)


def _instant(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds")
