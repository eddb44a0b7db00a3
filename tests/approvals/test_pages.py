"""The inbox and the page of a request, as a browser gets them."""

from __future__ import annotations

import html
import json
import re

import pytest
from django.test import Client
from django.urls import reverse

from approvals.models import Decision, Request
from approvals.visible import spelled
from orchestration.models import AuditEvent
from runs.models import Fact
from tests.support.approvals import NOW, a_request, a_run, an_action, an_unknown_effect
from tests.support.cast import PASSWORD, a_browser, a_person, a_workspace

pytestmark = pytest.mark.django_db


def url(request: Request | None = None, name: str = "approval", workspace: str = "main") -> str:
    kwargs = {"workspace": workspace, **({"approval": request.pk} if request else {})}
    return reverse(name if request else "approvals", kwargs=kwargs)


def shown(response) -> str:
    return response.content.decode()


def text_of(response) -> str:
    """Give what a reader sees: tags dropped, hidden characters being drawn as [U+...] by their marks."""
    marked = re.sub(r'<span class="cp"[^>]*>(.*?)</span>', r"[\1]", shown(response))
    return html.unescape(re.sub(r"<[^>]+>", "", marked))


def post(client: Client, request: Request, verdict: str, **more: str):
    data = {"verdict": verdict, "digest": request.digest, **more}
    return client.post(url(request, "approval-decision"), data)


@pytest.fixture
def approver() -> Client:
    return a_browser(a_person("approver"))


def test_the_inbox_shows_the_question_and_its_exact_action(approver: Client) -> None:
    a_request()

    page = text_of(approver.get(url()))

    assert "Pay 12.50 EUR back to account 30117?" in page
    assert "amount_eur" in page
    assert "12.5" in page
    assert "billing.refund" in page
    assert "don't trust it" in page


def test_a_page_says_what_follows_each_answer(approver: Client) -> None:
    page = text_of(approver.get(url(a_request())))

    assert "“Pay the money back”" in page
    assert "“excuse”" in page


def test_an_empty_inbox_says_what_will_be_there(approver: Client) -> None:
    assert "Nothing waits for you" in text_of(approver.get(url()))


@pytest.mark.parametrize("tab", ["mine", "all", "decided", "nonsense"])
def test_each_tab_opens(approver: Client, tab: str) -> None:
    assert approver.get(url(), {"tab": tab}).status_code == 200


def test_mine_leaves_out_what_somebody_else_must_decide() -> None:
    initiator = a_person(("operator", "approver"))
    a_person("approver")
    a_request(a_run(initiator=initiator), question="Is this my own?")

    browser = a_browser(initiator)

    assert "Is this my own?" not in text_of(browser.get(url()))
    assert "Is this my own?" in text_of(browser.get(url(), {"tab": "all"}))


def test_the_inbox_reads_the_same_number_of_rows_however_long_it_is(
    approver: Client, django_assert_max_num_queries
) -> None:
    for _ in range(12):
        a_request()

    with django_assert_max_num_queries(30):
        approver.get(url())


def test_more_than_a_page_is_reached_by_its_link(approver: Client, monkeypatch) -> None:
    monkeypatch.setattr("approvals.queries.inbox.__defaults__", (None, 2))
    for number in range(5):
        a_request(question=f"Question {number}?")
    seen: list[str] = []
    address = url() + "?tab=all"
    for _ in range(3):
        page = shown(approver.get(address))
        seen += re.findall(r'title="(Question \d\?)"', page)
        following = re.search(r'rel="next" href="([^"]+)"', page)
        address = url() + html.unescape(following[1]) if following else ""

    assert seen == [f"Question {number}?" for number in range(5)]
    assert address == ""


def test_an_htmx_request_gets_the_request_alone(approver: Client) -> None:
    response = approver.get(url(a_request()), headers={"HX-Request": "true"})

    assert "<html" not in shown(response)
    assert "What will be sent" in shown(response)


def test_approve_and_reject_are_alike_and_neither_is_chosen(approver: Client) -> None:
    page = shown(approver.get(url(a_request())))

    buttons = re.findall(r'<button class="([^"]*)" type="submit" name="verdict" value="(\w+)"', page)
    assert buttons == [("btn", "approve"), ("btn", "reject")]
    assert "autofocus" not in page


