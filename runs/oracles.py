"""What others saw of our runs against what we stored: the client's log of starts, the receiver's log of calls."""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

from runs.invariants import Violation
from runs.models import Effect, Run

KEYS_AT_ONCE = 500


def accepted(file: Path) -> Iterator[Violation]:
    """I1: each run whose acceptance a client saw is there, and one Idempotency-Key gave one run.

    The file has a JSON object a line: {"key", "run"}.
    """
    runs_of: dict[str, set[str]] = defaultdict(set)
    for line in _lines(file):
        runs_of[line["key"]].add(line["run"])
    for key, runs in runs_of.items():
        if len(runs) > 1:
            yield Violation("I1", min(runs), f"the key {key} started {len(runs)} runs")
    ids = sorted({run for runs in runs_of.values() for run in runs})
    for some in _chunks(ids):
        there = {str(found) for found in Run.objects.filter(id__in=some).values_list("id", flat=True)}
        for lost in sorted(set(some) - there):
            yield Violation("I1", UUID(lost), "it was accepted, and is not there")


def outside(file: Path) -> Iterator[Violation]:
    """I2: what a receiver says it did is what the ledger says.

    The file has a JSON object a line, one for each act: {"key", "tool", "arguments_digest"}; the digest is the SHA-256
    of the arguments as JSON with sorted keys and no spaces.
    """
    seen: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for line in _lines(file):
        seen[line["key"]].append(line)
    for some in _chunks(sorted(seen)):
        ledger = {row.key: row for row in Effect.objects.filter(key__in=some)}
        for key in some:
            yield from _acted(seen[key], ledger.get(key))
    tools = {line["tool"] for lines in seen.values() for line in lines}
    for row in Effect.objects.filter(state=Effect.State.CONFIRMED).iterator(chunk_size=KEYS_AT_ONCE):
        if row.tool.rpartition(".")[2] in tools and row.key not in seen:
            yield Violation(
                "I2", row.run_id, f"{row.path}: confirmed, but the receiver knows nothing of {row.key[:12]}"
            )


def _acted(acts: list[Mapping[str, Any]], row: Effect | None) -> Iterator[Violation]:
    key = acts[0]["key"]
    if row is None:
        yield Violation("I2", "-", f"{acts[0]['tool']} was called under a key that is not in the ledger: {key[:12]!r}")
        return
    if len(acts) > 1:
        yield Violation("I2", row.run_id, f"{row.path}: {row.tool} ({row.effect}) acted {len(acts)} times for one key")
    sent = _digest(json.loads(bytes(row.arguments)))
    if any(act["arguments_digest"] != sent for act in acts):
        yield Violation("I2", row.run_id, f"{row.path}: the receiver got other arguments than the ledger holds")
    if row.state in (Effect.State.FAILED, Effect.State.SKIPPED):
        yield Violation("I2", row.run_id, f"{row.path}: the ledger says {row.state}, but {row.tool} has acted")


def _digest(arguments: Any) -> str:
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _lines(file: Path) -> Iterator[Mapping[str, Any]]:
    with file.open(encoding="utf-8") as opened:
        for line in opened:
            yield json.loads(line)


def _chunks(keys: list[str]) -> Iterator[list[str]]:
    for at in range(0, len(keys), KEYS_AT_ONCE):
        yield keys[at : at + KEYS_AT_ONCE]
