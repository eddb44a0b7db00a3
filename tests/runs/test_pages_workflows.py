"""The pages of workflows and the form that starts a run."""

from __future__ import annotations

import json

import pytest
from django.urls import reverse

from orchestration.models import Workspace
from runs.models import Run
from tests.support.cast import a_browser, a_person, a_workspace
from tests.support.engine import a_workflow
from tests.support.runs import HOSTILE, a_failed_run, an_escalation, many_runs

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return a_workspace()


@pytest.fixture
def browser(workspace):
    return a_browser(a_person("operator", workspace))


def url(name: str, workspace: Workspace, **more: str) -> str:
    return reverse(name, kwargs={"workspace": workspace.slug, **more})


def test_the_list_shows_each_workflow_with_its_last_outcomes(workspace, browser, django_assert_max_num_queries):
    workflow = an_escalation(workspace)
    many_runs(workflow, None, 30)
    a_failed_run(workflow)

    with django_assert_max_num_queries(12):
        html = browser.get(url("workflows", workspace)).content.decode()

    assert "Support escalation" in html
    assert html.count("failed") >= 1
    assert ">31<" in html


@pytest.mark.parametrize(("role", "offered"), [("designer", True), ("operator", False)])
def test_those_who_may_edit_are_led_to_the_page_that_publishes(workspace, role, offered):
    html = a_browser(a_person(role, workspace)).get(url("workflows", workspace)).content.decode()

    assert (f'href="{url("push-workflow", workspace)}"' in html) is offered


def test_an_empty_list_says_what_will_be_there(workspace, browser):
    assert "No workflows yet" in browser.get(url("workflows", workspace)).content.decode()


def test_the_overview_gives_a_ready_call_with_the_real_address(workspace, browser, settings):
    settings.BATON_URL = "https://baton.example"
    an_escalation(workspace)

    html = browser.get(url("workflow", workspace, workflow="support-escalation")).content.decode()

    assert "https://baton.example/api/v1/workflows/support-escalation/runs" in html
    assert "Bearer $BATON_TOKEN" in html
    assert "&quot;ticket_id&quot;: &quot;&lt;ticket_id&gt;&quot;" in html


def test_a_run_is_started_by_the_form_and_absent_fields_stay_absent(workspace, browser):
    an_escalation(workspace)
    form = {"input-ticket_id": "TCK-1", "input-body": HOSTILE, "input-seats": "3", "input-vip": "false",
            "input-tags": "one\n\n two "}  # fmt: skip

    answer = browser.post(url("start-run", workspace, workflow="support-escalation"), form)

    run = Run.objects.get()
    assert answer.url == url("run", workspace, run=str(run.id))
    assert run.trigger == "form"
    assert run.input == {"ticket_id": "TCK-1", "body": HOSTILE, "seats": 3, "vip": False, "tags": ["one", "two"]}


def test_a_wrong_field_is_refused_at_the_field_and_nothing_starts(workspace, browser):
    an_escalation(workspace)
    form = {"input-ticket_id": "TCK-1", "input-body": "hello", "input-seats": "501"}

    answer = browser.post(url("start-run", workspace, workflow="support-escalation"), form)

    html = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="id_input-seats_error"' in html
    assert 'value="501"' in html
    assert not Run.objects.exists()


def test_every_mistake_that_only_the_schema_sees_is_shown_at_its_field(workspace, browser):
    digits = "{type: string, pattern: '^[0-9]+$'}"
    text = f"input: {{type: object, properties: {{account: {digits}, order: {digits}}}}}\nsteps: []"
    workflow = a_workflow(workspace, text)

    answer = browser.post(
        url("start-run", workspace, workflow=workflow.slug), {"input-account": "a", "input-order": "b"}
    )

    html = answer.content.decode()
    assert answer.status_code == 422
    assert 'id="id_input-account_error"' in html
    assert 'id="id_input-order_error"' in html


@pytest.mark.parametrize("name", ["workflows", "runs", "push-workflow", "tools", "models", "tokens", "audit"])
def test_a_page_answers_head_as_it_answers_get(workspace, name):
    administrator = a_browser(a_person("administrator", workspace))

    answer = administrator.head(url(name, workspace))

    assert (answer.status_code, answer.content) == (200, b"")


def test_a_workflow_that_is_switched_off_offers_no_start_and_refuses_one(workspace, browser):
    workflow = an_escalation(workspace)
    workflow.enabled = False
    workflow.save()

    html = browser.get(url("workflow", workspace, workflow=workflow.slug)).content.decode()
    assert "Start a run" not in html
    start = url("start-run", workspace, workflow=workflow.slug)
    assert "switched off" in browser.get(start).content.decode()
    assert "switched off" in browser.post(start, {}).content.decode()
    assert not Run.objects.exists()


def test_those_who_may_not_start_are_offered_no_start(workspace):
    an_escalation(workspace)
    browser = a_browser(a_person("viewer", workspace))

    assert "Start" not in browser.get(url("workflows", workspace)).content.decode().split("<main")[1].split("<thead")[0]
    assert browser.get(url("start-run", workspace, workflow="support-escalation")).status_code == 403


def test_a_workflow_of_another_workspace_is_missing(workspace, browser):
    an_escalation(a_workspace("other"))

    assert browser.get(url("workflow", workspace, workflow="support-escalation")).status_code == 404


def test_a_run_is_also_given_as_json(workspace, browser):
    run = a_failed_run(an_escalation(workspace))

    body = json.loads(browser.get(url("run-json", workspace, run=str(run.id))).content)

    assert (body["id"], body["state"], body["workflow"]) == (str(run.id), "failed", "support-escalation")
