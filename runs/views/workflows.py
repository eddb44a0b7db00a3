"""Workflows: the list, one of them, and the form that starts a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_http_methods, require_safe

from designer import versions
from designer.graph import graph
from designer.models import Workflow
from orchestration import access
from orchestration.access import Actor, Right
from orchestration.core.definition import Definition
from orchestration.core.errors import InvalidValue
from orchestration.web import PageRequest, allowed, conflict
from runs import example, queries, starting
from runs.forms import InputForm, form_for, properties_of


@require_safe
@allowed(Right.VIEW)
def workflows(request: PageRequest) -> HttpResponse:
    rows = queries.workflow_rows(request.actor.workspace, timezone.now())
    context = {
        "rows": rows,
        "may_start": access.may(request.actor, Right.START_RUN),
        "may_edit": access.may(request.actor, Right.EDIT_WORKFLOW),
    }
    return render(request, "runs/workflows.html", context)


@require_safe
@allowed(Right.VIEW)
def workflow(request: PageRequest, workflow: str) -> HttpResponse:
    found = queries.find_workflow(request.actor, workflow)
    definition = versions.definition(found.live_id) if found.live_id else None
    return render(request, "runs/workflow.html", _overview(request.actor, found, definition))


@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Right.START_RUN)
def start_run(request: PageRequest, workflow: str) -> HttpResponse:
    found = queries.find_workflow(request.actor, workflow)
    if found.live_id is None or not found.enabled:
        return render(request, "runs/start.html", {"workflow": found, "form": None})
    form = form_for(versions.definition(found.live_id).input)(request.POST or None)
    if request.method == "POST" and form.is_valid():
        started = _start(request, found, form)
        if started is not None:
            return started
    return render(request, "runs/start.html", {"workflow": found, "form": form}, status=422 if form.errors else 200)


def _start(request: PageRequest, workflow: Workflow, form: InputForm) -> HttpResponse | None:
    """Start the run and go to it; None when the input was refused, which the form then says."""
    try:
        run = starting.start(request.actor, workflow, form.value(), trigger="form")
    except InvalidValue as error:
        for problem in error.problems:
            form.refuse(problem.place, problem.reason)
        return None
    except starting.CannotStart as error:
        return conflict(request, error.reason)
    messages.success(request, f"Run #{run.number} was accepted.")
    return redirect("run", workspace=request.actor.workspace.slug, run=run.id)


def _overview(actor: Actor, workflow: Workflow, definition: Definition | None) -> dict[str, Any]:
    may_start = access.may(actor, Right.START_RUN) and workflow.enabled
    context = {"workflow": workflow, "definition": definition, "runs": queries.last_runs(workflow),
               "now": timezone.now()}  # fmt: skip
    if definition is None:
        return context
    return {
        **context,
        "may_start": may_start,
        "graph": graph(definition),
        "inputs": _inputs(definition),
        "call": example.curl(settings.BATON_URL, workflow.slug, definition.input),
    }


def _inputs(definition: Definition) -> list[dict[str, Any]]:
    """List the input's properties as people read them."""
    return [
        {"name": name, "schema": schema, "type": _type_of(schema), "required": required}
        for name, schema, required in properties_of(definition.input)
    ]


def _type_of(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return "one of " + ", ".join(str(value) for value in schema["enum"])
    kind = schema.get("type", "anything")
    kind = " or ".join(kind) if isinstance(kind, list) else str(kind)
    return str(schema["format"]) if kind == "string" and "format" in schema else kind
