"""The pages of runs: what people see of a run, and who may see it."""

from __future__ import annotations

import pytest
from django.urls import reverse

from approvals.models import Request
from orchestration.models import Workspace
from runs.models import Fact, Run
from tests.support.cast import a_browser, a_person, a_workspace
from tests.support.runs import (
    HOSTILE,
    LONG,
    Story,
    a_failed_run,
    a_running_run,
    a_waiting_run,
    an_escalation,
    many_runs,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def workspace() -> Workspace:
    return a_workspace()


@pytest.fixture
def browser(workspace):
    return a_browser(a_person("operator", workspace))


def page_of(run: Run, query: str = "") -> str:
    return reverse("run", kwargs={"workspace": run.workspace.slug, "run": run.id}) + query


def seen(browser, url: str, **headers: str) -> str:
    answer = browser.get(url, headers=headers)
    assert answer.status_code == 200, answer.content[:500]
    return answer.content.decode()


def test_a_failed_run_says_its_cause_first(workspace, browser):
    run = a_failed_run(an_escalation(workspace))

    html = seen(browser, page_of(run))

    assert html.index('class="cause"') < html.index('class="wf"')
    assert "Issue credit failed after 3 attempts" in html
    assert "HTTP 503: connect error before headers (billing.create_credit)" in html


def test_a_waiting_run_says_who_may_decide_and_until_when(workspace, browser):
    run = a_waiting_run(an_escalation(workspace))

    html = seen(browser, page_of(run))

    assert "Approve credit: Send the credit?" in html
    assert "2 of <b>security</b>, and 1 of <b>owner</b>" in html
    assert "in 3 h" in html
    request = Request.objects.get(run_id=run.id)
    assert reverse("approval", kwargs={"workspace": workspace.slug, "approval": request.id}) in html


def test_the_waterfall_shows_the_reason_of_a_branch_and_the_steps_not_reached(workspace, browser):
    html = seen(browser, page_of(a_failed_run(an_escalation(workspace))))

    assert "steps.score.output.urgency &gt;= 0.8 -&gt; urgent" in html
    assert "no edge to it was taken" in html
    assert "not reached" in html


def test_each_attempt_and_each_rung_has_its_own_row(workspace, browser):
    html = seen(browser, page_of(a_failed_run(an_escalation(workspace))))

    for words in ("Attempt 1", "Attempt 2", "Attempt 3", "rung 1, invalid output", "rung 2, answered", "Guard"):
        assert words in html


def test_a_step_shows_its_rungs_its_guard_and_its_messages(workspace, browser):
    run = a_failed_run(an_escalation(workspace))

    html = seen(browser, page_of(run, "?step=tag_intent"))

    assert "stepped in on invalid_output" in html
    assert "`fast` is on this step&#x27;s ladder" in html
    assert "Answer with JSON only." in html
    assert "Simulated" in html


def test_a_tool_step_shows_arguments_result_and_whether_it_acted(workspace, browser):
    run = a_failed_run(an_escalation(workspace))

    html = seen(browser, page_of(run, "?step=credit&tab=calls"))

    assert "&quot;account&quot;: &quot;30117&quot;" in html
    assert "It did not act." in html


@pytest.mark.parametrize("tab", ["summary", "messages", "output", "settings", "raw", "nonsense"])
def test_every_tab_of_a_step_opens(workspace, browser, tab):
    assert "Tag intent" in seen(browser, page_of(a_failed_run(an_escalation(workspace)), f"?step=tag_intent&tab={tab}"))


@pytest.mark.parametrize("query", ["?step=nobody", "?step=note&pass=9", "?view=nonsense", "?pass=x", "?tab=effects"])
def test_a_wrong_look_still_shows_the_run(workspace, browser, query):
    assert "Support escalation" in seen(browser, page_of(a_failed_run(an_escalation(workspace)), query))


def test_the_graph_shows_the_edges_that_were_taken(workspace, browser):
    html = seen(browser, page_of(a_failed_run(an_escalation(workspace)), "?view=graph"))

    assert html.count('class="wire taken"') >= 5
    assert 'class="wire off"' in html


def test_the_events_are_told_in_words(workspace, browser):
    html = seen(browser, page_of(a_failed_run(an_escalation(workspace)), "?view=events"))

    assert "The run started" in html
    assert "Route succeeded by urgent" in html
    assert "Route by urgent → Fetch account" in html


def test_the_effects_tab_lists_what_the_run_changed_in_the_world(workspace, browser):
    html = seen(browser, page_of(a_failed_run(an_escalation(workspace)), "?tab=effects"))

    assert "What this run changed in the world" in html
    assert "billing.create_credit" in html
    assert "&quot;eur&quot;: 240" in html


def test_a_running_run_asks_again_and_an_ended_one_does_not(workspace, browser):
    workflow = an_escalation(workspace)

    assert 'hx-trigger="every 1s, refresh"' in seen(browser, page_of(a_running_run(workflow)))
    assert "hx-trigger" not in seen(browser, page_of(a_failed_run(workflow)))


def test_the_fragment_keeps_the_chosen_step_and_is_only_the_main_part(workspace, browser):
    run = a_running_run(an_escalation(workspace))

    html = seen(browser, page_of(run, "?step=credit&seen=1"), HX_Request="true")

    assert "<html" not in html
    assert "step=credit" in html.split("hx-trigger")[0]


def test_a_run_that_only_waits_answers_nothing_new(workspace, browser):
    run = a_waiting_run(an_escalation(workspace))
    first = seen(browser, page_of(run))
    poll = first.split('hx-get="')[1].split('"')[0].replace("&amp;", "&")

    answer = browser.get(poll, headers={"HX-Request": "true"})

    assert answer.status_code in (200, 204)  # 200 only where the minute has just changed
    assert browser.get(page_of(run, "?seen=other"), headers={"HX-Request": "true"}).status_code == 200


def test_hostile_text_stays_text(workspace, browser):
    run = a_waiting_run(an_escalation(workspace))

    for query in ("", "?step=score", "?view=events", "?step=score&tab=raw"):
        html = seen(browser, page_of(run, query))
        assert "<img src=x" not in html
    assert HOSTILE.split(">")[0].replace("<", "&lt;") in html


def test_cancelling_asks_the_engine_and_says_so(workspace, browser):
    run = a_running_run(an_escalation(workspace))
    url = reverse("cancel-run", kwargs={"workspace": workspace.slug, "run": run.id})

    answer = browser.post(url, {"reason": "wrong ticket"}, follow=True)

    assert "Cancelling was asked for." in answer.content.decode()
    assert Fact.objects.get(run=run).body["reason"] == "wrong ticket"


def test_cancelling_an_ended_run_is_a_conflict(workspace, browser):
    run = a_failed_run(an_escalation(workspace))

    answer = browser.post(reverse("cancel-run", kwargs={"workspace": workspace.slug, "run": run.id}))

    assert answer.status_code == 409
    assert not Fact.objects.filter(run=run).exists()


def test_those_who_may_not_operate_see_no_cancel_button_and_are_refused(workspace):
    run = a_running_run(an_escalation(workspace))
    browser = a_browser(a_person("viewer", workspace))

    assert "cancel-dialog" not in seen(browser, page_of(run))
    url = reverse("cancel-run", kwargs={"workspace": workspace.slug, "run": run.id})
    assert browser.post(url).status_code == 403


def test_a_run_of_another_workspace_is_missing(workspace, browser):
    other = a_workspace("other")
    run = a_failed_run(an_escalation(other))

    assert browser.get(page_of(run)).status_code == 404
    mine = reverse("run", kwargs={"workspace": workspace.slug, "run": run.id})
    assert browser.get(mine).status_code == 404


def test_the_list_finds_runs_by_id_number_and_key(workspace, browser):
    workflow = an_escalation(workspace)
    wanted, other = a_failed_run(workflow), a_running_run(workflow)
    url = reverse("runs", kwargs={"workspace": workspace.slug})

    for q in (str(wanted.id), str(wanted.number), f"%23{wanted.number}", "TCK-88"):
        html = seen(browser, f"{url}?q={q}")
        assert str(wanted.id) in html
        assert str(other.id) not in html


def test_the_list_is_narrowed_by_state_and_workflow(workspace, browser):
    failed = a_failed_run(an_escalation(workspace))
    Story(an_escalation(workspace, "name: Other\nsteps: []\nedges: []", "other"))
    url = reverse("runs", kwargs={"workspace": workspace.slug})

    assert seen(browser, f"{url}?state=failed").count("<tr>") == 2
    html = seen(browser, f"{url}?workflow=support-escalation")
    assert str(failed.id) in html
    assert html.count("<tr>") == 2
    assert "No run matches" in seen(browser, f"{url}?state=paused")


def test_older_runs_are_reached_by_key_set(workspace, browser, django_assert_max_num_queries):
    many_runs(an_escalation(workspace), None, 120)
    url = reverse("runs", kwargs={"workspace": workspace.slug})
    ids: list[str] = []

    while url:
        with django_assert_max_num_queries(12):
            html = seen(browser, url)
        ids += [part.split('/"')[0] for part in html.split("/runs/")[1:] if len(part.split('/"')[0]) == 36]
        url = ""
        if 'rel="next"' in html:
            query = html.split('rel="next"')[0].rsplit('href="', 1)[1].split('"')[0].replace("&amp;", "&")
            url = reverse("runs", kwargs={"workspace": workspace.slug}) + query

    assert len(ids) == len(set(ids)) == 120


def test_a_run_page_takes_a_bounded_number_of_queries(workspace, browser, django_assert_max_num_queries):
    run = a_failed_run(an_escalation(workspace))

    with django_assert_max_num_queries(22):
        seen(browser, page_of(run, "?step=credit"))


def test_long_names_are_cut_on_the_page_and_kept_in_the_title(workspace, browser):
    workflow = an_escalation(workspace)
    workflow.name = LONG[:200]
    workflow.save()

    html = seen(browser, page_of(a_failed_run(workflow)))

    assert f'title="{LONG[:200]} #' in html
