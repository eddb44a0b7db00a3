"""What stands behind the ? of an address of the API."""

from __future__ import annotations

from typing import Any

from ninja import Schema
from pydantic import ConfigDict, ValidationInfo, model_validator


class Parameters(Schema):
    """The parameters an operation knows; any other is refused by its name, as unknown fields of a body are."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _with_all_that_was_sent(cls, known: Any, info: ValidationInfo) -> Any:
        """Put back what ninja left out because no field has its name."""
        request = (info.context or {}).get("request")
        if request is None or not isinstance(known, dict):
            return known
        return {name: request.GET[name] for name in request.GET} | known
