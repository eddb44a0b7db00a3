"""The one door to tools: dispatches on what the tool's `call` is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from orchestration.core.catalog import Tool
from orchestration.providers import egress as egress_module
from orchestration.providers.base import HttpTarget, McpTarget, ToolError, ToolReply
from orchestration.providers.http import call_http

if TYPE_CHECKING:
    from orchestration.providers.egress import Egress
    from orchestration.providers.mcp import McpServers


async def call_tool(
    tool: Tool, arguments: bytes, *, key: str, timeout: float,
    egress: Egress | None = None, servers: McpServers | None = None,
) -> ToolReply:  # fmt: skip
    """Call a tool once with these argument bytes, within `timeout` seconds, and give its checked result.

    `key` is the effect's key; the receiver gets it as idempotency key. Raises ToolError. `egress` and `servers` are
    the process's own unless given.
    """
    match tool.call:
        case HttpTarget() as target:
            client = egress or egress_module.shared()
            return await call_http(tool, target, arguments, key=key, timeout=timeout, egress=client)
        case McpTarget() as target:
            # Imported here: the MCP library takes a second, and only workers call tools.
            from orchestration.providers import mcp

            return await (servers or mcp.configured()).call(target, arguments, key=key, timeout=timeout)
    raise ToolError("misconfigured", f"tool {tool.name} has no call Baton knows; register it again", acted="no")
