"""The execution plane. Only the journal and `store` write the state of a run (tests hold this).

The run row carries what is open (`active`), the rows of steps are what happened: a StepRun is inserted once, when
the step ends, and is its span. The hot tables have no database constraints to runs: the fenced statement that
writes them joins the run it has just updated.
"""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from designer.models import Version, Workflow
from orchestration.core.states import TERMINAL, RunState, StepState
from orchestration.ids import new_id
from orchestration.models import Workspace

STATES = sorted(state.value for state in RunState)
ENDED = sorted(state.value for state in TERMINAL)
STEP_STATES = sorted(state.value for state in StepState)


class Run(models.Model):
    """One execution of one version."""

    id: models.UUIDField[uuid.UUID, uuid.UUID] = models.UUIDField(primary_key=True, default=new_id)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+", db_index=False)
    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="runs", db_index=False)
    version = models.ForeignKey(Version, on_delete=models.PROTECT, related_name="runs")
    number = models.BigIntegerField()  # within the workflow; gaps are normal, blocks are reserved
    key = models.CharField(max_length=200, blank=True)  # business key
    tags = models.JSONField(default=list)  # list[str]
    trigger = models.CharField(max_length=20)  # api, form, ...
    initiator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", db_index=False
    )
    input = models.JSONField()

    # Where it stands
    state = models.CharField(max_length=16, default=RunState.QUEUED)
    waiting_for = models.CharField(max_length=16, blank=True)  # core.states.WaitingFor
    life = models.SmallIntegerField(default=1)  # rises when an ended run is revived
    seq = models.IntegerField(default=0)  # of its last event
    active = models.JSONField(default=dict)  # path -> the open step, see core.view.Open
    marks = models.JSONField(default=dict)  # passes and counts of going back, limits and time used
    variables = models.JSONField(default=dict)
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)  # {"code", "message", "step"}
    steps_started = models.IntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    cost_microusd = models.BigIntegerField(default=0)

    # Who advances it. `due_at` is when somebody should look: now, a timer, the end of a lease; null: nothing to do
    # until a fact arrives. Claiming moves it forward, so leased runs leave the front of the index.
    epoch = models.IntegerField(default=0)
    owner = models.UUIDField(null=True)
    due_at = models.DateTimeField(null=True)
    priority = models.SmallIntegerField(default=0)  # lower goes first
    deaths = models.SmallIntegerField(default=0)  # workers that died with it while it was alone
    suspect = models.BooleanField(default=False)  # a worker died with it: claimed alone until it makes progress

    accepted_at = models.DateTimeField()
    started_at = models.DateTimeField(null=True)
    ended_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(  # claim: due runs, fairly per workspace
                fields=["workspace", "priority", "due_at"], name="run_due", condition=Q(due_at__isnull=False)
            ),
            models.Index(fields=["workspace", "-id"], name="run_newest"),  # runs list
            models.Index(fields=["workflow", "-id"], name="run_newest_of_workflow"),
            models.Index(  # runs list by key
                fields=["workspace", "key", "-id"], name="run_by_key", condition=~Q(key="")
            ),
            models.Index(  # what is going on
                fields=["workspace", "state", "-id"], name="run_open", condition=Q(ended_at__isnull=True)
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="run_number_once"),
            models.CheckConstraint(condition=Q(state__in=STATES), name="run_state_known"),
            models.CheckConstraint(
                condition=Q(state__in=ENDED, ended_at__isnull=False) | (~Q(state__in=ENDED) & Q(ended_at__isnull=True)),
                name="run_ended_at_iff_ended",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} #{self.number}"


class StepRun(models.Model):
    """One execution of a step, written when it ended."""

    pk = models.CompositePrimaryKey("run_id", "path", "pass_number")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="steps", db_constraint=False, db_index=False)
    path = models.CharField(max_length=200)  # the step's id, with its place in maps and loops
    pass_number = models.IntegerField(db_column="pass", default=0)  # rises when the run goes back
    kind = models.CharField(max_length=20)
    state = models.CharField(max_length=16)
    port = models.CharField(max_length=64, blank=True)  # the one it left by
    attempt = models.SmallIntegerField(default=1)  # attempts it took
    reason = models.TextField(blank=True)  # why it went this way, in a sentence
    output = models.JSONField(null=True)
    error = models.JSONField(null=True)  # {"code", "message"}
    tokens = models.IntegerField(default=0)
    cost_microusd = models.BigIntegerField(default=0)
    epoch = models.IntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(state__in=STEP_STATES), name="step_state_known")]


