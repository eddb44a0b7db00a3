"""The pages of tokens and of the audit log."""

from __future__ import annotations

import pytest

from orchestration import audit, tokens
from orchestration.models import AuditEvent, Token
from tests.support.cast import a_browser, a_person, a_token, a_workspace

pytestmark = pytest.mark.django_db
FORM = {"name": "ci", "scopes": ["runs:read"], "days": "30"}


def made_on_page(browser, **changes):
    return browser.post("/w/main/tokens/", FORM | changes)


class TestTokens:
    def test_the_form_starts_with_the_least_scope_and_thirty_days(self) -> None:
        form = a_browser(a_person("operator")).get("/w/main/tokens/").context["form"]

        assert form["scopes"].initial == ["runs:read", "runs:start"]
        assert form["days"].initial == 30
        assert "admin" not in dict(form.fields["scopes"].choices)

    def test_the_secret_is_shown_once_with_a_ready_curl(self) -> None:
        browser = a_browser(a_person("operator"))

        page = made_on_page(browser)

        secret = page.context["secret"]
        assert tokens.authenticate(secret) is not None
        assert f"Authorization: Bearer {secret}".encode() in page.content
        assert "no-store" in page["Cache-Control"]
        assert secret.encode() not in browser.get("/w/main/tokens/").content

    @pytest.mark.parametrize(
        "wrong", [{"name": ""}, {"scopes": []}, {"scopes": ["admin"]}, {"days": "0"}, {"days": "999"}, {"days": "x"}]
    )
    def test_a_wrong_form_makes_nothing_and_says_what_to_change(self, wrong: dict) -> None:
        page = made_on_page(a_browser(a_person("operator")), **wrong)

        assert page.status_code == 422
        assert page.context["form"].errors
        assert not Token.objects.exists()

    def test_people_revoke_their_own(self) -> None:
        person = a_person("viewer")
        secret = a_token(person)

        response = a_browser(person).post(f"/w/main/tokens/{Token.objects.get().pk}/revocation/")

        assert response.status_code == 302
        assert tokens.authenticate(secret) is None

    def test_others_tokens_are_neither_shown_nor_revoked(self) -> None:
        secret = a_token(a_person("operator"))
        browser = a_browser(a_person("operator"))

        assert Token.objects.get().prefix.encode() not in browser.get("/w/main/tokens/").content
        assert browser.post(f"/w/main/tokens/{Token.objects.get().pk}/revocation/").status_code == 403
        assert tokens.authenticate(secret) is not None

    def test_a_token_of_another_workspace_is_missing(self) -> None:
        a_token(workspace=a_workspace("other"))

        browser = a_browser(a_person("administrator"))

        assert browser.post(f"/w/main/tokens/{Token.objects.get().pk}/revocation/").status_code == 404

    def test_reading_never_revokes(self) -> None:
        person = a_person("viewer")
        a_token(person)

        assert a_browser(person).get(f"/w/main/tokens/{Token.objects.get().pk}/revocation/").status_code == 405


class TestAudit:
    def test_acts_are_sentences_with_their_seal(self) -> None:
        browser = a_browser(a_person("administrator", username="ada"))
        a_person("viewer", username="bo")
        audit.seal()

        page = browser.get("/w/main/audit/").content.decode()

        assert "gave bo the role viewer" in page
        assert "being sealed" not in page

    def test_names_are_text_and_never_markup(self) -> None:
        a_person("viewer", username="<b>bo</b>")

        page = a_browser(a_person("administrator")).get("/w/main/audit/").content.decode()

        assert "<b>bo</b>" not in page
        assert "&lt;b&gt;bo&lt;/b&gt;" in page

    def test_older_acts_are_on_the_next_page(self, monkeypatch) -> None:
        monkeypatch.setattr("orchestration.pages.AUDIT_PAGE", 2)
        browser = a_browser(a_person("administrator"))
        a_person("viewer"), a_person("viewer")

        first = browser.get("/w/main/audit/?verb=")
        shown = [event.pk for event, _, _ in first.context["events"]]
        second = browser.get("/w/main/audit/" + first.context["older"])

        assert len(shown) == len(second.context["events"]) == 2
        assert all(event.pk < shown[-1] for event, _, _ in second.context["events"])

    def test_filters_narrow_and_stay_in_the_address(self, monkeypatch) -> None:
        monkeypatch.setattr("orchestration.pages.AUDIT_PAGE", 1)
        browser = a_browser(a_person("administrator"))
        a_person("viewer"), a_person("viewer")

        page = browser.get("/w/main/audit/?verb=member.added")

        assert {event.verb for event, _, _ in page.context["events"]} == {"member.added"}
        assert "verb=member.added" in page.context["older"]

    def test_a_wrong_place_to_read_from_is_refused(self) -> None:
        assert a_browser(a_person("administrator")).get("/w/main/audit/?before=x").status_code == 422

    def test_a_page_takes_a_bounded_number_of_queries(self, django_assert_max_num_queries) -> None:
        browser = a_browser(a_person("administrator"))
        for _ in range(30):
            a_person("viewer")

        with django_assert_max_num_queries(8):
            browser.get("/w/main/audit/")

    def test_only_some_may_read_it(self) -> None:
        assert a_browser(a_person("designer")).get("/w/main/audit/").status_code == 403
        assert AuditEvent.objects.exists()
