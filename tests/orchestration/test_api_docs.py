"""The documentation of the API works offline, and only for people and programs that may come in."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.test import Client

from orchestration.api_docs import openapi
from orchestration.problems import COMMON
from tests.support.cast import a_browser, a_person, a_token, an_api_client

ROOT = Path(__file__).resolve().parents[2]
APPS = ("orchestration", "designer", "runs", "approvals")
SLUG = re.compile(r'(?:Problem\(\s*\d+,\s*|^    slug = )"([a-z-]+)"', re.MULTILINE)

pytestmark = pytest.mark.django_db


def test_every_operation_declares_its_problems_and_its_token() -> None:
    operations = [operation for path in openapi()["paths"].values() for operation in path.values()]

    assert operations
    for operation in operations:
        assert {"401", "403", "422", "default"} <= set(operation["responses"])
        assert operation["security"] == [{"BearerToken": []}]
    assert openapi()["openapi"].startswith("3.1")


def test_references_of_the_document_lead_somewhere() -> None:
    references = set(re.findall(r"#/components/schemas/(\w+)", str(openapi())))

    assert references <= set(openapi()["components"]["schemas"])


@pytest.mark.parametrize("path", ["/api/v1/docs", "/api/v1/openapi.json"])
def test_a_session_or_a_token_opens_it(path: str) -> None:
    assert a_browser(a_person("viewer")).get(path).status_code == 200
    assert an_api_client(a_token(a_person("viewer"))).get(path).status_code == 200


@pytest.mark.parametrize("path", ["/api/v1/docs", "/api/v1/openapi.json"])
def test_a_stranger_is_sent_to_sign_in(path: str) -> None:
    response = an_api_client("bat_x").get(path)

    assert (response.status_code, response["Location"]) == (302, f"/sign-in/?next={path}")


def test_the_page_needs_no_script_and_nothing_from_elsewhere() -> None:
    page = a_browser(a_person("viewer")).get("/api/v1/docs").content.decode()

    assert "/api/v1/me" in page
    assert not re.findall(r'(?:src|href)="(?:https?:)?//', page)
    assert not re.findall(r"<script(?![^>]* src=)|<style| style=| on\w+=", page)


def test_every_kind_of_problem_has_its_place_on_the_page_its_type_names() -> None:
    sources = [file.read_text() for app in APPS for file in (ROOT / app).rglob("*.py")]
    used = {slug for source in sources for slug in SLUG.findall(source)} | set(COMMON)

    page = Client().get("/docs/problems")

    assert "run-ended" in used

    assert page.status_code == 200
    for slug in used:
        assert f'id="{slug}"' in page.content.decode()
