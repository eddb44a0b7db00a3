"""What the one HTTP client refuses, sends, and gives away."""

from __future__ import annotations

import asyncio
import gzip

import httpx2
import pytest

from orchestration.providers.base import Connection, ToolError
from orchestration.providers.egress import TOOL_BYTES, Egress, check_destination
from orchestration.providers.network import EgressRefused, Unreachable
from tests.providers.fakes import SECRET, FakeServer, answering, cut_off, dripping, endless, hanging, local

PUBLIC = Connection("api", "https://api.example.com/v1", header="Authorization", scheme="Bearer", reveal=lambda: SECRET)


def resolving(*addresses: str):
    asked: list[str] = []

    async def resolver(host: str, port: int) -> list[str]:
        asked.append(host)
        return list(addresses)

    return resolver, asked


async def send(connection: Connection, url: str, egress: Egress | None = None, seconds: float = 5.0, **options):
    egress = egress or Egress()
    try:
        return await egress.send(connection, "POST", url, timeout=seconds, **options)
    finally:
        await egress.aclose()


def exchange(handler, path: str = "/", seconds: float = 5.0, **changes):
    """Send one request to a fake server; give the answer or the error, and what the server saw."""

    async def run():
        async with FakeServer(handler) as server:
            try:
                result = await send(local(server, **changes), server.url + path, seconds=seconds)
            except ToolError as error:
                result = error
            return result, server.requests

    return asyncio.run(run())


def refusal(connection: Connection, url: str, *addresses: str) -> EgressRefused:
    resolver, _ = resolving(*(addresses or ("93.184.215.14",)))
    with pytest.raises(EgressRefused) as caught:
        asyncio.run(send(connection, url, Egress(resolver)))
    assert caught.value.acted == "no"
    return caught.value


@pytest.mark.parametrize("address", [
    "127.0.0.1", "10.0.0.1", "169.254.169.254", "::1", "::ffff:10.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::",
    "fe80::1%eth0", "fd00::1", "garbage",
])  # fmt: skip
def test_a_name_that_leads_to_a_closed_address_is_refused(address):
    error = refusal(PUBLIC, "https://api.example.com/v1/x", address)
    assert error.host == "api.example.com"


def test_one_closed_address_among_public_ones_refuses_the_name():
    assert refusal(PUBLIC, "https://api.example.com/", "93.184.215.14", "127.0.0.1").rule == "loopback"


def test_the_answer_that_was_judged_is_the_address_that_is_connected_to():
    answers = iter([["127.0.0.1"], ["169.254.169.254"]])

    async def rebinding(host: str, port: int) -> list[str]:
        return next(answers)

    async def run():
        async with FakeServer(answering(200, {"ok": True})) as server:
            url = f"http://flip.example:{server.port}/"
            connection = local(server, base_url=url)
            first = await send(connection, url, Egress(rebinding))
            with pytest.raises(EgressRefused):
                await send(connection, url, Egress(rebinding))
            return first, server.requests

    first, requests = asyncio.run(run())
    assert first.status == 200
    assert requests[0].headers["host"].startswith("flip.example:")
    assert len(requests) == 1


@pytest.mark.parametrize("url", [
    "https://other.example.com/", "https://api.example.com.evil.example/", "https://evil.example/?api.example.com",
    "https://api.example.com@evil.example/", "https://api.example.com:password@evil.example/",
    "https://evil.example#@api.example.com/", "https://evil.example\\@api.example.com/", "https://api.example.com./",
    "https://api.example.com%2eevil.example/", "https://api.example.com:8443/", "https://api.example.com:22/",
    "http://api.example.com:443/", "https://xapi.example.com/", "https://api-example.com/", "https://[::1]/",
    "https://127.1/", "https://2130706433/", "https://0x7f.1/", "https://0177.0.0.1/", "https://①②⑦.⓪.⓪.①/",
    "https://api.example.com\r\nx: y/", "https:// api.example.com/", "ftp://api.example.com/", "file:///etc/passwd",
    "gopher://api.example.com/", "https:///v1", "//api.example.com/", "api.example.com", "", "https://api.example.com\0/",
    "https://api.example.com\t.evil.example/",
])  # fmt: skip
def test_only_the_connections_own_host_is_asked(url):
    resolver, asked = resolving("93.184.215.14")
    with pytest.raises(EgressRefused):
        asyncio.run(send(PUBLIC, url, Egress(resolver)))
    assert asked == []


def test_a_secret_is_not_sent_by_plain_http():
    error = refusal(Connection("plain", "http://api.example.com", reveal=lambda: SECRET), "http://api.example.com/")
    assert error.rule == "plain http"


def test_a_refusal_names_the_rule_the_host_and_the_connection():
    error = refusal(PUBLIC, "https://other.example.com/")
    assert error.rule == "host list"
    assert error.host == "other.example.com"
    assert "connection api" in str(error)


def test_a_listed_host_is_compared_exactly():
    listed = Connection("api", "https://a.example.com", hosts=("a.example.com", "b.example.com:8443"))
    check_destination(listed, httpx2.URL("https://A.example.com/x"))
    check_destination(listed, httpx2.URL("https://b.example.com:8443/"))
    with pytest.raises(EgressRefused):
        check_destination(listed, httpx2.URL("https://b.example.com/"))


