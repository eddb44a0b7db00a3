"""What a workspace offers to its workflows: tools and models, as values. Passed in wherever it matters."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestration.core.definition import Json

RISKS = ("read", "write", "destructive", "money")
EFFECTS = ("read", "keyed", "once")


@dataclass(frozen=True, slots=True)
class Tool:
    """A registered operation. `call` is what its provider needs to make the call (opaque to the core)."""

    name: str  # dotted: helpdesk.open_ticket
    title: str = ""
    description: str = ""
    source: str = "builtin"  # builtin | http | mcp
    arguments: Mapping[str, Json] = field(default_factory=lambda: {"type": "object"})
    output: Mapping[str, Json] = field(default_factory=dict)
    risk: str = "write"
    effect: str = "once"
    timeout: float = 30.0  # seconds, unless the step says less
    enabled: bool = True
    definition_hash: str = ""
    call: Any = None


@dataclass(frozen=True, slots=True)
class Model:
    """A model alias of a workspace. `call` is what its provider needs to make the call (opaque to the core)."""

    name: str  # the alias: fast, smart
    provider: str = "simulator"
    model: str = ""
    input_usd_per_mtok: float | None = None  # None: the public price list knows
    output_usd_per_mtok: float | None = None
    max_tokens: int = 1024  # the most it may answer; always sent
    simulated: bool = False
    enabled: bool = True
    call: Any = None


@dataclass(frozen=True, slots=True)
class Catalog:
    tools: Mapping[str, Tool] = field(default_factory=dict)
    models: Mapping[str, Model] = field(default_factory=dict)
    revision: int = 0  # the workspace's guard_revision this was read at
    roles: frozenset[str] | None = None  # slugs of the workspace; None: not known here
