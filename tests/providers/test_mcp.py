"""MCP over real pipes: one session, its death, and what an error means for the effect."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path

import pytest

from orchestration.core.catalog import Tool
from orchestration.providers import mcp
from orchestration.providers.base import McpTarget, ToolError
from orchestration.providers.mcp import McpConfigError, McpServerConfig, McpServers
from orchestration.providers.tools import call_tool

FAKE = Path(__file__).with_name("mcp_fake.py")


def with_servers(scratch: Path, work, **configs: tuple[str, ...]):
    """Run `work(servers)` with the fake server at hand, and end the server."""

    async def run():
        commands = {"fake": (sys.executable, str(FAKE), str(scratch)), **configs}
        servers = McpServers({name: McpServerConfig(name, command) for name, command in commands.items()})
        try:
            return await work(servers)
        finally:
            await servers.aclose()

    return asyncio.run(run())


async def call(servers: McpServers, tool: str, arguments: dict | None = None, seconds: float = 30.0, **pinned):
    """Call a tool; give the value or the error."""
    target = McpTarget(pinned.pop("server", "fake"), tool, **pinned)
    try:
        made = Tool(name=f"fake.{tool}", source="mcp", call=target)
        reply = await call_tool(
            made, json.dumps(arguments or {}).encode(), key="key-9", timeout=seconds, servers=servers
        )
    except ToolError as error:
        return error
    return reply.value


def test_calls_carry_arguments_and_key_and_share_one_server(tmp_path):
    async def work(servers):
        values = await asyncio.gather(*(call(servers, "echo", {"n": at}) for at in range(20)))
        pids = await asyncio.gather(*(call(servers, "pid") for _ in range(5)))
        return values, pids, await call(servers, "meta"), await call(servers, "text")

    values, pids, meta, text = with_servers(tmp_path, work)
    assert values == [{"got": {"n": at}} for at in range(20)]
    assert len({value["pid"] for value in pids}) == 1
    assert meta == {"key": "key-9"}
    assert text == "plain"


def test_the_server_gets_a_minimal_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("BATON_CANARY", "sk-secret")
    names = with_servers(tmp_path, lambda servers: call(servers, "environment"))["names"]
    assert "BATON_CANARY" not in names
    assert "PATH" in names


def test_a_server_that_dies_in_a_call_leaves_the_effect_unknown_and_is_started_anew(tmp_path):
    async def work(servers):
        before = await call(servers, "pid")
        waiting = asyncio.ensure_future(call(servers, "stuck"))
        died = await call(servers, "die")
        return before, died, await waiting, await call(servers, "pid")

    before, died, waiting, after = with_servers(tmp_path, work)
    assert (died.code, died.acted, died.retryable) == ("connection_lost", "unknown", True)
    assert (waiting.code, waiting.acted) == ("connection_lost", "unknown")
    assert before != after


def test_a_call_that_takes_too_long_leaves_the_effect_unknown_and_the_server_usable(tmp_path):
    async def work(servers):
        await call(servers, "pid")
        return await call(servers, "stuck", seconds=0.2), await call(servers, "echo")

    late, after = with_servers(tmp_path, work)
    assert (late.code, late.acted) == ("timeout", "unknown")
    assert after == {"got": {}}


@pytest.mark.parametrize("command", [
    ("/no/such/program",), (sys.executable, "-c", "import sys; sys.exit(1)"),
    (sys.executable, "-c", "print('hello, not MCP')"),
])  # fmt: skip
def test_a_server_that_does_not_start_was_not_acted_on(tmp_path, command):
    error = with_servers(tmp_path, lambda servers: call(servers, "echo", server="broken"), broken=command)
    assert (error.code, error.acted, error.retryable) == ("unavailable", "no", True)
    assert "broken could not be started" in str(error)


def test_a_server_that_never_greets_is_not_waited_for_longer_than_the_call(tmp_path):
    silent = (sys.executable, "-c", "import sys; sys.stdin.read()")
    error = with_servers(tmp_path, lambda servers: call(servers, "x", seconds=0.5, server="silent"), silent=silent)
    assert (error.code, error.acted) == ("timeout", "no")


def test_a_tool_that_says_it_did_not_act_is_believed_and_one_that_fails_is_not(tmp_path):
    async def work(servers):
        return await call(servers, "refuse"), await call(servers, "boom")

    refused, boom = with_servers(tmp_path, work)
    assert (refused.code, refused.acted) == ("tool_error", "no")
    assert "not this time" in str(refused)
    assert boom.acted == "unknown"


@pytest.mark.parametrize("tool", ["huge", "nul"])
def test_a_result_that_cannot_be_kept_is_an_error(tmp_path, tool):
    error = with_servers(tmp_path, lambda servers: call(servers, tool))
    assert (error.code, error.acted) == ("bad_answer", "unknown")


@pytest.mark.parametrize(("server", "tool", "code"), [("fake", "nope", "not_found"), ("nobody", "x", "misconfigured")])
def test_an_unknown_server_or_tool_is_refused_before_anything_is_sent(tmp_path, server, tool, code):
    error = with_servers(tmp_path, lambda servers: call(servers, tool, server=server))
    assert (error.code, error.acted) == (code, "no")


def test_a_pinned_tool_that_changed_is_not_called(tmp_path, monkeypatch):
    from orchestration.providers import mcp_session

    monkeypatch.setattr(mcp_session, "LISTING_SECONDS", 0.0)

    async def work(servers):
        pinned = {tool.name: tool.hash for tool in await servers.list_tools("fake")}["echo"]
        good = await call(servers, "echo", definition_hash=pinned)
        (tmp_path / "changed").touch()
        return good, await call(servers, "echo", definition_hash=pinned), await call(servers, "echo")

    good, changed, unpinned = with_servers(tmp_path, work)
    assert good == unpinned == {"got": {}}
    assert (changed.code, changed.acted) == ("definition_changed", "no")


def test_a_definition_hash_covers_server_name_description_and_schemas():
    from orchestration.providers.mcp_session import definition_hash

    parts = ["server", "name", "what it does", {"type": "object"}, {}]
    hashes = {definition_hash(*parts)}
    for at, other in enumerate(["s", "n", "d", {"type": "array"}, {"type": "string"}]):
        hashes.add(definition_hash(*parts[:at], other, *parts[at + 1 :]))
    assert len(hashes) == 6


def test_the_operators_file_is_filled_in(tmp_path):
    path = tmp_path / "servers.json"
    entry = {"command": ["{python}", "-m", "x", "--data", "{data}/x"], "env": {"A": "{data}"}, "cwd": "sub"}
    path.write_text(json.dumps({"servers": {"x": entry}}))
    servers = mcp.configure(path, data="/d", python="/py")
    assert servers is mcp.configured()
    assert servers._configs["x"] == McpServerConfig(
        "x", ("/py", "-m", "x", "--data", "/d/x"), {"A": "/d"}, str(tmp_path / "sub")
    )


@pytest.mark.parametrize("text", [
    "{", "[]", "{}", '{"servers": {"a": []}}', '{"servers": {"a": {}}}', '{"servers": {"a": {"command": "sh -c x"}}}',
    '{"servers": {"a": {"command": ["x"], "env": {"A": 1}}}}', '{"servers": {"a": {"command": ["x"], "cwd": 1}}}',
    '{"servers": {"a": {"command": ["x"], "shell": true}}}', '{"servers": {"a": {"command": ["{data}"]}}}',
])  # fmt: skip
def test_a_wrong_file_of_servers_is_explained(tmp_path, text):
    path = tmp_path / "servers.json"
    path.write_text(text)
    with pytest.raises(McpConfigError):
        mcp.configure(path)


def test_a_missing_file_of_servers_is_explained(tmp_path):
    with pytest.raises(McpConfigError, match=r"can't be read"):
        mcp.configure(tmp_path / "none.json")
