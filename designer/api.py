"""The control plane over REST: workflows and versions as documents, tools, models, kinds."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from typing import Any

from django.http import HttpResponse
from ninja import Query, Router, Status

from designer import api_schemas as shapes
from designer import checking, publishing, queries, tools
from designer.checking import Finding
from designer.kinds import kinds
from designer.models import ModelRecord, ToolRecord, Workflow
from designer.refusals import Refusal
from orchestration import access
from orchestration.access import Right
from orchestration.core.definition import START
from orchestration.core.document_schema import document_schema
from orchestration.core.errors import InvalidDefinition, InvalidDocument
from orchestration.endpoints import ApiRequest
from orchestration.problems import Problem

router = Router(tags=["workflows"])
TEXT_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/yaml": {"schema": {"type": "string"}},
            "application/json": {"schema": {"type": "object"}},
        },
    }
}


@router.get("/workflows", response=shapes.WorkflowPage, summary="List workflows")
def list_workflows(request: ApiRequest, page: Query[shapes.Page]) -> dict[str, Any]:
    """List the workflows of the workspace by slug. Needs the scope `workflows:read`."""
    access.require(request.actor, Right.VIEW)
    found = queries.workflows(request.actor.workspace)
    rows = list((found.filter(slug__gt=page.cursor) if page.cursor else found)[: page.limit + 1])
    return _page(rows, page.limit, _line, lambda row: row.slug)


@router.post("/workflows/validate", response=shapes.Verdict, summary="Validate a document", openapi_extra=TEXT_BODY)
def validate_workflow(request: ApiRequest) -> dict[str, Any]:
    """Judge a document (YAML or JSON) with the workspace's tools and models. Saves nothing."""
    access.require(request.actor, Right.VIEW)
    found = checking.findings(request.actor.workspace.pk, _text(request))
    valid = all(finding.problem.severity != "error" for finding in found)
    return {"valid": valid, "problems": [_finding(finding) for finding in found]}


@router.get("/workflows/{slug:slug}", response=shapes.WorkflowOut, summary="Read a workflow")
def read_workflow(request: ApiRequest, slug: str) -> dict[str, Any]:
    """Read a workflow, with the schema of the input that a run of it takes."""
    access.require(request.actor, Right.VIEW)
    found = queries.workflow(request.actor, slug)
    return {**_line(found), "created_at": found.created_at, "input": queries.input_schema(found)}


@router.put(
    "/workflows/{slug:slug}",
    response={200: shapes.Pushed, 201: shapes.Pushed},
    summary="Push a workflow",
    openapi_extra=TEXT_BODY,
)
def push_workflow(request: ApiRequest, slug: str, note: str = "") -> Status[dict[str, Any]]:
    """Publish a document (YAML or JSON) and make it live: 201 for a new workflow, 200 for a known one.

    The same definition as an earlier version makes that one live again. With problems nothing is saved.
    """
    actor = request.actor
    access.require(actor, Right.EDIT_WORKFLOW)
    text = _text(request)
    with _problems(text):
        pushed = publishing.push(actor, actor.workspace, text, slug=slug, note=note)
    warnings = [_finding(finding) for finding in checking.located(text, pushed.problems)]
    body = {
        "workflow": _line(pushed.workflow), "version": pushed.version.number, "created": pushed.created,
        "added": pushed.added, "problems": warnings,
    }  # fmt: skip
    return Status(201 if pushed.created else 200, body)


@router.patch("/workflows/{slug:slug}", response=shapes.WorkflowLine, summary="Enable or disable a workflow")
def change_workflow(request: ApiRequest, slug: str, body: shapes.Enabled) -> dict[str, Any]:
    """Let new runs start, or not. Runs under way go on."""
    access.require(request.actor, Right.EDIT_WORKFLOW)
    found = queries.workflow(request.actor, slug)
    return _line(publishing.set_enabled(request.actor, found, body.enabled))


@router.get("/workflows/{slug:slug}/versions", response=shapes.VersionPage, summary="List versions")
def list_versions(request: ApiRequest, slug: str, page: Query[shapes.NumberedPage]) -> dict[str, Any]:
    """List the versions of a workflow, newest first."""
    access.require(request.actor, Right.VIEW)
    found = queries.workflow(request.actor, slug)
    lines = queries.version_lines(found, page.cursor, page.limit + 1)
    return _page(lines, page.limit, asdict, lambda line: str(line.number))


@router.get("/workflows/{slug:slug}/versions/{int:number}", response=shapes.VersionOut, summary="Read a version")
def read_version(
    request: ApiRequest, slug: str, number: int, asked: Query[shapes.Form]
) -> dict[str, Any] | HttpResponse:
    """Read a version: JSON, or with `?format=yaml` its YAML as it was pushed."""
    access.require(request.actor, Right.VIEW)
    found = queries.workflow(request.actor, slug)
    row = queries.version(found, number)
    if asked.format == "yaml":
        return HttpResponse(queries.yaml_of(row), content_type="application/yaml; charset=utf-8")
    line = asdict(queries.version_line(row, found))
    return {**line, "execution_hash": row.definition.execution_hash, "definition": queries.document(row)}


