"""What a sample server really did: a table that commits with each act, and a log file that follows the table.

The table is exact. The file `effects.jsonl` has one line an effect, written (and synced) before the call is answered;
a line that a crash prevented is written by the next one who looks.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS effects (
    id INTEGER PRIMARY KEY AUTOINCREMENT, at TEXT NOT NULL, tool TEXT NOT NULL, key TEXT NOT NULL,
    arguments_digest TEXT NOT NULL
);
CREATE INDEX IF NOT EXISTS effects_by_key ON effects (key);
CREATE TABLE IF NOT EXISTS receipts (
    key TEXT PRIMARY KEY, tool TEXT NOT NULL, arguments_digest TEXT NOT NULL, reply TEXT NOT NULL
);
"""


class Store:
    """A SQLite file in WAL mode, opened per use: a server process may serve several calls at once."""

    def __init__(self, folder: Path, schema: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / "data.sqlite3"
        self.log_path = folder / "effects.jsonl"
        with self.connect() as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.executescript(SCHEMA + schema)

    @contextmanager
    def connect(self) -> Iterator[sqlite3.Connection]:
        """Open the file for reading."""
        connection = sqlite3.connect(self.path, timeout=20, isolation_level=None)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA synchronous=FULL")
        try:
            yield connection
        finally:
            connection.close()

    @contextmanager
    def change(self) -> Iterator[sqlite3.Connection]:
        """Open one write transaction; it commits unless the block raises."""
        with self.connect() as connection:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
            except BaseException:
                connection.execute("ROLLBACK")
                raise
            connection.execute("COMMIT")

    def write_log(self) -> None:
        """Append the effects that the log file does not have yet, under a lock, and sync it."""
        with open(self.log_path, "ab+") as log:
            fcntl.flock(log, fcntl.LOCK_EX)
            log.seek(0)
            whole = log.read().rpartition(b"\n")[0]
            log.truncate(len(whole) + 1 if whole else 0)  # a line without its end was cut off by a crash
            last = int(json.loads(whole.rpartition(b"\n")[2])["id"]) if whole else 0
            with self.connect() as connection:
                rows = connection.execute("SELECT * FROM effects WHERE id > ? ORDER BY id", (last,)).fetchall()
            log.write(b"".join(json.dumps(dict(row)).encode() + b"\n" for row in rows))
            log.flush()
            os.fsync(log.fileno())

    def effects(self, key: str | None = None) -> list[dict[str, Any]]:
        """List what was done, oldest first, of all calls or of those with this idempotency key."""
        where, values = ("WHERE key = ?", (key,)) if key is not None else ("", ())
        with self.connect() as connection:
            return [dict(row) for row in connection.execute(f"SELECT * FROM effects {where} ORDER BY id", values)]  # noqa: S608


def record(connection: sqlite3.Connection, tool: str, key: str, arguments: Mapping[str, Any]) -> None:
    """Write the effect down in the transaction that makes it."""
    connection.execute(
        "INSERT INTO effects (at, tool, key, arguments_digest) VALUES (?, ?, ?, ?)",
        (now(), tool, key, digest(arguments)),
    )


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds")


def digest(arguments: Mapping[str, Any]) -> str:
    """Hash arguments: SHA-256 of their JSON with sorted keys."""
    text = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()
