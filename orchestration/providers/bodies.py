"""Bodies of answers: decoded by us, so that neither a long one nor one that unpacks to gigabytes fills the memory."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator

import httpx2

from orchestration.providers.base import ToolError

_STEP = 64 * 1024  # bytes unpacked at a time


class BoundedBody(httpx2.AsyncByteStream):
    """Iterates over a decoded body of at most `max_bytes`. Raises ToolError for a longer or unreadable one."""

    def __init__(self, stream: object, encoding: str, max_bytes: int, host: str) -> None:
        self._stream = stream
        self._max_bytes = max_bytes
        self._host = host
        self._gunzip = _gunzip_for(encoding, host)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        total = 0
        assert isinstance(self._stream, httpx2.AsyncByteStream)
        async for chunk in self._stream:
            for piece in self._decoded(chunk):
                total += len(piece)
                if total > self._max_bytes:
                    raise self._error("answer_too_large", f"sent more than {self._max_bytes:,} bytes")
                yield piece
        if self._gunzip is not None and not self._gunzip.eof and total:
            raise self._error("bad_answer", "sent a compressed body that breaks off")

    async def aclose(self) -> None:
        if isinstance(self._stream, httpx2.AsyncByteStream):
            await self._stream.aclose()

    def _decoded(self, chunk: bytes) -> list[bytes]:
        if self._gunzip is None:
            return [chunk]
        pieces, room = [], self._max_bytes + 1
        try:
            while chunk and room > 0:
                piece = self._gunzip.decompress(chunk, min(_STEP, room))
                pieces.append(piece)
                room -= len(piece)
                chunk = self._gunzip.unconsumed_tail
        except zlib.error:
            raise self._error("bad_answer", "sent a body that is not what its Content-Encoding says") from None
        return pieces

    def _error(self, code: str, what: str) -> ToolError:
        return ToolError(code, f"{self._host} {what}")


def _gunzip_for(encoding: str, host: str) -> zlib._Decompress | None:
    if encoding in ("", "identity"):
        return None
    if encoding in ("gzip", "x-gzip"):
        return zlib.decompressobj(zlib.MAX_WBITS | 16)
    if encoding == "deflate":
        return zlib.decompressobj()
    raise ToolError("bad_answer", f"{host} sent a body encoded as {encoding[:40]!r}, which was not asked for")
