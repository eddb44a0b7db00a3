"""A pytest plugin that keeps only the tests that touch the database or need services.

`make test` runs everything on SQLite, then, with this plugin, these once more on PostgreSQL and Redis, where their
answer may differ.
"""

from __future__ import annotations

import pytest
from django.test import TransactionTestCase  # the parent of Django's TestCase

DATABASE_FIXTURES = {"db", "transactional_db", "django_db_reset_sequences", "live_server"}


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    kept = [item for item in items if _needs_services(item)]
    config.hook.pytest_deselected(items=[item for item in items if not _needs_services(item)])
    items[:] = kept


def _needs_services(item: pytest.Item) -> bool:
    test_class = getattr(item, "cls", None)
    return bool(
        item.get_closest_marker("django_db")
        or item.get_closest_marker("services")
        or DATABASE_FIXTURES & set(getattr(item, "fixturenames", ()))
        or (test_class and issubclass(test_class, TransactionTestCase))
    )