class Attempt(models.Model):
    """An attempt that was followed by another one. The last attempt is the StepRun itself."""

    pk = models.CompositePrimaryKey("run_id", "path", "pass_number", "number")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="attempts", db_constraint=False, db_index=False)
    path = models.CharField(max_length=200)
    pass_number = models.IntegerField(db_column="pass", default=0)
    number = models.SmallIntegerField()
    state = models.CharField(max_length=16)  # failed, or abandoned: its worker was lost
    error = models.JSONField(null=True)
    epoch = models.IntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()


class Event(models.Model):
    """One transition of a run: what ended, which edges were taken, what started. Append-only, without gaps."""

    pk = models.CompositePrimaryKey("run_id", "seq")
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="events", db_constraint=False, db_index=False)
    seq = models.IntegerField()
    life = models.SmallIntegerField(default=1)
    kind = models.CharField(max_length=32)
    terminal = models.BooleanField(default=False)
    body = models.JSONField(default=dict)
    epoch = models.IntegerField()
    at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["run", "life"], condition=Q(terminal=True), name="one_ending_per_life"),
        ]


class Fact(models.Model):
    """Something from outside a run: asked to cancel, decided, signalled. Inserted, then marked once as consumed."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="facts", db_constraint=False, db_index=False)
    kind = models.CharField(max_length=32)
    body = models.JSONField(default=dict)
    actor = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField()
    consumed = models.BooleanField(default=False)

    class Meta:
        indexes = [
            models.Index(fields=["run"], name="fact_waiting", condition=Q(consumed=False)),  # claim, and the owner
            models.Index(fields=["run", "id"], name="fact_of_run"),
        ]


class Span(models.Model):
    """A timed row of the trace inside a step: a model call, a tool call, a verdict of the guard, a rung."""

    id = models.BigAutoField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="spans", db_constraint=False, db_index=False)
    path = models.CharField(max_length=200)
    pass_number = models.IntegerField(db_column="pass", default=0)
    attempt = models.SmallIntegerField(default=1)
    kind = models.CharField(max_length=16)
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=16)
    attributes = models.JSONField(default=dict)
    epoch = models.IntegerField()
    started_at = models.DateTimeField()
    ended_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["run", "id"], name="span_of_run")]


class Effect(models.Model):
    """The ledger: one call of a tool that changes the outside world. The intent is committed before the call."""

    class State(models.TextChoices):
        INTENDED = "intended"  # the call may be on its way
        CONFIRMED = "confirmed"
        FAILED = "failed"  # proved not to have been acted on
        UNKNOWN = "unknown"  # nobody knows: a person decides
        SKIPPED = "skipped"  # was unknown; a person said to go on without it

    key = models.CharField(max_length=64, primary_key=True)  # hash of workspace, root run, path, pass, ordinal, ...
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+", db_index=False)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="effects", db_constraint=False, db_index=False)
    path = models.CharField(max_length=200)
    pass_number = models.IntegerField(db_column="pass", default=0)
    ordinal = models.IntegerField(default=0)
    generation = models.SmallIntegerField(default=0)  # rises only when a person says: try again
    tool = models.CharField(max_length=200)
    effect = models.CharField(max_length=6)
    arguments = models.BinaryField()  # the bytes that are sent
    digest = models.CharField(max_length=64)  # SHA-256 of them
    state = models.CharField(max_length=12, choices=State, default=State.INTENDED)
    approval = models.UUIDField(null=True)  # the request that allowed it
    receipt = models.JSONField(null=True)
    epoch = models.IntegerField()
    intended_at = models.DateTimeField()
    settled_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [
            models.Index(fields=["run", "path"], name="effect_of_run"),
            models.Index(fields=["workspace", "-intended_at"], name="effect_newest"),
        ]
        constraints = [
            models.CheckConstraint(
                condition=Q(state="intended", settled_at__isnull=True)
                | (~Q(state="intended") & Q(settled_at__gte=F("intended_at"))),
                name="effect_settled_at_iff_settled",
            )
        ]


class IdempotencyKey(models.Model):
    """A start that was accepted under a key: the same key and body give the same run again."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", db_index=False)
    key = models.CharField(max_length=255)
    body_digest = models.CharField(max_length=64)
    run = models.ForeignKey(Run, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "user", "key"], name="idempotency_key_once")]
