"""Short names for values in events, so that a log needn't hold what a row holds."""

from __future__ import annotations

from hashlib import sha256

import orjson

from orchestration.core.definition import Json


def fingerprint(value: Json) -> str:
    """Name a JSON-shaped value by 16 hex digits of the SHA-256 of its sorted JSON; nothing for None.

    For comparing what one instance stored with what it stored: what people sign is named by `canonical.digest`.
    """
    return "" if value is None else sha256(orjson.dumps(value, option=orjson.OPT_SORT_KEYS)).hexdigest()[:16]
