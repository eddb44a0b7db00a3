"""Calls of HTTP tools: what is sent, what is accepted, and what an error means for the effect."""

from __future__ import annotations

import asyncio

import pytest

from orchestration.core.catalog import Tool
from orchestration.providers.base import Connection, ToolError, ToolReply
from orchestration.providers.egress import Egress
from orchestration.providers.tools import call_tool
from tests.providers.fakes import SECRET, FakeServer, answering, cut_off, http_tool, local

BODY = b'{"b":1,  "a":"\xc3\xa9"}'


def call(handler, arguments: bytes = BODY, **tool):
    """Call a tool of a fake server; give the reply or the error, and what the server saw."""

    async def run():
        async with FakeServer(handler) as server:
            egress = Egress()
            try:
                made = http_tool(local(server), **tool)
                result = await call_tool(made, arguments, key="key-1", timeout=5.0, egress=egress)
            except ToolError as error:
                result = error
            await egress.aclose()
            return result, server.requests

    return asyncio.run(run())


def test_the_arguments_are_sent_byte_for_byte():
    reply, requests = call(answering(200, {"id": 7}))
    assert reply == ToolReply(value={"id": 7}, status=200, bytes_received=9)
    assert requests[0].body == BODY
    assert requests[0].headers["content-type"] == "application/json"


@pytest.mark.parametrize(("effect", "sent"), [("keyed", True), ("once", True), ("read", False)])
def test_calls_with_effects_carry_their_key(effect, sent):
    _, requests = call(answering(200, {}), effect=effect)
    assert (requests[0].headers.get("idempotency-key") == "key-1") is sent


def test_path_parameters_are_quoted():
    _, requests = call(answering(200, {}), b'{"id": "a/../b?c#d e"}', path="/things/{id}/parts")
    assert requests[0].path == "/things/a%2F..%2Fb%3Fc%23d%20e/parts"


@pytest.mark.parametrize("arguments", [b'{"id": ".."}', b'{"id": "."}', b'{"id": ""}', b"{}", b'{"id": {"a": 1}}'])
def test_a_path_parameter_that_could_change_the_path_is_refused(arguments):
    error, requests = call(answering(200, {}), arguments, path="/things/{id}/parts")
    assert (error.code, error.acted) == ("bad_arguments", "no")
    assert requests == []


def test_arguments_can_go_into_the_query():
    arguments = b'{"id": 5, "tags": ["a b", "c&d"], "deep": true, "none": null}'
    _, requests = call(answering(200, {}), arguments, method="GET", path="/things/{id}")
    assert requests[0].path == "/things/5?tags=a+b&tags=c%26d&deep=true"
    assert requests[0].body == b""


@pytest.mark.parametrize("arguments", [b"[1]", b"nope", b'{"a": NaN}', b'"text"', b'{"a": "\\u0000"}'])
def test_arguments_that_are_no_json_object_are_not_sent(arguments):
    error, requests = call(answering(200, {}), arguments)
    assert (error.code, error.acted) == ("bad_arguments", "no")
    assert requests == []


@pytest.mark.parametrize(("status", "code", "retryable"), [
    (400, "bad_request", False), (401, "unauthorized", False), (403, "forbidden", False), (404, "not_found", False),
    (409, "conflict", False), (422, "bad_request", False), (429, "rate_limited", True), (500, "unavailable", True),
    (503, "unavailable", True), (501, "unavailable", False), (302, "redirected", False), (418, "bad_request", False),
])  # fmt: skip
def test_a_status_says_what_went_wrong_but_proves_nothing(status, code, retryable):
    error, _ = call(answering(status, {"detail": "why"}, location="https://elsewhere.example/"))
    assert (error.code, error.retryable, error.status, error.acted) == (code, retryable, status, "unknown")


def test_a_status_the_tool_lists_proves_that_nothing_was_done():
    error, _ = call(answering(409, {}), not_acted_on=(409,))
    assert error.acted == "no"


def test_retry_after_is_passed_on():
    error, _ = call(answering(429, {}, retry_after="17"))
    assert error.retry_after == 17.0


def test_the_servers_words_are_shown_without_the_secret():
    error, _ = call(answering(400, {"detail": f"bad token {SECRET} here"}))
    assert "bad token" in str(error)
    assert SECRET not in str(error)
    assert SECRET[4:16] not in str(error)


def test_a_result_that_repeats_the_secret_is_redacted():
    reply, _ = call(answering(200, {"echo": f"Bearer {SECRET}"}))
    assert reply.value == {"echo": "Bearer [redacted]"}


def test_text_is_a_result_and_no_content_is_none():
    assert call(answering(200, "fine", "text/plain"))[0].value == "fine"
    assert call(answering(204))[0].value is None


@pytest.mark.parametrize(("body", "kind"), [
    (b"{", "application/json"), (b'{"a": "\\u0000"}', "application/json"), (b'{"a": "\\ud800"}', "application/json"),
    (b"\xff\xfe", "application/json"), (b"<html>", "application/pdf"), (b"[" * 5000, "application/json"),
    (b"NaN", "application/json"), (b"1e999", "application/json"), (b"a\0b", "text/plain"),
    (b'"' + b"x" * 300_000 + b'"', "application/json"), (b"", "application/json"),
])  # fmt: skip
def test_a_result_that_cannot_be_kept_is_an_error(body, kind):
    result, _ = call(answering(200, body, kind))
    if body == b"":
        assert result.value is None
        return
    assert (result.code, result.acted) == ("bad_answer", "unknown")


def test_a_cut_answer_leaves_the_effect_unknown():
    error, _ = call(cut_off)
    assert (error.code, error.acted) == ("connection_lost", "unknown")


def test_a_refused_call_was_not_acted_on():
    tool = http_tool(Connection("c", "https://api.example.com", hosts=("other.example.com",)))
    with pytest.raises(ToolError) as caught:
        asyncio.run(call_tool(tool, b"{}", key="k", timeout=1.0, egress=Egress()))
    assert (caught.value.code, caught.value.acted) == ("egress_refused", "no")


def test_a_tool_without_a_known_call_says_so():
    with pytest.raises(ToolError, match="register it again"):
        asyncio.run(call_tool(Tool(name="x.y"), b"{}", key="k", timeout=1.0))
