"""What the pages and the API of the control plane read, in a bounded number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from django.db.models import QuerySet

from designer import versions
from designer.models import ToolRecord, Version, Workflow
from orchestration import access
from orchestration.access import Actor
from orchestration.core import documents
from orchestration.core.definition import Json
from orchestration.models import Workspace


@dataclass(frozen=True)
class VersionLine:
    """A version in a list."""

    number: int
    digest: str
    note: str
    by: str  # "Baton" for the system
    created_at: datetime
    live: bool


def workflows(workspace: Workspace) -> QuerySet[Workflow]:
    """Select a workspace's workflows with their live versions, by slug."""
    return Workflow.objects.filter(workspace=workspace).select_related("live").order_by("slug")


def workflow(actor: Actor, slug: str) -> Workflow:
    """Find a workflow. Raises Missing."""
    return access.find(actor, Workflow.objects.select_related("live", "workspace"), slug=slug)


def version_lines(found: Workflow, below: int | None, limit: int) -> list[VersionLine]:
    """List versions, newest first, beginning under the number `below`."""
    rows = Version.objects.filter(workflow=found).select_related("created_by").order_by("-number").defer("source")
    rows = rows.filter(number__lt=below) if below is not None else rows
    return [version_line(row, found) for row in rows[:limit]]


def version(found: Workflow, number: int) -> Version:
    """Find a version by its number. Raises Missing."""
    row = Version.objects.filter(workflow=found, number=number).select_related("created_by", "definition").first()
    if row is None:
        raise access.Missing("Nothing here by that name.")
    return row


def version_line(row: Version, found: Workflow) -> VersionLine:
    """Show a version of this workflow as a line."""
    return VersionLine(
        number=row.number,
        digest=row.definition_id,
        note=row.note,
        by=str(row.created_by) if row.created_by else "Baton",
        created_at=row.created_at,
        live=row.pk == found.live_id,
    )


def document(row: Version) -> dict[str, Json]:
    """Give the document of a version as it is stored."""
    return documents.read(row.definition.body, "json")


def yaml_of(row: Version) -> str:
    """Give the YAML of a version: the very text it was pushed as, where it was one."""
    return row.source if row.source and not row.source.lstrip().startswith("{") else documents.to_yaml(document(row))


def input_schema(found: Workflow) -> Json:
    """Give the JSON Schema of what a run of the live version takes; None without one."""
    return versions.definition(found.live_id).input if found.live_id else None


def tools(workspace: Workspace) -> QuerySet[ToolRecord]:
    """Select a workspace's tools with their connections, by name."""
    return ToolRecord.objects.filter(workspace=workspace).select_related("connection").order_by("name")
