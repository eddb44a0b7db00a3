"""The ledger of calls that change the outside world: their keys, and the rows that open and settle them.

The intent is committed before the call goes out. The key is the same over retries and lost workers, and is what the
other side gets as its idempotency key; no model ever writes any part of it (DESIGN 4.1, effects).
"""

from __future__ import annotations

import base64
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from orchestration.core.canonical import digest
from orchestration.core.definition import Json
from orchestration.core.view import Open
from runs.store import EffectRow, RunId

MOST_RECEIPT_BYTES = 8192


@dataclass(frozen=True, slots=True)
class Intent:
    """A call that is about to go out."""

    key: str
    run_id: RunId
    workspace_id: int
    step: Open
    tool: str
    effect: str  # keyed | once
    arguments: bytes
    approval: str = ""  # the request that allows it
    uses: bool = False  # it is to be used with the commit of this intent; a call that was sent before has used it


def effect_key(workspace_id: int, root_run: RunId, step: Open, ordinal: int = 0) -> str:
    """Name an effect: SHA-256 over workspace, root run, path, pass, ordinal and generation."""
    return digest([workspace_id, str(root_run), step.path, step.pass_number, ordinal, step.generation])


def intent_row(intent: Intent, now: datetime) -> dict[str, Any]:
    return {
        "key": intent.key, "run_id": intent.run_id, "workspace_id": intent.workspace_id, "path": intent.step.path,
        "pass": intent.step.pass_number, "ordinal": 0, "generation": intent.step.generation, "tool": intent.tool,
        "effect": intent.effect, "arguments": base64.b64encode(intent.arguments).decode(),
        "digest": sha256(intent.arguments).hexdigest(), "state": "intended", "approval": intent.approval or None,
        "intended_at": now,
    }  # fmt: skip


def entered(intent: Intent) -> EffectRow:
    """Give the ledger's row as it stands once the intent is committed."""
    step = intent.step
    return EffectRow(
        intent.key, intent.run_id, step.path, step.pass_number, intent.effect, intent.arguments, "intended"
    )  # fmt: skip


def settlement_row(run_id: RunId, key: str, state: str, receipt: Json, now: datetime) -> dict[str, Any]:
    return {"run_id": run_id, "key": key, "state": state, "receipt": receipt, "at": now}
