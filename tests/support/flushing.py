"""Let the test runner empty the database between transactional tests, though the product's audit log refuses that.

The triggers are lifted only inside the transaction of the flush itself; every test runs with them in place.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

AUDIT_TABLES = ("orchestration_auditevent", "orchestration_auditseal")


@contextmanager
def flush_may_empty_the_audit_log() -> Iterator[None]:
    """Wrap the backend's flush so that it takes the append-only triggers off and puts them back."""
    operations = type(connection.ops)
    plain = operations.execute_sql_flush

    def lifted(self, sql_list: list[str]) -> None:
        with transaction.atomic(using=self.connection.alias), audit_unprotected(self.connection):
            plain(self, sql_list)

    operations.execute_sql_flush = lifted
    try:
        yield
    finally:
        operations.execute_sql_flush = plain


@contextmanager
def audit_unprotected(database=connection) -> Iterator[None]:
    """Take the triggers off the audit tables: for the flush, and for tests that tamper as a database owner could."""
    lift, restore = statements(database)
    with database.cursor() as cursor:
        for statement in lift:
            cursor.execute(statement)
        yield
        for statement in restore:
            cursor.execute(statement)


def statements(database) -> tuple[list[str], list[str]]:
    if database.vendor == "postgresql":
        return _on_postgresql("DISABLE"), _on_postgresql("ENABLE")
    with database.cursor() as cursor:
        cursor.execute("SELECT name, tbl_name, sql FROM sqlite_master WHERE type = 'trigger'")
        triggers = [(name, sql) for name, table, sql in cursor.fetchall() if table in AUDIT_TABLES]
    return [f"DROP TRIGGER {name}" for name, _ in triggers], [sql for _, sql in triggers]


def _on_postgresql(verb: str) -> list[str]:
    # A table with foreign keys still to be checked can't be altered, so they are checked first.
    alter = [f"ALTER TABLE {table} {verb} TRIGGER USER" for table in AUDIT_TABLES]
    return ["SET CONSTRAINTS ALL IMMEDIATE", *alter, "SET CONSTRAINTS ALL DEFERRED"]
