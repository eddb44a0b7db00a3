"""A migration operation for what Django's models can't say: SQL of its own for PostgreSQL and for SQLite."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db.migrations import RunPython


def vendor_sql(forward: dict[str, list[str]], backward: dict[str, list[str]]) -> RunPython:
    """Run the statements listed under the connection's vendor: "postgresql" or "sqlite"."""
    return RunPython(_runner(forward), _runner(backward))


def _runner(statements: dict[str, list[str]]) -> Callable[[Any, Any], None]:
    def run(_apps: Any, schema_editor: Any) -> None:
        for statement in statements.get(schema_editor.connection.vendor, []):
            schema_editor.execute(statement, params=None)

    return run
