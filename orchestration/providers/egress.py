"""The one HTTP client of Baton. Everything that leaves by HTTP, models' SDKs included, goes through `Egress`.

A connection decides where a request may go: the host is compared with the connection's list, resolved once, each
address judged by our own table, and the socket opened to a judged address (TLS name and Host header stay those of
the URL). The secret is revealed here, put on the header here, and taken out of every text that leaves here.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from weakref import WeakKeyDictionary

import httpcore2
import httpx2

from orchestration.providers.addresses import why_bad_host
from orchestration.providers.base import Connection, ToolError
from orchestration.providers.bodies import BoundedBody
from orchestration.providers.network import EgressRefused, GuardedBackend, Resolver, Unreachable, resolve
from orchestration.providers.redaction import redact, redact_exact

TOOL_BYTES = 2 * 1024 * 1024  # the most a tool's answer may have, decoded
MODEL_BYTES = 8 * 1024 * 1024
CONNECT_SECONDS = 10.0
_WEB_PORTS = (80, 443)
_CREDENTIAL_HEADERS = ("authorization", "proxy-authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie")


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer, read whole. Its body is empty for a redirect, which is never followed."""

    status: int
    headers: httpx2.Headers
    body: bytes


class Egress:
    """Guarded HTTP. One per process is enough; sockets are pooled per event loop and per trust (private or not)."""

    def __init__(self, resolver: Resolver = resolve) -> None:
        self._resolver = resolver
        self._tls: ssl.SSLContext | None = None
        self._pools: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[bool, httpx2.AsyncHTTPTransport]]
        self._pools = WeakKeyDictionary()

    async def send(
        self, connection: Connection, method: str, url: str, *, headers: Mapping[str, str] | None = None,
        content: bytes | None = None, timeout: float, max_bytes: int = TOOL_BYTES,
    ) -> Answer:  # fmt: skip
        """Send one request and read the whole answer within `timeout` seconds.

        Raises EgressRefused when a rule forbids the call and ToolError when it failed: `acted` is "no" as long as
        nothing had been sent.
        """
        sent = _Sent()
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(connection, method, url, headers, content, max_bytes, sent)
        except TimeoutError:
            message = f"{_host_of(url)} did not answer within {timeout:g} s"
            raise ToolError("timeout", message, acted=sent.acted, retryable=True) from None
        except httpx2.HTTPError as error:
            raise _as_tool_error(error, url, sent, self.secrets(connection)) from None

    def client(self, connection: Connection, *, max_bytes: int = MODEL_BYTES) -> httpx2.AsyncClient:
        """Give an httpx2 client with the same guards, for an SDK that wants one.

        The SDK is built with a dummy key: its credentials are stripped and the connection's put in their place.
        Closing the client closes no pooled socket.
        """
        return httpx2.AsyncClient(
            transport=EgressTransport(self, connection, max_bytes),
            timeout=httpx2.Timeout(None, connect=CONNECT_SECONDS, pool=CONNECT_SECONDS),
            trust_env=False,
            follow_redirects=False,
        )

    def pool(self, private: bool) -> httpx2.AsyncHTTPTransport:
        """Give this loop's pool for connections of one trust."""
        pools = self._pools.setdefault(asyncio.get_running_loop(), {})
        if private not in pools:
            pools[private] = self._new_pool(private)
        return pools[private]

    async def aclose(self) -> None:
        """Close the idle sockets of the running loop."""
        for transport in self._pools.pop(asyncio.get_running_loop(), {}).values():
            await transport.aclose()

    @staticmethod
    def secrets(connection: Connection | None) -> tuple[str, ...]:
        """Reveal what must not appear in a text. Only for this module and the callers of `cleaned`."""
        secret = connection.reveal() if connection is not None and connection.reveal is not None else ""
        return (secret,) if secret else ()

    async def _exchange(
        self, connection: Connection, method: str, url: str, headers: Mapping[str, str] | None,
        content: bytes | None, max_bytes: int, sent: _Sent,
    ) -> Answer:  # fmt: skip
        request = httpx2.Request(method, _parsed(url), headers=dict(headers or {}), content=content)
        request.extensions["timeout"] = {"connect": CONNECT_SECONDS, "pool": CONNECT_SECONDS}
        request.extensions["trace"] = sent.note
        response = await EgressTransport(self, connection, max_bytes, sent).handle_async_request(request)
        try:
            body = await response.aread()
        finally:
            await response.aclose()
        return Answer(response.status_code, response.headers, body)

    def _new_pool(self, private: bool) -> httpx2.AsyncHTTPTransport:
        if self._tls is None:
            self._tls = httpx2.create_ssl_context(trust_env=False)
        transport = httpx2.AsyncHTTPTransport(verify=self._tls, trust_env=False)
        # The transport has no public way to take a network backend; tests/providers/test_egress.py watches this.
        transport._pool = httpcore2.AsyncConnectionPool(
            ssl_context=self._tls, network_backend=GuardedBackend(self._resolver, private),
            retries=0, http1=True, http2=False, max_connections=1000,
            max_keepalive_connections=100, keepalive_expiry=15.0,
        )  # fmt: skip
        return transport


