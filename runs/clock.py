"""The clock of the embedded form, where the database has none of its own: this process's, in UTC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

offset = timedelta()  # test settings move it; nothing else does


def now() -> datetime:
    return datetime.now(UTC) + offset
