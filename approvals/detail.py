"""One request as a person sees it before they decide: all prepared here, nothing looked up by templates."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from approvals import drawing, people, queries, requests, visible
from approvals.deciding import WHY_NOT
from approvals.drawing import Drawing, Field
from approvals.models import Decision, Request
from approvals.policies import HIGH, Need, Pending, Person, Rules, Standing, standing, verdict
from orchestration.access import Actor
from orchestration.core.definition import Json
from runs.models import Run

STATES = {
    Request.State.APPROVED: "Approved",
    Request.State.REJECTED: "Rejected",
    Request.State.EXPIRED: "Expired: nobody decided in time",
    Request.State.VOIDED: "Voided: the run ended or went back",
    Request.State.ANSWERED: "Answered",
}


@dataclass(frozen=True, slots=True)
class Follow:
    """What happens after an answer."""

    answer: str
    then: str


@dataclass(frozen=True, slots=True)
class Detail:
    request: Request
    run: Run | None
    action: Drawing | None
    context: tuple[Field, ...]  # written by the run, so perhaps by a model or a customer
    warnings: tuple[str, ...]  # about the question
    needs: tuple[Need, ...]
    missing: tuple[Need, ...]
    decisions: tuple[Decision, ...]
    deciders: tuple[Person, ...]
    stands: Standing
    voted: bool
    follows: tuple[Follow, ...]
    can_try_again: bool  # a call of unknown outcome

    @property
    def is_open(self) -> bool:
        return self.request.state == Request.State.OPEN

    @property
    def is_high(self) -> bool:
        return self.request.risk == HIGH

    @property
    def asks_what_happened(self) -> bool:
        return self.request.kind == Request.Kind.UNKNOWN_EFFECT

    @property
    def may_decide(self) -> bool:
        return self.is_open and self.stands.allows and not self.voted

    @property
    def is_self_approval(self) -> bool:
        return self.stands is Standing.SELF

    @property
    def why_not(self) -> str:
        """Say why this person can't decide; empty where they can."""
        if not self.is_open:
            return f"{STATES[Request.State(self.request.state)]}."
        if self.voted:
            return "You have decided. Others still have to."
        return WHY_NOT.get(self.stands, "")

    @property
    def state_name(self) -> str:
        return STATES.get(Request.State(self.request.state), "Open")

    @property
    def needed(self) -> int:
        return sum(need.count for need in self.needs)

    @property
    def seats(self) -> tuple[str, ...]:
        """Name the votes still to come, one each."""
        return tuple(" or ".join(sorted(need.roles)) for need in self.missing for _ in range(need.count))


def detail_of(actor: Actor, request: Request) -> Detail:
    """Prepare a request for its page (six queries, whatever it is about)."""
    members = people.members(request.workspace)
    rules = requests.rules_of(request)
    decisions = tuple(Decision.objects.filter(request=request).select_related("by").order_by("id"))
    voted = {decision.by_id for decision in decisions}
    run = queries.run_of(request)
    again = request.kind == Request.Kind.UNKNOWN_EFFECT and requests.can_try_again(request)
    return Detail(
        request=request,
        run=run,
        action=drawing.draw(bytes(request.action)) if request.action else None,
        context=drawing.named_values(request.context) if request.context else (),
        warnings=tuple(visible.warnings(request.question)),
        needs=rules.needs,
        missing=_missing(rules, request, members),
        decisions=decisions,
        deciders=tuple(person for person in people.deciders(rules, members) if person.id not in voted),
        stands=_stands(actor, rules, members),
        voted=actor.user.pk in voted,
        follows=follows_of(request, _definition(run), again),
        can_try_again=again,
    )


def follows_of(request: Request, definition: Json, again: bool) -> tuple[Follow, ...]:
    """Say what each answer leads to, by the definition the run is pinned to."""
    if request.kind == Request.Kind.UNKNOWN_EFFECT:
        return _follows_of_unknown(again)
    sends = "exactly the action shown here may be sent, once; then " if request.action else ""
    follows = [
        Follow("Approve", sends + _next(definition, request.path, "approved")),
        Follow("Reject", _next(definition, request.path, "rejected")),
    ]
    if request.decide_by:
        follows.append(Follow("Expire", _next(definition, request.path, "expired")))
    return tuple(follows)


def _follows_of_unknown(again: bool) -> tuple[Follow, ...]:
    if not again:
        return (
            Follow("It happened", "the ledger says so; the run no longer waits for it"),
            Follow("Skip", "the ledger leaves it out; the run no longer waits for it"),
        )
    return (
        Follow("It happened", "the run goes on as if the call had answered"),
        Follow("Try again", "the same call is sent once more: if it did happen, it happens twice"),
        Follow("Skip", "the run goes on without it"),
    )


def _missing(rules: Rules, request: Request, members: Sequence[Person]) -> tuple[Need, ...]:
    if request.state != Request.State.OPEN:
        return ()
    outcome = verdict(rules, requests.votes_on(request), members)
    return outcome.missing if isinstance(outcome, Pending) else ()


def _stands(actor: Actor, rules: Rules, members: Sequence[Person]) -> Standing:
    me = next((person for person in members if person.id == actor.user.pk), None)
    return standing(me, rules, members) if me else Standing.NO_RIGHT


def _definition(run: Run | None) -> Json:
    return json.loads(run.version.definition.body) if run else {}


def _next(definition: Json, path: str, port: str) -> str:
    titles = {step["id"]: step.get("title") or step["id"] for step in definition.get("steps", [])}
    targets = [
        titles.get(edge["to"], edge["to"]) for edge in definition.get("edges", []) if edge["from"] == f"{path}.{port}"
    ]
    return f"“{'” and “'.join(targets)}”" if targets else "no step follows"