class EgressTransport(httpx2.AsyncBaseTransport):
    """Sends requests for one connection: checks where they go, and swaps credentials for the connection's own."""

    def __init__(self, egress: Egress, connection: Connection, max_bytes: int, sent: _Sent | None = None) -> None:
        self._egress = egress
        self.connection = connection  # replaced by the owner when the catalog brings a newer one
        self._max_bytes = max_bytes
        self._sent = sent or _Sent()

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        check_destination(self.connection, request.url)
        self._put_credentials(request.headers)
        request.headers["accept-encoding"] = "gzip"
        response = await self._egress.pool(self.connection.private).handle_async_request(request)
        if 300 <= response.status_code < 400:
            await response.aclose()
            return httpx2.Response(response.status_code, headers=_location_only(response.headers), content=b"")
        return self._bounded(request, response)

    def _put_credentials(self, headers: httpx2.Headers) -> None:
        connection = self.connection
        for name in {*_CREDENTIAL_HEADERS, connection.header.lower()} & {name.lower() for name in headers}:
            del headers[name]
        for secret in self._egress.secrets(connection):
            if not connection.header:
                raise EgressRefused(
                    "no header", f"connection {connection.name} has a secret but names no header for it"
                )
            value = f"{connection.scheme} {secret}".strip()
            if not value.isascii() or not value.isprintable():
                raise EgressRefused("bad secret", f"the secret of connection {connection.name} can't stand in a header")
            headers[connection.header] = value

    def _bounded(self, request: httpx2.Request, response: httpx2.Response) -> httpx2.Response:
        host = request.url.host
        encoding = response.headers.get("content-encoding", "identity").strip().lower()
        body = BoundedBody(response.stream, encoding, self._max_bytes, host)
        headers = [(name, value) for name, value in response.headers.raw
                   if name.lower() not in (b"content-encoding", b"content-length", b"transfer-encoding")]  # fmt: skip
        return httpx2.Response(response.status_code, headers=headers, stream=body, extensions=response.extensions)


class _Sent:
    """Remembers whether the first byte of a request has gone out: until then the other side can't have acted."""

    def __init__(self) -> None:
        self.acted = "no"

    async def note(self, event: str, _: Mapping[str, object]) -> None:
        if event.endswith("send_request_headers.started"):
            self.acted = "unknown"


def check_destination(connection: Connection, url: httpx2.URL) -> None:
    """Refuse a URL that the connection does not allow. Raises EgressRefused; sends and resolves nothing."""
    host, who = url.raw_host.decode("ascii", "replace").lower(), f"connection {connection.name}"
    if url.scheme not in ("http", "https"):
        raise EgressRefused("scheme", f"{who} may use http and https, not {url.scheme or 'a URL without scheme'}", host)
    if url.userinfo:
        raise EgressRefused("user-info", f"{who}: the URL of {host} holds a user name; use the secret instead", host)
    reason = why_bad_host(host)
    if reason:
        raise EgressRefused("host spelling", f"{who}: {host!r} is refused ({reason})", host)
    port = url.port or (443 if url.scheme == "https" else 80)
    if port < 1024 and port not in _WEB_PORTS and not connection.private:
        raise EgressRefused("port", f"{who}: port {port} of {host} is not one for web services", host)
    if not _listed(connection, host, port):
        raise EgressRefused("host list", f"{who} is not for {host}; an administrator can add the host to it", host)
    if url.scheme == "http" and connection.reveal is not None and not connection.private:
        raise EgressRefused(
            "plain http", f"{who}: its secret is sent by https only, and {host} was asked by http", host
        )


def cleaned(text: str, connection: Connection | None, *, limit: int = 600) -> str:
    """Give the start of a foreign text for an error message: without the secret, without control characters."""
    clean = redact(text[: limit * 4], Egress.secrets(connection))
    return "".join(char if char.isprintable() else " " for char in clean)[:limit]


def without_secret(text: str, connection: Connection | None) -> str:
    """Give a foreign text of any length with each whole secret replaced."""
    return redact_exact(text, Egress.secrets(connection))


@lru_cache(maxsize=1)
def shared() -> Egress:
    """Give the Egress of this process."""
    return Egress()


def _listed(connection: Connection, host: str, port: int) -> bool:
    # With no list, the host and port of the base URL are meant: both were written by the same administrator.
    if connection.hosts:
        return any(entry.lower() in (host, f"{host}:{port}", f"[{host}]:{port}") for entry in connection.hosts)
    base = _parsed(connection.base_url) if connection.base_url else httpx2.URL("")
    base_port = base.port or (443 if base.scheme == "https" else 80)
    return bool(host) and (base.raw_host.decode("ascii").lower(), base_port) == (host, port)


def _parsed(url: str) -> httpx2.URL:
    if any(char.isspace() or not char.isprintable() or char == "\\" for char in url):
        raise EgressRefused("URL spelling", "the URL holds a space, a control character or a backslash")
    try:
        return httpx2.URL(url)
    except (httpx2.InvalidURL, ValueError) as error:
        raise EgressRefused("URL spelling", f"the URL can't be read: {error}") from None


def _host_of(url: str) -> str:
    return httpx2.URL(url).host


def _location_only(headers: httpx2.Headers) -> dict[str, str]:
    return {"location": headers["location"]} if "location" in headers else {}


def _as_tool_error(error: httpx2.HTTPError, url: str, sent: _Sent, secrets: tuple[str, ...]) -> ToolError:
    unreached = isinstance(error, (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout))
    detail = redact(str(error) or type(error).__name__, secrets)[:300]
    host = _host_of(url)
    if unreached and sent.acted == "no":
        return Unreachable(host, detail)
    return ToolError("connection_lost", f"the connection to {host} broke: {detail}", acted=sent.acted, retryable=True)
