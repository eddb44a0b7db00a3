"""Model calls against a server in the shape of OpenAI's, and the simulator through the same door."""

from __future__ import annotations

import asyncio

import pytest

from orchestration.providers.base import Connection, ModelCall, ModelError, ModelTarget
from orchestration.providers.egress import Egress
from orchestration.providers.models import call_model
from orchestration.providers.pricing import SIMULATOR_PRICES, cost_microusd, worst_case
from tests.providers.fakes import (
    SECRET,
    FakeServer,
    answering,
    compatible,
    completion,
    cut_off,
    dripping,
    endless,
    hanging,
)

INTENT = {"type": "object", "required": ["intent"], "properties": {"intent": {"enum": ["billing", "outage"]}}}
GOOD = '{"intent": "outage"}'


def ask(handler, schema=INTENT, timeout: float = 20.0, target=compatible, **params):
    """Ask a model behind a fake server; give the reply or the error, and what the server saw."""

    async def run():
        async with FakeServer(handler) as server:
            egress = Egress()
            asked = ModelCall("Which?", system="Be brief.", output_schema=schema, max_tokens=77, timeout=timeout)
            try:
                result = await call_model(target(server, **params), asked, egress=egress)
            except ModelError as error:
                result = error
            await egress.aclose()
            return result, server.requests

    return asyncio.run(run())


def simulate(prompt: str, schema=INTENT, timeout: float = 20.0, **params):
    async def run():
        target = ModelTarget("simulator", "", params=params)
        try:
            return await call_model(target, ModelCall(prompt, output_schema=schema, timeout=timeout))
        except ModelError as error:
            return error

    return asyncio.run(run())


def test_a_good_answer_comes_back_checked_with_tokens_and_cost():
    reply, requests = ask(answering(200, completion(GOOD)))
    assert reply.value == {"intent": "outage"}
    assert (reply.input_tokens, reply.output_tokens, reply.cost_microusd) == (100, 20, 140)
    assert (reply.provider, reply.model, reply.simulated) == ("compatible", "m-1", False)
    sent = requests[0].json()
    assert sent["max_tokens"] == 77
    assert sent["messages"][0]["content"] == "Be brief."
    assert sent["response_format"]["type"] == "json_schema"


def test_the_key_is_put_on_by_the_egress_client():
    _, requests = ask(answering(200, completion(GOOD)))
    assert requests[0].headers["authorization"] == f"Bearer {SECRET}"


def test_a_newer_secret_of_the_same_connection_is_the_one_that_is_sent():
    async def run():
        async with FakeServer(answering(200, completion("hi"))) as server:
            egress = Egress()
            for secret in ("first-secret", "second-secret"):
                old = compatible(server)
                connection = Connection(**{name: getattr(old.connection, name) for name in
                                           ("name", "base_url", "private")}, reveal=lambda s=secret: s)  # fmt: skip
                await call_model(ModelTarget("compatible", "m-1", connection), ModelCall("x"), egress=egress)
            await egress.aclose()
            return [request.headers["authorization"] for request in server.requests]

    assert asyncio.run(run()) == ["Bearer first-secret", "Bearer second-secret"]


def test_a_schema_that_is_no_object_travels_in_a_wrapper():
    reply, requests = ask(
        answering(200, completion('{"value": ["a"]}')), {"type": "array", "items": {"type": "string"}}
    )
    assert reply.value == ["a"]
    assert requests[0].json()["response_format"]["json_schema"]["schema"]["required"] == ["value"]


@pytest.mark.parametrize("mode", ["prompted", "tool"])
def test_models_without_schemas_are_asked_in_words_or_by_a_tool(mode):
    body = completion(f"Sure:\n```json\n{GOOD}\n```")
    if mode == "tool":
        call = {"id": "t1", "type": "function", "function": {"name": "answer", "arguments": GOOD}}
        body = completion(None, finish="tool_calls")
        body["choices"][0]["message"]["tool_calls"] = [call]
    reply, requests = ask(answering(200, body), structured=mode)
    assert reply.value == {"intent": "outage"}
    assert "response_format" not in requests[0].json()


def test_plain_text_is_given_as_it_is():
    assert ask(answering(200, completion("Hello.")), None)[0].value == "Hello."


