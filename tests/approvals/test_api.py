"""Approvals over REST."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from approvals.models import Decision, Request
from runs.models import Fact
from tests.support.approvals import a_request, a_run, an_action, an_unknown_effect
from tests.support.cast import a_person, a_token, a_workspace, an_api_client

pytestmark = pytest.mark.django_db
BOTH = ("approvals:read", "approvals:decide")


def a_client(role: str = "approver", scopes: tuple[str, ...] = BOTH) -> Client:
    return an_api_client(a_token(a_person(role), scopes=scopes))


@pytest.fixture
def client() -> Client:
    return a_client()


def decide(client: Client, request: Request, **body: object):
    whole = {"verdict": "approve", "digest": request.digest, **body}
    address = f"/api/v1/approvals/{request.pk}/decision"
    return client.post(address, json.dumps(whole), content_type="application/json")


def read(client: Client, request: Request) -> dict:
    return client.get(f"/api/v1/approvals/{request.pk}").json()


def test_a_request_is_read_with_its_exact_action(client: Client) -> None:
    request = a_request()

    body = read(client, request)

    assert body["action"] == an_action()
    assert body["digest"] == request.digest
    assert body["state"] == "open"
    assert [decider["roles"] for decider in body["deciders"]] == [["approver"]]
    assert body["page_url"].endswith(f"/w/main/approvals/{request.pk}/")
    assert str(request.run_id) in body["run_url"]


def test_approving_answers_with_the_closed_request(client: Client) -> None:
    response = decide(client, a_request(), comment="ok")

    assert response.status_code == 200
    assert response.json()["state"] == "approved"
    assert response.json()["decisions"][0]["verdict"] == "approve"
    assert response.json()["decisions"][0]["via"] == "api"
    assert Fact.objects.get().body["port"] == "approved"


def test_the_list_pages_through_open_requests_oldest_first(client: Client) -> None:
    made = [str(a_request().pk) for _ in range(5)]
    seen, cursor = [], None
    for _ in range(3):
        query = {"state": "open", "limit": 2, **({"cursor": cursor} if cursor else {})}
        page = client.get("/api/v1/approvals", query).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next"]

    assert seen == made
    assert cursor is None


def test_the_list_of_all_is_newest_first(client: Client) -> None:
    first, second = a_request(), a_request()
    decide(client, first)

    listed = [item["id"] for item in client.get("/api/v1/approvals").json()["items"]]

    assert listed == [str(second.pk), str(first.pk)]


@pytest.mark.parametrize(("state", "count"), [("open", 1), ("decided", 1), ("approved", 1), ("rejected", 0)])
def test_the_list_is_filtered_by_state(client: Client, state: str, count: int) -> None:
    decide(client, a_request())
    a_request()

    assert len(client.get("/api/v1/approvals", {"state": state}).json()["items"]) == count


def test_a_state_that_does_not_exist_is_refused(client: Client) -> None:
    assert client.get("/api/v1/approvals", {"state": "perhaps"}).status_code == 422


def test_the_list_shows_nothing_of_another_workspace(client: Client) -> None:
    a_request(a_run(a_workspace("other")))

    assert client.get("/api/v1/approvals").json() == {"items": [], "next": None}


def test_a_foreign_request_answers_as_one_that_never_was(client: Client) -> None:
    foreign = a_request(a_run(a_workspace("other")))
    absent = Request(pk="01890000-0000-7000-8000-000000000000", digest=foreign.digest)

    for request in (foreign, absent):
        assert client.get(f"/api/v1/approvals/{request.pk}").status_code == 404
        assert decide(client, request).status_code == 404
    assert read(client, foreign) == read(client, absent)
    assert decide(client, foreign).json() == decide(client, absent).json()


@pytest.mark.parametrize(
    ("body", "status", "slug"),
    [
        ({"digest": "0" * 64}, 409, "request-changed"),
        ({"verdict": "reject"}, 422, "invalid-decision"),
        ({"verdict": "perhaps"}, 422, "invalid-decision"),
        ({"answer": {"x": 1}}, 422, "invalid-decision"),
        ({"surprise": 1}, 422, "invalid-request"),
        ({"comment": None}, 422, "invalid-request"),
    ],
)
def test_a_bad_decision_is_a_problem_and_changes_nothing(client: Client, body: dict, status: int, slug: str) -> None:
    response = decide(client, a_request(), **body)

    assert response.status_code == status
    assert response["Content-Type"] == "application/problem+json"
    assert response.json()["type"].endswith(f"#{slug}")
    assert not Decision.objects.exists()


def test_the_same_decision_sent_again_answers_as_the_first_time(client: Client) -> None:
    request = a_request()
    first = decide(client, request, comment="ok")

    again = decide(client, request, comment="ok")

    assert (again.status_code, again.json()) == (200, first.json())
    assert Decision.objects.count() == Fact.objects.count() == 1


def test_the_same_vote_of_a_quorum_sent_again_counts_once(client: Client) -> None:
    request = a_request(require=[{"from": "approver", "count": 2}])
    decide(client, request)

    again = decide(client, request)

    assert (again.status_code, again.json()["state"]) == (200, "open")
    assert Decision.objects.count() == 1


@pytest.mark.parametrize("other", [{"verdict": "reject", "comment": "no"}, {"comment": "another"}])
def test_another_decision_on_a_closed_request_is_a_conflict_that_names_who_decided(client: Client, other: dict) -> None:
    request = a_request()
    decide(client, request)

    refused = decide(client, request, **other)

    assert refused.json()["type"].endswith("#request-closed")
    assert f"approved by {Decision.objects.get().by.get_username()}" in refused.json()["detail"]


def test_the_decision_of_somebody_else_is_not_taken_for_ones_own(client: Client) -> None:
    request = a_request()
    decide(client, request)

    assert decide(a_client(), request).status_code == 409


@pytest.mark.parametrize(
    "query",
    ["limit=0", "limit=-1", "limit=201", f"limit={10**24}", "cursor=zzz", "state=open&cursor=zzz",
     "state=open&cursor=2026-11-02_01890000-0000-7000-8000-000000000000"],
)  # fmt: skip
def test_a_wrong_page_is_refused_and_named(client: Client, query: str) -> None:
    answer = client.get(f"/api/v1/approvals?{query}")

    assert answer.status_code == 422
    assert answer.json()["problems"][0]["field"] == query.rsplit("&", 1)[-1].split("=")[0]


def test_named_values_of_the_context_are_an_object_and_a_text_is_a_text(client: Client) -> None:
    named, text = a_request(context={"customer": "acme", "lines": [1]}), a_request(context="Just so.")

    assert read(client, named)["context"] == {"customer": "acme", "lines": [1]}
    assert read(client, text)["context"] == "Just so."


def test_an_id_that_is_none_is_not_found(client: Client) -> None:
    assert client.get("/api/v1/approvals/zz").status_code == 404


def test_a_high_risk_is_sent_to_its_page(client: Client) -> None:
    request = a_request(risk="high")

    response = decide(client, request)

    assert response.status_code == 403
    assert response.json()["page_url"] == read(client, request)["page_url"]
    assert response.json()["page_url"] in response.json()["detail"]


@pytest.mark.parametrize(
    ("role", "scopes", "status"),
    [
        ("approver", ("approvals:read",), 403),
        ("viewer", ("approvals:read",), 403),
        ("administrator", BOTH, 403),  # holds the right, not the role that is asked
        ("approver", ("approvals:decide",), 200),
    ],
)
def test_a_decision_needs_the_role_and_the_scope(role: str, scopes: tuple[str, ...], status: int) -> None:
    assert decide(a_client(role, scopes), a_request()).status_code == status


def test_reading_needs_the_scope_for_approvals() -> None:
    assert a_client(scopes=("runs:read", "approvals:decide")).get("/api/v1/approvals").status_code == 403


def test_without_a_token_nothing_is_read_or_decided() -> None:
    request = a_request()

    assert Client().get(f"/api/v1/approvals/{request.pk}").status_code == 401
    assert decide(Client(), request).status_code == 401


def test_reading_decides_nothing(client: Client) -> None:
    request = a_request()

    for method in (client.get, client.head):
        method(f"/api/v1/approvals/{request.pk}/decision?verdict=approve&digest={request.digest}")

    request.refresh_from_db()
    assert request.state == "open"


def test_an_unknown_effect_is_answered_over_rest(client: Client) -> None:
    request = an_unknown_effect()

    assert read(client, request)["action"]["effect_key"] == "e" * 64
    assert decide(client, request, verdict="happened", answer={"id": 7}).status_code == 200
    assert Fact.objects.get().body["output"] == {"id": 7}
