"""Runs: the list, one of them with its timeline, and cancelling it."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.http import HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from orchestration.access import Right
from orchestration.core.states import RunState
from orchestration.web import PageRequest, allowed, conflict, is_fragment
from runs import cancelling, queries
from runs.models import Run
from runs.run_page import Look, run_page


@require_safe
@allowed(Right.VIEW)
def home(request: PageRequest) -> HttpResponse:
    """Go where work is: the runs of the workspace."""
    return redirect("runs", workspace=request.actor.workspace.slug)


@require_safe
@allowed(Right.VIEW)
def runs(request: PageRequest) -> HttpResponse:
    filters = queries.Filters.read(request.GET)
    context = {
        "filters": filters,
        "page": queries.runs_page(request.actor.workspace, filters),
        "states": [(state.value, filters.query(state=state.value)) for state in RunState],
        "workflows": [
            (one, filters.query(workflow=one.slug)) for one in queries.workflow_choices(request.actor.workspace)
        ],
        "any_state": filters.query(state=""),
        "any_workflow": filters.query(workflow=""),
        "page_is_first": not filters.before,
        "first": filters.query(),
        "now": timezone.now(),
    }
    return render(request, "runs/runs.html", context)


@require_safe
@allowed(Right.VIEW)
def run(request: PageRequest, run: uuid.UUID) -> HttpResponse:
    """Show a run. The page asks for its main part again each second until the run has ended (204: nothing new)."""
    found = queries.find_run(request.actor, run)
    look = Look.read(request.GET)
    fragment = is_fragment(request)
    if fragment and request.GET.get("seen") and request.GET["seen"] == mark_of(found):
        return HttpResponse(status=204)
    context = {**run_page(request.actor, found, look, timezone.now()), "poll": _poll(request.GET, found)}
    return render(request, "runs/_run.html" if fragment else "runs/run.html", context)


@require_POST
@allowed(Right.OPERATE_RUN)
def cancel_run(request: PageRequest, run: uuid.UUID) -> HttpResponse:
    found = queries.find_run(request.actor, run)
    try:
        cancelling.cancel(request.actor, found.id, request.POST.get("reason", "").strip()[:500])
    except cancelling.AlreadyEnded as error:
        return conflict(request, str(error))
    messages.success(request, "Cancelling was asked for.")
    return redirect("run", workspace=request.actor.workspace.slug, run=found.id)


@require_safe
@allowed(Right.VIEW)
def run_json(request: PageRequest, run: uuid.UUID) -> HttpResponse:
    """Give a run as JSON to people who are signed in; programs read the API."""
    found = queries.find_run(request.actor, run)
    return JsonResponse(queries.as_json(found), json_dumps_params={"indent": 2})


def mark_of(run: Run) -> str:
    """Tell what a page of the run has seen: a run that waits looks the same for a minute, one that works never does."""
    moves = run.state in (RunState.RUNNING, RunState.QUEUED, RunState.CANCELLING)
    return "" if moves else f"{run.seq}.{timezone.now():%H%M}"


def _poll(params: QueryDict, run: Run) -> str:
    """Give the query string of the next look: the same tab and step, and what has been seen."""
    wanted = params.copy()
    wanted["seen"] = mark_of(run)
    return str(wanted.urlencode())