def test_the_secret_travels_in_the_connections_header_and_nowhere_else():
    answer, requests = exchange(answering(200, {"ok": True}), "/p?q=1")
    assert answer.status == 200
    assert requests[0].headers["authorization"] == f"Bearer {SECRET}"
    assert SECRET not in requests[0].path


def test_a_secret_that_would_break_the_header_is_refused():
    error, requests = exchange(answering(), reveal=lambda: "two\r\nX-Admin: yes")
    assert error.rule == "bad secret"
    assert requests == []


def test_an_sdks_own_credentials_are_replaced():
    async def run():
        async with FakeServer(answering(200, {})) as server:
            egress = Egress()
            client = egress.client(local(server))
            await client.get(
                server.url, headers={"Authorization": "Bearer dummy", "X-Api-Key": "dummy", "Cookie": "a=b"}
            )
            await egress.aclose()
            return server.requests[0].headers

    headers = asyncio.run(run())
    assert headers["authorization"] == f"Bearer {SECRET}"
    assert "x-api-key" not in headers
    assert "cookie" not in headers


def test_a_redirect_is_an_answer_without_a_body_and_is_not_followed():
    answer, requests = exchange(answering(302, b"secret page", location="http://169.254.169.254/latest"))
    assert (answer.status, answer.body) == (302, b"")
    assert answer.headers["location"] == "http://169.254.169.254/latest"
    assert len(requests) == 1


def test_a_client_told_to_follow_redirects_is_still_refused_the_next_host():
    async def run():
        async with FakeServer(answering(302, location="http://169.254.169.254/latest")) as server:
            egress = Egress()
            try:
                await egress.client(local(server)).get(server.url, follow_redirects=True)
            finally:
                await egress.aclose()

    with pytest.raises(EgressRefused):
        asyncio.run(run())


def test_environment_proxies_are_ignored(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("ALL_PROXY", "http://127.0.0.1:1")
    answer, _ = exchange(answering(200, {"ok": True}))
    assert answer.status == 200


@pytest.mark.parametrize("handler", [hanging, dripping])
def test_a_server_that_takes_its_time_is_cut_off_in_total(handler):
    error, _ = exchange(handler, seconds=0.3)
    assert (error.code, error.acted) == ("timeout", "unknown")


def test_a_cut_answer_leaves_the_effect_unknown():
    error, _ = exchange(cut_off)
    assert (error.code, error.acted) == ("connection_lost", "unknown")


def test_an_endless_answer_is_given_up_at_the_cap():
    error, _ = exchange(endless)
    assert error.code == "answer_too_large"
    assert f"{TOOL_BYTES:,}" in str(error)


def test_a_body_that_unpacks_to_far_more_is_given_up_at_the_cap():
    bomb = gzip.compress(b"\0" * (50 * 1024 * 1024))
    error, _ = exchange(answering(200, bomb, content_encoding="gzip"))
    assert error.code == "answer_too_large"


def test_a_compressed_body_is_unpacked():
    answer, _ = exchange(answering(200, gzip.compress(b'{"a": 1}'), content_encoding="gzip"))
    assert answer.body == b'{"a": 1}'


@pytest.mark.parametrize("encoding", ["br", "zstd", "gzip, gzip", "compress"])
def test_an_encoding_that_was_not_asked_for_is_an_error(encoding):
    error, _ = exchange(answering(200, b"xxxx", content_encoding=encoding))
    assert error.code == "bad_answer"


def test_a_body_that_is_not_what_its_encoding_says_is_an_error():
    error, _ = exchange(answering(200, b"not gzip at all", content_encoding="gzip"))
    assert error.code == "bad_answer"


def test_nothing_listening_means_nothing_was_done():
    async def run():
        async with FakeServer(answering()) as server:
            connection, url = local(server), server.url
        return await send(connection, url)

    with pytest.raises(Unreachable) as caught:
        asyncio.run(run())
    assert (caught.value.acted, caught.value.retryable) == ("no", True)


def test_a_name_without_address_means_nothing_was_done():
    async def failing(host: str, port: int) -> list[str]:
        raise OSError("no such host")

    with pytest.raises(Unreachable):
        asyncio.run(send(PUBLIC, "https://api.example.com/", Egress(failing)))


def test_a_resolver_that_hangs_is_cut_off_and_nothing_was_done():
    async def stuck(host: str, port: int) -> list[str]:
        await asyncio.Event().wait()
        return []

    with pytest.raises(ToolError) as caught:
        asyncio.run(send(PUBLIC, "https://api.example.com/", Egress(stuck), seconds=0.1))
    assert (caught.value.code, caught.value.acted) == ("timeout", "no")


def test_a_private_and_a_public_connection_share_no_socket():
    async def run():
        egress = Egress()
        same = egress.pool(True) is egress.pool(True)
        apart = egress.pool(True) is not egress.pool(False)
        await egress.aclose()
        return same, apart

    assert asyncio.run(run()) == (True, True)


def test_the_secret_is_not_in_the_text_of_a_connection():
    assert SECRET not in repr(PUBLIC)
