"""One MCP server over stdio: its process, its session, and what its failures mean for an effect."""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from orchestration.core.definition import Json
from orchestration.providers.base import McpTarget, ToolError

if TYPE_CHECKING:
    from mcp.client._transport import TransportStreams
    from mcp.client.session import ClientSession
    from mcp.client.stdio import StdioServerParameters

START_SECONDS = 30.0
LISTING_SECONDS = 5.0  # a listing older than this is read again before a pinned tool is called
KEY_META = "baton/idempotency-key"
ACTED_META = "baton/acted"
# Errors of the protocol itself, which come before the tool runs: parse, request, method, parameters.
_NOT_ACTED_CODES = frozenset({-32700, -32600, -32601, -32602})


@dataclass(frozen=True, slots=True)
class RemoteTool:
    """A tool as a server describes it. `hash` covers all a model or a person would read: a change asks anew."""

    server: str
    name: str
    description: str
    arguments: Mapping[str, Json]
    output: Mapping[str, Json]
    hash: str
    title: str = ""
    hints: Mapping[str, Json] = field(default_factory=dict)  # risk and effect as the server sees them; not trusted


class McpSession:
    """Owns a task that holds the server open; everybody else talks through it.

    The task both enters and leaves the library's context managers, because their cancel scopes belong to one task.
    """

    def __init__(self, server: str, command: tuple[str, ...], env: Mapping[str, str], cwd: str | None) -> None:
        self._server, self._command, self._env, self._cwd = server, command, dict(env), cwd
        self._loop = asyncio.get_running_loop()
        self._ended = asyncio.Event()  # set when the server's output ends, or somebody wants it closed
        self._ready: asyncio.Future[ClientSession] = self._loop.create_future()
        self._owner = self._loop.create_task(self._hold_open(), name=f"mcp {server}")
        self._listed: dict[str, RemoteTool] = {}
        self._listed_at = float("-inf")

    def usable(self) -> bool:
        return not self._ended.is_set() and not self._owner.done() and self._loop is asyncio.get_running_loop()

    async def list_tools(self, timeout: float) -> list[RemoteTool]:
        try:
            async with asyncio.timeout(timeout):
                return list((await self._fresh_listing(await self._session(), max_age=0.0)).values())
        except TimeoutError:
            raise self._error("timeout", f"did not list its tools within {timeout:g} s", "no", True) from None

    async def call(self, target: McpTarget, values: dict[str, Json], key: str, timeout: float) -> Json:
        sent = False
        try:
            async with asyncio.timeout(timeout):
                session = await self._session()
                await self._check_pin(session, target)
                sent = True
                return await self._exchange(session, target, values, key, timeout)
        except TimeoutError:
            acted = "unknown" if sent else "no"
            raise self._error("timeout", f"did not answer within {timeout:g} s", acted, True) from None

    async def aclose(self) -> None:
        """End the server: its input is closed, and what does not leave by itself is stopped."""
        self._ended.set()
        if self._loop is asyncio.get_running_loop():
            if not self._ready.done():
                self._owner.cancel()  # it still waits for the server's greeting
            await asyncio.wait({self._owner})

    async def _session(self) -> ClientSession:
        # Shielded: one caller giving up must not cancel the start that others wait for.
        return await asyncio.shield(self._ready)

    async def _hold_open(self) -> None:
        try:
            parameters, client_of = await asyncio.to_thread(_import_library)
            async with asyncio.timeout(START_SECONDS) as start:
                transport = _watched(parameters(self._command, self._env, self._cwd), self._ended)
                async with client_of(transport) as client:
                    start.reschedule(None)
                    self._ready.set_result(client.session)
                    await self._ended.wait()
        except Exception as error:  # whatever the library raises: the server is gone
            if not self._ready.done():
                self._ready.set_exception(self._not_started(error))
                self._ready.exception()  # nobody may be waiting
        finally:
            self._ended.set()
            if not self._ready.done():
                self._ready.set_exception(self._error("unavailable", "was stopped before it had started", "no", True))
                self._ready.exception()

    async def _check_pin(self, session: ClientSession, target: McpTarget) -> None:
        listed = await self._fresh_listing(session, max_age=LISTING_SECONDS if target.definition_hash else float("inf"))
        tool = listed.get(target.tool) or (await self._fresh_listing(session, max_age=0.0)).get(target.tool)
        if tool is None:
            raise self._error("not_found", f"has no tool {target.tool!r}", "no")
        if target.definition_hash and tool.hash != target.definition_hash:
            message = (
                f"has changed its tool {target.tool!r} since it was approved; review the tool and approve it again"
            )
            raise self._error("definition_changed", message, "no")

    async def _fresh_listing(self, session: ClientSession, max_age: float) -> dict[str, RemoteTool]:
        if self._loop.time() - self._listed_at > max_age or not self._listed:
            self._listed = {tool.name: tool for tool in await self._listing(session)}
            self._listed_at = self._loop.time()
        return self._listed

    async def _listing(self, session: ClientSession) -> list[RemoteTool]:
        from mcp_types import PaginatedRequestParams

        tools: list[RemoteTool] = []
        cursor: str | None = None
        try:
            for _ in range(50):  # pages; a listing without end must not hang us
                page = await session.list_tools(params=PaginatedRequestParams(cursor=cursor) if cursor else None)
                tools += [_remote_tool(self._server, tool) for tool in page.tools]
                cursor = page.next_cursor
                if not cursor:
                    break
        except Exception as error:  # see _failure: whatever the library raises, the tool itself was not called
            raise self._failure(error, acted="no") from None
        return tools

    async def _exchange(
        self, session: ClientSession, target: McpTarget, values: dict[str, Json], key: str, timeout: float
    ) -> Json:
        from mcp_types import RequestParamsMeta

        meta = cast(RequestParamsMeta, {KEY_META: key})
        try:
            result = await session.call_tool(target.tool, values, read_timeout_seconds=timeout, meta=meta)
        except Exception as error:  # see _failure
            raise self._failure(error, acted="unknown") from None
        if result.is_error:
            acted = "no" if (result.meta or {}).get(ACTED_META) == "no" else "unknown"
            said = _printable(" ".join(_texts(result.content)))
            raise self._error("tool_error", f"answered {target.tool} with an error: {said or 'no text'}", acted)
        return _value_of(result)

    def _failure(self, error: Exception, acted: str) -> ToolError:
        """Tell what an exception of the library means: it raises groups, its own errors, and those of pydantic."""
        from mcp.shared.exceptions import MCPError

        cause = unwrapped(error)
        if isinstance(cause, MCPError):
            if cause.code in _NOT_ACTED_CODES:
                return self._error("bad_request", f"refused the call: {_printable(cause.message)}", "no")
            if self._ended.is_set() or not self.usable():
                return self._error("connection_lost", "ended before it answered", acted, True)
            return self._error("tool_error", f"failed: {_printable(cause.message)}", acted)
        gone = self._ended.is_set()
        what = "ended before it answered" if gone else f"gave no usable answer: {_printable(str(cause))}"
        return self._error("connection_lost" if gone else "bad_answer", what, acted, gone)

    def _not_started(self, error: Exception) -> ToolError:
        cause = unwrapped(error)
        detail = _printable(str(cause)) or type(cause).__name__
        if isinstance(cause, TimeoutError):
            detail = f"it did not greet within {START_SECONDS:g} s"
        message = f"could not be started with {self._command[0]!r}: {detail}; its own messages are in the worker's log"
        return self._error("unavailable", message, "no", True)

    def _error(self, code: str, what: str, acted: str, retryable: bool = False) -> ToolError:
        return ToolError(code, f"the MCP server {self._server} {what}", acted=acted, retryable=retryable)