@router.put("/workflows/{slug:slug}/live", response=shapes.WorkflowLine, summary="Choose the live version")
def make_live(request: ApiRequest, slug: str, body: shapes.Live) -> dict[str, Any]:
    """Make a version live: new runs use it, runs under way keep theirs."""
    access.require(request.actor, Right.EDIT_WORKFLOW)
    found = queries.workflow(request.actor, slug)
    publishing.set_live(request.actor, found, queries.version(found, body.version))
    return _line(queries.workflow(request.actor, slug))


@router.get("/tools", response=shapes.ToolPage, summary="List tools", tags=["tools"])
def list_tools(request: ApiRequest, page: Query[shapes.Page]) -> dict[str, Any]:
    """List the registered tools by name."""
    access.require(request.actor, Right.VIEW)
    found = queries.tools(request.actor.workspace)
    rows = list((found.filter(name__gt=page.cursor) if page.cursor else found)[: page.limit + 1])
    return _page(rows, page.limit, _tool, lambda row: row.name)


@router.get("/tools/{name}", response=shapes.ToolOut, summary="Read a tool", tags=["tools"])
def read_tool(request: ApiRequest, name: str) -> dict[str, Any]:
    """Read a tool with the schemas of its arguments and of what it answers."""
    access.require(request.actor, Right.VIEW)
    return _tool(access.find(request.actor, ToolRecord, name=name))


@router.patch("/tools/{name}", response=shapes.ToolOut, summary="Enable or disable a tool", tags=["tools"])
def change_tool(request: ApiRequest, name: str, body: shapes.Enabled) -> dict[str, Any]:
    """Switch a tool on or off for the whole workspace. Needs the right to administer and the scope `admin`."""
    access.require(request.actor, Right.ADMINISTER)
    found = access.find(request.actor, ToolRecord, name=name)
    tools.set_tool_enabled(request.actor, found, body.enabled)
    return _tool(found)


@router.get("/models", response=list[shapes.ModelOut], summary="List models", tags=["tools"])
def list_models(request: ApiRequest) -> list[dict[str, Any]]:
    """List what the model names of the workspace mean."""
    access.require(request.actor, Right.VIEW)
    return [_model(row) for row in ModelRecord.objects.filter(workspace=request.actor.workspace).order_by("name")]


@router.get("/kinds", response=list[shapes.KindOut], summary="List kinds of steps")
def list_kinds(request: ApiRequest) -> list[dict[str, Any]]:
    """List the kinds of steps a document may use."""
    access.require(request.actor, Right.VIEW)
    names = ("name", "label", "summary", "config_schema")
    return [{name: getattr(kind, name) for name in names} for kind in kinds().values() if kind.name != START]


@router.get("/schema", response=dict[str, Any], summary="JSON Schema of documents")
def schema(request: ApiRequest) -> dict[str, Any]:
    """Give the JSON Schema of workflow documents, for editors."""
    access.require(request.actor, Right.VIEW)
    return document_schema(kinds())


@contextmanager
def _problems(text: str) -> Iterator[None]:
    """Turn what a verb refuses into problem documents; places are those of the text that was sent."""
    try:
        yield
    except InvalidDefinition as error:
        found = [_finding(finding) for finding in checking.located(text, error.problems)]
        raise Problem.common("invalid-definition", problems=found) from error
    except Refusal as refusal:
        raise Problem(refusal.status, refusal.slug, refusal.title, refusal.detail, **refusal.extra) from refusal


def _text(request: ApiRequest) -> str:
    """Take the document from the body, which is JSON by its content type or else YAML or JSON as it looks."""
    try:
        return checking.decode(request.body)
    except InvalidDocument as error:
        raise Problem.common("bad-request", str(error), line=error.line, column=error.column) from error


def _page(rows: list[Any], limit: int, shown: Callable[[Any], Any], cursor: Callable[[Any], str]) -> dict[str, Any]:
    """Cut the row that was read beyond the page; the last one shown is the cursor if there was one."""
    more = len(rows) > limit
    return {"items": [shown(row) for row in rows[:limit]], "next": cursor(rows[limit - 1]) if more else None}


def _line(row: Workflow) -> dict[str, Any]:
    names = ("slug", "name", "description", "enabled", "sample")
    return {name: getattr(row, name) for name in names} | {"live": row.live.number if row.live else None}


def _tool(row: ToolRecord) -> dict[str, Any]:
    return {name: getattr(row, name) for name in shapes.ToolOut.model_fields if name != "connection"} | {
        "connection": row.connection.name if row.connection else None
    }


def _model(row: ModelRecord) -> dict[str, Any]:
    names = [name for name in shapes.ModelOut.model_fields if name != "simulated"]
    return {name: getattr(row, name) for name in names} | {"simulated": row.provider == "simulator"}


def _finding(finding: Finding) -> dict[str, Any]:
    return {**finding.problem.to_dict(), "line": finding.place.line, "column": finding.place.column}
