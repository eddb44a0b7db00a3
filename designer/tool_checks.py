"""What a tool must be to enter the registry. Pure: the verbs of `registry.py` ask here before they write."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from designer.refusals import Unfit
from orchestration.core import canonical, values
from orchestration.core.catalog import EFFECTS, RISKS
from orchestration.core.definition import Json

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]*(\.[A-Za-z0-9_-]+)*\Z")
_PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
SENDS = ("json", "query")
MAX_TIMEOUT = 600.0  # seconds


@dataclass(frozen=True)
class Nature:
    """How dangerous a tool is (core.catalog.RISKS), and how often a call may be sent (core.catalog.EFFECTS)."""

    risk: str = "write"
    effect: str = "once"


@dataclass(frozen=True)
class HttpTool:
    """An HTTP tool as an administrator describes it. `{name}` in the path takes an argument."""

    method: str
    path: str
    arguments: Mapping[str, Json]
    output: Mapping[str, Json] = field(default_factory=dict)
    title: str = ""
    description: str = ""
    nature: Nature = Nature()
    send: str = "json"
    key_header: str = "Idempotency-Key"
    not_acted_on: tuple[int, ...] = ()
    timeout: float = 30.0  # seconds


def check_name(name: str) -> None:
    """Raise Unfit unless the name can be written in a workflow: dotted words, at most 200 characters."""
    if len(name) > 200 or not _NAME.match(name):
        raise Unfit("name", f"{name[:200]!r} can't name a tool.", "Use dotted words: helpdesk.open_ticket, say.")


def check_nature(nature: Nature) -> None:
    """Raise Unfit for an unknown risk or effect class, and for a change that would be repeated freely."""
    if nature.risk not in RISKS:
        raise Unfit("risk", f"{nature.risk!r} is no risk class.", f"Choose one of {', '.join(RISKS)}.")
    if nature.effect not in EFFECTS:
        raise Unfit("effect", f"{nature.effect!r} is no effect class.", f"Choose one of {', '.join(EFFECTS)}.")
    if nature.effect == "read" and nature.risk != "read":
        fix = "Choose the effect keyed or once, or the risk read."
        raise Unfit("effect", f"A tool of risk {nature.risk} can't be repeated freely.", fix)


def check_schemas(arguments: Mapping[str, Json], output: Mapping[str, Json]) -> None:
    """Raise Unfit unless both are JSON Schemas and the arguments are an object."""
    if arguments.get("type") != "object":
        raise Unfit("arguments", "The arguments of a tool are an object.", "Begin the schema with type: object.")
    for place, schema in (("arguments", arguments), ("output", output)):
        found = values.schema_problems(schema)
        if found:
            raise Unfit(place, f"This is not a JSON Schema that Baton takes: {'; '.join(map(str, found))}")


def check_http(tool: HttpTool) -> None:
    """Raise Unfit for what no call could be made of."""
    if tool.method not in METHODS:
        raise Unfit("method", f"{tool.method!r} is no method.", f"Choose one of {', '.join(METHODS)}.")
    if tool.send not in SENDS:
        raise Unfit("send", f"{tool.send!r} is no way to send arguments.", "Choose json or query.")
    if not tool.path.startswith("/") or tool.path.startswith("//") or not tool.path.isprintable():
        raise Unfit("path", f"{tool.path[:200]!r} is no path.", "Begin with one /, after the connection's base URL.")
    _check_places(tool)
    if not 0 < tool.timeout <= MAX_TIMEOUT:
        raise Unfit("timeout", f"{tool.timeout:g} seconds can't be waited for.", f"At most {MAX_TIMEOUT:g}.")
    if any(not 400 <= status <= 599 for status in tool.not_acted_on):
        raise Unfit("not_acted_on", "Only an error status (400 to 599) can prove that nothing was done.")


def nature_from_hints(hints: Mapping[str, Json]) -> Nature:
    """Derive a first nature from what an MCP server says of its tool; write and once where it is silent.

    Reads `baton/risk` and `baton/effect`, else the annotations of MCP. An administrator may set another one, which
    later imports keep.
    """
    hinted = _annotated(hints)
    said = Nature(str(hints.get("baton/risk", hinted.risk)), str(hints.get("baton/effect", hinted.effect)))
    try:
        check_nature(said)
    except Unfit:  # it contradicts itself: nothing harmless is believed
        return Nature() if hinted.risk == "read" else hinted
    return said


def _annotated(hints: Mapping[str, Json]) -> Nature:
    if hints.get("read_only_hint") is True:
        return Nature("read", "read")
    return Nature(
        "destructive" if hints.get("destructive_hint") is True else "write",
        "keyed" if hints.get("idempotent_hint") is True else "once",
    )


def fingerprint(**parts: Any) -> str:
    """Hash what an approval of a tool is about: SHA-256 of canonical JSON, hexadecimal."""
    return hashlib.sha256(canonical.canonical(parts)).hexdigest()


def _check_places(tool: HttpTool) -> None:
    required = set(tool.arguments.get("required", ()))
    loose = sorted(set(_PLACE.findall(tool.path)) - required)
    if loose:
        raise Unfit("path", f"{{{loose[0]}}} is not a required argument.", f"Add {loose[0]} to `required`.")
