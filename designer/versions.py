"""Read versions back: the definition a run is pinned to, from this process's memory where it is there."""

from __future__ import annotations

from functools import lru_cache

from designer import models
from orchestration.core import documents
from orchestration.core.definition import Definition

CACHED_DEFINITIONS = 256


def definition(version_id: int) -> Definition:
    """Give the definition of a version. One query of one row; the definition itself is kept by its digest."""
    return definition_by_digest(digest_of(version_id))


def digest_of(version_id: int) -> str:
    """Give the SHA-256 of a version's definition."""
    return models.Version.objects.values_list("definition_id", flat=True).get(pk=version_id)


@lru_cache(maxsize=CACHED_DEFINITIONS)
def definition_by_digest(digest: str) -> Definition:
    """Read a stored definition. It was checked when it was stored, so it is not judged again."""
    body = models.Definition.objects.values_list("body", flat=True).get(pk=digest)
    return documents.parse(documents.read(body, "json"))
