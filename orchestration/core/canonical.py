"""One canonical form for everything that is hashed: JCS, RFC 8785."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping

import rfc8785

from orchestration.core.definition import Json
from orchestration.core.errors import InvalidValue

_NOT_EXECUTED = frozenset({"layout", "description", "notes"})
_NOT_EXECUTED_IN_STEPS = frozenset({"title", "note"})


def canonical(value: Json) -> bytes:
    """Write a JSON value in its one canonical form.

    Raises InvalidValue for what JSON can't hold everywhere: whole numbers beyond 2^53, NaN and infinity, lone
    surrogates, keys that are not text.
    """
    try:
        return rfc8785.dumps(value)
    except rfc8785.IntegerDomainError as error:
        raise InvalidValue("whole numbers beyond 2^53 - 1 can't be stored exactly: use text.") from error
    except rfc8785.FloatDomainError as error:
        raise InvalidValue("NaN and infinity can't be stored.") from error
    except RecursionError as error:
        raise InvalidValue("the value is nested too deep.") from error
    except (rfc8785.CanonicalizationError, TypeError, AttributeError) as error:
        if isinstance(error.__context__, UnicodeError):
            raise InvalidValue("a text holds a lone surrogate, which is not valid Unicode.") from error
        raise InvalidValue(f"the value can't be written as JSON: {error}.") from error


def digest(value: Json) -> str:
    """Give the SHA-256 of the canonical form, in hex. Raises InvalidValue."""
    return hashlib.sha256(canonical(value)).hexdigest()


def execution_hash(document: Mapping[str, Json]) -> str:
    """Give the digest of what a document does: layout, description, titles and notes left out.

    `document` is one that `documents.read` gave. Raises InvalidValue.
    """
    kept = {key: value for key, value in document.items() if key not in _NOT_EXECUTED}
    steps = kept.get("steps")
    if isinstance(steps, list):
        kept["steps"] = [
            {key: value for key, value in step.items() if key not in _NOT_EXECUTED_IN_STEPS}
            if isinstance(step, dict)
            else step
            for step in steps
        ]
    return digest(kept)
