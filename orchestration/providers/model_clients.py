"""pydantic-ai's models, built once each: whose SDK, which address, and what its errors mean."""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from orchestration.providers.base import Connection, ModelError, ModelTarget, ToolError
from orchestration.providers.egress import Egress, EgressTransport, cleaned
from orchestration.providers.network import EgressRefused

if TYPE_CHECKING:
    import httpx2
    from pydantic_ai.models import Model

_MODULES: Mapping[str, tuple[str, ...]] = {
    "openai": ("pydantic_ai.models.openai", "pydantic_ai.providers.openai"),
    "compatible": ("pydantic_ai.models.openai", "pydantic_ai.providers.openai_compatible"),
    "anthropic": ("pydantic_ai.models.anthropic", "pydantic_ai.providers.anthropic"),
    "google": ("pydantic_ai.models.google", "pydantic_ai.providers.google"),
    "simulator": ("pydantic_ai.models.function", "orchestration.providers.simulator"),
}
# Base URL, header of the key, scheme of the key; each may be overridden by the connection.
_DEFAULTS: Mapping[str, tuple[str, str, str]] = {
    "openai": ("https://api.openai.com/v1", "Authorization", "Bearer"),
    "compatible": ("", "Authorization", "Bearer"),
    "anthropic": ("https://api.anthropic.com", "x-api-key", ""),
    "google": ("https://generativelanguage.googleapis.com", "x-goog-api-key", ""),
}
_STRUCTURED = {"openai": "native", "compatible": "native", "google": "native", "anthropic": "tool"}
_DUMMY_KEY = "set-by-egress"
_MOST_CLIENTS = 64
_loaded: set[str] = set()
_loading = threading.Lock()  # the library's modules import each other: two threads at it would see half of one
_Built = tuple["Model", "httpx2.AsyncClient | None"]
_built: WeakKeyDictionary[asyncio.AbstractEventLoop, OrderedDict[object, _Built]] = WeakKeyDictionary()


def load(provider: str) -> None:
    """Import what a provider needs. Takes seconds the first time. Raises ModelError for an unknown provider."""
    if provider not in _MODULES:
        known = ", ".join(sorted(_MODULES))
        raise ModelError("bad_request", f"there is no model provider {provider!r}; choose one of {known}")
    with _loading:
        for name in ("pydantic_ai.messages", *_MODULES[provider]):
            importlib.import_module(name)
        _loaded.add(provider)


def is_loaded(provider: str) -> bool:
    """Tell whether `load` has been done for this provider."""
    return provider in _loaded


def structured_mode(target: ModelTarget) -> str:
    """Say how structured output is asked for: native, tool, prompted, or given (the simulator)."""
    if target.provider == "simulator":
        return "given"
    mode = str(target.params.get("structured", _STRUCTURED[target.provider]))
    if mode not in ("native", "tool", "prompted"):
        raise ModelError(
            "bad_request", f'the model\'s parameter "structured" is {mode!r}: use native, tool or prompted'
        )
    return mode


def model_for(target: ModelTarget, egress: Egress) -> Model:
    """Give the model of a target, built at first use on this event loop and kept."""
    connection = connection_for(target)
    key = (target.provider, target.model, connection, id(egress)) if connection else _simulator_key(target)
    kept = _built.setdefault(asyncio.get_running_loop(), OrderedDict())
    if key not in kept:
        kept[key] = _build(target, connection, egress)
        if len(kept) > _MOST_CLIENTS:
            kept.popitem(last=False)
    kept.move_to_end(key)
    model, client = kept[key]
    if client is not None and connection is not None:
        # Connections that compare equal may hold a newer secret: the caller's is the one to reveal.
        transport = client._transport
        assert isinstance(transport, EgressTransport)
        transport.connection = connection
    return model


def connection_for(target: ModelTarget) -> Connection | None:
    """Complete a target's connection with what its provider usually needs. None for the simulator."""
    if target.provider == "simulator":
        return None
    url, header, scheme = _DEFAULTS[target.provider]
    given = target.connection or Connection(name=target.provider)
    base_url = given.base_url or url
    if not base_url:
        raise ModelError("bad_request", f"connection {given.name} needs a base URL, such as http://localhost:11434/v1")
    own = bool(given.header)
    return replace(
        given, base_url=base_url, header=given.header or header, scheme=given.scheme if own else given.scheme or scheme
    )