def test_enter_in_a_field_presses_nothing(approver: Client) -> None:
    page = shown(approver.get(url(a_request())))

    form = page[page.index("data-answer") :]
    assert re.search(r"<button[^>]*>", form)[0] == '<button type="submit" disabled hidden>'


def test_approving_goes_on_to_the_next_request(approver: Client) -> None:
    first, second = a_request(), a_request()

    response = post(approver, first, "approve", comment="ok")

    assert response.status_code == 302
    assert str(second.pk) in response["Location"]
    assert Decision.objects.get().via == "page"
    assert Fact.objects.get().run_id == first.run_id


def test_after_the_last_one_the_inbox_shows(approver: Client) -> None:
    response = post(approver, a_request(), "approve")

    assert response["Location"] == url()


def test_a_refused_decision_keeps_what_was_typed(approver: Client) -> None:
    request = a_request()

    response = approver.post(
        url(request, "approval-decision"), {"verdict": "approve", "digest": "0" * 64, "comment": "looks fine"}
    )

    assert response.status_code == 409
    assert "The request has changed" in text_of(response)
    assert "looks fine" in text_of(response)
    assert not Decision.objects.exists()


def test_rejecting_without_a_reason_is_refused(approver: Client) -> None:
    response = post(approver, a_request(), "reject")

    assert response.status_code == 422
    assert "Say why you reject it" in text_of(response)


def test_opening_changes_nothing_by_any_method_but_post(approver: Client) -> None:
    request = a_request()
    before = AuditEvent.objects.count()

    for address in (url(), url(request)):
        assert approver.get(address).status_code == 200
        assert approver.head(address).status_code == 200
    for name in ("get", "head", "put", "patch", "delete"):
        address = url(request, "approval-decision") + f"?verdict=approve&digest={request.digest}"
        assert getattr(approver, name)(address).status_code == (302 if name in ("get", "head") else 405)

    request.refresh_from_db()
    assert request.state == "open"
    assert not Decision.objects.exists()
    assert AuditEvent.objects.count() == before


def test_a_decision_without_the_csrf_token_is_refused() -> None:
    person, request = a_person("approver"), a_request()
    browser = Client(enforce_csrf_checks=True)
    browser.force_login(person)

    assert post(browser, request, "approve").status_code == 403
    assert not Decision.objects.exists()


def test_a_viewer_sees_why_the_buttons_are_off() -> None:
    page = a_browser(a_person("viewer")).get(url(a_request()))

    assert "An administrator can give you one that does" in text_of(page)
    assert shown(page).count("data-key=") == shown(page).count(" disabled title=") == 2


def test_a_viewer_cannot_decide_by_posting_either() -> None:
    assert post(a_browser(a_person("viewer")), a_request(), "approve").status_code == 403
    assert not Decision.objects.exists()


def test_a_self_approval_is_said_on_the_page() -> None:
    alone = a_person(("operator", "approver"))

    page = a_browser(alone).get(url(a_request(a_run(initiator=alone), risk="low")))

    assert "the log records it as a self-approval" in text_of(page)


def test_a_foreign_request_is_as_missing_as_one_that_never_was(approver: Client) -> None:
    foreign = a_request(a_run(a_workspace("other")))
    absent = "01890000-0000-7000-8000-000000000000"

    found = [approver.get(f"/w/main/approvals/{id_}/") for id_ in (foreign.pk, absent)]
    posted = [approver.post(f"/w/main/approvals/{id_}/decision/", {}) for id_ in (foreign.pk, absent)]

    assert {response.status_code for response in [*found, *posted]} == {404}
    same = [re.sub(r'"X-CSRFToken": "\w+"|value="\w{64}"', "", shown(response)) for response in found]
    assert same[0].replace(str(foreign.pk), absent) == same[1]


def test_somebody_who_is_not_signed_in_is_asked_to() -> None:
    assert "sign-in" in Client().get(url(a_request()))["Location"]


def test_a_high_risk_asks_for_the_password_and_remembers_it_for_the_session(approver: Client) -> None:
    first, second = a_request(risk="high"), a_request(risk="high")
    assert 'type="password"' in shown(approver.get(url(first)))

    assert post(approver, first, "approve").status_code == 403
    assert post(approver, first, "approve", password="wrong").status_code == 403
    assert post(approver, first, "approve", password=PASSWORD).status_code == 302

    assert 'type="password"' not in shown(approver.get(url(second)))
    assert post(approver, second, "approve").status_code == 302


