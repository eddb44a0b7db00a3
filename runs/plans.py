"""Compiled plans by version: the engine's memory of what the definitions mean."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from designer import registry, versions
from designer.kinds import kinds
from designer.models import Version
from orchestration.core.catalog import Catalog
from orchestration.core.plan import Plan

CACHED_PLANS = 512


@dataclass(frozen=True, slots=True)
class Compiled:
    plan: Plan
    catalog: Catalog
    workflow: str  # slug


def compiled(version_id: int, workspace_id: int, guard_revision: int) -> Compiled:
    """Give a version's plan under the workspace's catalog of this revision or a later one."""
    catalog = registry.cached_catalog(workspace_id, guard_revision)
    return _compiled(version_id, catalog.revision, _Held(catalog))


class _Held:
    """Carries the catalog past the cache's key: its revision, which is in the key, stands for it."""

    def __init__(self, catalog: Catalog) -> None:
        self.catalog = catalog

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Held)

    def __hash__(self) -> int:
        return 0


@lru_cache(maxsize=CACHED_PLANS)
def _compiled(version_id: int, revision: int, held: _Held) -> Compiled:
    slug = Version.objects.values_list("workflow__slug", flat=True).get(pk=version_id)
    return Compiled(Plan(versions.definition(version_id), kinds(), held.catalog), held.catalog, slug)


def forget() -> None:
    """Empty the memory: for tests, whose rolled-back versions come again by the same id."""
    _compiled.cache_clear()
