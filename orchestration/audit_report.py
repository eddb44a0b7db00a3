"""Verifying the audit log: edits, removals, reorderings and cut tails, found from the seals and the anchored heads."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import Exists, OuterRef

from orchestration.audit_chain import GENESIS, anchored_heads, chain_of, has, hash_of
from orchestration.models import AuditEvent, AuditPending, AuditSeal, Workspace

PAGE = 2000  # seals read at a time, so that a log of any length needs little memory and no long statement


@dataclass(frozen=True)
class Break:
    """A place where the log is not what was sealed."""

    chain: str
    number: int | None  # of the seal; None: the event has none
    event_id: int | None
    reason: str

    def __str__(self) -> str:
        place = f"chain {self.chain}" + (f", seal {self.number}" if self.number is not None else "")
        return f"{place}{f', event {self.event_id}' if self.event_id is not None else ''}: {self.reason}"


@dataclass
class Report:
    """What verifying found. `sealed` and `pending` count events, `anchored` the heads that were compared."""

    chains: int = 0
    sealed: int = 0
    pending: int = 0
    anchored: int = 0
    breaks: list[Break] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        return not self.breaks


def verify(chain: str | None = None) -> Report:
    """Check one chain (a workspace's id, or "instance") or all of them, and return what was found. Changes nothing."""
    report = Report()
    for name in [chain] if chain else _chains():
        report.chains += 1
        report.breaks.extend(_breaks_in(name, report))
    report.breaks.extend(_breaks_at_anchor(chain, report))
    report.breaks.extend(_unsealed(chain))
    report.breaks.extend(_emptied(chain))
    report.pending = AuditPending.objects.count()
    return report


def _chains() -> list[str]:
    """List the chains by hopping along the index: one look-up a chain, however many seals there are."""
    found: list[str] = []
    while after := AuditSeal.objects.filter(chain__gt=found[-1] if found else "").order_by("chain").first():
        found.append(after.chain)
    return found


def _breaks_in(chain: str, report: Report) -> Iterator[Break]:
    number, previous_hash = 0, GENESIS
    for link, event in _links(chain):
        number += 1
        report.sealed += 1
        if link.number != number:
            yield Break(chain, number, None, f"seals {number} to {link.number - 1} were removed")
        elif link.previous_hash != previous_hash:
            yield Break(chain, number, link.event_id, "the seal does not follow the one before it")
        if reason := _wrong(link, event):
            yield Break(chain, link.number, link.event_id, reason)
        number, previous_hash = link.number, link.hash


def _wrong(link: AuditSeal, event: AuditEvent | None) -> str:
    if event is None:
        return "the event was removed"
    if chain_of(event) != link.chain or hash_of(event, link) != link.hash:
        return "the event or its seal was changed"
    return ""


def _links(chain: str) -> Iterator[tuple[AuditSeal, AuditEvent | None]]:
    """Walk a chain in order. Events are looked up apart: a join would hide a seal whose event is gone."""
    number = -(2**62)
    while page := list(AuditSeal.objects.filter(chain=chain, number__gt=number).order_by("number")[:PAGE]):
        events = {event.pk: event for event in AuditEvent.objects.filter(pk__in=[link.event_id for link in page])}
        for link in page:
            yield link, events.get(link.event_id)
        number = page[-1].number


def _breaks_at_anchor(chain: str | None, report: Report) -> Iterator[Break]:
    for name, head in anchored_heads().items():
        if chain not in (None, name):
            continue
        report.anchored += 1
        if not has(name, head):
            yield Break(name, head["number"], None, "the seal that was anchored outside is gone or was replaced")


def _unsealed(chain: str | None) -> Iterator[Break]:
    """Find events that are neither sealed nor waiting, and waiting ones that are gone."""
    sealed = AuditSeal.objects.filter(event=OuterRef("pk"))
    waiting = AuditPending.objects.filter(event=OuterRef("pk"))
    for event in AuditEvent.objects.filter(~Exists(sealed), ~Exists(waiting)).order_by("pk")[:PAGE]:
        if chain in (None, chain_of(event)):
            yield Break(chain_of(event), None, event.pk, "the event was never sealed, or its seal was removed")
    there = AuditEvent.objects.filter(pk=OuterRef("event_id"))
    for gone in AuditPending.objects.filter(~Exists(there)).values_list("event_id", flat=True)[:PAGE]:
        yield Break("unknown", None, gone, "the event was removed before it was sealed")


def _emptied(chain: str | None) -> Iterator[Break]:
    """Find workspaces without any event: their creation was one."""
    events = AuditEvent.objects.filter(workspace=OuterRef("pk"))
    for workspace in Workspace.objects.filter(~Exists(events)).order_by("pk"):
        if chain in (None, str(workspace.pk)):
            yield Break(str(workspace.pk), None, None, f"the workspace {workspace.slug} has no events left")
