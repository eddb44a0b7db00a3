"""What a workspace offers its workflows, read as values: tools and models with what their providers need."""

from __future__ import annotations

import threading
from typing import Any

from designer import connections
from designer.models import ModelRecord, ToolRecord
from orchestration.core.catalog import Catalog, Model, Tool
from orchestration.models import Role, Workspace
from orchestration.providers.base import HttpTarget, McpTarget, ModelTarget

CACHED_WORKSPACES = 200

_cache: dict[int, Catalog] = {}
_cache_lock = threading.Lock()


def catalog(workspace_id: int) -> Catalog:
    """Read what a workspace offers, in four queries. Secrets stay encrypted until a call needs them."""
    # The revision first: what a change in between brings is then read again, never held as older than it is.
    revision = Workspace.objects.values_list("guard_revision", flat=True).get(pk=workspace_id)
    tools = ToolRecord.objects.filter(workspace_id=workspace_id).select_related("connection").order_by("name")
    models = ModelRecord.objects.filter(workspace_id=workspace_id).select_related("connection").order_by("name")
    return Catalog(
        tools={record.name: _tool(record) for record in tools},
        models={record.name: _model(record) for record in models},
        revision=revision,
        roles=frozenset(Role.objects.filter(workspace_id=workspace_id).values_list("slug", flat=True)),
    )


def cached_catalog(workspace_id: int, revision: int) -> Catalog:
    """Give a workspace's catalog at this guard revision or a later one, from this process's memory where it can."""
    held = _cache.get(workspace_id)
    if held is not None and held.revision >= revision:
        return held
    fresh = catalog(workspace_id)
    with _cache_lock:
        if len(_cache) >= CACHED_WORKSPACES and workspace_id not in _cache:
            _cache.pop(next(iter(_cache)))
        _cache[workspace_id] = fresh
    return fresh


def forget() -> None:
    """Empty this process's memory of catalogs: for tests, whose rolled-back workspaces come again by the same id."""
    with _cache_lock:
        _cache.clear()


def _tool(record: ToolRecord) -> Tool:
    return Tool(
        name=record.name,
        title=record.title,
        description=record.description,
        source=record.source,
        arguments=record.arguments,
        output=record.output,
        risk=record.risk,
        effect=record.effect,
        timeout=record.timeout_seconds,
        enabled=record.enabled,
        definition_hash=record.definition_hash,
        call=_target(record),
    )


def _target(record: ToolRecord) -> HttpTarget | McpTarget:
    target: dict[str, Any] = record.target
    if record.source == ToolRecord.Source.MCP:
        return McpTarget(target["server"], target["tool"], record.definition_hash)
    if record.connection is None:
        raise ValueError(f"The HTTP tool {record.name} has no connection; register it again.")
    not_acted_on = tuple(target["not_acted_on"])
    return HttpTarget(
        target["method"], target["path"], connections.value(record.connection), target["send"], target["key_header"],
        not_acted_on,
    )  # fmt: skip


def _model(record: ModelRecord) -> Model:
    connection = connections.value(record.connection) if record.connection else None
    prices = (record.input_usd_per_mtok, record.output_usd_per_mtok)
    return Model(
        name=record.name,
        provider=record.provider,
        model=record.model,
        input_usd_per_mtok=record.input_usd_per_mtok,
        output_usd_per_mtok=record.output_usd_per_mtok,
        max_tokens=record.max_tokens,
        simulated=record.provider == "simulator",
        enabled=record.enabled,
        call=ModelTarget(record.provider, record.model, connection, record.params, *prices),
    )
