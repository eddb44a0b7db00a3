"""One attempt of a work step, on the I/O thread: bounded in time, its answer fit to be stored."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Any

import orjson

from orchestration.core.definition import Json
from orchestration.core.outcomes import Failed, Outcome, Succeeded
from orchestration.kinds.base import Job, SpanRecord
from runs.failpoints import failpoint
from runs.guard import Door

MOST_OUTPUT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Report:
    """What an attempt came to: its outcome, its trace, and what became of its effect."""

    outcome: Outcome
    spans: tuple[SpanRecord, ...] = ()
    settled: tuple[str, Json] | None = None  # state of the ledger row, receipt


async def perform(kind: Any, job: Job, door: Door) -> Report:
    """Perform an attempt within its timeout. Never raises but for a bug; a cancelled one answers `cancelled`."""
    spans: tuple[SpanRecord, ...] = ()
    try:
        async with asyncio.timeout(job.timeout):
            performed = await kind.perform(job, door)
        outcome, spans = performed.outcome, performed.spans
    except TimeoutError:
        outcome = Failed("timeout", f"No answer within {job.timeout:g} s.", retryable=True)
    except asyncio.CancelledError:
        outcome = Failed("cancelled", "The attempt was cancelled.")
    failpoint("performed")
    if isinstance(outcome, Succeeded) and (problem := unstorable(outcome.output)):
        outcome = Failed("unstorable_output", problem, tokens=outcome.tokens, cost_microusd=outcome.cost_microusd)
    return Report(_known(outcome, door), spans, door.settled)


def unstorable(output: Json) -> str:
    """Say why an output can't be stored, or nothing."""
    try:
        stored = orjson.dumps(output)
    except (TypeError, ValueError) as error:
        return f"The output is not JSON: {error}."
    if b"\\u0000" in stored:
        return "The output holds a NUL character."
    if len(stored) > MOST_OUTPUT_BYTES:
        return f"The output has {len(stored):,} bytes; at most {MOST_OUTPUT_BYTES:,} are kept."
    return ""


def _known(outcome: Outcome, door: Door) -> Outcome:
    """A `once` call that went out without an answer leaves an unknown outcome, whatever ended the attempt."""
    unknown = door.settled is not None and door.settled[0] == "unknown" and door.sends_once
    if unknown and isinstance(outcome, Failed) and not outcome.unknown:
        return replace(outcome, retryable=False, unknown=True)
    return outcome
