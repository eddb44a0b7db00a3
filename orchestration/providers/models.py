"""Model calls, through pydantic-ai. One try a call: what to do about a bad answer is the ladder's business.

pydantic-ai and the provider's SDK take seconds to import, so they are imported by the first call, off the event loop.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from orchestration.core.definition import Json
from orchestration.providers import egress as egress_module
from orchestration.providers import model_clients
from orchestration.providers.answers import AskedSchema, BadAnswer, checked, instruction_for, read_json
from orchestration.providers.base import ModelCall, ModelError, ModelReply, ModelTarget
from orchestration.providers.egress import cleaned, without_secret
from orchestration.providers.pricing import cost_microusd

if TYPE_CHECKING:
    from pydantic_ai.messages import ModelResponse

    from orchestration.providers.egress import Egress

_TOOL = "answer"  # the name of the tool that carries a structured answer
_SETTINGS = ("top_p", "seed", "presence_penalty", "frequency_penalty", "stop_sequences", "thinking")


@dataclass(frozen=True, slots=True)
class _Used:
    input_tokens: int
    output_tokens: int
    cost_microusd: int


async def call_model(target: ModelTarget, call: ModelCall, *, egress: Egress | None = None) -> ModelReply:
    """Ask a model once, within `call.timeout` seconds, and give its checked answer.

    Raises ModelError with what the call used all the same. `egress` is the process's own unless given. Must run on
    the one event loop of the process (`io_loop`).
    """
    if not model_clients.is_loaded(target.provider):
        await asyncio.to_thread(model_clients.load, target.provider)
    try:
        async with asyncio.timeout(call.timeout):
            response = await _request(target, call, egress or egress_module.shared())
    except TimeoutError:
        message = f"{_label(target)} did not answer within {call.timeout:g} s"
        raise ModelError("timeout", message) from None
    except ModelError:
        raise
    except Exception as error:
        # SDKs raise anything at a server that answers nonsense; none of it may look like a bug of ours.
        raise model_clients.as_model_error(error, target) from None
    return _reply(target, call, response)


async def _request(target: ModelTarget, call: ModelCall, egress: Egress) -> ModelResponse:
    from pydantic_ai.messages import ModelRequest, SystemPromptPart, UserPromptPart

    mode = model_clients.structured_mode(target) if call.output_schema is not None else "text"
    prompt = call.prompt
    if mode == "prompted" and call.output_schema is not None:
        prompt = f"{prompt}\n\n{instruction_for(call.output_schema)}"
    parts = [SystemPromptPart(call.system)] if call.system else []
    model = model_clients.model_for(target, egress)
    return await model.request(
        [ModelRequest(parts=[*parts, UserPromptPart(prompt)])], _settings(target, call), _parameters(call, mode)
    )


def _settings(target: ModelTarget, call: ModelCall) -> Any:
    settings: dict[str, Any] = {"max_tokens": call.max_tokens}
    if call.temperature is not None:
        settings["temperature"] = call.temperature
    if target.provider != "simulator":
        settings["max_retries"] = 0
        settings["timeout"] = call.timeout
    return settings | {name: target.params[name] for name in _SETTINGS if name in target.params}


def _parameters(call: ModelCall, mode: str) -> Any:
    from pydantic_ai.models import ModelRequestParameters
    from pydantic_ai.output import OutputObjectDefinition
    from pydantic_ai.tools import ToolDefinition

    if call.output_schema is None or mode in ("text", "prompted"):
        return ModelRequestParameters()
    if mode == "given":  # the simulator takes any schema as it is
        return ModelRequestParameters(
            output_mode="native", output_object=OutputObjectDefinition(json_schema=dict(call.output_schema))
        )
    asked = AskedSchema.of(call.output_schema).schema
    if mode == "tool":
        tool = ToolDefinition(name=_TOOL, description="Give the answer.", parameters_json_schema=asked, kind="output")
        return ModelRequestParameters(output_mode="tool", output_tools=[tool], allow_text_output=False)
    return ModelRequestParameters(
        output_mode="native", output_object=OutputObjectDefinition(json_schema=asked, name=_TOOL)
    )


def _reply(target: ModelTarget, call: ModelCall, response: ModelResponse) -> ModelReply:
    used = _used(target, response)
    text = without_secret(_text(response), target.connection)
    if response.finish_reason == "content_filter":
        said = cleaned(str((response.provider_details or {}).get("refusal") or text), target.connection)
        raise _error("refusal", f"{_label(target)} refused to answer: {said or 'it gave no reason'}", text, used)
    if response.finish_reason == "length":
        message = f"the answer of {_label(target)} was cut off at max_tokens ({call.max_tokens})"
        raise _error("invalid_output", message, text, used)
    try:
        value = _value(call, response, text)
    except BadAnswer as error:
        raise _error("invalid_output", str(error), text, used) from None
    return ModelReply(
        value=value,
        text=text,
        input_tokens=used.input_tokens,
        output_tokens=used.output_tokens,
        cost_microusd=used.cost_microusd,
        provider=target.provider,
        model=response.model_name or target.model,
        simulated=target.provider == "simulator",
    )


def _value(call: ModelCall, response: ModelResponse, text: str) -> Json:
    if call.output_schema is None:
        if not text.strip():
            raise BadAnswer("the answer is empty")
        return checked(text, {"type": "string"})
    value = AskedSchema.of(call.output_schema).unwrap(read_json(text))
    return checked(value, call.output_schema)


def _text(response: ModelResponse) -> str:
    """Give what the model said: the arguments of the answer tool, else its text."""
    calls = [part for part in response.parts if part.part_kind == "tool-call" and part.tool_name == _TOOL]
    if calls:
        return calls[0].args_as_json_str()
    return "".join(part.content for part in response.parts if part.part_kind == "text")


def _used(target: ModelTarget, response: ModelResponse) -> _Used:
    read, written = response.usage.input_tokens or 0, response.usage.output_tokens or 0
    return _Used(read, written, cost_microusd(target, read, written))


def _error(code: str, message: str, text: str, used: _Used) -> ModelError:
    return ModelError(
        code, message, text=text, input_tokens=used.input_tokens, output_tokens=used.output_tokens,
        cost_microusd=used.cost_microusd,
    )  # fmt: skip


def _label(target: ModelTarget) -> str:
    return f"{target.provider} model {target.model or 'simulator'}"
