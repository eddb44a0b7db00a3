"""Opening sockets: names are resolved once, each address is judged, and a judged address is what we connect to.

Because the check and the connection use the same answer of the resolver, a name that changes in between (DNS
rebinding) gains nothing.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address
from typing import Any

import httpcore2

from orchestration.providers.addresses import why_refused
from orchestration.providers.base import ToolError

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]  # host, port -> addresses, best first
_TRIES = 3  # addresses of one name that are tried


class EgressRefused(ToolError):
    """A rule of the egress client forbids the call; nothing was sent. `rule` and `host` say which and where."""

    def __init__(self, rule: str, message: str, host: str = "") -> None:
        super().__init__("egress_refused", message, acted="no")
        self.rule = rule
        self.host = host


class Unreachable(ToolError):
    """No connection to the host came about; nothing was sent."""

    def __init__(self, host: str, detail: str) -> None:
        super().__init__("unreachable", f"{host} can't be reached: {detail}", acted="no", retryable=True)
        self.host = host


async def resolve(host: str, port: int) -> list[str]:
    """Ask the system's resolver for the addresses of `host`. Raises OSError."""
    loop = asyncio.get_running_loop()
    found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class GuardedBackend(httpcore2.AsyncNetworkBackend):
    """Connects to allowed addresses only. `private` allows loopback and private ranges."""

    def __init__(self, resolver: Resolver, private: bool) -> None:
        self._resolver = resolver
        self._private = private
        self._inner = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:  # fmt: skip
        addresses = await self._allowed_addresses(host, port)
        share = timeout / len(addresses) if timeout else None
        for address in addresses[:-1]:
            try:
                return await self._inner.connect_tcp(address, port, share, local_address, socket_options)
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                continue
        return await self._inner.connect_tcp(addresses[-1], port, share, local_address, socket_options)

    async def connect_unix_socket(
        self, path: str, timeout: float | None = None, socket_options: Iterable[Any] | None = None
    ) -> httpcore2.AsyncNetworkStream:
        raise EgressRefused("unix socket", "unix sockets are not reached through a connection")

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds)

    async def _allowed_addresses(self, host: str, port: int) -> list[str]:
        try:
            addresses = list(await self._resolver(host, port))
        except (OSError, UnicodeError):
            raise Unreachable(host, "its name has no address") from None
        if not addresses:
            raise Unreachable(host, "its name has no address")
        for address in addresses:
            self._judge(host, address)
        return addresses[:_TRIES]

    def _judge(self, host: str, address: str) -> None:
        try:
            rule = why_refused(ip_address(address), private=self._private)
        except ValueError:
            rule = "unreadable address"
        if rule:
            message = f"{host} leads to {address}, which is refused ({rule})"
            hint = "" if self._private else "; an administrator can allow private addresses for the connection"
            raise EgressRefused(rule, message + hint, host)
