"""The platform's endpoints, and how the whole API refuses."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import OperationalError
from django.utils import timezone
from ninja.errors import HttpError, Throttled

from orchestration import api_errors, audit, members, tokens
from orchestration.api_errors import problem_of, problem_response
from orchestration.core.errors import InvalidDefinition, InvalidDocument, InvalidValue
from orchestration.core.problems import Problem as DefinitionProblem
from orchestration.models import AuditEvent, Role, Token
from orchestration.problems import COMMON
from tests.support.cast import a_person, a_token, a_workspace, an_api_client

pytestmark = pytest.mark.django_db


def call(secret: str | None, method: str, path: str, body: object = None, **extra):
    data = body if isinstance(body, bytes | str) else json.dumps(body) if body is not None else ""
    extra.setdefault("content_type", "application/json")
    return an_api_client(secret).generic(method, f"/api/v1{path}", data, **extra)


def assert_problem(response, status: int, slug: str) -> dict:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["type"] == f"/docs/problems#{slug}"
    assert body["status"] == status
    assert body["title"]
    assert body["detail"]
    return body


class TestMe:
    def test_it_tells_who_acts_where_and_what_the_token_lets_through(self) -> None:
        body = call(a_token(a_person("operator", username="ada"), scopes=("runs:read",)), "GET", "/me").json()

        assert body["username"] == "ada"
        assert (body["workspace"], body["scopes"]) == ("main", ["runs:read"])
        assert body["rights"] == ["operate_run", "start_run", "view"]


class TestTokens:
    def test_a_token_is_made_with_its_secret_shown_once(self) -> None:
        admin = a_token()

        made = call(admin, "POST", "/tokens", {"name": "ci", "scopes": ["runs:read"]})

        assert made.status_code == 201
        assert tokens.authenticate(made.json()["secret"]) is not None
        assert "secret" not in call(admin, "GET", "/tokens").json()["items"][0]
        expires_at = Token.objects.get(name="ci").expires_at
        assert expires_at - timezone.now() == pytest.approx(timedelta(days=30), abs=timedelta(minutes=1))

    def test_a_scope_beyond_the_token_is_refused(self) -> None:
        response = call(a_token(scopes=("admin",)), "POST", "/tokens", {"name": "ci", "scopes": ["approvals:decide"]})

        assert_problem(response, 422, "invalid-request")
        assert not Token.objects.filter(name="ci").exists()

    def test_a_token_is_revoked_and_revoking_again_changes_nothing(self) -> None:
        admin, secret = a_token(), a_token(a_person("viewer"))
        token = Token.objects.latest("pk")

        assert call(admin, "DELETE", f"/tokens/{token.pk}").status_code == 204
        assert call(admin, "DELETE", f"/tokens/{token.pk}").status_code == 204

        assert tokens.authenticate(secret) is None
        assert AuditEvent.objects.filter(verb="token.revoked").count() == 1

    def test_foreign_and_absent_tokens_get_the_same_answer(self) -> None:
        a_token(workspace=a_workspace("other"))
        foreign = Token.objects.get()
        admin = a_token()

        of_foreign = call(admin, "DELETE", f"/tokens/{foreign.pk}")
        of_absent = call(admin, "DELETE", f"/tokens/{foreign.pk + 1000}")

        assert_problem(of_foreign, 404, "not-found")
        assert of_foreign.content == of_absent.content
        assert Token.objects.get(pk=foreign.pk).revoked_at is None

    def test_the_list_is_read_page_by_page(self) -> None:
        admin = a_token()
        for _ in range(4):
            a_token(a_person("viewer"))

        first = call(admin, "GET", "/tokens?limit=3").json()
        second = call(admin, "GET", f"/tokens?limit=3&cursor={first['next']}").json()

        ids = [item["id"] for item in first["items"] + second["items"]]
        assert ids == sorted(ids, reverse=True)
        assert (len(first["items"]), len(second["items"]), second["next"]) == (3, 2, None)


class TestAudit:
    def test_acts_read_as_sentences_newest_first(self) -> None:
        admin = a_token()
        audit.seal()

        body = call(admin, "GET", "/audit?limit=1").json()

        [line] = body["items"]
        assert (line["verb"], line["sentence"].startswith("created the API token")) == ("token.created", True)
        assert len(line["seal"]) == 64
        assert body["next"] == str(line["id"])

    def test_filters_match_exactly(self) -> None:
        admin = a_token(a_person("administrator", username="ada"))

        assert call(admin, "GET", "/audit?verb=token.created&actor=ada").json()["items"]
        assert not call(admin, "GET", "/audit?verb=token").json()["items"]
        assert not call(admin, "GET", "/audit?actor=ad").json()["items"]

    def test_another_workspace_is_not_shown(self) -> None:
        members.create_workspace("other", "Other")

        lines = call(a_token(), "GET", "/audit").json()["items"]

        assert "Other" not in {line["subject_name"] for line in lines}


class TestRefusals:
    @pytest.mark.parametrize(
        "header", [None, "", "Bearer", "Bearer ", "Bearer null", "Basic YTpi", "bat_x", "Bearer [1]"]
    )
    def test_without_a_valid_token_nobody_comes_in(self, header: str | None) -> None:
        headers = {} if header is None else {"Authorization": header}

        response = an_api_client(None).get("/api/v1/me", headers=headers)

        assert_problem(response, 401, "not-authenticated")
        assert response["WWW-Authenticate"] == "Bearer"

    def test_a_session_does_not_open_the_api(self) -> None:
        client = an_api_client(None)
        client.force_login(a_person("administrator"))

        assert client.get("/api/v1/me").status_code == 401

    def test_the_missing_right_is_named(self) -> None:
        body = assert_problem(call(a_token(a_person("viewer")), "GET", "/audit"), 403, "forbidden")

        assert body["right"] == "view_audit"

    def test_the_missing_scope_is_named(self) -> None:
        body = assert_problem(call(a_token(scopes=("runs:read",)), "GET", "/audit"), 403, "forbidden")

        assert body["scopes"] == ["audit:read"]

    def test_an_unknown_address_is_a_problem_too(self) -> None:
        assert_problem(call(a_token(), "GET", "/nothing"), 404, "not-found")

    @pytest.mark.parametrize("method", ["PUT", "PATCH", "OPTIONS", "TRACE"])
    def test_an_unknown_method_names_the_known_ones(self, method: str) -> None:
        response = call(a_token(), method, "/tokens")

        assert_problem(response, 405, "method-not-allowed")
        assert sorted(response["Allow"].split(", ")) == ["GET", "HEAD", "POST"]

    def test_head_is_answered_as_get_without_the_body(self) -> None:
        secret = a_token(a_person("viewer"))

        assert call(secret, "HEAD", "/me").status_code == 200
        assert call(secret, "HEAD", "/me").content == b""
        assert call(secret, "HEAD", "/audit").status_code == 403
        assert call(None, "HEAD", "/me").status_code == 401
        assert call(secret, "HEAD", "/nothing").status_code == 404

    def test_head_does_not_stand_for_post(self) -> None:
        assert call(a_token(), "HEAD", "/workflows/validate").status_code in (404, 405)

    @pytest.mark.parametrize(
        "body",
        [
            b"{",
            b'{"name": "a", "name": "b", "scopes": ["runs:read"]}',
            b'{"days": NaN}',
            b"[" * 60 + b"]" * 60,
            b"\xff",
        ],
    )
    def test_a_body_that_is_not_strict_json_is_refused(self, body: bytes) -> None:
        assert_problem(call(a_token(), "POST", "/tokens", body), 400, "invalid-json")

    def test_a_bad_token_is_refused_before_the_body_is_read(self) -> None:
        assert_problem(call("bat_x", "POST", "/tokens", b"{"), 401, "not-authenticated")

    @pytest.mark.parametrize("content_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data"])
    def test_another_content_type_is_refused(self, content_type: str) -> None:
        response = call(a_token(), "POST", "/tokens", b'{"name": "x"}', content_type=content_type)

        assert_problem(response, 415, "not-json")

    def test_a_body_that_is_too_large_is_refused(self, settings) -> None:
        settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100

        assert_problem(call(a_token(), "POST", "/tokens", b" " * 101), 413, "too-large")

    @pytest.mark.parametrize(
        ("body", "place"),
        [
            ({"scopes": ["runs:read"]}, "name"),
            ({"name": "x", "scopes": "runs:read"}, "scopes"),
            ({"name": "x", "scopes": [1]}, "scopes.0"),
            ({"name": "x", "scopes": ["runs:read"], "days": 0}, "days"),
            ({"name": "x", "scopes": ["runs:read"], "graph": {}}, "graph"),
            ([], "body"),
            (None, "body"),
        ],
    )
    def test_every_wrong_place_of_a_body_is_named(self, body: object, place: str) -> None:
        problem = assert_problem(call(a_token(), "POST", "/tokens", body), 422, "invalid-request")

        assert place in [found["field"] for found in problem["problems"]]
        assert all(found["message"] for found in problem["problems"])

    @pytest.mark.parametrize("query", ["limit=0", "limit=x", "limit=201", "cursor=-1", f"cursor={2**70}"])
    def test_a_wrong_query_is_refused(self, query: str) -> None:
        assert_problem(call(a_token(), "GET", f"/tokens?{query}"), 422, "invalid-request")

    @pytest.mark.parametrize(
        "path", ["/tokens?curser=1", "/audit?limit=1&act=x", "/runs?wokflow=x", "/approvals?status=open", "/tools?q=1"]
    )
    def test_a_parameter_that_does_not_exist_is_named(self, path: str) -> None:
        problem = assert_problem(call(a_token(), "GET", path), 422, "invalid-request")

        [found] = problem["problems"]
        assert found["field"] == path.rsplit("?", 1)[1].rsplit("&", 1)[-1].split("=")[0]
        assert found["message"] == "There is no such parameter."

    @pytest.mark.parametrize(
        ("body", "field", "says"),
        [
            (None, "body", "The request has no body."),
            ([], "body", "This must be an object."),
            ({"scopes": ["runs:read"]}, "name", "This is needed."),
            ({"name": 1, "scopes": ["runs:read"]}, "name", "This must be text."),
            ({"name": "", "scopes": ["runs:read"]}, "name", "This needs 1 or more characters."),
            ({"name": "x" * 101, "scopes": ["runs:read"]}, "name", "This may have 100 or fewer characters."),
            ({"name": "x", "scopes": []}, "scopes", "This needs 1 or more items."),
            ({"name": "x", "scopes": "all"}, "scopes", "This must be a list."),
            ({"name": "x", "scopes": ["runs:read"], "days": 1.5}, "days", "This must be a whole number."),
            ({"name": "x", "scopes": ["runs:read"], "days": 0}, "days", "This must be at least 1."),
            ({"name": "x", "scopes": ["runs:read"], "x": 0}, "x", "There is no such field."),
        ],
    )
    def test_what_is_wrong_with_a_body_is_said_in_plain_english(self, body: object, field: str, says: str) -> None:
        problem = assert_problem(call(a_token(), "POST", "/tokens", body), 422, "invalid-request")

        assert (field, says) in [(found["field"], found["message"]) for found in problem["problems"]]

    @pytest.mark.parametrize(
        ("path", "says"),
        [
            ("/runs?limit=201", "This must be at most 200."),
            ("/runs?limit=many", "This must be a whole number."),
            ("/runs?state=perhaps", "This must be queued, running, waiting"),
            ("/runs?cursor=zzz", "This must be an id such as"),
            ("/approvals?state=perhaps", "This must be open, decided, approved"),
        ],
    )
    def test_what_is_wrong_with_a_query_is_said_in_plain_english(self, path: str, says: str) -> None:
        problem = assert_problem(call(a_token(), "GET", path), 422, "invalid-request")

        assert problem["problems"][0]["message"].startswith(says)

    def test_an_error_of_ours_is_logged_under_the_id_that_is_shown(self, monkeypatch, caplog) -> None:
        def broken(*_args: object) -> None:
            raise RuntimeError("the secret plans")

        monkeypatch.setattr("orchestration.endpoints.tokens.visible", broken)

        body = assert_problem(call(a_token(), "GET", "/tokens"), 500, "internal")

        assert "secret plans" not in json.dumps(body)
        assert body["error_id"] in caplog.text
        assert "secret plans" in caplog.text

    def test_a_role_lost_in_between_counts_at_once(self) -> None:
        person = a_person(("administrator", "viewer"))
        secret = a_token(person)
        assert call(secret, "GET", "/audit").status_code == 200

        members.remove(None, person, Role.objects.get(workspace=a_workspace(), slug="administrator"))

        assert call(secret, "GET", "/audit").status_code == 403


class TestProblemsOfTheCore:
    def test_an_unreadable_document_names_its_line(self) -> None:
        found = problem_of(InvalidDocument("Expected a key.", line=3, column=7))

        assert (found.status, found.extra) == (400, {"line": 3, "column": 7})

    def test_a_definition_lists_all_its_problems(self) -> None:
        found = problem_of(InvalidDefinition([DefinitionProblem("a", "kind", "There is no kind x.", "Use model.")]))

        assert found.status == 422
        [place] = found.extra["problems"]
        assert (place["step"], place["field"], place["fix"]) == ("a", "kind", "Use model.")

    def test_a_value_that_does_not_fit_its_schema_names_the_place(self) -> None:
        found = problem_of(InvalidValue("must be text", place="input.ticket_id"))

        assert found.extra["problems"][0]["field"] == "input.ticket_id"

    def test_a_lost_database_says_when_to_try_again(self) -> None:
        response = problem_response(OperationalError("gone"))

        assert (response.status_code, response["Retry-After"]) == (503, "5")

    def test_too_many_requests_says_when_to_try_again(self) -> None:
        response = problem_response(Throttled(wait=17))

        assert (response.status_code, response["Retry-After"]) == (429, "17")

    def test_ninjas_own_errors_become_problems(self) -> None:
        assert problem_of(HttpError(409, "taken")).slug == "conflict"
        assert set(api_errors.SLUG_OF_STATUS.values()) <= set(COMMON)
