"""Decide a request: the one verb behind the page and the API."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.urls import reverse

from approvals import people, refusals, requests
from approvals.models import Decision, Request
from approvals.policies import HIGH, Approved, Pending, Rejected, Standing, standing, verdict
from orchestration import access, audit
from orchestration.access import Actor, Right
from orchestration.core import values
from orchestration.core.definition import Json
from orchestration.core.errors import InvalidValue
from runs import facts
from runs.times import database_now

Said = Decision.Verdict
VERDICTS = {
    Request.Kind.STEP: (Said.APPROVE, Said.REJECT),
    Request.Kind.UNKNOWN_EFFECT: (Said.HAPPENED, Said.TRY_AGAIN, Said.SKIP),
}
VERBS = {
    Said.APPROVE: "approval.approved",
    Said.REJECT: "approval.rejected",
    Said.HAPPENED: "effect.answered",
    Said.TRY_AGAIN: "effect.answered",
    Said.SKIP: "effect.answered",
}
COMMENT_LENGTH = 10_000  # characters
WHY_NOT = {
    Standing.NO_RIGHT: "Your roles here don't include deciding approvals. An administrator can give you one that does.",
    Standing.NO_ROLE: "This request asks people with another role than yours.",
    Standing.EXCLUDED: "You started this run, or made the version it runs, so somebody else has to decide.",
}


@dataclass(frozen=True, slots=True)
class Answer:
    """What somebody says to a request, as it came in."""

    verdict: str
    digest: str
    comment: str
    answer: Json
    via: str


def decide(
    actor: Actor,
    request_id: UUID | str,
    verdict: str,
    *,
    digest: str,
    comment: str = "",
    answer: Json = None,
    via: str,
    signed_in_anew: bool = False,
) -> Decision:
    """Record what the actor says to a request and, once its policy is settled, close it and tell its run.

    `digest` is that of the request as it was shown. `via` is "page" or "api". `signed_in_anew`: the password was given
    within the last minutes, as a high risk asks. Locks the request; state, fact and audit row commit with it.
    Raises access.Missing, access.Forbidden or a Refusal; then nothing was written.
    """
    said = Answer(verdict, digest, comment.strip(), answer, via)
    with transaction.atomic(durable=True):
        request = requests.locked(Request.objects.filter(pk=request_id, workspace=actor.workspace))
        if request is None:
            raise access.Missing("Nothing here by that name.")
        access.require(actor, Right.DECIDE_APPROVAL, request)
        _check_how(actor, request, said, signed_in_anew)
        now = database_now()
        _check_open(actor, request, now)
        stands = _check_standing(actor, request)
        _check_digest(request, said)
        decision = _record(actor, request, said, stands)
        _settle(actor, request, decision, now)
    return decision


def has_said(actor: Actor, request_id: UUID | str, said: Answer) -> bool:
    """Tell whether the actor has already said exactly this: a client that sends it again has lost the answer."""
    made = Decision.objects.filter(request_id=request_id, request__workspace=actor.workspace, by=actor.user)
    columns = made.values_list("verdict", "digest", "comment", "answer", "via")
    return (said.verdict, said.digest, said.comment, said.answer, said.via) in list(columns)


def page_url(request: Request) -> str:
    """Give the full address of the request's page."""
    slug = request.workspace.slug
    return settings.BATON_URL + reverse("approval", kwargs={"workspace": slug, "approval": request.pk})


def _check_how(actor: Actor, request: Request, said: Answer, signed_in_anew: bool) -> None:
    if request.risk != HIGH:
        return
    if actor.token is not None or said.via != "page":
        url = page_url(request)
        raise refusals.OnlyOnThePage(f"This request is of high risk: a person decides it on {url}.", page_url=url)
    if not signed_in_anew:
        raise refusals.SignInAnew


def _check_open(actor: Actor, request: Request, now: datetime) -> None:
    if request.state == Request.State.EXPIRED:
        raise refusals.TooLate
    if request.state != Request.State.OPEN:
        raise refusals.Closed(f"The request is closed: {_closed_by(request)}. Nothing was changed.")
    if request.decide_by is not None and now > request.decide_by:
        raise refusals.TooLate
    if Decision.objects.filter(request=request, by=actor.user).exists():
        raise refusals.AlreadyDecided


def _closed_by(request: Request) -> str:
    last = Decision.objects.filter(request=request).select_related("by").order_by("id").last()
    return f"it was {request.state} {f'by {last.by.get_username()} ' if last else ''}meanwhile"


def _check_standing(actor: Actor, request: Request) -> Standing:
    members = people.members(request.workspace)
    person = next((person for person in members if person.id == actor.user.pk), None)
    stands = standing(person, requests.rules_of(request), members) if person else Standing.NO_RIGHT
    if not stands.allows:
        raise refusals.MayNotDecide(WHY_NOT[stands])
    return stands


