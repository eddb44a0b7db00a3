"""What people are asked: the request of an approval step with the exact call it covers, or about an unknown effect."""

from __future__ import annotations

from hashlib import sha256
from typing import Any
from urllib.parse import urlsplit

import orjson

from orchestration.core.catalog import Tool
from orchestration.core.definition import Json
from orchestration.core.transition import Ask
from orchestration.providers.base import HttpTarget, McpTarget
from runs.held import Held


def described(held: Held, ask: Ask) -> dict[str, Any]:
    """Complete what a step asks with what only the shell knows."""
    if ask.kind == "unknown_effect":
        return _unknown_effect(held, ask)
    asked = {**ask.asked, "action": None}
    if call := ask.asked.get("call"):
        asked["action"] = action(held, call["step"], call["arguments"])
    return asked


def action(held: Held, covered: str, arguments: Json) -> dict[str, Json]:
    """Describe a covered call: the tool as it is registered now, where it goes, and the resolved arguments."""
    name = held.compiled.plan.nodes[covered].step.config["tool"]
    tool = held.compiled.catalog.tools.get(name)
    connection, host = _where(tool)
    return {
        "tool": name, "title": tool.title if tool else "", "risk": tool.risk if tool else "write",
        "effect": tool.effect if tool else "once", "definition_hash": tool.definition_hash if tool else "",
        "connection": connection, "host": host, "arguments": arguments, "step": covered,
    }  # fmt: skip


def _where(tool: Tool | None) -> tuple[str, str]:
    match tool and tool.call:
        case HttpTarget() as target:
            return target.connection.name, urlsplit(target.connection.base_url).hostname or ""
        case McpTarget() as target:
            return target.server, ""
    return "", ""


def _unknown_effect(held: Held, ask: Ask) -> dict[str, Any]:
    step = held.compiled.plan.nodes[ask.path].step
    tool = held.compiled.catalog.tools.get(step.config.get("tool", ""))
    known = held.in_doubt(ask.path, ask.pass_number)
    key, arguments = (known.key, known.arguments) if known else ("", b"{}")
    name = tool.title or tool.name if tool else ask.path
    return {
        "question": f"Did “{name}” happen? {ask.asked.get('question', '')}".strip(), "effect_key": key,
        "tool": tool.name if tool else "", "arguments": orjson.loads(arguments),
        "digest": sha256(arguments).hexdigest(), "risk": tool.risk if tool else "high",
    }  # fmt: skip
