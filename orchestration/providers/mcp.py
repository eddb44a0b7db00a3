"""The MCP client. Servers come only from a file that the operator owns; workflows name them, never define them.

    {"servers": {"helpdesk": {"command": ["{python}", "-m", "samples.helpdesk"], "env": {}, "cwd": ".."}}}

`{python}` and `{data}` are filled in; a relative `cwd` starts at the folder of the file. One session a server and
process lives on the event loop: started by the first call, shared by all, started anew after it died.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchestration.core.definition import Json
from orchestration.providers.base import McpTarget, ToolError, ToolReply
from orchestration.providers.mcp_session import McpSession, RemoteTool
from orchestration.providers.payloads import BadPayload, check_size, check_value, parse_json


class McpConfigError(ValueError):
    """The file of MCP servers can't be used; the message says where and why."""


@dataclass(frozen=True, slots=True)
class McpServerConfig:
    """How to start one server. The child gets a minimal environment plus `env`."""

    name: str
    command: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None


class McpServers:
    """The sessions of one process. Use it on one event loop."""

    def __init__(self, configs: Mapping[str, McpServerConfig]) -> None:
        self._configs = dict(configs)
        self._sessions: dict[str, McpSession] = {}

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._configs)

    async def list_tools(self, server: str, *, timeout: float = 30.0) -> list[RemoteTool]:
        """List a server's tools as it describes them now, each with its definition hash. Raises ToolError."""
        return await self._session(server).list_tools(timeout)

    async def call(self, target: McpTarget, arguments: bytes, *, key: str, timeout: float) -> ToolReply:
        """Call a tool once. Raises ToolError; `acted` is "no" if the call never reached the server.

        A server may say so itself: an error whose `_meta` holds `"baton/acted": "no"` was not acted on.
        """
        try:
            values = parse_json(arguments or b"{}")
        except BadPayload as error:
            raise ToolError("bad_arguments", f"the arguments can't be sent: {error}", acted="no") from None
        if not isinstance(values, dict):
            raise ToolError("bad_arguments", "the arguments of a tool are an object", acted="no")
        value = await self._session(target.server).call(target, values, key, timeout)
        try:
            return ToolReply(value=check_value(value), bytes_received=check_size(value))
        except BadPayload as error:
            message = f"{target.server}.{target.tool} answered something that can't be used: {error}"
            raise ToolError("bad_answer", message) from None

    async def aclose(self) -> None:
        """End all sessions and their servers."""
        sessions, self._sessions = list(self._sessions.values()), {}
        for session in sessions:
            await session.aclose()

    def _session(self, server: str) -> McpSession:
        config = self._configs.get(server)
        if config is None:
            known = ", ".join(sorted(self._configs)) or "none"
            message = f"there is no MCP server {server!r} in the operator's file (known: {known})"
            raise ToolError("misconfigured", message, acted="no")
        session = self._sessions.get(server)
        if session is None or not session.usable():
            session = self._sessions[server] = McpSession(server, config.command, config.env, config.cwd)
        return session


_configured: McpServers | None = None


def configure(path: str | Path, *, data: str | Path = "", python: str = sys.executable) -> McpServers:
    """Read the operator's file and make its servers those of this process. Starts none. Raises McpConfigError."""
    global _configured
    _configured = McpServers(read_config(Path(path), data=str(data), python=python))
    return _configured


def configured() -> McpServers:
    """Give the servers of this process. Raises ToolError before `configure`."""
    if _configured is None:
        raise ToolError("misconfigured", "no file of MCP servers is configured for this process", acted="no")
    return _configured


def read_config(path: Path, *, data: str, python: str) -> dict[str, McpServerConfig]:
    """Read a file of servers. Raises McpConfigError."""
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise McpConfigError(f"{path} can't be read: {error.strerror}") from error
    except ValueError as error:
        raise McpConfigError(f"{path} is not JSON: {error}") from error
    servers = document.get("servers") if isinstance(document, dict) else None
    if not isinstance(servers, dict):
        raise McpConfigError(f'{path} holds no object "servers"')
    fill = {"{python}": python, "{data}": data}
    return {name: _server(name, entry, fill, path) for name, entry in servers.items()}


def _server(name: str, entry: Json, fill: Mapping[str, str], path: Path) -> McpServerConfig:
    place = f"{path}, server {name!r}"
    if not isinstance(entry, dict):
        raise McpConfigError(f"{place} is not an object")
    unknown = set(entry) - {"command", "env", "cwd"}
    if unknown:
        raise McpConfigError(f"{place} has unknown keys: {', '.join(sorted(unknown))}")
    command, env, cwd = entry.get("command"), entry.get("env", {}), entry.get("cwd")
    if not (isinstance(command, list) and command and all(isinstance(word, str) for word in command)):
        raise McpConfigError(f'{place}: "command" must be a list of texts, the program first')
    if not (isinstance(env, dict) and all(isinstance(value, str) for value in env.values())):
        raise McpConfigError(f'{place}: "env" must map names to texts')
    if not (cwd is None or isinstance(cwd, str)):
        raise McpConfigError(f'{place}: "cwd" must be a text')
    return McpServerConfig(
        name=name,
        command=tuple(_filled(word, fill) for word in command),
        env={key: _filled(value, fill) for key, value in env.items()},
        cwd=None if cwd is None else str((path.parent / _filled(cwd, fill)).resolve()),
    )


def _filled(text: str, fill: Mapping[str, str]) -> str:
    for place, value in fill.items():
        if place in text and not value:
            raise McpConfigError(f"{place} is used but not known here")
        text = text.replace(place, value)
    return text
