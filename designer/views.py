"""The pages of the control plane: versions, publishing a document, tools, models."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpResponse, HttpResponseBadRequest
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from designer import checking, publishing, queries, tools, versions
from designer.checking import Finding
from designer.forms import EnabledForm, LiveForm, PushForm
from designer.graph import graph
from designer.models import ModelRecord, ToolRecord
from designer.publishing import PushResult
from designer.refusals import Refusal
from orchestration import access
from orchestration.access import Right
from orchestration.core.errors import InvalidDefinition
from orchestration.web import PageRequest, allowed

VERSIONS_ON_A_PAGE = 50


@require_safe
@allowed(Right.VIEW)
def versions_page(request: PageRequest, workflow: str) -> HttpResponse:
    """List the versions of a workflow, newest first; from here one rolls back."""
    found = queries.workflow(request.actor, workflow)
    before = request.GET.get("before", "")
    below = int(before) if before.isdecimal() and len(before) < 10 else None
    lines = queries.version_lines(found, below, VERSIONS_ON_A_PAGE + 1)
    shown = lines[:VERSIONS_ON_A_PAGE]
    context = {
        "workflow": found,
        "versions": shown,
        "may_edit": access.may(request.actor, Right.EDIT_WORKFLOW, found),
        "newest": below is None,
        "first": request.path,
        "older": f"?before={shown[-1].number}" if len(lines) > VERSIONS_ON_A_PAGE else "",
    }
    return render(request, "designer/versions.html", context)


@require_safe
@allowed(Right.VIEW)
def version_page(request: PageRequest, workflow: str, number: int) -> HttpResponse:
    """Show one version: its graph and its source."""
    found = queries.workflow(request.actor, workflow)
    row = queries.version(found, number)
    context = {
        "workflow": found,
        "version": queries.version_line(row, found),
        "graph": graph(versions.definition_by_digest(row.definition_id)),
        "source": queries.yaml_of(row),
        "may_edit": access.may(request.actor, Right.EDIT_WORKFLOW, found),
    }
    return render(request, "designer/version.html", context)


@require_safe
@allowed(Right.VIEW)
def version_source(request: PageRequest, workflow: str, number: int) -> HttpResponse:
    """Give a version's YAML as a file."""
    found = queries.workflow(request.actor, workflow)
    text = queries.yaml_of(queries.version(found, number))
    name = f"{found.slug}-v{number}.yaml"
    headers = {"Content-Disposition": f'attachment; filename="{name}"', "X-Content-Type-Options": "nosniff"}
    return HttpResponse(text, content_type="application/yaml; charset=utf-8", headers=headers)


@require_POST
@allowed(Right.EDIT_WORKFLOW)
def make_live(request: PageRequest, workflow: str) -> HttpResponse:
    """Make an earlier version live."""
    found = queries.workflow(request.actor, workflow)
    form = LiveForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("Name a version by its number.")
    version = queries.version(found, form.cleaned_data["version"])
    publishing.set_live(request.actor, found, version)
    messages.success(request, f"Version {version.number} is live: new runs use it.")
    return redirect("versions", workspace=request.actor.workspace.slug, workflow=found.slug)


@require_POST
@allowed(Right.EDIT_WORKFLOW)
def enable_workflow(request: PageRequest, workflow: str) -> HttpResponse:
    """Let new runs start, or not."""
    found = queries.workflow(request.actor, workflow)
    form = EnabledForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("enabled is 1 or 0.")
    changed = publishing.set_enabled(request.actor, found, form.cleaned_data["enabled"])
    messages.success(request, f"{changed.name} is {'on' if changed.enabled else 'off: no new runs start'}.")
    return redirect("versions", workspace=request.actor.workspace.slug, workflow=found.slug)


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Right.EDIT_WORKFLOW)
def push_page(request: PageRequest) -> HttpResponse:
    """Publish a pasted document, or show all its problems with their lines."""
    if request.method != "POST":
        return render(request, "designer/push.html", {"form": PushForm(initial=_source_to_edit(request))})
    form = PushForm(request.POST)
    findings: list[Finding] = []
    if form.is_valid():
        source = form.cleaned_data["source"]
        try:
            return _pushed(request, _push(request, form))
        except InvalidDefinition as error:
            findings = checking.located(source, error.problems)
        except Refusal as refusal:
            form.add_error(None, refusal.detail)
    return render(request, "designer/push.html", {"form": form, "findings": findings}, status=422)


@require_safe
@allowed(Right.VIEW)
def tools_page(request: PageRequest) -> HttpResponse:
    """List the registered tools."""
    context = {
        "tools": queries.tools(request.actor.workspace),
        "may_administer": access.may(request.actor, Right.ADMINISTER),
    }
    return render(request, "designer/tools.html", context)


@require_POST
@allowed(Right.ADMINISTER)
def enable_tool(request: PageRequest, tool: str) -> HttpResponse:
    """Switch a tool on or off for the whole workspace."""
    found = access.find(request.actor, ToolRecord, name=tool)
    form = EnabledForm(request.POST)
    if not form.is_valid():
        return HttpResponseBadRequest("enabled is 1 or 0.")
    tools.set_tool_enabled(request.actor, found, form.cleaned_data["enabled"])
    messages.success(request, f"{found.name} is {'on' if found.enabled else 'off: no call goes out'}.")
    return redirect("tools", workspace=request.actor.workspace.slug)


@require_safe
@allowed(Right.VIEW)
def models_page(request: PageRequest) -> HttpResponse:
    """List what the model names mean here."""
    rows = ModelRecord.objects.filter(workspace=request.actor.workspace).select_related("connection").order_by("name")
    return render(request, "designer/models.html", {"models": rows})


def _push(request: PageRequest, form: PushForm) -> PushResult:
    sent = form.cleaned_data
    actor = request.actor
    return publishing.push(actor, actor.workspace, sent["source"], slug=sent["slug"] or None, note=sent["note"])


def _pushed(request: PageRequest, result: PushResult) -> HttpResponse:
    """Go to the version, and say what it came to; warnings are said there too."""
    number = result.version.number
    said = f"Published as version {number}." if result.added else f"The same as version {number}, which is live."
    messages.success(request, said)
    for problem in result.problems:
        messages.warning(request, str(problem))
    slug = request.actor.workspace.slug
    return redirect("version", workspace=slug, workflow=result.workflow.slug, number=number)


def _source_to_edit(request: PageRequest) -> dict[str, str]:
    """Begin with the live version of the workflow the page was opened for."""
    slug = request.GET.get("workflow", "")
    if not slug:
        return {}
    found = queries.workflow(request.actor, slug)
    source = queries.yaml_of(queries.version(found, found.live.number)) if found.live else ""
    return {"slug": slug, "source": source}
