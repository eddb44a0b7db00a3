"""What time it is for runs: the database's clock."""

from __future__ import annotations

from datetime import datetime

from django.db import connection

from runs import clock


def database_now() -> datetime:
    """Ask the database for the time, in the caller's transaction; SQLite has none of its own."""
    if connection.vendor != "postgresql":
        return clock.now()
    with connection.cursor() as cursor:
        cursor.execute("SELECT engine_now()")
        moment: datetime = cursor.fetchone()[0]
    return moment
