"""The sample servers over real stdio: what they do is in their log, once for each time."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from orchestration.providers.base import McpTarget, ToolError
from orchestration.providers.mcp import McpServers, read_config
from samples.helpdesk.store import open_store
from samples.helpdesk.tools import TOOLS as HELPDESK_TOOLS
from samples.repo.tools import TOOLS as REPO_TOOLS

SERVERS = Path(__file__).parents[2] / "samples" / "mcp_servers.json"
TICKET = {"reference": "T-1", "customer": "acme", "subject": "Down", "body": "All is down", "priority": "high"}


def with_samples(data: Path, work, *extra: str):
    """Run `work(call)` with the sample servers over a fresh folder; `extra` goes to their command lines."""

    async def run():
        configs = read_config(SERVERS, data=str(data), python=sys.executable)
        for name, config in list(configs.items()):
            configs[name] = type(config)(name, (*config.command, *extra), config.env, config.cwd)
        servers = McpServers(configs)

        async def call(tool: str, arguments: dict, key: str = "k", server: str = "helpdesk"):
            reply = await servers.call(McpTarget(server, tool), json.dumps(arguments).encode(), key=key, timeout=60.0)
            return reply.value

        try:
            return await work(call, servers)
        finally:
            await servers.aclose()

    return asyncio.run(run())


def logged(data: Path, server: str = "helpdesk") -> list[dict]:
    path = data / server / "effects.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_a_ticket_is_looked_up_opened_noted_and_answered(tmp_path):
    async def work(call, _):
        account = await call("get_account", {"customer": "ops@acme.example"})
        incident = await call("find_incident", {"text": "the console is unreachable", "region": account["region"]})
        opened = await call("open_ticket", TICKET)
        await call(
            "notify_team", {"team": "infrastructure", "message": "please look", "ticket_id": opened["ticket_id"]}
        )
        await call("add_note", {"ticket_id": "T-1", "text": "see incident"})
        await call("answer_ticket", {"ticket_id": opened["ticket_id"], "text": "We are on it."})
        await call("issue_credit", {"customer": "acme", "amount_usd": 20, "reason": "outage"})
        return account, incident, await call("get_ticket", {"ticket_id": "T-1"}), await call("list_tickets", {})

    account, incident, ticket, listed = with_samples(tmp_path, work)
    assert account["name"] == "Acme Logistics"
    assert incident["id"] == "INC-204"
    assert (ticket["state"], [message["kind"] for message in ticket["messages"]]) == ("answered", ["note", "answer"])
    assert [entry["reference"] for entry in listed["tickets"]] == ["T-1"]
    assert [line["tool"] for line in logged(tmp_path)] == [
        "open_ticket", "notify_team", "add_note", "answer_ticket", "issue_credit",
    ]  # fmt: skip


def test_a_once_tool_called_twice_acts_twice_and_a_keyed_one_once(tmp_path):
    async def work(call, _):
        await call("open_ticket", TICKET, "same")
        await call("open_ticket", TICKET, "same")
        first = await call("add_note", {"ticket_id": "T-1", "text": "n"}, "note")
        return first == await call("add_note", {"ticket_id": "T-1", "text": "n"}, "note")

    assert with_samples(tmp_path, work)
    assert [line["key"] for line in logged(tmp_path)] == ["same", "same", "note"]


@pytest.mark.parametrize(("tool", "arguments"), [
    ("answer_ticket", {"ticket_id": "T-404", "text": "x"}), ("issue_credit", {"customer": "nobody", "amount_usd": 5,
     "reason": "x"}), ("issue_credit", {"customer": "acme", "amount_usd": -5, "reason": "x"}),
    ("open_ticket", {**TICKET, "surprise": 1}), ("notify_team", {"team": "cooks", "message": "x"}),
    ("get_account", {}),
])  # fmt: skip
def test_what_cannot_be_done_is_refused_and_leaves_no_effect(tmp_path, tool, arguments):
    async def work(call, _):
        with pytest.raises(ToolError) as caught:
            await call(tool, arguments)
        return caught.value

    error = with_samples(tmp_path, work)
    assert (error.code, error.acted) == ("tool_error", "no")
    assert logged(tmp_path) == []


def test_a_key_used_for_another_call_is_refused(tmp_path):
    async def work(call, _):
        await call("open_ticket", TICKET)
        await call("add_note", {"ticket_id": "T-1", "text": "one"}, "note")
        with pytest.raises(ToolError, match="used for another call"):
            await call("add_note", {"ticket_id": "T-1", "text": "two"}, "note")

    with_samples(tmp_path, work)
    assert len(logged(tmp_path)) == 2


def test_a_server_killed_after_the_act_leaves_an_unknown_effect_that_its_log_can_settle(tmp_path):
    async def work(call, servers):
        await call("get_account", {"customer": "acme"})
        pending = asyncio.ensure_future(call("open_ticket", TICKET, "doubtful"))
        while not open_store(tmp_path / "helpdesk").effects("doubtful"):
            assert not pending.done()
            await asyncio.sleep(0.02)
        os.kill(child_of(os.getpid(), str(tmp_path / "helpdesk")), signal.SIGKILL)
        with pytest.raises(ToolError) as caught:
            await pending
        return caught.value, await call("get_ticket", {"ticket_id": "T-1"})

    error, ticket = with_samples(tmp_path, work, "--delay", "4")
    assert (error.code, error.acted) == ("connection_lost", "unknown")
    assert ticket["found"]
    command = [sys.executable, "-m", "samples.helpdesk", "effects", "--data", str(tmp_path / "helpdesk"), "--key"]
    found = subprocess.run([*command, "doubtful"], capture_output=True, text=True, check=True, cwd=SERVERS.parents[1])
    assert [json.loads(line)["tool"] for line in found.stdout.splitlines()] == ["open_ticket"]
    missing = subprocess.run([*command, "other"], capture_output=True, text=True, check=True, cwd=SERVERS.parents[1])
    assert missing.stdout == ""


def test_the_log_file_gets_the_lines_that_a_crash_prevented(tmp_path):
    from samples.effects import record

    store = open_store(tmp_path)
    with store.change() as connection:
        record(connection, "open_ticket", "a", {})
        record(connection, "open_ticket", "b", {})
    store.write_log()
    whole = store.log_path.read_bytes()
    store.log_path.write_bytes(whole[:-20])
    store.write_log()
    store.write_log()
    assert store.log_path.read_bytes() == whole


def test_opening_the_store_again_keeps_what_is_there(tmp_path):
    with open_store(tmp_path).change() as connection:
        connection.execute("UPDATE accounts SET plan = 'changed' WHERE id = 'acme'")
    with open_store(tmp_path).connect() as connection:
        assert connection.execute("SELECT plan FROM accounts WHERE id = 'acme'").fetchone()[0] == "changed"


def test_the_code_host_reads_checks_comments_and_merges(tmp_path):
    async def work(call, _):
        checks = [await call("get_checks", {"pr": pr}, server="repo") for pr in (41, 42, 999)]
        await call("post_comment", {"pr": 41, "text": "Looks good."}, server="repo")
        await call("merge", {"pr": 41}, server="repo")
        return checks, await call("get_checks", {"pr": 41}, server="repo")

    checks, merged = with_samples(tmp_path, work)
    assert [(check["found"], check["all_passed"]) for check in checks] == [(True, True), (True, False), (False, False)]
    assert merged["state"] == "merged"
    assert [line["tool"] for line in logged(tmp_path, "repo")] == ["post_comment", "merge"]


def test_every_tool_says_its_risk_and_effect_and_takes_no_unknown_arguments(tmp_path):
    async def work(_, servers):
        return [tool for name in servers.names for tool in await servers.list_tools(name)]

    tools = with_samples(tmp_path, work)
    assert len(tools) == len(HELPDESK_TOOLS) + len(REPO_TOOLS) == 12
    for tool in tools:
        Draft202012Validator.check_schema(tool.arguments)
        assert tool.arguments["additionalProperties"] is False
        assert tool.description
        assert tool.hints["baton/risk"] in ("read", "write", "destructive", "money")
        assert tool.hints["read_only_hint"] is (tool.hints["baton/effect"] == "read")


def child_of(parent: int, word: str) -> int:
    """Find the process that `parent` started with `word` in its command line."""
    listed = subprocess.run(["ps", "-axwwo", "pid=,ppid=,command="], capture_output=True, text=True, check=True).stdout
    rows = [line.split(None, 2) for line in listed.splitlines()]
    return next(int(pid) for pid, ppid, command in rows if int(ppid) == parent and word in command)
