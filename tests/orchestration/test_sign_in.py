"""Signing in and out."""

from __future__ import annotations

import pytest
from django.test import Client

from orchestration.models import AuditEvent
from tests.support.cast import PASSWORD, a_browser, a_person

pytestmark = pytest.mark.django_db


def sign_in(username: str, password: str = PASSWORD, follow_to: str = ""):
    client = Client()
    return client, client.post("/sign-in/", {"username": username, "password": password, "next": follow_to})


def test_the_password_opens_a_session_and_is_audited() -> None:
    a_person("viewer", username="ada")

    client, response = sign_in("ada", follow_to="/w/main/tokens/")

    assert (response.status_code, response["Location"]) == (302, "/w/main/tokens/")
    assert client.get("/w/main/tokens/").status_code == 200
    assert AuditEvent.objects.get(verb="person.signed_in").actor_name == "ada"


@pytest.mark.parametrize(
    "elsewhere", ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)"]
)
def test_nobody_is_sent_to_another_site(elsewhere: str) -> None:
    a_person("viewer", username="ada")

    _, response = sign_in("ada", follow_to=elsewhere)

    assert response["Location"] == "/"


def test_a_wrong_password_opens_nothing() -> None:
    a_person("viewer", username="ada")

    client, response = sign_in("ada", "wrong")

    assert response.status_code == 200
    assert response.context["form"].errors
    assert client.get("/w/main/tokens/").status_code == 302
    assert not AuditEvent.objects.filter(verb="person.signed_in").exists()


def test_a_service_account_never_signs_in() -> None:
    a_person("operator", username="robot", is_service=True)

    client, response = sign_in("robot")

    assert "service account" in response.content.decode()
    assert client.get("/w/main/tokens/").status_code == 302


def test_a_disabled_person_can_not_sign_in_and_loses_the_session() -> None:
    person = a_person("viewer", username="ada")
    browser = a_browser(person)
    person.is_active = False
    person.save()

    assert browser.get("/w/main/tokens/").status_code == 302
    assert sign_in("ada")[1].context["form"].errors


def test_signing_out_needs_a_form_and_ends_the_session() -> None:
    browser = a_browser(a_person("viewer"))

    assert browser.get("/sign-out/").status_code == 405
    assert browser.post("/sign-out/").status_code == 302
    assert browser.get("/w/main/tokens/").status_code == 302


def test_the_session_cookie_is_out_of_reach_of_scripts_and_other_sites() -> None:
    a_person("viewer", username="ada")

    client, _ = sign_in("ada")

    cookie = client.cookies["session"]
    assert cookie["httponly"]
    assert cookie["samesite"] == "Lax"
