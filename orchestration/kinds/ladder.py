"""Climbing a fallback ladder: rungs are tried in order until one answers well; the trace tells what each came to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestration.core.canonical import canonical
from orchestration.core.catalog import Model
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError
from orchestration.core.outcomes import Failed, Succeeded
from orchestration.kinds.base import Performed, Ports, SpanRecord
from orchestration.kinds.spans import shortened, texts
from orchestration.providers.base import ModelCall, ModelError, ModelReply

TROUBLES = (
    "timeout", "refusal", "rate_limited", "invalid_output", "unavailable", "low_confidence", "no_match",
    "unauthorized", "bad_request",
)  # fmt: skip
# Asking the same model again at once won't help: on to the next rung.
ENDS_RUNG = frozenset({"rate_limited", "unauthorized", "bad_request", "expression_error"})
RETRYABLE = frozenset({"timeout", "rate_limited", "unavailable", "invalid_output", "low_confidence"})
MESSAGE_BYTES = 2 * 1024  # the most of an error's message and text that a repair prompt gets
ANSWER_BYTES = 8 * 1024

ERROR_NAME: Mapping[str, Mapping[str, Json]] = {
    "error": {
        "type": "object",
        "properties": {"code": {"type": "string"}, "message": {"type": "string"}, "text": {"type": "string"}},
        "required": ["code", "message", "text"],
        "additionalProperties": False,
    }
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a rung did not answer well. `text` is what the model said all the same."""

    code: str
    message: str
    text: str = ""
    retry_after: float | None = None

    def names(self) -> dict[str, Json]:
        """Give what a later rung may refer to, bounded, so that the cost of its prompt is."""
        message, _ = shortened(self.message, MESSAGE_BYTES)
        text, _ = shortened(self.text, ANSWER_BYTES)
        return {"error": {"code": self.code, "message": message, "text": text}}


@dataclass(frozen=True, slots=True)
class Answer:
    value: Json
    how: str = ""  # which row of the table


@dataclass(frozen=True, slots=True)
class ModelRung:
    """One model, asked up to `attempts` times. `call` renders its prompts, given the last trouble."""

    name: str
    model: Model
    attempts: int
    on: frozenset[str]  # the troubles that make it step in; empty is any
    call: Callable[[Trouble | None], ModelCall]


@dataclass(frozen=True, slots=True)
class RulesRung:
    """A decision table in the place of a model."""

    on: frozenset[str]
    answer: Callable[[Trouble | None], Answer | Trouble]
    name: str = "rules"


Rung = ModelRung | RulesRung


@dataclass(frozen=True, slots=True)
class Ladder:
    rungs: tuple[Rung, ...]
    judge: Callable[[ModelReply], Answer | Trouble]  # an answer of a model, doubted or taken


