"""Deciding a request: who, what, when; and what its run is told."""

from __future__ import annotations

from datetime import timedelta

import pytest

from approvals import refusals
from approvals.deciding import decide
from approvals.models import Decision, Request
from designer.models import ToolRecord
from orchestration.access import Actor, Forbidden, Missing
from orchestration.models import AuditEvent, Token
from runs.models import Fact, Run
from runs.times import database_now
from tests.support.approvals import a_request, a_run, an_unknown_effect
from tests.support.cast import a_person, a_token, a_workspace, an_actor
from tests.support.designer import a_tool

pytestmark = pytest.mark.django_db


def say(actor: Actor, request: Request, verdict: str = "approve", **more: object) -> Decision:
    said = {"digest": request.digest, "via": "page", **more}
    return decide(actor, request.pk, verdict, **said)


def nothing_changed(request: Request) -> bool:
    request.refresh_from_db()
    written = Decision.objects.exists() or Fact.objects.exists()
    return request.state == "open" and not written and not AuditEvent.objects.filter(verb="approval.approved").exists()


def with_token(user, scopes: tuple[str, ...] = ("approvals:decide",)) -> Actor:
    a_token(user, scopes=scopes)
    return Actor(user=user, workspace=a_workspace(), token=Token.objects.latest("id"))


def test_an_approval_closes_the_request_tells_the_run_and_is_in_the_log() -> None:
    request, approver = a_request(use_by_seconds=60), an_actor("approver")

    say(approver, request, comment=" Fine by me. ")

    request.refresh_from_db()
    assert request.state == "approved"
    assert request.use_by == request.closed_at + timedelta(seconds=60)
    fact = Fact.objects.get()
    assert (fact.run_id, fact.kind, fact.actor) == (request.run_id, "decided", approver.user)
    assert fact.body == {
        "request": str(request.pk),
        "path": "ask",
        "pass": 0,
        "port": "approved",
        "by": approver.user.username,
        "comment": "Fine by me.",
        "answer": None,
        "digest": request.digest,
    }
    assert AuditEvent.objects.get(verb="approval.approved").actor == approver.user


def test_a_rejection_closes_the_request_and_says_why() -> None:
    request = a_request()

    say(an_actor("approver"), request, "reject", comment="Not this customer.")

    assert Fact.objects.get().body["port"] == "rejected"
    assert Request.objects.get().state == "rejected"


def test_a_rejection_without_a_reason_is_refused() -> None:
    request = a_request()

    with pytest.raises(refusals.Unfit, match="Say why"):
        say(an_actor("approver"), request, "reject", comment="  ")

    assert nothing_changed(request)


def test_a_request_waits_until_its_quorum_has_spoken() -> None:
    request = a_request(require=[{"from": "approver", "count": 2}])

    say(an_actor("approver"), request)
    assert Request.objects.get().state == "open"
    assert not Fact.objects.exists()

    say(an_actor("approver"), request)
    assert Request.objects.get().state == "approved"
    assert Fact.objects.count() == 1


def test_nobody_votes_twice() -> None:
    request, approver = a_request(require=[{"from": "approver", "count": 2}]), an_actor("approver")
    say(approver, request)

    with pytest.raises(refusals.AlreadyDecided):
        say(approver, request)


def test_a_digest_that_is_not_the_shown_one_is_refused() -> None:
    request = a_request()

    with pytest.raises(refusals.Changed) as refused:
        say(an_actor("approver"), request, digest="0" * 64)

    assert "digest" not in refused.value.extra, "a client would approve what nobody has read"
    assert str(request.pk) in refused.value.extra["page_url"]

    assert nothing_changed(request)


def test_a_request_changed_in_the_database_is_refused_even_with_its_stored_digest() -> None:
    request = a_request()
    Request.objects.filter(pk=request.pk).update(action=b'{"tool":"billing.refund","arguments":{"account":"me"}}')

    with pytest.raises(refusals.Changed):
        say(an_actor("approver"), request)

    assert nothing_changed(request)


def test_a_request_past_its_time_is_refused_even_before_it_is_expired() -> None:
    request = a_request(decide_by=(database_now() - timedelta(milliseconds=5)).isoformat())

    with pytest.raises(refusals.TooLate):
        say(an_actor("approver"), request)

    assert nothing_changed(request)


