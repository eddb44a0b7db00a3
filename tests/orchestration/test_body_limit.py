"""Oversized bodies stop at the door."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from orchestration.body_limit import BodyLimit, _refusal

LIMIT = 100  # bytes


@pytest.fixture(autouse=True)
def _small_limit(settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = LIMIT


def test_people_are_told_on_a_page_and_programs_by_a_problem() -> None:
    page, problem = _refusal("/w/main/push/"), _refusal("/api/v1/tokens")

    assert (page.status_code, page["Content-Type"].split(";")[0]) == (413, "text/html")
    assert "at most 2 MiB" in page.content.decode()
    assert (problem.status_code, problem["Content-Type"]) == (413, "application/problem+json")


def served(chunks: list[bytes], headers: list[tuple[bytes, bytes]] | None = None) -> tuple[list[bytes], int]:
    """Send the chunks to an application that reads all of them; return what it read and the status."""
    read: list[bytes] = []
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})

    async def application(scope: Any, receive: Any, send: Any) -> None:
        more = True
        while more:
            message = await receive()
            read.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def receive() -> Any:
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "headers": headers or []}
    asyncio.run(BodyLimit(application)(scope, receive, send))
    return read, sent[0]["status"]


def test_a_body_at_the_limit_passes() -> None:
    read, status = served([b"x" * 60, b"x" * 40])

    assert (b"".join(read), status) == (b"x" * LIMIT, 200)


def test_a_declared_length_beyond_the_limit_is_refused_unread() -> None:
    assert served([b"x"], [(b"content-length", b"101")]) == ([], 413)


def test_a_chunked_body_is_refused_as_soon_as_it_is_too_long() -> None:
    read, status = served([b"x" * 60, b"x" * 60, b"x" * 60])

    assert (len(read), status) == (1, 413)


@pytest.mark.parametrize("length", [b"", b"-1", b"1e9", b"\xb2", b"abc"])
def test_a_length_that_is_no_number_is_not_trusted(length: bytes) -> None:
    assert served([b"x" * 101], [(b"content-length", length)])[1] == 413
    assert served([b"x" * 10], [(b"content-length", length)])[1] == 200
