"""Counterparts for the ports: an HTTP server on loopback that does as told, and builders."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from orchestration.core.catalog import Tool
from orchestration.providers.base import Connection, HttpTarget, ModelTarget

SECRET = "sk-canary-0123456789abcdef"

Handler = Callable[["Seen", asyncio.StreamWriter], Awaitable[None]]


@dataclass
class Seen:
    """A request as the server saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class FakeServer:
    """Serves one handler on loopback; `requests` are what it saw."""

    handler: Handler
    requests: list[Seen] = field(default_factory=list)
    port: int = 0

    async def __aenter__(self) -> FakeServer:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            lines = head.split("\r\n")
            method, path, _ = lines[0].split(" ", 2)
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            body = await reader.readexactly(int(headers.get("content-length", 0)))
            self.requests.append(Seen(method, path, headers, body))
            await self.handler(self.requests[-1], writer)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def answering(
    status: int = 200, body: bytes | str | dict | list = b"", content_type: str = "application/json", **headers: str
) -> Handler:
    """Make a handler that answers at once. Header names are given with underscores."""
    raw = body if isinstance(body, bytes) else (body if isinstance(body, str) else json.dumps(body)).encode()

    async def handle(_: Seen, writer: asyncio.StreamWriter) -> None:
        extra = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
        head = f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\ncontent-length: {len(raw)}\r\n{extra}"
        writer.write(f"{head}connection: close\r\n\r\n".encode() + raw)

    return handle


async def hanging(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Never answer, until the caller leaves."""
    while not writer.is_closing():
        await asyncio.sleep(0.01)
        writer.write(b"")
        if writer.transport.is_closing():
            return


async def dripping(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Answer a byte at a time, without end."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100000\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b" ")
        await asyncio.sleep(0.01)


async def cut_off(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Promise more than is sent."""
    writer.write(b'HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{"choices": [')


async def endless(_: Seen, writer: asyncio.StreamWriter) -> None:
    """Send megabytes for as long as somebody reads."""
    writer.write(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n")
    while not writer.transport.is_closing():
        writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
        await writer.drain()


def completion(
    content: str | None, *, finish: str = "stop", refusal: str | None = None, **usage: int
) -> dict[str, Any]:
    """Make an answer in the shape of OpenAI's chat completions."""
    message = {"role": "assistant", "content": content, "refusal": refusal}
    tokens = {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120} | usage
    choice = {"index": 0, "finish_reason": finish, "message": message}
    return {"id": "c1", "object": "chat.completion", "created": 1, "model": "m-1", "choices": [choice], "usage": tokens}


def local(server: FakeServer, **changes: Any) -> Connection:
    """A connection to the fake server that may reach private addresses and holds the canary."""
    values = {"name": "local", "base_url": server.url, "private": True, "header": "Authorization", "scheme": "Bearer",
              "reveal": lambda: SECRET} | changes  # fmt: skip
    return Connection(**values)


def http_tool(connection: Connection, method: str = "POST", path: str = "/things", **changes: Any) -> Tool:
    """A registered HTTP tool."""
    effect = changes.pop("effect", "once")
    return Tool(name="http.thing", source="http", effect=effect, call=HttpTarget(method, path, connection, **changes))


def compatible(server: FakeServer, **params: Any) -> ModelTarget:
    """A model behind the fake server, with prices of its own."""
    connection = local(server, base_url=f"{server.url}/v1", header="")
    return ModelTarget("compatible", "m-1", connection, params, input_usd_per_mtok=1.0, output_usd_per_mtok=2.0)