@pytest.mark.parametrize(("said", "named"), [
    ('{"intent": "refund"}', "intent"), ("I think it is an outage", "not JSON"), ("", "empty"), ('{"x": 1}', "intent"),
    ('{"intent": NaN}', "NaN"), ('{"intent": "outage\\u0000"}', "NUL"),
])  # fmt: skip
def test_an_invalid_answer_says_what_is_wrong_and_what_it_cost(said, named):
    error, requests = ask(answering(200, completion(said)))
    assert error.code == "invalid_output"
    assert named in error.message
    assert (error.text, error.cost_microusd) == (said, 140)
    assert len(requests) == 1


def test_an_answer_cut_at_max_tokens_is_invalid():
    error, _ = ask(answering(200, completion('{"inte', finish="length")))
    assert (error.code, error.input_tokens) == ("invalid_output", 100)
    assert "max_tokens (77)" in error.message


@pytest.mark.parametrize("body", [completion(None, refusal="I can't help."), completion("no", finish="content_filter")])
def test_a_refusal_is_told_apart(body):
    error, _ = ask(answering(200, body))
    assert (error.code, error.cost_microusd) == ("refusal", 140)


@pytest.mark.parametrize(("status", "code"), [
    (400, "bad_request"), (401, "unauthorized"), (403, "unauthorized"), (404, "bad_request"), (422, "bad_request"),
    (429, "rate_limited"), (500, "unavailable"), (502, "unavailable"), (503, "unavailable"), (302, "bad_request"),
])  # fmt: skip
def test_statuses_have_their_codes_and_one_call_is_one_request(status, code):
    error, requests = ask(answering(status, {"error": {"message": f"key {SECRET}"}}, retry_after="3", location="/x"))
    assert error.code == code
    assert len(requests) == 1
    assert SECRET not in str(error)


def test_a_rate_limit_says_when_to_come_back():
    error, _ = ask(answering(429, {"error": {"message": "slow down"}}, retry_after="12"))
    assert (error.code, error.retry_after) == ("rate_limited", 12.0)


@pytest.mark.parametrize("handler", [hanging, dripping])
def test_the_time_out_is_total(handler):
    assert ask(handler, timeout=0.4)[0].code == "timeout"


@pytest.mark.parametrize("handler", [
    cut_off, endless, answering(200, b"{"), answering(200, b"[]"), answering(200, {"choices": []}),
    answering(200, "<html>hello</html>", "text/html"), answering(200, b"\xff\xfe\0"), answering(200, {"a": 1}),
])  # fmt: skip
def test_a_server_that_talks_nonsense_is_unavailable(handler):
    assert ask(handler)[0].code in ("unavailable", "invalid_output")


def test_a_tool_call_nobody_offered_is_no_answer():
    body = completion(None, finish="tool_calls")
    body["choices"][0]["message"]["tool_calls"] = [
        {"id": f"t{at}", "type": "function", "function": {"name": "rm_rf", "arguments": "{}"}} for at in range(1000)
    ]
    assert ask(answering(200, body))[0].code == "invalid_output"


def test_a_private_address_is_refused_unless_the_connection_allows_it():
    async def run():
        connection = Connection("ollama", "http://127.0.0.1:11434/v1")
        await call_model(ModelTarget("compatible", "m", connection), ModelCall("x"), egress=Egress())

    with pytest.raises(ModelError, match="loopback") as caught:
        asyncio.run(run())
    assert caught.value.code == "bad_request"