def test_a_closed_request_is_refused() -> None:
    request, approver = a_request(), an_actor("approver")
    say(approver, request)

    with pytest.raises(refusals.Closed, match=f"approved by {approver.user.username} meanwhile"):
        say(an_actor("approver"), request, "reject", comment="no")

    assert Fact.objects.count() == 1


def test_a_request_of_another_workspace_is_missing() -> None:
    request = a_request()
    stranger = an_actor("approver", a_workspace("other"))

    with pytest.raises(Missing):
        say(stranger, request)


@pytest.mark.parametrize("role", ["viewer", "designer", "operator"])
def test_a_role_without_the_right_is_forbidden(role: str) -> None:
    request = a_request()

    with pytest.raises(Forbidden):
        say(an_actor(role), request)

    assert nothing_changed(request)


def test_an_administrator_does_not_bypass_the_role_that_is_asked() -> None:
    request = a_request()

    with pytest.raises(refusals.MayNotDecide, match="another role"):
        say(an_actor("administrator"), request)


def test_a_service_account_never_decides() -> None:
    request = a_request()

    with pytest.raises(Forbidden):
        say(an_actor("approver", is_service=True), request)

    assert nothing_changed(request)


def test_the_initiator_may_not_decide_while_others_could() -> None:
    initiator = an_actor(("operator", "approver"))
    a_person("approver")
    request = a_request(a_run(initiator=initiator.user))

    with pytest.raises(refusals.MayNotDecide, match="somebody else"):
        say(initiator, request)


@pytest.mark.parametrize("risk", ["low", "medium"])
def test_the_only_person_approves_their_own_and_the_log_says_so(risk: str) -> None:
    alone = an_actor(("operator", "approver"))
    request = a_request(a_run(initiator=alone.user), risk=risk)

    assert say(alone, request).self_approved
    assert AuditEvent.objects.get(verb="approval.approved").details["self_approved"] is True


def test_the_only_person_never_approves_their_own_high_risk() -> None:
    alone = an_actor(("operator", "approver"))
    request = a_request(a_run(initiator=alone.user), risk="high")

    with pytest.raises(refusals.MayNotDecide):
        say(alone, request, signed_in_anew=True)

    assert nothing_changed(request)


def test_the_author_of_the_version_does_not_decide_a_high_risk() -> None:
    author = an_actor(("designer", "approver"))
    a_person("approver")
    request = a_request(a_run(author=author.user), risk="high")

    with pytest.raises(refusals.MayNotDecide):
        say(author, request, signed_in_anew=True)


def test_a_high_risk_needs_the_password_anew() -> None:
    request, approver = a_request(risk="high"), an_actor("approver")

    with pytest.raises(refusals.SignInAnew):
        say(approver, request)

    assert nothing_changed(request)
    assert say(approver, request, signed_in_anew=True)


def test_a_token_with_the_scope_decides_what_is_not_high_risk() -> None:
    request = a_request(risk="medium")

    assert say(with_token(a_person("approver")), request, via="api").via == "api"


def test_a_token_without_the_scope_decides_nothing() -> None:
    request = a_request(risk="low")

    with pytest.raises(Forbidden):
        say(with_token(a_person("approver"), ("approvals:read",)), request, via="api")

    assert nothing_changed(request)


def test_a_token_is_sent_to_the_page_for_a_high_risk() -> None:
    request = a_request(risk="high")

    with pytest.raises(refusals.OnlyOnThePage) as refused:
        say(with_token(a_person("approver")), request, via="api", signed_in_anew=True)

    assert f"/w/main/approvals/{request.pk}/" in refused.value.detail
    assert nothing_changed(request)


FORM = {"type": "object", "required": ["amount"], "properties": {"amount": {"type": "number"}}}


def test_an_answer_goes_to_the_run() -> None:
    say(an_actor("approver"), a_request(form=FORM), answer={"amount": 3})

    assert Fact.objects.get().body["answer"] == {"amount": 3}


@pytest.mark.parametrize("answer", [None, {}, {"amount": "three"}, 7])
def test_an_answer_that_does_not_fit_its_form_is_refused(answer: object) -> None:
    request = a_request(form=FORM)

    with pytest.raises(refusals.Unfit):
        say(an_actor("approver"), request, answer=answer)

    assert nothing_changed(request)


