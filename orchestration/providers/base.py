"""The ports to the outside, as values: what is asked, what comes back, what can go wrong. No Django here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from orchestration.core.definition import Json


@dataclass(frozen=True, slots=True)
class Connection:
    """Where calls go and with which credentials. `reveal` is called by the egress client alone."""

    name: str
    base_url: str = ""
    hosts: tuple[str, ...] = ()  # exact host names the credentials may be sent to
    private: bool = False  # an administrator allowed private addresses (a local Ollama)
    version: int = 1
    header: str = ""  # the header that carries the secret: Authorization
    scheme: str = ""  # put before the secret: Bearer
    reveal: Callable[[], str] | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class ModelTarget:
    """`core.catalog.Model.call`: which provider, which model, how priced."""

    provider: str  # openai | anthropic | google | compatible | simulator
    model: str
    connection: Connection | None = None
    params: Mapping[str, Json] = field(default_factory=dict)
    input_usd_per_mtok: float | None = None  # None: genai-prices knows
    output_usd_per_mtok: float | None = None


@dataclass(frozen=True, slots=True)
class ModelCall:
    prompt: str
    system: str = ""
    output_schema: Mapping[str, Json] | None = None  # None: plain text
    max_tokens: int = 1024
    temperature: float | None = None
    timeout: float = 60.0  # seconds, in all


@dataclass(frozen=True, slots=True)
class ModelReply:
    value: Json  # validated against output_schema, or the text
    text: str  # what the model said
    input_tokens: int = 0
    output_tokens: int = 0
    cost_microusd: int = 0
    provider: str = ""
    model: str = ""
    simulated: bool = False


class ModelError(Exception):
    """A model call that brought no usable answer.

    `code`: timeout | refusal | rate_limited | invalid_output | unavailable | unauthorized | bad_request.
    Tokens and cost are what the call used all the same.
    """

    def __init__(
        self, code: str, message: str, *, retry_after: float | None = None, text: str = "",
        input_tokens: int = 0, output_tokens: int = 0, cost_microusd: int = 0,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.code = code
        self.message = message
        self.retry_after = retry_after
        self.text = text
        self.input_tokens = input_tokens
        self.output_tokens = output_tokens
        self.cost_microusd = cost_microusd


@dataclass(frozen=True, slots=True)
class HttpTarget:
    """`core.catalog.Tool.call` of an HTTP tool. Path parameters are `{name}`; the rest go by `send`."""

    method: str
    path: str
    connection: Connection
    send: str = "json"  # json | query
    key_header: str = "Idempotency-Key"  # used by keyed tools
    not_acted_on: tuple[int, ...] = ()  # statuses that prove the request was not acted on


@dataclass(frozen=True, slots=True)
class McpTarget:
    """`core.catalog.Tool.call` of an MCP tool: the server's name in the operator's file, the tool's own name."""

    server: str
    tool: str
    definition_hash: str = ""  # RemoteTool.hash when it was approved; a call of a tool that changed is refused


@dataclass(frozen=True, slots=True)
class ToolReply:
    value: Json
    status: int | None = None
    bytes_received: int = 0


class ToolError(Exception):
    """A tool call that did not succeed.

    `acted` is "no" when it is proved that the other side did not act (not connected, or a status the tool lists),
    "unknown" for anything else after the first byte. `retryable` is about the error, not about the effect.
    """

    def __init__(
        self, code: str, message: str, *, acted: str = "unknown", retryable: bool = False,
        retry_after: float | None = None, status: int | None = None,
    ) -> None:  # fmt: skip
        super().__init__(message)
        self.code = code
        self.message = message
        self.acted = acted
        self.retryable = retryable
        self.retry_after = retry_after
        self.status = status
