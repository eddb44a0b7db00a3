"""What model calls cost, in microusd (millionths of a dollar), always rounded up."""

from __future__ import annotations

from decimal import ROUND_CEILING, Decimal
from typing import Protocol

from orchestration.providers.answers import schema_text
from orchestration.providers.base import ModelCall

SIMULATOR_PRICES = (0.10, 0.40)  # the simulator's declared list price, USD per million tokens in and out
_OVERHEAD_TOKENS = 512  # what providers put around a prompt: roles, tool wrapping, separators


class Priced(Protocol):
    """What prices hang on: `ModelTarget` and `core.catalog.Model` both do. A price of None is looked up."""

    @property
    def provider(self) -> str: ...
    @property
    def model(self) -> str: ...
    @property
    def input_usd_per_mtok(self) -> float | None: ...
    @property
    def output_usd_per_mtok(self) -> float | None: ...


def worst_case(target: Priced, call: ModelCall) -> tuple[int, int]:
    """Give the most tokens and microusd that one call can use. Pure.

    A token holds at least one byte, so the bytes sent bound the tokens read; the answer is bounded by `max_tokens`.
    """
    texts = (call.prompt, call.system, schema_text(call.output_schema))
    read = sum(len(text.encode()) for text in texts) + _OVERHEAD_TOKENS
    return read + call.max_tokens, cost_microusd(target, read, call.max_tokens)


def cost_microusd(target: Priced, input_tokens: int, output_tokens: int) -> int:
    """Give what these tokens cost: by the target's own prices, else the public price list, else 0."""
    prices = prices_of(target)
    if prices is None:
        return _listed_cost(target, input_tokens, output_tokens)
    # USD per million tokens times tokens is millionths of a dollar.
    exact = prices[0] * input_tokens + prices[1] * output_tokens
    return int(exact.to_integral_value(rounding=ROUND_CEILING))


def prices_of(target: Priced) -> tuple[Decimal, Decimal] | None:
    """Give the declared prices in and out, USD per million tokens, or None when the public list has to say."""
    given = (target.input_usd_per_mtok, target.output_usd_per_mtok)
    if target.provider == "simulator" and not any(given):
        given = SIMULATOR_PRICES
    if given[0] is None or given[1] is None:
        return None
    return Decimal(str(given[0])), Decimal(str(given[1]))


def _listed_cost(target: Priced, input_tokens: int, output_tokens: int) -> int:
    from genai_prices import Usage, calc_price

    provider = None if target.provider == "compatible" else target.provider
    usage = Usage(input_tokens=input_tokens, output_tokens=output_tokens)
    try:
        price = calc_price(usage, target.model, provider_id=provider).total_price
    except LookupError:
        return 0
    return int((price * 1_000_000).to_integral_value(rounding=ROUND_CEILING))