def as_model_error(error: BaseException, target: ModelTarget) -> ModelError:
    """Translate what the egress client, pydantic-ai or an SDK raised."""
    from pydantic_ai import exceptions as their

    ours = _cause(error, ToolError)
    if isinstance(ours, ToolError):
        return _of_egress(ours)
    text = f"{target.provider} model {target.model}: {cleaned(str(error), target.connection)}"
    codes: tuple[tuple[type[BaseException], str], ...] = (
        (their.ContentFilterError, "refusal"),
        (their.ModelRateLimitError, "rate_limited"),
        (their.ModelQuotaExceededError, "rate_limited"),
        (their.ModelAuthenticationError, "unauthorized"),
        (their.ModelRequestRejectedError, "bad_request"),
        (their.UserError, "bad_request"),
        (their.ModelTimeoutError, "timeout"),
        (their.ModelRequestTimeout, "timeout"),
    )
    code = next((slug for kind, slug in codes if isinstance(error, kind)), "unavailable")
    if _redirected(error):
        code, text = "bad_request", f"{text} (redirects are not followed: put the final address in the connection)"
    return ModelError(code, text, retry_after=getattr(error, "retry_after", None))


def _of_egress(error: ToolError) -> ModelError:
    if isinstance(error, EgressRefused):
        return ModelError("bad_request", error.message)
    return ModelError("timeout" if error.code == "timeout" else "unavailable", error.message)


def _cause(error: BaseException | None, kind: type[BaseException]) -> BaseException | None:
    while error is not None and not isinstance(error, kind):
        error = error.__cause__ or error.__context__
    return error


def _redirected(error: BaseException | None) -> bool:
    while error is not None:
        if 300 <= (getattr(error, "status_code", None) or 0) < 400:
            return True
        error = error.__cause__ or error.__context__
    return False


def _simulator_key(target: ModelTarget) -> object:
    return ("simulator", target.model, repr(target.params))


def _build(target: ModelTarget, connection: Connection | None, egress: Egress) -> _Built:
    if connection is None:
        from orchestration.providers.simulator import simulated_model

        return simulated_model(target), None
    client = egress.client(connection)
    return _builders()[target.provider](target.model, connection.base_url, client), client


def _builders() -> Mapping[str, Any]:
    return {"openai": _openai, "compatible": _compatible, "anthropic": _anthropic, "google": _google}


def _openai(name: str, base_url: str, client: httpx2.AsyncClient) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.providers.openai import OpenAIProvider

    return OpenAIChatModel(name, provider=OpenAIProvider(base_url=base_url, api_key=_DUMMY_KEY, http_client=client))


def _compatible(name: str, base_url: str, client: httpx2.AsyncClient) -> Model:
    from pydantic_ai.models.openai import OpenAIChatModel
    from pydantic_ai.profiles.openai import OpenAIModelProfile
    from pydantic_ai.providers.openai_compatible import OpenAICompatibleProvider

    # max_tokens is the older name of the cap, and the one that local servers know.
    profile = OpenAIModelProfile(supports_json_schema_output=True, openai_chat_supports_max_completion_tokens=False)
    provider = OpenAICompatibleProvider(
        "compatible", base_url=base_url, api_key=_DUMMY_KEY, http_client=client, profile=profile
    )
    return OpenAIChatModel(name, provider=provider)


def _anthropic(name: str, base_url: str, client: httpx2.AsyncClient) -> Model:
    from pydantic_ai.models.anthropic import AnthropicModel
    from pydantic_ai.providers.anthropic import AnthropicProvider

    provider = AnthropicProvider(api_key=_DUMMY_KEY, base_url=base_url, http_client=client)
    return AnthropicModel(name, provider=provider)


def _google(name: str, base_url: str, client: httpx2.AsyncClient) -> Model:
    from pydantic_ai.models.google import GoogleModel
    from pydantic_ai.providers.google import GoogleProvider

    return GoogleModel(name, provider=GoogleProvider(api_key=_DUMMY_KEY, base_url=base_url, http_client=client))
