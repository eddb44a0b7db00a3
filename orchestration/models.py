"""The platform every app stands on: people, workspaces, tokens and the audit log."""

from __future__ import annotations

from django.contrib.auth.models import AbstractUser, Group
from django.db import models
from django.db.models import Q


class User(AbstractUser):
    """A person, or a service account that never signs in and never approves."""

    is_service = models.BooleanField(default=False)

    def __str__(self) -> str:
        return self.get_full_name() or self.username


class Workspace(models.Model):
    """A team's room. Nothing crosses it unless shared on purpose."""

    slug = models.SlugField(max_length=64, unique=True)
    name = models.CharField(max_length=200)
    guard_revision = models.BigIntegerField(default=1)  # rises with each change of a tool, model, grant or policy
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        default_permissions = ()
        # The rights of access.py, as guardian permissions on a workspace: a role's group holds some of them.
        permissions = [
            ("view", "See workflows, runs and approvals"),
            ("start_run", "Start runs"),
            ("operate_run", "Cancel and change runs"),
            ("decide_approval", "Decide approvals"),
            ("edit_workflow", "Edit and publish workflows"),
            ("administer", "Manage members, tokens, tools, models and connections"),
            ("view_audit", "Read the audit log"),
        ]

    def __str__(self) -> str:
        return self.name


class Role(models.Model):
    """A named set of rights in one workspace; its group holds the permissions."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="roles")
    slug = models.SlugField(max_length=64)  # viewer, designer, operator, approver, administrator, or the team's own
    name = models.CharField(max_length=100)
    group = models.OneToOneField(Group, on_delete=models.CASCADE, related_name="role")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "slug"], name="role_slug_in_workspace")]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """One role of a person or service account in a workspace."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="memberships")
    role = models.ForeignKey(Role, on_delete=models.CASCADE, related_name="memberships")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["user", "role"], name="membership_once")]

    def __str__(self) -> str:
        return f"{self.user} as {self.role}"


class Token(models.Model):
    """An API token. Only its SHA-256 is kept; the prefix is shown so that people can tell tokens apart."""

    workspace = models.ForeignKey(Workspace, on_delete=models.CASCADE, related_name="tokens")
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100)
    prefix = models.CharField(max_length=16)
    digest = models.CharField(max_length=64, unique=True)  # SHA-256 of the whole token, hex
    scopes = models.JSONField(default=list)  # list[str], see access.SCOPES
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)  # kept to the minute
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}...)"


class AuditEvent(models.Model):
    """One act of a person, a token or the system. Inserted in the act's own transaction; never updated or deleted."""

    id = models.BigAutoField(primary_key=True)
    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, null=True, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    actor = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")  # null: the system
    actor_name = models.CharField(max_length=200)  # as it was then
    token_prefix = models.CharField(max_length=16, blank=True)
    verb = models.CharField(max_length=64)  # run.started, approval.approved, ...
    subject_type = models.CharField(max_length=64)
    subject_id = models.CharField(max_length=64)
    subject_name = models.CharField(max_length=300)
    details = models.JSONField(default=dict)

    class Meta:
        indexes = [
            models.Index(fields=["workspace", "-id"], name="audit_newest"),  # the audit page
            models.Index(fields=["subject_type", "subject_id"], name="audit_of_subject"),
        ]


class AuditSeal(models.Model):
    """A link of a workspace's hash chain over its audit events, in the order they were sealed."""

    event = models.OneToOneField(AuditEvent, on_delete=models.PROTECT, primary_key=True, related_name="seal")
    chain = models.CharField(max_length=64)  # the workspace's id, or "instance"
    number = models.BigIntegerField()  # 1, 2, 3 ... within the chain
    previous_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)
    sealed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["chain", "number"], name="seal_number_once"),
            models.CheckConstraint(condition=Q(number__gte=1), name="seal_numbers_from_one"),
        ]


class AuditPending(models.Model):
    """An audit event that waits for its seal; a database trigger adds the row with the event.

    Ids do not commit in order, so "after the last sealed id" would miss events; this queue can't, and stays short.
    """

    event = models.OneToOneField(
        AuditEvent, on_delete=models.DO_NOTHING, primary_key=True, related_name="+", db_constraint=False
    )
