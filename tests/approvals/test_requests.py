"""A request is frozen when it is opened, and its action is let out once, as it was approved."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import transaction
from django.db.utils import IntegrityError

from approvals import requests
from approvals.deciding import decide
from approvals.models import Decision, Request
from approvals.requests import NotUsable
from orchestration import members
from orchestration.access import Actor
from orchestration.core.canonical import canonical
from orchestration.core.errors import InvalidValue
from orchestration.models import AuditEvent, Role
from runs.models import Run
from tests.support.approvals import ARGUMENTS, NOW, a_request, a_run, an_action, an_unknown_effect
from tests.support.cast import a_person, a_workspace, an_actor

pytestmark = pytest.mark.django_db


def approved(by: Actor | None = None, **asked: object) -> Request:
    request = a_request(**asked)
    by = by or an_actor("approver")
    decide(by, request.pk, "approve", digest=request.digest, via="page", signed_in_anew=True)
    request.refresh_from_db()
    return request


def use(request: Request, now=None) -> bytes:
    with transaction.atomic():
        return requests.use(request.pk, effect_key="k" * 64, now=now or NOW)


def test_the_action_is_kept_as_canonical_bytes() -> None:
    request = Request.objects.get(pk=a_request().pk)

    assert bytes(request.action) == canonical(an_action())


def test_the_digest_reads_back_as_it_was_computed() -> None:
    request = a_request(decide_by="2031-01-01T10:00:00.000123+02:00", use_by_seconds=90.5, form={"type": "object"})

    stored = Request.objects.get(pk=request.pk)

    assert requests.frozen_digest(stored, requests.definition_of(stored)) == request.digest


@pytest.mark.parametrize(
    "change",
    [
        {"question": "Pay 1 EUR back?"},
        {"context": "The customer is happy."},
        {"risk": "low"},
        {"require": [{"from": "viewer", "count": 1}]},
        {"form": {"type": "object"}},
        {"decide_by": NOW + timedelta(days=3)},
        {"use_within_seconds": 5},
        {"path": "other"},
        {"pass_number": 3},
        {"action": canonical(an_action({**ARGUMENTS, "amount_eur": 12.51}))},
        {"action": canonical({**an_action(), "host": "evil.example"})},
        {"excluded": []},
    ],
    ids=lambda change: next(iter(change)),
)
def test_whatever_is_changed_after_approval_is_not_let_out(change: dict) -> None:
    request = approved()
    Request.objects.filter(pk=request.pk).update(**change)

    with pytest.raises(NotUsable, match="no longer what was approved"):
        use(request)

    request.refresh_from_db()
    assert request.used_at is None


def test_a_run_moved_to_another_version_needs_a_new_approval() -> None:
    request = approved()
    Run.objects.filter(pk=request.run_id).update(version=a_run().version_id)

    with pytest.raises(NotUsable, match="no longer what was approved"):
        use(request)


def test_using_gives_the_frozen_bytes_and_says_so_in_the_log() -> None:
    request = approved()

    assert use(request) == canonical(an_action())
    assert AuditEvent.objects.get(verb="approval.used").details["effect_key"] == "k" * 64


def test_an_approval_is_used_once() -> None:
    request = approved()
    use(request)

    with pytest.raises(NotUsable, match="used already"):
        use(request)


def test_a_use_that_is_rolled_back_was_none() -> None:
    request = approved()
    with transaction.atomic():
        requests.use(request.pk, effect_key="k", now=NOW)
        transaction.set_rollback(True)

    assert use(request)


@pytest.mark.parametrize("state", ["open", "rejected", "expired", "voided"])
def test_only_an_approved_request_is_usable(state: str) -> None:
    request = a_request()
    closed_at = None if state == "open" else NOW
    Request.objects.filter(pk=request.pk).update(state=state, closed_at=closed_at)

    with pytest.raises(NotUsable, match=f"is {state}, not approved"):
        use(request)


def test_an_unknown_request_is_not_usable() -> None:
    with pytest.raises(NotUsable, match="no such approval"), transaction.atomic():
        requests.use("00000000-0000-7000-8000-000000000000", effect_key="k", now=NOW)


def test_an_approval_is_usable_until_its_time_and_not_after() -> None:
    request = approved(use_by_seconds=60)

    with pytest.raises(NotUsable, match="had to be used before"):
        use(request, now=request.use_by + timedelta(microseconds=1))
    assert use(request, now=request.use_by)


def test_an_approver_disabled_meanwhile_takes_the_approval_along() -> None:
    approver = an_actor("approver")
    request = approved(approver)
    approver.user.is_active = False
    approver.user.save()

    with pytest.raises(NotUsable, match="may no longer do so"):
        use(request)


def test_an_approver_who_lost_the_role_takes_the_approval_along() -> None:
    approver = an_actor("approver")
    request = approved(approver)
    members.remove(None, approver.user, Role.objects.get(workspace=approver.workspace, slug="approver"))

    with pytest.raises(NotUsable, match="may no longer do so"):
        use(request)


def test_the_initiator_is_excluded_and_for_high_risk_the_author_too() -> None:
    initiator, author = a_person("operator"), a_person("designer")
    run = a_run(initiator=initiator, author=author)

    assert a_request(run, risk="medium").excluded == [initiator.pk]
    assert a_request(run, path="other", risk="high").excluded == sorted([initiator.pk, author.pk])


@pytest.mark.parametrize(
    ("said", "kept"),
    [("low", "low"), ("read", "low"), ("write", "medium"), ("destructive", "high"), ("money", "high"), ("odd", "high")],
)
def test_a_risk_nobody_knows_counts_as_high(said: str, kept: str) -> None:
    assert a_request(risk=said).risk == kept


def test_a_question_that_is_cut_says_so() -> None:
    question = a_request(question="Really? " * 1000).question

    assert len(question) == 500
    assert question.endswith("… (cut here, 8,000 characters in all)")


def test_one_request_is_open_for_a_step_at_a_time() -> None:
    run = a_run()
    a_request(run)

    with pytest.raises(IntegrityError), transaction.atomic():
        a_request(run)


def test_an_action_that_json_cannot_hold_opens_nothing() -> None:
    with pytest.raises(InvalidValue):
        a_request(action=an_action({"n": float("nan")}))

    assert not Request.objects.exists()


def test_a_request_about_an_unknown_effect_keeps_its_key_and_excludes_nobody() -> None:
    request = an_unknown_effect()

    assert requests.effect_key_of(request) == "e" * 64
    assert json.loads(bytes(request.action))["arguments"] == ARGUMENTS
    assert request.excluded == []


def test_voiding_closes_the_open_requests_of_the_run_and_only_those() -> None:
    run = a_run()
    first, second, foreign = a_request(run), a_request(run, path="other"), a_request()

    with transaction.atomic():
        assert requests.void_for_run(run.pk, path="ask", reason="it went back", now=NOW) == 1
        assert requests.void_for_run(run.pk, reason="it ended", now=NOW) == 1
        assert requests.void_for_run(run.pk, reason="it ended", now=NOW) == 0

    states = {request.pk: request.state for request in Request.objects.all()}
    assert states == {first.pk: "voided", second.pk: "voided", foreign.pk: "open"}
    assert AuditEvent.objects.filter(verb="approval.voided").count() == 2


def test_voiding_leaves_what_was_decided() -> None:
    request = approved()

    with transaction.atomic():
        assert requests.void_for_run(request.run_id, reason="it ended", now=NOW) == 0


def test_a_self_approval_is_used_while_its_person_is_still_the_only_one() -> None:
    alone = an_actor("approver")
    request = a_request(a_run(initiator=alone.user), risk="low")
    decide(alone, request.pk, "approve", digest=request.digest, via="page")

    assert Decision.objects.get().self_approved
    assert use(request)


def test_a_self_approval_is_not_used_once_somebody_else_could_have_decided() -> None:
    alone = an_actor("approver")
    request = a_request(a_run(initiator=alone.user), risk="low")
    decide(alone, request.pk, "approve", digest=request.digest, via="page")
    a_person("approver", a_workspace())

    with pytest.raises(NotUsable, match="may no longer do so"):
        use(request)
