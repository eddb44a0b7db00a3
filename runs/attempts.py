"""One attempt of a work step, on the I/O thread: bounded in time, its answer fit to be stored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import orjson

from orchestration.core.definition import Json
from orchestration.core.outcomes import Blocked, Failed, Outcome, Succeeded
from orchestration.kinds.base import Job, SpanRecord
from runs.failpoints import failpoint
from runs.guard import Door

log = logging.getLogger("baton.attempts")

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
        outcome, spans = (
            Failed("timeout", f"No answer within {job.timeout:g} s.", retryable=True),
            door.cut_off("timeout"),
        )
    except asyncio.CancelledError:
        outcome = Failed("cancelled", "The attempt was cancelled.")
        spans = door.cut_off("cancelled")
    failpoint("performed")
    if isinstance(outcome, Succeeded) and (problem := unstorable(outcome.output)):
        outcome = Failed("unstorable_output", problem, tokens=outcome.tokens, cost_microusd=outcome.cost_microusd)
    return fit(Report(_known(outcome, door), spans, door.settled))


def crashed(error: BaseException, door: Door | None) -> Report:
    """Say what an attempt came to that raised, or was cancelled before it began. What it sent still counts."""
    if isinstance(error, asyncio.CancelledError):
        failed = Failed("cancelled", "The attempt was cancelled before it began.")
    else:
        log.error("An attempt crashed", exc_info=error)
        failed = Failed("crashed", f"{type(error).__name__}: {error}")
    return fit(Report(_known(failed, door) if door else failed, (), door.settled if door else None))


def fit(report: Report) -> Report:
    """Make the words around an outcome storable: what is not its output is changed rather than refused."""
    outcome, settled = report.outcome, report.settled
    if isinstance(outcome, Failed | Blocked):
        outcome = replace(outcome, message=cleaned(outcome.message))
    elif isinstance(outcome, Succeeded):
        outcome = replace(outcome, reason=cleaned(outcome.reason))
    spans = tuple(replace(span, name=cleaned(span.name), attributes=cleaned(span.attributes)) for span in report.spans)
    return Report(outcome, spans, settled and (settled[0], cleaned(settled[1])))


def cleaned(value: Any) -> Any:
    """Give a JSON value without what a database refuses: NUL, halves of surrogate pairs, numbers out of range."""
    match value:
        case str():
            return value.encode(errors="replace").decode().replace("\0", "\ufffd")
        case Mapping():
            return {cleaned(str(name)): cleaned(part) for name, part in value.items()}
        case list() | tuple():
            return [cleaned(part) for part in value]
        case int() if not -(2**63) <= value < 2**63:
            return str(value)
    return value


def unstorable(output: Json) -> str:
    """Say why an output can't be stored, or nothing."""
    try:
        stored = orjson.dumps(output)
    except (TypeError, ValueError) as error:
        return f"The output is not JSON: {error}."
    if b"\\u0000" in stored.replace(b"\\\\", b""):  # a backslash that is itself escaped starts nothing
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
