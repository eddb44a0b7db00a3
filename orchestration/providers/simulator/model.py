"""The simulator as a model of pydantic-ai, so that it takes the same road as a real one."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from orchestration.core.definition import Json
from orchestration.providers.base import ModelError, ModelTarget
from orchestration.providers.simulator import texts
from orchestration.providers.simulator.filling import Filler
from orchestration.providers.simulator.reading import Reading
from orchestration.providers.simulator.script import BadScript, Behaviour, behaviour_for

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelMessage, ModelResponse
    from pydantic_ai.models.function import AgentInfo, FunctionModel

_CHARS_PER_TOKEN = 4
_NEVER = 24 * 3600.0  # seconds: a call that hangs, until the caller's own time-out
_INVALID = 'Certainly! Here is what I found: {"incomplete": '
LABEL = "simulator"


def answer(prompt: str, system: str, schema: Mapping[str, Json] | None) -> Json:
    """Answer from the prompt and the schema alone: text without a schema, else a value that matches it. Pure."""
    salt = "" if schema is None else json.dumps(schema, sort_keys=True)
    reading = Reading.of(prompt, system, salt)
    return texts.free_text(reading) if schema is None else Filler(schema, reading).fill(schema)


def simulated_model(target: ModelTarget) -> FunctionModel:
    """Build the model of a target whose provider is the simulator."""
    from pydantic_ai.models.function import FunctionModel

    model = target.model or LABEL
    name = model if model.startswith(LABEL) else f"{LABEL}-{model}"  # a trace must say who answered

    async def respond(messages: list[ModelMessage], info: AgentInfo) -> ModelResponse:
        system, prompt = _prompts(messages)
        output = info.model_request_parameters.output_object
        schema = output.json_schema if output is not None else None
        behaviour = _behaviour(target, prompt)
        await asyncio.sleep(behaviour.latency)
        return await _respond(behaviour, prompt, system, schema)

    return FunctionModel(respond, model_name=name)


async def _respond(behaviour: Behaviour, prompt: str, system: str, schema: Mapping[str, Json] | None) -> ModelResponse:
    match behaviour.action:
        case "timeout":
            await asyncio.sleep(_NEVER)
        case "rate_limit":
            message = f"the simulator was told to limit its rate; try again in {behaviour.retry_after:g} s"
            raise ModelError("rate_limited", message, retry_after=behaviour.retry_after)
        case "unavailable":
            raise ModelError("unavailable", "the simulator was told to be unavailable")
        case "refuse":
            return _response(prompt, system, "I can't help with that.", refused=True)
        case "invalid":
            return _response(prompt, system, _INVALID if schema is not None else "")
        case "answer":
            return _response(prompt, system, _said(behaviour.value, schema))
    return _response(prompt, system, _said(answer(prompt, system, schema), schema))


def _behaviour(target: ModelTarget, prompt: str) -> Behaviour:
    try:
        return behaviour_for(target.params, prompt)
    except BadScript as error:
        raise ModelError("bad_request", f"the parameters of the simulated model are wrong: {error}") from None


def _said(value: Json, schema: Mapping[str, Json] | None) -> str:
    return str(value) if schema is None and isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _response(prompt: str, system: str, text: str, *, refused: bool = False) -> ModelResponse:
    from pydantic_ai.messages import ModelResponse, TextPart
    from pydantic_ai.usage import RequestUsage

    usage = RequestUsage(input_tokens=_tokens(prompt) + _tokens(system), output_tokens=_tokens(text))
    return ModelResponse(parts=[TextPart(text)], usage=usage, finish_reason="content_filter" if refused else "stop")


def _tokens(text: str) -> int:
    return math.ceil(len(text) / _CHARS_PER_TOKEN)


def _prompts(messages: list[ModelMessage]) -> tuple[str, str]:
    system: list[str] = []
    prompt: list[str] = []
    for part in (part for message in messages for part in message.parts):
        content: Any = getattr(part, "content", "")
        if part.part_kind == "system-prompt":
            system.append(str(content))
        elif part.part_kind == "user-prompt":
            prompt.append(str(content))
    return "\n".join(system), "\n".join(prompt)
