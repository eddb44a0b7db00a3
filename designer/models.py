"""The control plane: workflows with their drafts and versions, and what a workspace offers them."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q

from orchestration.models import Workspace


class Workflow(models.Model):
    """A named thing that can be run."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="workflows")
    slug = models.SlugField(max_length=100)
    name = models.CharField(max_length=200)
    description = models.TextField(blank=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    live = models.ForeignKey("Version", on_delete=models.PROTECT, null=True, related_name="+")
    enabled = models.BooleanField(default=True)  # False: no new runs start
    next_run_number = models.BigIntegerField(default=1)  # numbers below are given out; processes reserve blocks
    sample = models.BooleanField(default=False)  # loaded by `load_samples`, so never loaded over again
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "slug"], name="workflow_slug_in_workspace")]

    def __str__(self) -> str:
        return self.name


class Definition(models.Model):
    """A document, stored once by the SHA-256 of its canonical JSON."""

    digest = models.CharField(max_length=64, primary_key=True)
    execution_hash = models.CharField(max_length=64)  # leaves out layout, titles and notes
    body = models.TextField()  # canonical JSON


class Version(models.Model):
    """An immutable, numbered name on a definition."""

    workflow = models.ForeignKey(Workflow, on_delete=models.PROTECT, related_name="versions")
    number = models.IntegerField()  # 1, 2, 3 ... within the workflow
    definition = models.ForeignKey(Definition, on_delete=models.PROTECT, related_name="+")
    source = models.TextField(blank=True)  # the YAML it was pushed as, to the byte
    note = models.CharField(max_length=500, blank=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workflow", "number"], name="version_number_once"),
            models.UniqueConstraint(fields=["workflow", "definition"], name="version_content_once"),
        ]

    def __str__(self) -> str:
        return f"{self.workflow} v{self.number}"


class Draft(models.Model):
    """The one editable document of a workflow. `revision` detects edits made side by side."""

    workflow = models.OneToOneField(Workflow, on_delete=models.CASCADE, primary_key=True, related_name="draft")
    document = models.JSONField()
    source = models.TextField(blank=True)  # YAML, kept until the draft is edited otherwise
    revision = models.IntegerField(default=1)
    updated_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    updated_at = models.DateTimeField(auto_now=True)


class Connection(models.Model):
    """Credentials and a base URL, for HTTP tools and model providers. The secret is write-only."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="connections")
    name = models.SlugField(max_length=100)
    base_url = models.URLField(blank=True)
    hosts = models.JSONField(default=list)  # exact host names the secret may be sent to
    private = models.BooleanField(default=False)  # an administrator allowed private addresses
    header = models.CharField(max_length=100, blank=True, default="Authorization")
    scheme = models.CharField(max_length=50, blank=True, default="Bearer")
    secret = models.BinaryField(blank=True, default=b"")  # MultiFernet; empty: none
    version = models.IntegerField(default=1)  # rises with each change of configuration, not of the secret

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="connection_name_in_workspace")]

    def __str__(self) -> str:
        return self.name


class ToolRecord(models.Model):
    """A registered tool. `core.catalog.Tool` is its value; the table is the registry."""

    class Source(models.TextChoices):
        HTTP = "http"
        MCP = "mcp"

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="tools")
    name = models.CharField(max_length=200)  # dotted: helpdesk.open_ticket
    title = models.CharField(max_length=200, blank=True)
    description = models.TextField(blank=True)
    source = models.CharField(max_length=10, choices=Source)
    arguments = models.JSONField(default=dict)  # JSON Schema
    output = models.JSONField(default=dict)  # JSON Schema; {} is anything
    risk = models.CharField(max_length=12, default="write")  # core.catalog.RISKS
    effect = models.CharField(max_length=6, default="once")  # core.catalog.EFFECTS
    timeout_seconds = models.FloatField(default=30)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="tools")
    target = models.JSONField(default=dict)  # http: method, path, send, not_acted_on; mcp: server, tool
    definition_hash = models.CharField(max_length=64)  # of source, target, schemas and description
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["workspace", "name"], name="tool_name_in_workspace"),
            models.CheckConstraint(condition=Q(risk__in=["read", "write", "destructive", "money"]), name="tool_risk"),
            models.CheckConstraint(condition=Q(effect__in=["read", "keyed", "once"]), name="tool_effect"),
        ]

    def __str__(self) -> str:
        return self.name


class ModelRecord(models.Model):
    """A model alias of a workspace: what `fast` or `smart` means here."""

    workspace = models.ForeignKey(Workspace, on_delete=models.PROTECT, related_name="model_aliases")
    name = models.SlugField(max_length=100)
    provider = models.CharField(max_length=20)  # openai | anthropic | google | compatible | simulator
    model = models.CharField(max_length=200)
    connection = models.ForeignKey(Connection, on_delete=models.PROTECT, null=True, related_name="models")
    params = models.JSONField(default=dict)
    input_usd_per_mtok = models.FloatField(null=True)  # null: the price list knows
    output_usd_per_mtok = models.FloatField(null=True)
    max_tokens = models.IntegerField(default=1024)  # the most one answer may have
    enabled = models.BooleanField(default=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["workspace", "name"], name="model_name_in_workspace")]

    def __str__(self) -> str:
        return self.name
