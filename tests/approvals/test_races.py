"""Many at once: one decision closes a request, one use takes an approval. Real connections, one each thread."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from approvals import expiring, requests
from approvals.deciding import decide
from approvals.models import Decision, Request
from approvals.refusals import Refusal
from approvals.requests import NotUsable
from orchestration.models import AuditEvent
from runs.models import Fact
from tests.support.approvals import NOW, a_request
from tests.support.cast import an_actor

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 8


def at_once(acts: list[Callable[[], object]]) -> list[object]:
    """Run each act in a thread with a connection of its own, all let go together; give results or refusals."""
    barrier = threading.Barrier(len(acts))

    def run(act: Callable[[], object]) -> object:
        try:
            barrier.wait()
            return act()
        except (Refusal, NotUsable) as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def test_of_many_contrary_decisions_at_once_one_counts() -> None:
    request = a_request()
    people = [an_actor("approver") for _ in range(THREADS)]

    def say(number: int) -> Callable[[], object]:
        verdict = ("approve", "reject")[number % 2]
        return lambda: decide(people[number], request.pk, verdict, digest=request.digest, comment="so", via="page")

    results = at_once([say(number) for number in range(THREADS)])

    assert sum(isinstance(result, Decision) for result in results) == 1
    assert Decision.objects.count() == Fact.objects.count() == 1
    assert AuditEvent.objects.filter(verb__in=["approval.approved", "approval.rejected"]).count() == 1
    expected = {"approve": "approved", "reject": "rejected"}[Decision.objects.get().verdict]
    assert Request.objects.get().state == Fact.objects.get().body["port"] == expected


def test_a_double_click_counts_once() -> None:
    request, approver = a_request(require=[{"from": "approver", "count": 2}]), an_actor("approver")

    results = at_once([lambda: decide(approver, request.pk, "approve", digest=request.digest, via="page")] * 2)

    assert sum(isinstance(result, Decision) for result in results) == 1
    assert Request.objects.get().state == "open"


def test_the_last_two_votes_of_a_quorum_at_once_tell_the_run_once() -> None:
    request = a_request(require=[{"from": "approver", "count": 2}])
    first, second = an_actor("approver"), an_actor("approver")

    results = at_once(
        [
            lambda: decide(first, request.pk, "approve", digest=request.digest, via="page"),
            lambda: decide(second, request.pk, "approve", digest=request.digest, via="page"),
        ]
    )

    assert all(isinstance(result, Decision) for result in results)
    assert Request.objects.get().state == "approved"
    assert Fact.objects.count() == 1


def test_of_many_uses_at_once_one_gets_the_bytes() -> None:
    request, approver = a_request(), an_actor("approver")
    decide(approver, request.pk, "approve", digest=request.digest, via="page")

    def use() -> bytes:
        with transaction.atomic():
            return requests.use(request.pk, effect_key="k", now=NOW)

    results = at_once([use] * THREADS)

    assert sum(isinstance(result, bytes) for result in results) == 1
    assert AuditEvent.objects.filter(verb="approval.used").count() == 1


def test_expiring_and_deciding_at_once_end_in_one_way() -> None:
    request, approver = a_request(), an_actor("approver")
    # The digest covers the deadline, so it is moved past and the digest recomputed, as if it ran out just now.
    Request.objects.filter(pk=request.pk).update(decide_by=NOW)
    request.refresh_from_db()
    digest = requests.frozen_digest(request, requests.definition_of(request))
    Request.objects.filter(pk=request.pk).update(digest=digest)

    at_once(
        [
            lambda: decide(approver, request.pk, "approve", digest=digest, via="page"),
            expiring.run_once,
            expiring.run_once,
        ]
    )

    assert Request.objects.get().state == "expired"
    assert Fact.objects.count() == 1
