"""A table of Python functions served as MCP tools over stdio: the shared part of the sample servers."""

from __future__ import annotations

import argparse
import json
import sqlite3
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import anyio
from jsonschema import Draft202012Validator
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool, ToolAnnotations

from samples.effects import Store, digest, record

KEY_META = "baton/idempotency-key"
ACTED_META = "baton/acted"
Arguments = Mapping[str, Any]
Run = Callable[[sqlite3.Connection, Arguments], dict[str, Any]]


class Refused(Exception):
    """The call can't be done as asked; nothing was changed."""


@dataclass(frozen=True)
class SampleTool:
    """One tool. `run` gets a connection: in a write transaction unless the effect is read."""

    name: str
    title: str
    description: str
    arguments: dict[str, Any]
    output: dict[str, Any]
    run: Run
    risk: Literal["read", "write", "destructive", "money"] = "read"
    effect: Literal["read", "keyed", "once"] = "read"

    def described(self) -> Tool:
        reads = self.effect == "read"
        return Tool(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.arguments,
            output_schema=self.output,
            annotations=ToolAnnotations(
                title=self.title,
                read_only_hint=reads,
                destructive_hint=self.risk in ("destructive", "money"),
                idempotent_hint=self.effect in ("read", "keyed"),
                open_world_hint=False,
            ),
            _meta={"baton/risk": self.risk, "baton/effect": self.effect},
        )


def closed(properties: dict[str, Any], required: Sequence[str] = ()) -> dict[str, Any]:
    """Make the schema of an object that has these properties and no others."""
    return {"type": "object", "properties": properties, "required": list(required), "additionalProperties": False}


class ToolServer:
    """Answers `tools/list` and `tools/call`. `delay` seconds pass before and after each change, for crash tests."""

    def __init__(self, name: str, store: Store, tools: Sequence[SampleTool], delay: float = 0.0) -> None:
        self._name, self._store, self._delay = name, store, delay
        self._tools = {tool.name: tool for tool in tools}

    async def serve(self) -> None:
        """Serve on standard input and output until the input ends."""
        server = Server(self._name, version="1", on_list_tools=self._list, on_call_tool=self._call)
        async with stdio_server() as (read, write):
            await server.run(read, write, server.create_initialization_options())

    async def _list(self, _context: Any, _params: Any) -> ListToolsResult:
        return ListToolsResult(tools=[tool.described() for tool in self._tools.values()])

    async def _call(self, _context: Any, params: Any) -> CallToolResult:
        tool = self._tools.get(params.name)
        if tool is None:
            return _refusal(f"there is no tool {params.name!r} here")
        arguments, key = params.arguments or {}, str((params.meta or {}).get(KEY_META, ""))
        problem = next(iter(Draft202012Validator(tool.arguments).iter_errors(arguments)), None)
        if problem is not None:
            place = "/".join(str(part) for part in problem.absolute_path) or "arguments"
            return _refusal(f"{place}: {problem.message}")
        try:
            return _result(await self._run(tool, arguments, key))
        except Refused as refusal:
            return _refusal(str(refusal))

    async def _run(self, tool: SampleTool, arguments: Arguments, key: str) -> dict[str, Any]:
        if tool.effect == "read":
            return await anyio.to_thread.run_sync(self._read, tool, arguments)
        await anyio.sleep(self._delay / 2)
        reply = await anyio.to_thread.run_sync(self._change, tool, arguments, key)
        await anyio.sleep(self._delay / 2)
        return reply

    def _read(self, tool: SampleTool, arguments: Arguments) -> dict[str, Any]:
        with self._store.connect() as connection:
            return tool.run(connection, arguments)

    def _change(self, tool: SampleTool, arguments: Arguments, key: str) -> dict[str, Any]:
        with self._store.change() as connection:
            reply = _receipt(connection, tool, arguments, key)
            if reply is None:
                reply = tool.run(connection, arguments)
                record(connection, tool.name, key, arguments)
                _keep_receipt(connection, tool, arguments, key, reply)
        self._store.write_log()
        return reply


def main(name: str, about: str, store: Callable[[Path], Store], tools: Sequence[SampleTool]) -> None:
    """Run a sample server's command line: serve over stdio, or `effects` to look up what really happened."""
    parser = argparse.ArgumentParser(prog=f"python -m samples.{name}", description=about)
    parser.add_argument("action", nargs="?", choices=["serve", "effects"], default="serve")
    parser.add_argument("--data", type=Path, required=True, help="the folder it keeps its file in")
    parser.add_argument("--key", help="with effects: only the calls with this idempotency key")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds that each change takes, for crash tests")
    options = parser.parse_args()
    opened = store(options.data)
    if options.action == "effects":
        lines = [json.dumps(effect) for effect in opened.effects(options.key)]
        sys.stdout.write("".join(line + "\n" for line in lines))
        return
    opened.write_log()
    anyio.run(ToolServer(name, opened, tools, options.delay).serve)


def _receipt(connection: sqlite3.Connection, tool: SampleTool, arguments: Arguments, key: str) -> dict[str, Any] | None:
    """Find what a keyed call was answered before. A `once` tool has no receipts: a second call is a second act."""
    if tool.effect != "keyed" or not key:
        return None
    row = connection.execute("SELECT * FROM receipts WHERE key = ?", (key,)).fetchone()
    if row is None:
        return None
    if (row["tool"], row["arguments_digest"]) != (tool.name, digest(arguments)):
        raise Refused(f"the idempotency key {key} was used for another call")
    reply: dict[str, Any] = json.loads(row["reply"])
    return reply


def _keep_receipt(
    connection: sqlite3.Connection, tool: SampleTool, arguments: Arguments, key: str, reply: dict[str, Any]
) -> None:
    if tool.effect == "keyed" and key:
        values = (key, tool.name, digest(arguments), json.dumps(reply))
        connection.execute("INSERT INTO receipts VALUES (?, ?, ?, ?)", values)


def _result(reply: dict[str, Any]) -> CallToolResult:
    text = json.dumps(reply, ensure_ascii=False)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=reply)


def _refusal(message: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=message)], is_error=True, _meta={ACTED_META: "no"})
