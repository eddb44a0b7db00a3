"""Requests that nobody decided in time."""

from __future__ import annotations

import pytest

from approvals import expiring
from approvals.models import Request
from orchestration.models import AuditEvent
from runs.models import Fact
from tests.support.approvals import a_request, an_unknown_effect, soon

pytestmark = pytest.mark.django_db


def test_a_request_past_its_time_expires_once_and_its_run_is_told() -> None:
    request = a_request(decide_by=soon(-1))

    assert expiring.run_once() == 1
    assert expiring.run_once() == 0

    request.refresh_from_db()
    assert request.state == "expired"
    assert Fact.objects.get().body["port"] == "expired"
    assert Fact.objects.get().actor is None
    assert AuditEvent.objects.get(verb="approval.expired").actor is None


def test_a_request_with_time_left_or_without_a_limit_stays_open() -> None:
    a_request(decide_by=soon(3600))
    a_request(decide_by=None)

    assert expiring.run_once() == 0


def test_a_request_about_an_unknown_effect_never_expires() -> None:
    assert an_unknown_effect().decide_by is None


def test_a_decided_request_does_not_expire() -> None:
    request = a_request(decide_by=soon(-1))
    Request.objects.filter(pk=request.pk).update(state="approved", closed_at=request.opened_at)

    assert expiring.run_once() == 0


def test_only_so_many_expire_at_a_time_the_oldest_first() -> None:
    late, later, latest = (a_request(decide_by=soon(-seconds)) for seconds in (1, 60, 3600))

    assert expiring.run_once(limit=2) == 2

    assert Request.objects.get(state="open").pk == late.pk
    assert {later.pk, latest.pk} == set(Request.objects.filter(state="expired").values_list("pk", flat=True))
