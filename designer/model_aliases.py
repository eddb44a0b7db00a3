"""What a model name means in a workspace: provider, model, price, and the most one answer may have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import transaction

from designer.changing import check_slug, require, touch_guard
from designer.models import Connection, ModelRecord
from designer.refusals import Unfit
from orchestration import audit
from orchestration.access import Actor, Right
from orchestration.core.definition import Json
from orchestration.models import Workspace

PROVIDERS = ("openai", "anthropic", "google", "compatible", "simulator")
MAX_TOKENS = 200_000  # of one answer


@dataclass(frozen=True)
class ModelAlias:
    """What a model name means in a workspace. Prices are US dollars a million tokens; None: the price list knows."""

    provider: str
    model: str
    connection: Connection | None = None
    params: Mapping[str, Json] | None = None
    input_usd_per_mtok: float | None = None
    output_usd_per_mtok: float | None = None
    max_tokens: int = 1024
    enabled: bool = True


def set_model(actor: Actor | None, workspace: Workspace, name: str, alias: ModelAlias) -> ModelRecord:
    """Make `name` mean this model in the workspace. Raises Unfit."""
    require(actor, Right.ADMINISTER, workspace)
    if alias.connection is not None:
        require(actor, Right.ADMINISTER, alias.connection)
    fields = _model_fields(alias)
    with transaction.atomic():
        touch_guard(workspace)
        record, new = ModelRecord.objects.update_or_create(
            workspace=workspace, name=check_slug("name", name), defaults=fields
        )
        audit.record(
            actor, "model.registered" if new else "model.changed", record, workspace=workspace,
            provider=alias.provider, model=alias.model, enabled=alias.enabled,
        )  # fmt: skip
    return record


def _model_fields(alias: ModelAlias) -> dict[str, Any]:
    """Check an alias and give it as fields. Raises Unfit."""
    if alias.provider not in PROVIDERS:
        raise Unfit("provider", f"{alias.provider!r} is no provider.", f"Choose one of {', '.join(PROVIDERS)}.")
    if not alias.model or len(alias.model) > 200:
        raise Unfit("model", "A model has a name of at most 200 characters.")
    if alias.provider == "compatible" and alias.connection is None:
        raise Unfit("connection", "A compatible provider needs its base URL.", "Name a connection that has it.")
    if not 1 <= alias.max_tokens <= MAX_TOKENS:
        raise Unfit("max_tokens", f"{alias.max_tokens} can't be the most one answer has.", f"1 to {MAX_TOKENS}.")
    prices = (alias.input_usd_per_mtok, alias.output_usd_per_mtok)
    if any(price is not None and not 0 <= price < 1e6 for price in prices):
        raise Unfit("prices", "A price is US dollars a million tokens, 0 or more.")
    if alias.provider == "simulator" and None in prices:
        raise Unfit("prices", "No price list knows the simulator.", "Declare what its tokens are said to cost.")
    return {
        "provider": alias.provider,
        "model": alias.model,
        "connection": alias.connection,
        "params": dict(alias.params or {}),
        "input_usd_per_mtok": alias.input_usd_per_mtok,
        "output_usd_per_mtok": alias.output_usd_per_mtok,
        "max_tokens": alias.max_tokens,
        "enabled": alias.enabled,
    }
