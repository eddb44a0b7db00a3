"""What the inbox and the page of a request show, in a bounded number of queries."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from django.db.models import Q, QuerySet

from approvals import people, requests
from approvals.models import Decision, Request
from approvals.policies import Person, Standing, standing
from orchestration import access
from orchestration.access import Actor, Right
from runs.models import Run
from runs.times import database_now

PAGE = 50  # rows
SCAN = 200  # open requests looked at, at a time, for those that are somebody's own
SCANS = 5
LATE = 0.25  # of its time is left
TABS = ("mine", "all", "decided")


@dataclass(frozen=True, slots=True)
class Row:
    """A line of the inbox."""

    request: Request
    run: Run | None
    left: float | None  # 0 to 1 of the time to decide; None: no limit
    for_me: bool

    @property
    def id(self) -> UUID:
        return self.request.pk

    @property
    def run_name(self) -> str:
        return f"{self.run.workflow.name} #{self.run.number}" if self.run else "a run that is gone"

    @property
    def is_late(self) -> bool:
        return self.left is not None and self.left < LATE

    @property
    def left_percent(self) -> str:
        return f"{(self.left or 0) * 100:.0f}%"


@dataclass(frozen=True, slots=True)
class Listing:
    rows: tuple[Row, ...]
    next: str | None  # cursor of the next page
    now: datetime


def inbox(actor: Actor, tab: str, cursor: str | None = None, limit: int = PAGE) -> Listing:
    """List requests of the actor's workspace: theirs to decide, all open ones (oldest first), or decided ones."""
    if tab == "mine":
        found, after = _mine(actor, cursor, limit)
    elif tab == "all":
        found, after = page(actor, "open", cursor, limit)
    else:
        found, after = page(actor, "decided", cursor, limit)
    return Listing(_rows(actor, found), after, database_now())


def page(actor: Actor, state: str | None, cursor: str | None, limit: int) -> tuple[list[Request], str | None]:
    """Read a page of requests by state: "open", "decided", one of Request.State, or None for all."""
    rows = Request.objects.filter(workspace=actor.workspace).defer("action", "context")
    if state == "open":
        found = list(_after_open(rows, cursor)[: limit + 1])
        return found[:limit], _open_cursor(found[limit - 1]) if len(found) > limit else None
    if state == "decided":
        rows = rows.exclude(state=Request.State.OPEN)
    elif state is not None:
        rows = rows.filter(state=state)
    found = list(_before(rows, cursor)[: limit + 1])
    return found[:limit], str(found[limit - 1].pk) if len(found) > limit else None


def is_cursor(state: str | None, cursor: str) -> bool:
    """Tell whether `page` could have given this cursor for a list by that state."""
    try:
        return bool(_open_place(cursor) if state == "open" else UUID(cursor))
    except ValueError:
        return False


def count_mine(actor: Actor) -> int:
    """Count the open requests that wait for this person, among the oldest open ones: what the navigation shows."""
    found, _ = _mine(actor, None, SCAN, scans=1)
    return len(found)


def next_mine(actor: Actor) -> Request | None:
    """Give the request that waits longest for this person."""
    found, _ = _mine(actor, None, 1)
    return found[0] if found else None


def find(actor: Actor, request_id: UUID | str) -> Request:
    """Get a request of the actor's workspace, or raise access.Missing."""
    return access.find(actor, Request.objects.select_related("workspace"), pk=request_id)


def run_of(request: Request) -> Run | None:
    """Read the run a request belongs to, with its workflow and version."""
    return _runs([request]).get(request.run_id)


def _mine(actor: Actor, cursor: str | None, limit: int, scans: int = SCANS) -> tuple[list[Request], str | None]:
    """Look through open requests for those this person may decide; roles are data, so the database can't."""
    members = people.members(actor.workspace)
    me = next((person for person in members if person.id == actor.user.pk), None)
    found: list[Request] = []
    if me is None or not access.may(actor, Right.DECIDE_APPROVAL):
        return found, None
    for _ in range(scans):
        batch, after = page(actor, "open", cursor, SCAN)
        for request in _not_voted(actor, batch):
            if standing(me, requests.rules_of(request), members).allows:
                found.append(request)
            if len(found) == limit:
                return found, _open_cursor(request) if after or request != batch[-1] else None
        cursor = after
        if cursor is None:
            break
    return found, cursor


def _not_voted(actor: Actor, batch: Sequence[Request]) -> list[Request]:
    voted = set(Decision.objects.filter(request__in=batch, by=actor.user).values_list("request_id", flat=True))
    return [request for request in batch if request.pk not in voted]


def _rows(actor: Actor, found: Sequence[Request]) -> tuple[Row, ...]:
    runs, now = _runs(found), database_now()
    members = people.members(actor.workspace)
    me = next((person for person in members if person.id == actor.user.pk), None)
    return tuple(
        Row(request, runs.get(request.run_id), _left(request, now), _for_me(request, me, members)) for request in found
    )


def _for_me(request: Request, me: Person | None, members: Sequence[Person]) -> bool:
    stands = standing(me, requests.rules_of(request), members) if me else Standing.NO_RIGHT
    return request.state == Request.State.OPEN and stands.allows


def _runs(found: Iterable[Request]) -> dict[UUID, Run]:
    rows = Run.objects.filter(pk__in={request.run_id for request in found})
    rows = rows.select_related("workflow", "version__definition", "initiator").defer(
        "input", "output", "variables", "active"
    )
    return {run.pk: run for run in rows}


def _left(request: Request, now: datetime) -> float | None:
    if request.decide_by is None or request.state != Request.State.OPEN:
        return None
    whole = (request.decide_by - request.opened_at).total_seconds()
    return max(0.0, min(1.0, (request.decide_by - now).total_seconds() / whole)) if whole > 0 else 0.0


def _after_open(rows: QuerySet[Request], cursor: str | None) -> QuerySet[Request]:
    rows = rows.filter(state=Request.State.OPEN).order_by("opened_at", "id")
    try:
        opened, last_id = _open_place(cursor or "")
    except ValueError:
        return rows  # no cursor, or one that never was: from the start
    return rows.filter(Q(opened_at__gt=opened) | Q(opened_at=opened, id__gt=last_id))


def _open_place(cursor: str) -> tuple[datetime, UUID]:
    """Read a cursor of the open ones. Raises ValueError for what is none."""
    at, _, last = cursor.partition("_")
    opened = datetime.fromisoformat(at)
    if opened.tzinfo is None:
        raise ValueError("the instant has no time zone")
    return opened, UUID(last)


def _before(rows: QuerySet[Request], cursor: str | None) -> QuerySet[Request]:
    try:
        return rows.filter(id__lt=UUID(cursor or "")).order_by("-id")
    except ValueError:
        return rows.order_by("-id")


def _open_cursor(request: Request) -> str:
    return f"{request.opened_at.isoformat()}_{request.pk}"