def test_an_answer_nobody_asked_for_is_refused() -> None:
    with pytest.raises(refusals.Unfit, match="takes no answer"):
        say(an_actor("approver"), a_request(), answer={"amount": 3})


@pytest.mark.parametrize("verdict", ["happened", "try_again", "skip", "maybe", ""])
def test_a_verdict_of_another_kind_is_refused(verdict: str) -> None:
    with pytest.raises(refusals.Unfit, match="approve, reject"):
        say(an_actor("approver"), a_request(), verdict, comment="because")


@pytest.mark.parametrize("comment", ["nul \0 byte", "half a pair \ud800", "x" * 10_001])
def test_a_comment_that_cannot_be_kept_is_refused(comment: str) -> None:
    request = a_request()

    with pytest.raises(refusals.Unfit):
        say(an_actor("approver"), request, comment=comment)

    assert nothing_changed(request)


def test_a_comment_about_escapes_is_kept() -> None:
    assert say(an_actor("approver"), a_request(), comment="a literal \\u0000").comment == "a literal \\u0000"


@pytest.mark.parametrize("role", ["approver", "administrator"])
def test_a_person_says_what_became_of_a_call(role: str) -> None:
    request, person = an_unknown_effect(), an_actor(role)

    say(person, request, "happened", answer={"id": 7}, comment="It is in their list.")

    fact = Fact.objects.get()
    assert fact.kind == "effect_answered"
    assert fact.body == {
        "request": str(request.pk),
        "path": "pay",
        "pass": 0,
        "effect_key": "e" * 64,
        "answer": "happened",
        "output": {"id": 7},
        "by": person.user.username,
        "comment": "It is in their list.",
    }
    assert Request.objects.get().state == "answered"
    assert AuditEvent.objects.get(verb="effect.answered").details["answer"] == "happened"


def test_the_initiator_may_say_what_became_of_a_call() -> None:
    initiator = an_actor(("operator", "approver"))
    a_person("approver")

    assert say(initiator, an_unknown_effect(a_run(initiator=initiator.user)), "skip")


def test_trying_again_needs_a_comment() -> None:
    request = an_unknown_effect()

    with pytest.raises(refusals.Unfit, match="may do it twice"):
        say(an_actor("approver"), request, "try_again")

    say(an_actor("approver"), request, "try_again", comment="Their log is empty.")
    assert Fact.objects.get().body["answer"] == "try_again"


def test_a_call_of_a_tool_that_is_switched_off_is_not_approved_but_may_be_rejected() -> None:
    tool, request = a_tool(a_workspace(), "billing.refund"), a_request()
    ToolRecord.objects.filter(pk=tool.pk).update(enabled=False)

    with pytest.raises(refusals.ToolSwitchedOff, match="would send nothing"):
        say(an_actor("approver"), request)

    assert nothing_changed(request)
    assert say(an_actor("approver"), request, "reject", comment="It is off.")


@pytest.mark.parametrize("state", ["cancelled", "failed"])
def test_a_call_of_a_run_that_has_ended_is_not_tried_again_but_still_answered(state: str) -> None:
    run = a_run(initiator=a_person("operator"))
    run.state, run.ended_at = state, database_now()
    run.save()
    request = an_unknown_effect(run)

    with pytest.raises(refusals.NothingToTryAgain, match="no longer waits"):
        say(an_actor("approver"), request, "try_again", comment="Their log is empty.")

    assert nothing_changed(request)
    assert say(an_actor("approver"), request, "skip")


def test_a_call_whose_step_the_run_has_left_is_not_tried_again() -> None:
    request = an_unknown_effect()
    Run.objects.update(active={"pay": {"pass": 1, "state": "running"}})

    with pytest.raises(refusals.NothingToTryAgain):
        say(an_actor("approver"), request, "try_again", comment="Their log is empty.")


def test_an_unknown_effect_is_neither_approved_nor_rejected() -> None:
    with pytest.raises(refusals.Unfit, match="happened, try_again, skip"):
        say(an_actor("approver"), an_unknown_effect(), "approve")