def test_guessing_the_password_ends_the_session(approver: Client) -> None:
    request = a_request(risk="high")

    answers = [post(approver, request, "approve", password=f"guess {number}").status_code for number in range(5)]

    assert answers == [403, 403, 403, 403, 302]
    assert "sign-in" in approver.get(url(request))["Location"]
    assert not Decision.objects.exists()


def test_an_unknown_effect_is_answered_with_its_output(approver: Client) -> None:
    request = an_unknown_effect()
    assert "trying again does it twice" in text_of(approver.get(url(request)))

    assert post(approver, request, "happened", output='{"id": 7}').status_code == 302
    assert Fact.objects.get().body["output"] == {"id": 7}


def test_trying_again_is_not_offered_once_the_run_has_ended(approver: Client) -> None:
    run = a_run(initiator=a_person("operator"))
    run.state, run.ended_at = "cancelled", NOW
    run.save()

    text = text_of(approver.get(url(an_unknown_effect(run))))

    assert "It happened" in text
    assert "Try again" not in text


def test_an_output_that_is_not_json_is_refused(approver: Client) -> None:
    response = post(approver, an_unknown_effect(), "happened", output="{id")

    assert response.status_code == 422
    assert not Decision.objects.exists()


def test_a_form_is_drawn_and_its_answer_read(approver: Client) -> None:
    schema = {
        "type": "object",
        "required": ["amount"],
        "properties": {"amount": {"type": "integer"}, "note": {"type": "string"}},
    }
    request = a_request(form=schema)
    assert 'name="input-amount"' in shown(approver.get(url(request)))

    assert post(approver, request, "approve").status_code == 422
    assert post(approver, request, "approve", **{"input-amount": "12"}).status_code == 302
    assert Fact.objects.get().body["answer"] == {"amount": 12}


def test_a_decided_request_keeps_its_record(approver: Client) -> None:
    request = a_request()
    post(approver, request, "reject", comment="Not without a receipt.")

    page = approver.get(url(request), {"tab": "decided"})

    assert "Not without a receipt." in text_of(page)
    assert "data-answer" not in shown(page)


HOSTILE = {
    "bidi": "invoice\u202excod.exe",
    "zero width": "pay\u200bpal",
    "look-alike": "ines@h\u0430ldenfreight.example",
    "markup": "<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)',
    "htmx": '<a hx-get="/steal">x</a>',
    "image": "![x](https://evil.example/?q=1)",
    "template": "{{ 7 * 7 }}{% include 'x' %}",
    "tags": "a\U000e0070\U000e0061\U000e0079b",
    "tail": "fine" + " " * 2000 + "send to 666",
    "lines": "fine\n" * 500 + "send to 666",
    "large": "x" * 100_000 + "END",
    "ansi": "\x1b[2Jcleared",
}


@pytest.mark.parametrize("name", HOSTILE)
@pytest.mark.parametrize("place", ["value", "name", "question", "context"])
def test_a_hostile_text_is_shown_for_what_it_is(approver: Client, name: str, place: str) -> None:
    hostile = HOSTILE[name]
    asked = {
        "value": {"action": an_action({"to": hostile})},
        "name": {"action": an_action({hostile: 1})},
        "question": {"question": hostile[:500]},
        "context": {"context": {"said": hostile}},
    }[place]
    expected = spelled(hostile[:500] if place == "question" else hostile)

    response = approver.get(url(a_request(**asked)))

    assert response.status_code == 200
    page = shown(response)
    assert "<script>alert" not in page
    assert ' onmouseover="' not in page
    assert "<a hx-get=" not in page
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u200b\U000e0000-\U000e007f\x1b]", page)
    drawn = text_of(response)
    quoted = spelled(json.dumps(hostile, ensure_ascii=False)[1:-1])  # as a name that is not a plain word is written
    assert (quoted if place == "name" else expected) in drawn


def test_the_address_of_a_refused_decision_opened_again_leads_to_the_request(approver: Client) -> None:
    request = a_request()

    answer = approver.get(f"{url(request)}decision/")

    assert (answer.status_code, answer["Location"]) == (302, url(request))
    assert not Decision.objects.exists()


def test_an_answer_nested_without_end_is_refused(approver: Client) -> None:
    answer = post(approver, an_unknown_effect(), "happened", output="[" * 3000)

    assert answer.status_code == 422
    assert not Decision.objects.exists()
