"""Approvals over REST: list, read, decide."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from ninja import Field, Query, Router, Schema

from approvals import deciding, people, queries, requests
from approvals.models import Decision, Request
from approvals.refusals import AlreadyDecided, Closed, Refusal
from orchestration import access
from orchestration.access import Actor, Right
from orchestration.parameters import Parameters
from orchestration.problems import Problem

router = Router(tags=["approvals"])
States = Literal["open", "decided", "approved", "rejected", "expired", "voided", "answered"]


class Filter(Parameters):
    """Which requests to list; `decided` are all that are not open. `cursor` is the `next` of the page before."""

    state: States | None = None
    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=100)


class RequestLine(Schema):
    """A request in a list."""

    id: UUID
    kind: str
    state: str
    question: str
    risk: str
    digest: str
    run_id: UUID
    path: str
    opened_at: datetime
    decide_by: datetime | None
    run_url: str
    page_url: str


class RequestPage(Schema):
    """A page of requests; `next` is the cursor of the one after it."""

    items: list[RequestLine]
    next: str | None


class DecisionOut(Schema):
    """What one person said."""

    by: str
    verdict: str
    comment: str
    answer: Any = None
    self_approved: bool
    via: str
    at: datetime


class Decider(Schema):
    """Somebody who may decide the request now."""

    username: str
    roles: list[str]


class RequestOut(RequestLine):
    """A request with the exact action it is about. `digest` goes into the decision."""

    context: Any  # named values as an object, or a text
    action: Any = None
    require: list[Any]
    form: dict[str, Any] | None
    deciders: list[Decider]
    decisions: list[DecisionOut]
    use_by: datetime | None
    used_at: datetime | None
    closed_at: datetime | None


class DecisionIn(Schema, extra="forbid"):
    """A decision: approve or reject; for an unknown effect happened, try_again or skip."""

    verdict: str
    digest: str
    comment: str = ""
    answer: Any = None


@router.get("/approvals", response=RequestPage, summary="List approval requests")
def list_approvals(request: HttpRequest, asked: Query[Filter]) -> dict[str, Any]:
    """List requests of the token's workspace: open ones oldest first, others newest first."""
    actor = _actor(request)
    access.require(actor, Right.VIEW, Request)
    if asked.cursor is not None and not queries.is_cursor(asked.state, asked.cursor):
        place = {"step": "", "field": "cursor", "message": "This is not the `next` of such a list.", "fix": ""}
        raise Problem.common("invalid-request", problems=[place])
    found, after = queries.page(actor, asked.state, asked.cursor, asked.limit)
    return {"items": [_line(actor, row) for row in found], "next": after}


@router.get("/approvals/{uuid:approval_id}", response=RequestOut, summary="Read an approval request")
def read_approval(request: HttpRequest, approval_id: UUID) -> dict[str, Any]:
    """Read one request: the question, the exact action, who may decide, and what was decided."""
    actor = _actor(request)
    access.require(actor, Right.VIEW, Request)
    return _whole(actor, queries.find(actor, approval_id))


@router.post("/approvals/{uuid:approval_id}/decision", response=RequestOut, summary="Decide an approval request")
def decide_approval(request: HttpRequest, approval_id: UUID, body: DecisionIn) -> dict[str, Any]:
    """Decide a request, quoting the digest of what was read. A high risk is decided on its page only.

    The same decision sent again answers as the first time and changes nothing.
    """
    actor = _actor(request)
    access.require(actor, Right.DECIDE_APPROVAL, Request)
    said = deciding.Answer(body.verdict, body.digest, body.comment.strip(), body.answer, "api")
    try:
        deciding.decide(
            actor, approval_id, said.verdict, digest=said.digest, comment=said.comment, answer=said.answer, via=said.via
        )
    except Refusal as refusal:
        repeated = isinstance(refusal, Closed | AlreadyDecided) and deciding.has_said(actor, approval_id, said)
        if not repeated:
            raise Problem(refusal.status, refusal.slug, refusal.title, refusal.detail, **refusal.extra) from refusal
    return _whole(actor, queries.find(actor, approval_id))


def _actor(request: HttpRequest) -> Actor:
    actor: Actor = request.actor  # type: ignore[attr-defined]
    return actor


def _line(actor: Actor, row: Request) -> dict[str, Any]:
    slug = actor.workspace.slug
    fields = ("kind", "state", "question", "risk", "digest", "run_id", "path", "opened_at", "decide_by")
    return {
        "id": row.pk,
        **{name: getattr(row, name) for name in fields},
        "run_url": settings.BATON_URL + reverse("run", kwargs={"workspace": slug, "run": row.run_id}),
        "page_url": settings.BATON_URL + reverse("approval", kwargs={"workspace": slug, "approval": row.pk}),
    }


def _whole(actor: Actor, row: Request) -> dict[str, Any]:
    fields = ("require", "form", "use_by", "used_at", "closed_at")
    return {
        **_line(actor, row),
        **{name: getattr(row, name) for name in fields},
        "context": requests.context_of(row),
        "action": json.loads(bytes(row.action)) if row.action else None,
        "deciders": _deciders(row),
        "decisions": [_decision(made) for made in row.decisions.select_related("by").order_by("id")],
    }


def _deciders(row: Request) -> list[dict[str, Any]]:
    if row.state != Request.State.OPEN:
        return []
    could = people.deciders(requests.rules_of(row), people.members(row.workspace))
    return [{"username": person.username, "roles": sorted(person.roles)} for person in could]


def _decision(made: Decision) -> dict[str, Any]:
    fields = ("verdict", "comment", "answer", "self_approved", "via", "at")
    return {"by": made.by.get_username(), **{name: getattr(made, name) for name in fields}}
