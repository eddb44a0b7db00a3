"""What the pages of runs and workflows read: a bounded number of queries each, values the templates need."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from django.db.models import Count, OuterRef, Q, QuerySet, Subquery

from designer.models import Workflow
from orchestration import access
from orchestration.access import Actor
from orchestration.core.states import RunState
from orchestration.models import Workspace
from runs.models import Effect, Event, Run

PAGE = 50  # rows of a list
TICKS = 20  # runs whose outcomes a workflow shows
WEEK = timedelta(days=7)
MOST_WORKFLOWS = 200  # of one page


@dataclass(frozen=True)
class Filters:
    """What the runs list is narrowed to; all of it stands in the URL."""

    q: str = ""
    state: str = ""
    workflow: str = ""
    before: str = ""

    @classmethod
    def read(cls, params: Any) -> Filters:
        """Take the filters from the query string; what is not known is dropped."""
        state = params.get("state", "")
        return cls(
            q=params.get("q", "").strip()[:200],
            state=state if state in set(RunState) else "",
            workflow=params.get("workflow", "")[:100],
            before=params.get("before", "") if _as_uuid(params.get("before", "")) else "",
        )

    def query(self, **changes: str) -> str:
        """Write the filters as a query string, changed; a change starts at the newest rows again."""
        changed = replace(self, **{"before": "", **changes})
        pairs = [(name, value) for name, value in vars(changed).items() if value]
        return f"?{urlencode(pairs)}" if pairs else "?"

    @property
    def is_narrow(self) -> bool:
        return bool(self.q or self.state or self.workflow)


@dataclass(frozen=True)
class Page:
    rows: list[Run]
    older: str  # query string of the next page; empty: there is none


def runs_page(workspace: Workspace, filters: Filters) -> Page:
    """Read one page of a workspace's runs, newest first, by key set: no count, no offset. One query."""
    rows = Run.objects.filter(workspace=workspace).select_related("workflow", "version", "initiator")
    rows = _narrowed(rows, filters).order_by("-id").defer("input", "output", "variables", "active", "marks")
    found = list(rows[: PAGE + 1])
    older = filters.query(before=str(found[PAGE - 1].id)) if len(found) > PAGE else ""
    return Page(found[:PAGE], older)


def _narrowed(rows: QuerySet[Run], filters: Filters) -> QuerySet[Run]:
    if filters.state:
        rows = rows.filter(state=filters.state)
    if filters.workflow:
        rows = rows.filter(workflow__slug=filters.workflow)
    if filters.q:
        rows = rows.filter(_matching(filters.q))
    if filters.before:
        rows = rows.filter(id__lt=uuid.UUID(filters.before))
    return rows


def _matching(text: str) -> Q:
    """Match an id, a number (with or without #) or the start of a business key."""
    found = Q(key__startswith=text)
    if run_id := _as_uuid(text):
        found |= Q(id=run_id)
    digits = text.removeprefix("#")
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        found |= Q(number=int(digits))
    return found


def workflow_choices(workspace: Workspace) -> list[Workflow]:
    """List the workflows a list of runs can be narrowed to."""
    return list(Workflow.objects.filter(workspace=workspace).only("slug", "name").order_by("name")[:MOST_WORKFLOWS])


@dataclass(frozen=True)
class Tick:
    """One of the last runs of a workflow, drawn as a small bar."""

    x: int  # pixels
    state: str
    number: int


@dataclass(frozen=True)
class WorkflowRow:
    workflow: Workflow
    ticks: list[Tick]
    runs_of_week: int


def workflow_rows(workspace: Workspace, now: datetime) -> list[WorkflowRow]:
    """Read the workflows of a workspace with their last outcomes and runs of seven days. Three queries."""
    newest = Run.objects.filter(workflow=OuterRef("pk")).order_by("-id").values("id")
    workflows = Workflow.objects.filter(workspace=workspace).select_related("live")
    listed = list(workflows.annotate(cut=Subquery(newest[TICKS - 1 : TICKS])).order_by("name")[:MOST_WORKFLOWS])
    lately, counts = _outcomes(listed), _counts(workspace, now)
    return [WorkflowRow(one, _ticks(lately[one.pk]), counts.get(one.pk, 0)) for one in listed]


def _outcomes(workflows: Iterable[Any]) -> dict[int, list[tuple[str, int]]]:
    """Read state and number of the last runs of each workflow, newest first."""
    wanted = Q(pk__in=[])
    for workflow in workflows:
        wanted |= Q(workflow=workflow, id__gte=workflow.cut) if workflow.cut else Q(workflow=workflow)
    found: dict[int, list[tuple[str, int]]] = defaultdict(list)
    for pk, state, number in Run.objects.filter(wanted).order_by("-id").values_list("workflow_id", "state", "number"):
        found[pk].append((state, number))
    return found


def _counts(workspace: Workspace, now: datetime) -> dict[int, int]:
    week = Run.objects.filter(workspace=workspace, id__gte=_first_id_at(now - WEEK)).order_by()
    return dict(week.values_list("workflow_id").annotate(count=Count("id")))


def _ticks(outcomes: list[tuple[str, int]]) -> list[Tick]:
    """Lay the outcomes from old to new, so that the newest is at the right."""
    left = TICKS - min(len(outcomes), TICKS)
    return [Tick((left + index) * 8, *one) for index, one in enumerate(reversed(outcomes[:TICKS]))]


def _first_id_at(at: datetime) -> uuid.UUID:
    """Give the least id a run made at this time can have: ids begin with the milliseconds."""
    return uuid.UUID(int=int(at.timestamp() * 1000) << 80)


def last_runs(workflow: Workflow, count: int = 10) -> list[Run]:
    """Read the newest runs of one workflow."""
    rows = Run.objects.filter(workflow=workflow).select_related("workflow", "version", "initiator").order_by("-id")
    return list(rows.defer("input", "output", "variables", "active", "marks")[:count])


def find_workflow(actor: Actor, slug: str) -> Workflow:
    """Get a workflow of the actor's workspace, with its live version. Raises Missing."""
    return access.find(actor, Workflow.objects.select_related("live", "owner"), slug=slug)


def find_run(actor: Actor, run_id: uuid.UUID) -> Run:
    """Get a run of the actor's workspace, with what its header shows. Raises Missing."""
    return access.find(actor, Run.objects.select_related("workflow", "version", "initiator"), id=run_id)


def effects_of(run: Run) -> list[Effect]:
    """List what a run changed, or may have changed, in the world: what it only read is left out."""
    return list(Effect.objects.filter(run=run).exclude(effect="read").order_by("intended_at", "ordinal"))


def events_of(run: Run, limit: int = 500) -> list[Event]:
    """List the newest events of a run, newest first."""
    return list(Event.objects.filter(run=run).order_by("-seq")[:limit])


def edges_taken(run: Run) -> frozenset[str]:
    """Name the edges a run has taken, as `step.port>step`."""
    bodies = Event.objects.filter(run=run).values_list("body__taken", flat=True)
    return frozenset(edge for taken in bodies for edge in taken or ())


def as_json(run: Run) -> dict[str, Any]:
    """Give what is stored of a run, for people who want to see all of it."""
    plain = ("id", "number", "key", "tags", "trigger", "state", "waiting_for", "input", "output", "error", "variables",
             "active", "steps_started", "tokens", "cost_microusd", "accepted_at", "started_at", "ended_at")  # fmt: skip
    about = {"workflow": run.workflow.slug, "version": run.version.number, "initiator": str(run.initiator or "")}
    return {**{name: getattr(run, name) for name in plain}, **about}


def _as_uuid(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