@pytest.mark.parametrize(("provider", "path", "header", "body"), [
    ("anthropic", "/v1/messages", "x-api-key", {
        "id": "m", "type": "message", "role": "assistant", "model": "claude", "stop_reason": "tool_use",
        "content": [{"type": "tool_use", "id": "t", "name": "answer", "input": {"intent": "outage"}}],
        "usage": {"input_tokens": 100, "output_tokens": 20}}),
    ("openai", "/chat/completions", "authorization", completion(GOOD)),
    ("google", ":generateContent", "x-goog-api-key", {
        "candidates": [{"content": {"role": "model", "parts": [{"text": GOOD}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 100, "candidatesTokenCount": 20}, "modelVersion": "gemini"}),
])  # fmt: skip
def test_each_provider_takes_the_same_road(provider, path, header, body):
    def target(server, **_):
        connection = compatible(server).connection
        moved = Connection("c", server.url, private=True, reveal=connection.reveal)
        name = {"anthropic": "claude-sonnet-5", "openai": "gpt-4o", "google": "gemini-2.5-flash"}[provider]
        return ModelTarget(provider, name, moved, input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)

    reply, requests = ask(answering(200, body), target=target, timeout=60.0)
    assert reply.value == {"intent": "outage"}
    assert reply.cost_microusd == 140
    assert path in requests[0].path
    assert requests[0].headers[header].endswith(SECRET)
    assert "77" in requests[0].body.decode()


def test_an_unknown_provider_is_named():
    with pytest.raises(ModelError, match="watson"):
        asyncio.run(call_model(ModelTarget("watson", "m"), ModelCall("x")))


def test_the_simulator_answers_and_is_labelled():
    reply = simulate("Tag this ticket:\n\nEverything is down!")
    assert reply.value == {"intent": "outage"}
    assert reply.simulated
    assert reply.provider == "simulator"
    assert (
        reply.cost_microusd == cost_microusd(ModelTarget("simulator", ""), reply.input_tokens, reply.output_tokens) > 0
    )


@pytest.mark.parametrize(("do", "code"), [
    ("refuse", "refusal"), ("invalid", "invalid_output"), ("rate_limit", "rate_limited"), ("timeout", "timeout"),
    ("unavailable", "unavailable"),
])  # fmt: skip
def test_the_simulator_misbehaves_by_script(do, code):
    error = simulate("bad luck", timeout=0.2 if do == "timeout" else 20, script=[{"match": "luck", "do": do}])
    assert error.code == code
    assert simulate("fine weather, down", script=[{"match": "luck", "do": do}]).value == {"intent": "outage"}


def test_a_scripted_answer_is_checked_like_any_other():
    assert simulate("x", script=[{"do": "answer", "value": {"intent": "billing"}}]).value == {"intent": "billing"}
    assert simulate("x", script=[{"do": "answer", "value": {"intent": "nope"}}]).code == "invalid_output"


def test_a_script_can_stop_misbehaving_when_the_prompt_changes():
    script = [{"do": "invalid", "unless": "JSON only"}]
    assert simulate("down", script=script).code == "invalid_output"
    assert simulate("Answer with JSON only:\n\ndown", script=script).value == {"intent": "outage"}


def test_markers_count_only_when_allowed():
    assert simulate("[[simulate: refusal]] down").value == {"intent": "outage"}
    assert simulate("[[simulate: refusal]] down", markers=True).code == "refusal"
    assert simulate("[[simulate: rate_limit 9]]", markers=True).retry_after == 9.0


@pytest.mark.parametrize("params", [{"script": {}}, {"script": [1]}, {"script": [{"do": "dance"}]}, {"latency": "x"},
                                    {"latency": -1}])  # fmt: skip
def test_a_wrong_script_is_explained(params):
    error = simulate("x", **params)
    assert error.code == "bad_request"
    assert "parameters" in error.message


def test_the_worst_case_bounds_what_a_call_used():
    call = ModelCall("Tag: " + "né" * 300, system="s", output_schema=INTENT, max_tokens=500)
    target = ModelTarget("simulator", "")
    tokens, cost = worst_case(target, call)
    reply = asyncio.run(call_model(target, call))
    assert tokens >= reply.input_tokens + reply.output_tokens
    assert cost >= reply.cost_microusd
    assert tokens >= len(call.prompt.encode()) + 500


@pytest.mark.parametrize(("prices", "expected"), [((1.0, 2.0), 5), ((0.0, 0.0), 0), ((0.15, 0.6), 2)])
def test_costs_are_rounded_up(prices, expected):
    assert cost_microusd(ModelTarget("openai", "m", None, {}, *prices), 1, 2) == expected


def test_prices_that_are_not_given_come_from_the_public_list():
    assert cost_microusd(ModelTarget("openai", "gpt-4o"), 1000, 1000) > 0
    assert cost_microusd(ModelTarget("compatible", "my-own-model-nobody-knows"), 1000, 1000) == 0
    assert SIMULATOR_PRICES[0] > 0


def test_a_reference_to_another_host_is_never_fetched(monkeypatch):
    opened = []
    monkeypatch.setattr("urllib.request.OpenerDirector.open", lambda *args, **_: opened.append(args))
    error = simulate("x", {"$ref": "http://127.0.0.1:9/schema"})
    assert error.code == "invalid_output"
    assert opened == []
