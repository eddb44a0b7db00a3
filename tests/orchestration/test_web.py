"""Pages: who comes in, what surrounds them, what is said when something is wrong."""

from __future__ import annotations

import re

import pytest
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import Client, RequestFactory
from django.urls import path

from orchestration import urls, web
from orchestration.access import Right
from tests.support.cast import a_browser, a_person, a_workspace

pytestmark = pytest.mark.django_db


def undeclared(request) -> HttpResponse:
    return HttpResponse("in")


def without_csrf(page: HttpResponse) -> str:
    return re.sub(r'"X-CSRFToken": "\w+"', "", page.content.decode())


def broken(request) -> HttpResponse:
    raise RuntimeError("the secret plans")


@web.allowed(Right.VIEW)
def shown(request, **kwargs) -> HttpResponse:
    return HttpResponse(f"{request.actor.user} in {request.actor.workspace.slug} {kwargs}")


urlpatterns = [
    *urls.urlpatterns,
    path("w/<slug:workspace>/undeclared/", undeclared),
    path("w/<slug:workspace>/shown/<int:number>/", shown),
    path("broken/", broken),
]
handler403, handler404, handler500 = urls.handler403, urls.handler404, urls.handler500


@pytest.mark.urls("tests.orchestration.test_web")
class TestComingIn:
    def test_a_member_gets_the_page_with_their_actor(self) -> None:
        page = a_browser(a_person("viewer", username="ada")).get("/w/main/shown/7/")

        assert page.content.decode() == "ada in main {'number': 7}"

    def test_nobody_comes_in_without_signing_in(self) -> None:
        response = Client().get("/w/main/shown/7/?a=1")

        assert (response.status_code, response["Location"]) == (302, "/sign-in/?next=/w/main/shown/7/%3Fa%3D1")

    def test_a_fragment_takes_the_whole_window_to_the_sign_in(self) -> None:
        response = Client().get("/w/main/shown/7/", headers={"HX-Request": "true"})

        assert response["HX-Redirect"].startswith("/sign-in/")

    def test_a_strangers_workspace_is_as_missing_as_none(self) -> None:
        a_workspace("other")
        browser = a_browser(a_person("administrator"))

        of_stranger, of_nobody = browser.get("/w/other/shown/7/"), browser.get("/w/nothing/shown/7/")

        assert of_stranger.status_code == of_nobody.status_code == 404
        assert without_csrf(of_stranger) == without_csrf(of_nobody)

    def test_a_page_that_declares_no_right_is_open_to_nobody(self) -> None:
        assert a_browser(a_person("administrator")).get("/w/main/undeclared/").status_code == 403

    @pytest.mark.parametrize(
        "trick",
        ["/w/main/shown/7/healthz", "/healthz/../w/main/shown/7/", "/healthz;/w/main/shown/7/", "//w/main/shown/7/",
         "/HEALTHZ", "/healthz/", "/healthz.json", "/healthz%2e", "/w/main/shown/7/;/healthz", "/api/v1/../../broken/",
         "/api/v1/docs/", "/api/v1/openapi.json/", "/sign-in/../broken/", "/docs/problems/../../broken/"],
    )  # fmt: skip
    def test_no_spelling_of_a_path_opens_what_is_closed(self, trick: str) -> None:
        response = Client().get(trick)

        assert response.status_code in (301, 302, 400, 401, 404)
        assert b"in main" not in response.content

    def test_a_form_without_its_csrf_token_is_refused(self) -> None:
        browser = Client(enforce_csrf_checks=True)
        browser.force_login(a_person("viewer"))

        refused = browser.post("/w/main/tokens/", {"name": "x", "scopes": ["runs:read"], "days": 1})

        assert refused.status_code == 403
        assert b"out of date" in refused.content


@pytest.mark.urls("tests.orchestration.test_web")
class TestErrors:
    def test_an_error_of_ours_shows_the_id_it_is_logged_under(self, caplog) -> None:
        browser = a_browser(a_person("viewer"))
        browser.raise_request_exception = False

        page = browser.get("/broken/")

        assert page.status_code == 500
        assert b"secret plans" not in page.content
        assert page.context["error_id"] in caplog.text

    def test_a_missing_right_is_named_with_who_can_give_it(self) -> None:
        page = a_browser(a_person("viewer")).get("/w/main/audit/").content.decode()

        assert "Read the audit log" in page
        assert "administrator" in page


def test_every_page_has_the_strict_headers() -> None:
    response = a_browser(a_person("viewer")).get("/w/main/tokens/")

    policy = response["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert response["X-Frame-Options"] == "DENY"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert response["Referrer-Policy"] == "same-origin"
    assert "Access-Control-Allow-Origin" not in response


@pytest.mark.parametrize("path", ["/api/v1/me", "/w/main/tokens/"])
def test_another_site_gets_no_leave_to_read(path: str) -> None:
    response = a_browser(a_person("viewer")).options(path, headers={"Origin": "https://evil.example"})

    assert not [header for header in response.headers if header.startswith("Access-Control-")]


def test_a_person_without_a_workspace_is_told_so() -> None:
    page = a_browser(a_person("")).get("/")

    assert page.status_code == 403
    assert b"not a member of any workspace" in page.content


def test_a_toast_goes_along_with_the_answer() -> None:
    assert web.toast(HttpResponse(), "Saved.")["HX-Trigger"] == '{"toast": {"text": "Saved."}}'


def test_a_conflict_says_what_changed() -> None:
    request = RequestFactory().get("/")

    response = web.conflict(request, "Bo changed 2 steps.")

    assert response.status_code == 409
    assert b"Bo changed 2 steps." in response.content


def test_the_public_views_are_functions_and_few() -> None:
    assert len(web.views_named(web.PUBLIC_VIEWS)) == len(web.PUBLIC_VIEWS) == 5


def test_the_right_is_checked_however_the_view_is_called() -> None:
    request = RequestFactory().get("/")
    request.actor = web.Actor(user=a_person(""), workspace=a_workspace())  # type: ignore[attr-defined]

    with pytest.raises(PermissionDenied):
        shown(request)


def test_an_address_that_only_takes_forms_says_so_on_a_page() -> None:
    answer = a_browser(a_person("viewer")).get("/sign-out/")

    assert (answer.status_code, answer["Allow"]) == (405, "POST, OPTIONS")
    assert "only takes what a form sends" in answer.content.decode()