def unwrapped(error: BaseException) -> BaseException:
    """Give the first real error inside nested exception groups."""
    while isinstance(error, BaseExceptionGroup) and error.exceptions:
        error = error.exceptions[0]
    return error


def definition_hash(server: str, name: str, description: str, arguments: Json, output: Json) -> str:
    """Hash what a tool says of itself: SHA-256, hexadecimal."""
    parts = [server, name, description, arguments, output]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def _import_library() -> tuple[Any, Any]:
    """Import the MCP library (about a second) off the loop; give what builds parameters and what builds a client."""
    from mcp import Client
    from mcp.client.stdio import StdioServerParameters

    def parameters(command: tuple[str, ...], env: dict[str, str], cwd: str | None) -> StdioServerParameters:
        return StdioServerParameters(command=command[0], args=list(command[1:]), env=env, cwd=cwd)

    def client_of(transport: Any) -> Client:
        return Client(transport, cache=None)

    return parameters, client_of


@asynccontextmanager
async def _watched(parameters: StdioServerParameters, ended: asyncio.Event) -> AsyncIterator[TransportStreams]:
    """Open the server's pipes, and set `ended` as soon as nothing more will come out of them."""
    from mcp.client.stdio import stdio_client

    errors = sys.__stderr__ or io.TextIOWrapper(io.FileIO(os.devnull, "w"))
    async with stdio_client(parameters, errlog=errors) as (read, write):
        yield _WatchedStream(read, ended), write


class _WatchedStream:
    """A read stream that tells when it ends."""

    def __init__(self, stream: Any, ended: asyncio.Event) -> None:
        self._stream, self._ended = stream, ended

    async def receive(self) -> Any:
        try:
            return await self._stream.receive()
        except Exception:
            self._ended.set()
            raise

    async def __anext__(self) -> Any:
        try:
            return await self._stream.__anext__()
        except (Exception, StopAsyncIteration):
            self._ended.set()
            raise

    def __aiter__(self) -> _WatchedStream:
        return self

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    async def __aenter__(self) -> _WatchedStream:
        await self._stream.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> bool | None:
        return bool(await self._stream.__aexit__(*error))

    async def aclose(self) -> None:
        await self._stream.aclose()


def _remote_tool(server: str, tool: Any) -> RemoteTool:
    description, output = tool.description or "", tool.output_schema or {}
    notes = tool.annotations.model_dump(exclude_none=True) if tool.annotations else {}
    return RemoteTool(
        server=server,
        name=tool.name,
        title=tool.title or "",
        description=description,
        arguments=tool.input_schema,
        output=output,
        hash=definition_hash(server, tool.name, description, tool.input_schema, output),
        hints={**notes, **{str(key): value for key, value in (tool.meta or {}).items()}},
    )


def _value_of(result: Any) -> Json:
    if result.structured_content is not None:
        return result.structured_content
    blocks = [block.model_dump(mode="json", by_alias=True, exclude_none=True) for block in result.content]
    texts = _texts(result.content)
    if len(texts) == len(blocks):
        return texts[0] if len(texts) == 1 else texts
    return blocks


def _texts(content: Any) -> list[str]:
    return [block.text for block in content if getattr(block, "type", "") == "text"]


def _printable(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:600]
