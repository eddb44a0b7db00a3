"""Runs over REST: what is refused, and how."""

from __future__ import annotations

import json

import pytest
from django.test import Client

from runs import api
from runs.models import Fact, Run
from tests.support.cast import a_person, a_token, a_workspace, an_api_client
from tests.support.engine import a_run, a_workflow

pytestmark = pytest.mark.django_db
TICKET = """
input:
  type: object
  required: [ticket_id, body]
  additionalProperties: false
  properties:
    ticket_id: {type: string}
    body: {type: string, minLength: 1}
    seats: {type: integer, minimum: 1}
steps: [{id: done, kind: end}]
edges: [{from: start, to: done}]
"""


@pytest.fixture
def client() -> Client:
    return an_api_client(a_token(a_person("operator"), scopes=("runs:read", "runs:start", "runs:operate")))


def start(client: Client, body: object, query: str = "") -> tuple[int, dict]:
    a_workflow(a_workspace(), TICKET, slug="ticket")
    data = body if isinstance(body, str) else json.dumps(body)
    answer = client.post(f"/api/v1/workflows/ticket/runs{query}", data, content_type="application/json")
    return answer.status_code, answer.json()


def test_every_mistake_of_an_input_is_listed_at_its_place(client: Client) -> None:
    status, problem = start(client, {"input": {"ticket_id": 1, "seats": 0, "evil": 1}})

    assert status == 422
    assert {(found["field"], found["message"]) for found in problem["problems"]} == {
        ("input.ticket_id", "must be text"),
        ("input.seats", "must be at least 1"),
        ("input", "needs body"),
        ("input", "does not know 'evil'"),
    }
    assert not Run.objects.exists()


def test_a_start_without_a_body_is_told_so(client: Client) -> None:
    status, problem = start(client, "")

    assert status == 422
    assert [found["message"] for found in problem["problems"]] == ["The request has no body."]


@pytest.mark.parametrize("wait", ["٣s", "3", "s", "1.5s", "-1s"])
def test_a_wait_that_is_no_time_is_refused(client: Client, wait: str) -> None:
    status, problem = start(client, {"input": {"ticket_id": "T", "body": "b"}}, f"?wait={wait}")

    assert status == 422
    assert problem["problems"][0]["field"] == "wait"
    assert not Run.objects.exists()


@pytest.mark.parametrize("data", ["", "{}", '{"reason": ""}'])
def test_a_run_is_cancelled_without_a_reason_too(client: Client, data: str) -> None:
    run = a_run(a_person("operator"), a_workflow(a_workspace(), TICKET), {"ticket_id": "T", "body": "b"})

    answer = client.post(f"/api/v1/runs/{run.id}/cancellation", data, content_type="application/json")

    assert answer.status_code == 202, answer.content
    assert Fact.objects.filter(run=run, kind="cancel_asked").exists()


def test_a_cancellation_without_body_and_content_type_is_taken(client: Client) -> None:
    run = a_run(a_person("operator"), a_workflow(a_workspace(), TICKET), {"ticket_id": "T", "body": "b"})

    assert client.generic("POST", f"/api/v1/runs/{run.id}/cancellation", "").status_code == 202


def test_a_business_key_that_is_too_long_is_refused_not_cut(client: Client) -> None:
    a_workflow(a_workspace(), f"key: input.body\n{TICKET.strip()}", slug="keyed")
    body = {"input": {"ticket_id": "T", "body": "x" * 201}}

    answer = client.post("/api/v1/workflows/keyed/runs", json.dumps(body), content_type="application/json")

    assert answer.status_code == 422
    assert "business key of 201 characters" in answer.json()["problems"][0]["message"]
    assert not Run.objects.exists()


@pytest.mark.parametrize("state", ["succeeded", "failed", "needs_approval", "paused"])
def test_a_wait_ends_with_the_run_or_when_it_needs_somebody(state: str) -> None:
    assert state in api.SETTLED


@pytest.mark.parametrize("state", ["queued", "running", "cancelling", "waiting"])
def test_a_wait_goes_on_while_the_run_goes_on_by_itself(state: str) -> None:
    assert state not in api.SETTLED
