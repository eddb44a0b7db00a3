"""The audit log: one row per act, inserted in the act's own transaction, readable as a sentence.

`seal` (audit_chain) links the rows into hash chains within a second; `verify` (audit_report) checks them.
"""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.db.models import Model

from orchestration.access import Actor
from orchestration.audit_chain import anchor, seal
from orchestration.audit_report import Break, Report, verify
from orchestration.core.canonical import canonical
from orchestration.models import AuditEvent, Workspace

__all__ = ["SENTENCES", "Break", "NotInTransaction", "Report", "anchor", "record", "seal", "sentence", "verify"]

# What each verb reads like after the actor's name. `subject` is the subject's name then, other names are details.
SENTENCES: dict[str, str] = {
    "approval.approved": "approved {subject}",
    "approval.expired": "closed {subject}: nobody decided in time",
    "approval.opened": "asked for a decision: {subject}",
    "approval.rejected": "rejected {subject}",
    "approval.used": "let the approved action go out: {subject}",
    "approval.voided": "closed {subject}: it is no longer needed",
    "connection.changed": "changed the connection {subject}",
    "connection.created": "created the connection {subject}",
    "connection.secret_removed": "removed the secret of the connection {subject}",
    "connection.secret_set": "set the secret of the connection {subject}",
    "effect.answered": "said what became of {subject}: {answer}",
    "member.added": "gave {subject} the role {role}",
    "member.removed": "took the role {role} from {subject}",
    "model.changed": "changed the model {subject}",
    "model.registered": "registered the model {subject}",
    "person.created": "created the account {subject}",
    "person.signed_in": "signed in",
    "run.cancel_asked": "asked to cancel {subject}",
    "run.started": "started {subject}",
    "samples.loaded": "loaded the samples into {subject}",
    "token.created": "created the API token {subject}",
    "token.revoked": "revoked the API token {subject}",
    "tool.changed": "changed the tool {subject}",
    "tool.classified": "gave the tool {subject} the risk {risk} and the effect class {effect}",
    "tool.disabled": "disabled the tool {subject}: no call goes out",
    "tool.enabled": "enabled the tool {subject}",
    "tool.registered": "registered the tool {subject}",
    "version.made_live": "made {subject} the live version",
    "version.published": "published {subject}",
    "workflow.created": "created the workflow {subject}",
    "workflow.disabled": "disabled {subject}: no new runs start",
    "workflow.draft_saved": "saved the draft of {subject}",
    "workflow.enabled": "enabled {subject}",
    "workspace.created": "created the workspace {subject}",
}


class NotInTransaction(RuntimeError):
    """An audit row must commit with its act: call record() inside the act's transaction.atomic()."""

    def __init__(self) -> None:
        super().__init__(type(self).__doc__)


def record(
    actor: Actor | None, verb: str, subject: Model, *, workspace: Workspace | None, name: str = "", **details: Any
) -> AuditEvent:
    """Insert one audit row in the caller's transaction. `actor` None is the system; `workspace` None the instance.

    Raises NotInTransaction outside a transaction, InvalidValue where `details` has no canonical JSON.
    """
    if not connection.in_atomic_block:
        raise NotInTransaction
    canonical(details)  # a row that can't be hashed would stop its chain, so the act fails instead
    return AuditEvent.objects.create(
        workspace=workspace,
        actor=actor.user if actor else None,
        actor_name=(actor.name if actor else "Baton")[:200],
        token_prefix=actor.token.prefix if actor and actor.token else "",
        verb=verb,
        subject_type=subject._meta.model_name or "",
        subject_id=str(subject.pk),
        subject_name=(name or str(subject))[:300],
        details=details,
    )


def sentence(event: AuditEvent) -> str:
    """Say what was done, without the actor's name: "published Support escalation v3"."""
    known = SENTENCES.get(event.verb)
    if known is None:
        return f"{event.verb} {event.subject_name}"
    return known.format_map(_Words(event.details, subject=event.subject_name))


class _Words(dict[str, Any]):
    """Details by name; one that an older row lacks reads as nothing."""

    def __init__(self, details: dict[str, Any], subject: str) -> None:
        super().__init__(details, subject=subject)

    def __missing__(self, key: str) -> str:
        return ""