def _check_digest(request: Request, said: Answer) -> None:
    """Compare three: what was shown, what is stored, and what the stored row comes to now."""
    if said.digest != request.digest or requests.frozen_digest(request, requests.definition_of(request)) != said.digest:
        raise refusals.Changed(page_url=page_url(request))  # not the new digest: it is taken from what was read
    _check_complete(request, said)


def _check_complete(request: Request, said: Answer) -> None:
    allowed = VERDICTS[Request.Kind(request.kind)]
    if said.verdict not in allowed:
        raise refusals.Unfit(f"Say one of: {', '.join(allowed)}.", "verdict")
    if said.verdict == Said.APPROVE and requests.tool_is_off(request):
        raise refusals.ToolSwitchedOff
    if said.verdict == Said.TRY_AGAIN and not requests.can_try_again(request):
        raise refusals.NothingToTryAgain
    _check_storable(said)
    if said.verdict == Said.REJECT and not said.comment:
        raise refusals.Unfit("Say why you reject it: the people who asked will read it.", "comment")
    if said.verdict == Said.TRY_AGAIN and not said.comment:
        raise refusals.Unfit("Say how you know that it did not happen: trying again may do it twice.", "comment")
    _check_answer(request, said)


def _check_storable(said: Answer) -> None:
    if len(said.comment) > COMMENT_LENGTH:
        length = len(said.comment)
        raise refusals.Unfit(f"A comment may have {COMMENT_LENGTH:,} characters; this has {length:,}.", "comment")
    for field, value in (("comment", said.comment), ("answer", said.answer)):
        if not _is_storable(value):
            raise refusals.Unfit("It has characters that can't be stored (NUL, or half a surrogate pair).", field)


def _is_storable(value: Json) -> bool:
    text = json.dumps(value, ensure_ascii=False).replace("\\\\", "")
    return "\\u0000" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def _check_answer(request: Request, said: Answer) -> None:
    if said.verdict == Said.HAPPENED or (said.verdict != Said.APPROVE and said.answer is None):
        return
    if said.verdict != Said.APPROVE or not request.form:
        if said.answer is not None:
            raise refusals.Unfit("This decision takes no answer.", "answer", "Leave it out.")
        return
    try:
        values.check(said.answer, request.form)
    except InvalidValue as error:
        raise refusals.Unfit(error.reason, f"answer.{error.place}" if error.place else "answer") from error


def _record(actor: Actor, request: Request, said: Answer, stands: Standing) -> Decision:
    return Decision.objects.create(
        request=request,
        by=actor.user,
        verdict=said.verdict,
        comment=said.comment,
        answer=said.answer,
        digest=said.digest,
        self_approved=stands is Standing.SELF and said.verdict == Said.APPROVE,
        via=said.via,
    )


def _settle(actor: Actor, request: Request, decision: Decision, now: datetime) -> None:
    if request.kind == Request.Kind.UNKNOWN_EFFECT:
        _close(actor, request, decision, Request.State.ANSWERED, now)
        return
    members = people.members(request.workspace)
    match verdict(requests.rules_of(request), requests.votes_on(request), members):
        case Approved():
            _close(actor, request, decision, Request.State.APPROVED, now)
        case Rejected():
            _close(actor, request, decision, Request.State.REJECTED, now)
        case Pending(missing):
            _audit(actor, request, decision, missing=[str(need) for need in missing])


def _close(actor: Actor, request: Request, decision: Decision, state: str, now: datetime) -> None:
    if not requests.close(request, state, now):
        raise refusals.Closed
    kind = "effect_answered" if state == Request.State.ANSWERED else "decided"
    facts.record(request.run_id, kind, _told(request, decision, state), actor=actor.user)
    _audit(actor, request, decision, missing=[])


def _told(request: Request, decision: Decision, state: str) -> dict[str, Any]:
    """Say to the run what was decided."""
    told = {
        "request": str(request.pk),
        "path": request.path,
        "pass": request.pass_number,
        "by": decision.by.get_username(),
        "comment": decision.comment,
    }
    if state == Request.State.ANSWERED:
        key = requests.effect_key_of(request)
        return {**told, "effect_key": key, "answer": str(decision.verdict), "output": decision.answer}
    return {**told, "port": str(state), "answer": decision.answer, "digest": request.digest}


def _audit(actor: Actor, request: Request, decision: Decision, missing: list[str]) -> None:
    audit.record(
        actor,
        VERBS[Said(decision.verdict)],
        request,
        workspace=request.workspace,
        name=request.question,
        run=str(request.run_id),
        answer=str(decision.verdict),
        comment=decision.comment,
        digest=decision.digest,
        self_approved=decision.self_approved,
        via=decision.via,
        still_needed=missing,
    )