class Climb:
    """One climb of a ladder."""

    def __init__(self, ladder: Ladder, ports: Ports) -> None:
        self._ladder, self._ports = ladder, ports
        self._spans: list[SpanRecord] = []
        self._tokens = self._cost = self._tried = 0
        self._trouble: Trouble | None = None
        self._last = ""  # the rung that was in trouble

    async def run(self) -> Performed:
        """Try the rungs in order. What all calls used is on the outcome, whatever it is."""
        for number, rung in enumerate(self._ladder.rungs, start=1):
            cause = self._trouble
            if cause is not None and rung.on and cause.code not in rung.on:
                self._skip(number, rung, cause)
                continue
            self._tried += 1
            answer = await self._ask(number, rung) if isinstance(rung, ModelRung) else self._look_up(number, rung)
            if answer is not None:
                return self._performed(self._succeeded(number, rung, cause, answer))
        return self._performed(self._failed())

    async def _ask(self, number: int, rung: ModelRung) -> Answer | None:
        why = self._why()
        for attempt in range(1, rung.attempts + 1):
            found = await self._ask_once(number, rung, attempt, why)
            if isinstance(found, Answer):
                return Answer(found.value, f"attempt {attempt}" if attempt > 1 else "")
            self._mark(number, rung, found)
            if found.code in ENDS_RUNG:
                break
        return None

    async def _ask_once(self, number: int, rung: ModelRung, attempt: int, why: str) -> Answer | Trouble:
        started = self._ports.now()
        try:
            call = rung.call(self._trouble)
        except EvaluationError as error:
            self._spans.append(_rung_span(number, rung, started, self._ports.now(), "error", f"its prompt: {error}"))
            return Trouble("expression_error", f"its prompt: {error}")
        got = await self._call(rung, call)
        self._tokens += got.input_tokens + got.output_tokens
        self._cost += got.cost_microusd
        found = _trouble_of(got) if isinstance(got, ModelError) else self._ladder.judge(got)
        seen = _Seen(call, number, attempt, why, started, self._ports.now())
        self._spans.append(_call_span(rung, seen, got, found if isinstance(found, Trouble) else None))
        return found

    async def _call(self, rung: ModelRung, call: ModelCall) -> ModelReply | ModelError:
        try:
            reply: ModelReply = await self._ports.call_model(rung.name, call)
        except ModelError as error:
            return error
        return reply

    def _look_up(self, number: int, rung: RulesRung) -> Answer | None:
        started, why = self._ports.now(), self._why()
        found = rung.answer(self._trouble)
        ended = self._ports.now()
        if isinstance(found, Answer):
            more = {"row": found.how, **texts(answer=canonical(found.value).decode())}
            self._spans.append(_rung_span(number, rung, started, ended, "ok", why, **more))
            return found
        error = {"code": found.code, "message": found.message}
        self._spans.append(_rung_span(number, rung, started, ended, "error", why, error=error))
        self._mark(number, rung, found)
        return None

    def _skip(self, number: int, rung: Rung, cause: Trouble) -> None:
        now = self._ports.now()
        why = f"steps in on {', '.join(sorted(rung.on))}; the error was {cause.code}"
        self._spans.append(_rung_span(number, rung, now, now, "skipped", why))

    def _why(self) -> str:
        return f"stepped in on {self._trouble.code}" if self._trouble else "the first rung"

    def _mark(self, number: int, rung: Rung, trouble: Trouble) -> None:
        self._trouble, self._last = trouble, f"rung {number}, {rung.name}"

    def _succeeded(self, number: int, rung: Rung, cause: Trouble | None, answer: Answer) -> Succeeded:
        where = f"rung {number} of {len(self._ladder.rungs)}, {rung.name}"
        how = f", {answer.how}" if answer.how else ""
        why = f": stepped in on {cause.code}" if cause else ""
        return Succeeded(
            output=answer.value, reason=f"{where}{how}{why}", tokens=self._tokens, cost_microusd=self._cost
        )

    def _failed(self) -> Failed:
        trouble = self._trouble or Trouble("misconfigured", "The ladder has no rungs.")
        tried = f"No rung answered ({self._tried} of {len(self._ladder.rungs)} tried). Last, {self._last}: "
        message = trouble.message if len(self._ladder.rungs) == 1 else tried + trouble.message
        return Failed(
            trouble.code, message, retryable=trouble.code in RETRYABLE, retry_after=trouble.retry_after,
            tokens=self._tokens, cost_microusd=self._cost,
        )  # fmt: skip

    def _performed(self, outcome: Succeeded | Failed) -> Performed:
        return Performed(outcome, tuple(self._spans))


def _trouble_of(error: ModelError) -> Trouble:
    return Trouble(error.code, error.message, error.text, error.retry_after)


@dataclass(frozen=True, slots=True)
class _Seen:
    """What there is to tell of a call besides its answer."""

    call: ModelCall
    number: int
    attempt: int
    why: str
    started: datetime
    ended: datetime


def _call_span(rung: ModelRung, seen: _Seen, got: ModelReply | ModelError, trouble: Trouble | None) -> SpanRecord:
    reply = got if isinstance(got, ModelReply) else None
    attributes = {
        "rung": seen.number,
        "attempt": seen.attempt,
        "why": seen.why,
        "model": (reply and reply.model) or rung.model.model,
        "provider": (reply and reply.provider) or rung.model.provider,
        "simulated": reply.simulated if reply else rung.model.simulated,
        **texts(prompt=seen.call.prompt, system=seen.call.system, answer=got.text),
        "input_tokens": got.input_tokens,
        "output_tokens": got.output_tokens,
        "cost_microusd": got.cost_microusd,
        "error": {"code": trouble.code, "message": trouble.message} if trouble else None,
    }
    return SpanRecord("model", rung.name, seen.started, seen.ended, "error" if trouble else "ok", attributes)


def _rung_span(
    number: int, rung: Rung, started: datetime, ended: datetime, status: str, why: str, **more: Json
) -> SpanRecord:
    return SpanRecord("rung", rung.name, started, ended, status, {"rung": number, "why": why, **more})
