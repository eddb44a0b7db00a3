"""An MCP server for tests: run as a script, it serves tools that misbehave. Its first argument is a scratch folder."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

import anyio
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import CallToolResult, ListToolsResult, TextContent, Tool

SCRATCH = Path(sys.argv[1])
OPEN = {"type": "object"}
calls = 0


async def list_tools(_context: Any, _params: Any) -> ListToolsResult:
    changed = " Changed." if (SCRATCH / "changed").exists() else ""
    names = ["echo", "meta", "environment", "die", "stuck", "text", "huge", "boom", "refuse", "nul", "pid"]
    return ListToolsResult(
        tools=[Tool(name=name, description=f"Does {name}.{changed}", input_schema=OPEN) for name in names]
    )


async def call_tool(_context: Any, params: Any) -> CallToolResult:
    match params.name:
        case "echo":
            return structured({"got": params.arguments})
        case "meta":
            return structured({"key": (params.meta or {}).get("baton/idempotency-key")})
        case "environment":
            return structured({"names": sorted(os.environ)})
        case "pid":
            return structured({"pid": os.getpid()})
        case "die":
            os._exit(3)
        case "stuck":
            await anyio.sleep_forever()
        case "text":
            return CallToolResult(content=[TextContent(type="text", text="plain")])
        case "huge":
            return structured({"text": "x" * 300_000})
        case "nul":
            return structured({"text": "a\0b"})
        case "refuse":
            said = TextContent(type="text", text="not this time")
            return CallToolResult(content=[said], is_error=True, _meta={"baton/acted": "no"})
    raise RuntimeError("boom")


def structured(value: dict[str, Any]) -> CallToolResult:
    return CallToolResult(content=[], structured_content=value)


async def main() -> None:
    server = Server("fake", on_list_tools=list_tools, on_call_tool=call_tool)
    async with stdio_server() as (read, write):
        await server.run(read, write, server.create_initialization_options())


if __name__ == "__main__":
    anyio.run(main)
