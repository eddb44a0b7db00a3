"""Calls of HTTP tools."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from urllib.parse import quote, urlencode

from orchestration.core.catalog import Tool
from orchestration.core.definition import Json
from orchestration.providers.base import HttpTarget, ToolError, ToolReply
from orchestration.providers.egress import Answer, Egress, cleaned, without_secret
from orchestration.providers.payloads import BadPayload, check_size, check_text, parse_json

_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
_NO_BODY = ("GET", "HEAD")
_CODES = {
    400: "bad_request", 401: "unauthorized", 403: "forbidden", 404: "not_found", 405: "bad_request",
    408: "timeout", 409: "conflict", 410: "not_found", 422: "bad_request", 429: "rate_limited",
}  # fmt: skip
_RETRYABLE = frozenset({408, 425, 429, 500, 502, 503, 504})


async def call_http(
    tool: Tool, target: HttpTarget, arguments: bytes, *, key: str, timeout: float, egress: Egress
) -> ToolReply:
    """Make one call of an HTTP tool. The body is `arguments`, byte for byte, unless they go into the query.

    Tools with effects also get `key` in the target's key header. Raises ToolError.
    """
    values = _object_of(arguments)
    in_query = target.send == "query" or target.method.upper() in _NO_BODY
    url = _url(target, values, in_query)
    headers = {"accept": "application/json"}
    if not in_query:
        headers["content-type"] = "application/json"
    if tool.effect != "read" and target.key_header:
        headers[target.key_header] = key
    content = None if in_query else arguments
    answer = await egress.send(
        target.connection, target.method.upper(), url, headers=headers, content=content, timeout=timeout
    )
    return _reply(target, answer)


def _object_of(arguments: bytes) -> Mapping[str, Json]:
    try:
        values = parse_json(arguments or b"{}")
    except BadPayload as error:
        raise ToolError("bad_arguments", f"the arguments can't be sent: {error}", acted="no") from None
    if not isinstance(values, dict):
        raise ToolError("bad_arguments", "the arguments of a tool are an object", acted="no")
    return values


def _url(target: HttpTarget, values: Mapping[str, Json], in_query: bool) -> str:
    in_path = set(_PLACE.findall(target.path))
    path = _PLACE.sub(lambda place: _segment(place[1], values), target.path)
    url = target.connection.base_url.rstrip("/") + "/" + path.lstrip("/")
    rest = [pair for name, value in values.items() if name not in in_path for pair in _pairs(name, value)]
    if not in_query or not rest:
        return url
    return url + ("&" if "?" in url else "?") + urlencode(rest)


def _segment(name: str, values: Mapping[str, Json]) -> str:
    value = values.get(name)
    text = _query_text(value) if isinstance(value, (str, int, float)) else ""
    # A segment of dots would climb out of the path that the tool was registered with.
    if not text or set(text) == {"."}:
        raise ToolError("bad_arguments", f"argument {name!r} can't stand in the path of the URL", acted="no")
    return quote(text, safe="")


def _pairs(name: str, value: Json) -> list[tuple[str, str]]:
    if value is None:
        return []
    if isinstance(value, list):
        return [(name, _query_text(item)) for item in value]
    return [(name, _query_text(value))]


def _query_text(value: Json) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _reply(target: HttpTarget, answer: Answer) -> ToolReply:
    if not 200 <= answer.status < 300:
        raise _refusal(target, answer)
    text = without_secret(_text(answer), target.connection)
    try:
        value = _value(answer, text)
        check_size(value)
    except BadPayload as error:
        message = f"{target.connection.name} answered {answer.status} with a body that can't be used: {error}"
        raise ToolError("bad_answer", message, status=answer.status) from None
    return ToolReply(value=value, status=answer.status, bytes_received=len(answer.body))


def _value(answer: Answer, text: str) -> Json:
    if not answer.body:
        return None
    kind = answer.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in ("", "application/json") or kind.endswith("+json"):
        return parse_json(text)
    if kind.startswith("text/"):
        return check_text(text)
    raise BadPayload(f"its content type is {kind[:60]!r}, not JSON or text")


def _text(answer: Answer) -> str:
    try:
        return answer.body.decode()
    except UnicodeDecodeError:
        message = f"the answer (status {answer.status}) is not UTF-8 text"
        raise ToolError("bad_answer", message, status=answer.status) from None


def _refusal(target: HttpTarget, answer: Answer) -> ToolError:
    status = answer.status
    code = _CODES.get(status, "redirected" if status < 400 else "bad_request" if status < 500 else "unavailable")
    said = cleaned(answer.body.decode(errors="replace"), target.connection)
    if code == "redirected":
        place = cleaned(answer.headers.get("location", "nowhere"), target.connection)
        said = f"it redirects to {place}; redirects are not followed, put the final address in the connection"
    return ToolError(
        code,
        f"{target.connection.name} answered {status}: {said or 'no text'}",
        acted="no" if status in target.not_acted_on else "unknown",
        retryable=status in _RETRYABLE,
        retry_after=retry_after(answer.headers.get("retry-after")),
        status=status,
    )


def retry_after(header: str | None) -> float | None:
    """Read a Retry-After header: seconds from now, or None."""
    if not header:
        return None
    if header.strip().isdigit():
        return float(header)
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
