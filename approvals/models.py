"""People: requests for a decision, each bound to one exact action, and the decisions."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import Q

from orchestration.ids import new_id
from orchestration.models import Workspace


class Request(models.Model):
    """A question to people about one exact action. What they see is drawn from `action`; those bytes are what runs."""

    class Kind(models.TextChoices):
        STEP = "step"  # an approval step of a workflow
        UNKNOWN_EFFECT = "unknown_effect"  # did this happen?

    class State(models.TextChoices):
        OPEN = "open"
        APPROVED = "approved"
        REJECTED = "rejected"
        EXPIRED = "expired"
        VOIDED = "voided"  # the run ended or went back
        ANSWERED = "answered"  # an unknown effect was settled

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(primary_key=True, default=new_id)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+", db_index=False)
    kind = models.CharField(max_length=16, choices=Kind)
    run_id = models.UUIDField()  # no constraint: runs are kept and archived by their own rules
    path = models.CharField(max_length=200)
    pass_number = models.IntegerField(default=0)

    question = models.CharField(max_length=500)
    context = models.TextField(blank=True)  # rendered by the workflow: may hold model text, so never trusted
    action = models.BinaryField(blank=True, default=b"")  # canonical JSON of what will be done; empty: only a question
    digest = models.CharField(max_length=64)  # SHA-256 over the frozen request, action included
    risk = models.CharField(max_length=10)  # low | medium | high
    require = models.JSONField(default=list)  # [{"from": "approver", "count": 1}]
    form = models.JSONField(null=True)  # JSON Schema of an answer, if one is asked for
    excluded = models.JSONField(default=list)  # ids of people who may not decide: initiator, author, publisher

    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    used_at = models.DateTimeField(null=True)  # the approved action was let out, once
    opened_at = models.DateTimeField()
    decide_by = models.DateTimeField(null=True)
    use_within_seconds = models.IntegerField(null=True)  # how long an approval may wait for its use; null: no limit
    use_by = models.DateTimeField(null=True)  # set when approved
    closed_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["run_id", "path", "pass_number", "kind"], condition=Q(state="open"), name="one_open_request"
            ),
            models.CheckConstraint(
                condition=Q(state="open", closed_at__isnull=True) | (~Q(state="open") & Q(closed_at__isnull=False)),
                name="request_closed_at_iff_closed",
            ),
        ]
        indexes = [
            models.Index(fields=["workspace", "opened_at"], name="request_open", condition=Q(state="open")),  # inbox
            models.Index(fields=["decide_by"], name="request_expiring", condition=Q(state="open")),  # sweeper
            models.Index(fields=["run_id"], name="request_of_run"),
            models.Index(fields=["workspace", "-id"], name="request_newest"),  # decided requests, API list
        ]


class Decision(models.Model):
    """What one person said to one request."""

    class Verdict(models.TextChoices):
        APPROVE = "approve"
        REJECT = "reject"
        HAPPENED = "happened"  # unknown effects: it did happen
        TRY_AGAIN = "try_again"
        SKIP = "skip"

    request = models.ForeignKey(Request, on_delete=models.PROTECT, related_name="decisions")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    verdict = models.CharField(max_length=10, choices=Verdict)
    comment = models.TextField(blank=True)
    answer = models.JSONField(null=True)
    digest = models.CharField(max_length=64)  # of the request as it was shown
    self_approved = models.BooleanField(default=False)  # by the only person who could decide
    via = models.CharField(max_length=10)  # page | api
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["request", "by"], name="one_decision_per_person")]
