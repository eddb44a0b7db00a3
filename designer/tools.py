"""Tools enter the registry here: described by an administrator (HTTP) or imported from a server (MCP).

Each change raises the workspace's guard revision in its own transaction, so verdicts made before are asked anew.
"""

from __future__ import annotations

import asyncio
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from designer import tool_checks
from designer.changing import require, touch_guard
from designer.models import Connection, ToolRecord
from designer.refusals import ServerUnreachable, Taken, Unfit
from designer.tool_checks import HttpTool, Nature
from orchestration import audit
from orchestration.access import Actor, Right
from orchestration.models import Workspace
from orchestration.providers import mcp
from orchestration.providers.base import ToolError
from orchestration.providers.mcp_session import RemoteTool


def register_http_tool(
    actor: Actor | None, workspace: Workspace, name: str, tool: HttpTool, connection: Connection
) -> ToolRecord:
    """Register an HTTP tool, or change the one of this name. Raises Unfit, or Taken where it is no HTTP tool."""
    require(actor, Right.ADMINISTER, workspace)
    require(actor, Right.ADMINISTER, connection)
    tool_checks.check_name(name)
    tool_checks.check_nature(tool.nature)
    tool_checks.check_schemas(tool.arguments, tool.output)
    tool_checks.check_http(tool)
    with transaction.atomic():
        touch_guard(workspace)
        return _save_tool(actor, workspace, name, _http_fields(tool, connection))


@dataclass(frozen=True)
class Imported:
    """What an import of a server's tools did, by tool name; `refused` says why."""

    added: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()


def register_mcp_tools(actor: Actor | None, workspace: Workspace, server: str) -> Imported:
    """Import the tools of an MCP server of the operator's file, each as `<server>.<tool>`.

    New tools get a risk and effect from the server's hints; what an administrator has set for known ones stays.
    The server is asked before the transaction begins. Raises ServerUnreachable.
    """
    require(actor, Right.ADMINISTER, workspace)
    offered, refused = _acceptable(list_remote_tools(server))
    with transaction.atomic():
        touch_guard(workspace)
        known = dict(ToolRecord.objects.filter(workspace=workspace).values_list("name", "definition_hash"))
        changed = [name for name, remote in offered.items() if known.get(name, remote.hash) != remote.hash]
        added = [name for name in offered if name not in known]
        for name in (*added, *changed):
            _save_tool(actor, workspace, name, _mcp_fields(offered[name], new=name in added))
    return Imported(tuple(added), tuple(changed), tuple(refused))


def list_remote_tools(server: str) -> list[RemoteTool]:
    """Start an MCP server, list its tools and stop it. Raises ServerUnreachable."""
    try:
        file = Path(settings.BATON_MCP_SERVERS)
        config = mcp.read_config(file, data=str(settings.BATON_DATA), python=sys.executable)
        return asyncio.run(_listing(mcp.McpServers(config), server))
    except (mcp.McpConfigError, ToolError) as error:
        raise ServerUnreachable(f"{server}: {error}") from error


def set_tool_enabled(actor: Actor | None, tool: ToolRecord, enabled: bool) -> None:
    """Switch a tool on or off for the whole workspace; calls in flight are not recalled. Nothing if it is so."""
    require(actor, Right.ADMINISTER, tool)
    with transaction.atomic():
        touch_guard(tool.workspace)
        if ToolRecord.objects.filter(pk=tool.pk).exclude(enabled=enabled).update(enabled=enabled):
            audit.record(actor, "tool.enabled" if enabled else "tool.disabled", tool, workspace=tool.workspace)
    tool.enabled = enabled


def set_tool_nature(actor: Actor | None, tool: ToolRecord, nature: Nature) -> None:
    """Set the risk and effect class of a tool. Raises Unfit."""
    require(actor, Right.ADMINISTER, tool)
    tool_checks.check_nature(nature)
    with transaction.atomic():
        touch_guard(tool.workspace)
        tool.risk, tool.effect = nature.risk, nature.effect
        tool.save(update_fields=["risk", "effect"])
        audit.record(actor, "tool.classified", tool, workspace=tool.workspace, risk=nature.risk, effect=nature.effect)


async def _listing(servers: mcp.McpServers, server: str) -> list[RemoteTool]:
    try:
        return await servers.list_tools(server)
    finally:
        await servers.aclose()


def _save_tool(actor: Actor | None, workspace: Workspace, name: str, fields: dict[str, Any]) -> ToolRecord:
    """Write a tool and its audit row, in the caller's transaction, with the workspace's guard held."""
    record = ToolRecord.objects.filter(workspace=workspace, name=name).first()
    if record is not None and record.source != fields["source"]:
        raise Taken(f"{name} is registered as a tool of another source ({record.source}). Choose another name.")
    verb = "tool.changed" if record else "tool.registered"
    if record is None:
        record = ToolRecord(workspace=workspace, name=name, owner=actor.user if actor else None)
    for field, value in fields.items():
        setattr(record, field, value)
    record.save()
    audit.record(
        actor, verb, record, workspace=workspace, definition=record.definition_hash, risk=record.risk,
        effect=record.effect,
    )  # fmt: skip
    return record


def _http_fields(tool: HttpTool, connection: Connection) -> dict[str, Any]:
    target = {
        "method": tool.method,
        "path": tool.path,
        "send": tool.send,
        "key_header": tool.key_header,
        "not_acted_on": list(tool.not_acted_on),
    }
    described = {"arguments": dict(tool.arguments), "output": dict(tool.output), "description": tool.description}
    return {
        **described,
        "title": tool.title,
        "source": ToolRecord.Source.HTTP,
        "risk": tool.nature.risk,
        "effect": tool.nature.effect,
        "timeout_seconds": tool.timeout,
        "connection": connection,
        "target": target,
        "definition_hash": tool_checks.fingerprint(
            source="http", target=target, connection=connection.name, **described
        ),
    }


def _mcp_fields(remote: RemoteTool, new: bool) -> dict[str, Any]:
    nature = tool_checks.nature_from_hints(remote.hints)
    return {
        "title": remote.title[:200],
        "description": remote.description,
        "source": ToolRecord.Source.MCP,
        "arguments": dict(remote.arguments),
        "output": dict(remote.output),
        "target": {"server": remote.server, "tool": remote.name},
        "definition_hash": remote.hash,
        **({"risk": nature.risk, "effect": nature.effect} if new else {}),
    }


def _acceptable(offered: list[RemoteTool]) -> tuple[dict[str, RemoteTool], list[tuple[str, str]]]:
    """Part the tools that can be registered from those that can't, with the reason."""
    good: dict[str, RemoteTool] = {}
    bad: list[tuple[str, str]] = []
    for remote in offered:
        name = f"{remote.server}.{remote.name}"
        try:
            tool_checks.check_name(name)
            tool_checks.check_schemas(remote.arguments, remote.output)
            good[name] = remote
        except Unfit as refusal:
            bad.append((name, refusal.detail))
    return good, bad
