"""The engine's SQL on SQLite: the same verbs and the same fence, row by row inside one IMMEDIATE transaction.

Instants, ids and JSON are written as Django's backend writes them, so that pages and the engine read the same rows.
"""

from __future__ import annotations

import base64
import sqlite3
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson

from runs import clock
from runs.store import COLUMNS, Claimed, Committed, EffectRow, EndedRow, FactRow, Loaded, RunId, Write

# In turns between workspaces, each by priority. A suspect waits for a worker to be alone with, but not for ever.
PICK = """
SELECT id FROM (
  SELECT id, row_number() OVER (PARTITION BY workspace_id ORDER BY priority, due_at) AS turn FROM runs_run
  WHERE id IN (
    SELECT id FROM runs_run
    WHERE due_at <= :now AND due_at IS NOT NULL AND NOT (suspect AND owner IS NOT NULL AND due_at > :patience)
    UNION SELECT r.id FROM runs_fact f JOIN runs_run r ON r.id = f.run_id WHERE NOT f.consumed AND r.owner IS NULL)
) ORDER BY turn, random() LIMIT :limit
"""
PICK_ALONE = """
SELECT id FROM runs_run WHERE due_at <= :now AND suspect AND owner IS NOT NULL ORDER BY due_at LIMIT 1
"""
TAKE = """
UPDATE runs_run SET epoch = epoch + 1, owner = :owner, due_at = :until, deaths = deaths + :alone,
  suspect = (owner IS NOT NULL) WHERE id = :id
"""
READ = f"SELECT {COLUMNS} FROM runs_run r JOIN orchestration_workspace w ON w.id = r.workspace_id WHERE r.id = ?"  # noqa: S608

FENCED = """
UPDATE runs_run SET
  seq = :seq, state = :state, waiting_for = :waiting_for, life = :life, active = :active, marks = :marks,
  variables = :variables, output = :output, error = :error, steps_started = :steps_started, tokens = :tokens,
  cost_microusd = :cost_microusd, started_at = :started_at, ended_at = :ended_at,
  owner = CASE WHEN :keep THEN owner END, due_at = CASE WHEN :keep THEN due_at ELSE :due_at END,
  deaths = CASE WHEN :progress THEN 0 ELSE deaths END, suspect = suspect AND NOT :progress
WHERE id = :id AND epoch = :epoch AND seq = :seq_from AND owner = :owner
  AND (:guard IS NULL OR :guard = (SELECT guard_revision FROM orchestration_workspace w WHERE w.id = workspace_id))
"""
INSERTS = {
    "events": (
        "runs_event", "run_id seq life kind terminal body epoch at"
    ),
    "steps": (
        "runs_steprun",
        "run_id path pass kind state port attempt reason output error tokens cost_microusd epoch started_at ended_at",
    ),
    "attempts": ("runs_attempt", "run_id path pass number state error epoch started_at ended_at"),
    "spans": ("runs_span", "run_id path pass attempt kind name status attributes epoch started_at ended_at"),
    "intents": (
        "runs_effect",
        "key workspace_id run_id path pass ordinal generation tool effect arguments digest state approval epoch"
        " intended_at",
    ),
}  # fmt: skip
JSON_COLUMNS = frozenset({"active", "marks", "variables", "output", "error", "body", "attributes", "receipt"})
NULLABLE_JSON = frozenset({"output", "error", "receipt"})
SETTLE = """
UPDATE runs_effect SET state = :state, receipt = :receipt, settled_at = max(:at, intended_at) WHERE key = :key
"""
REOPEN = " ON CONFLICT (key) DO UPDATE SET state = 'intended', settled_at = NULL, epoch = excluded.epoch"


class SqliteStore:
    def __init__(self, connection: sqlite3.Connection, lease: timedelta) -> None:
        """Work on this connection: one of our own in autocommit, or Django's inside its transaction."""
        self._connection, self._lease = connection, lease

    def now(self) -> datetime:
        return clock.now()

    def claim(self, owner: RunId, limit: int, *, alone: bool = False) -> list[Claimed]:
        now = clock.now()
        values = {"now": _instant(now), "patience": _instant(now - self._lease), "limit": limit}
        if not self._rows(PICK_ALONE if alone else PICK, values):
            return []  # asked first without a write lock: an idle worker disturbs nobody
        with self._transaction():
            picked = [row[0] for row in self._rows(PICK_ALONE if alone else PICK, values)]
            taken = {"owner": owner.hex, "until": _instant(now + self._lease), "alone": alone}
            self._connection.executemany(TAKE, [{"id": run_id, **taken} for run_id in picked])
            rows = [self._rows(READ, (run_id,))[0] for run_id in picked]
        return [_claimed(row) for row in rows]

    def read(self, run_ids: Sequence[RunId]) -> list[Claimed]:
        return [_claimed(row) for run_id in run_ids for row in self._rows(READ, (run_id.hex,))]

    def load(self, run_ids: Sequence[RunId]) -> Loaded:
        ended: dict[RunId, list[EndedRow]] = defaultdict(list)
        effects: dict[RunId, list[EffectRow]] = defaultdict(list)
        for run_id in run_ids:
            for row in self._rows(
                "SELECT path, pass, state, port, output, error FROM runs_steprun WHERE run_id = ? ORDER BY pass",
                (run_id.hex,),
            ):
                path, number, state, port, output, error = row
                ended[run_id].append(EndedRow(run_id, path, number, state, port, _loads(output), _loads(error)))
            for row in self._rows(
                "SELECT key, path, pass, effect, arguments, state FROM runs_effect WHERE run_id = ?", (run_id.hex,)
            ):
                effects[run_id].append(EffectRow(row[0], run_id, *row[1:]))
        return Loaded(ended, self.facts(run_ids), effects)

    def facts(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[FactRow]]:
        facts: dict[RunId, list[FactRow]] = defaultdict(list)
        for run_id in run_ids:
            for row in self._rows(
                "SELECT id, kind, body FROM runs_fact WHERE run_id = ? AND NOT consumed ORDER BY id", (run_id.hex,)
            ):
                facts[run_id].append(FactRow(row[0], run_id, row[1], _loads(row[2])))
        return facts

    def commit(self, owner: RunId, writes: Sequence[Write]) -> Committed:
        with self._transaction():
            written = [write for write in writes if self._write(owner, write)]
            called = frozenset(
                write.run_id
                for write in written
                if self._rows("SELECT 1 FROM runs_fact WHERE run_id = ? AND NOT consumed LIMIT 1", (write.run_id.hex,))
            )
        return Committed(frozenset(write.run_id for write in written), called)

    def standing(self, run_ids: Sequence[RunId]) -> Mapping[RunId, tuple[int, int]]:
        rows = [self._rows("SELECT id, epoch, seq FROM runs_run WHERE id = ?", (run_id.hex,)) for run_id in run_ids]
        return {uuid.UUID(row[0][0]): (row[0][1], row[0][2]) for row in rows if row}

    def renew(self, owner: RunId, epochs: Mapping[RunId, int]) -> frozenset[RunId]:
        until = _instant(clock.now() + self._lease)
        with self._transaction():
            return frozenset(
                run_id
                for run_id, epoch in epochs.items()
                if self._connection.execute(
                    "UPDATE runs_run SET due_at = ? WHERE id = ? AND epoch = ? AND owner = ?",
                    (until, run_id.hex, epoch, owner.hex),
                ).rowcount
            )

    def release(self, owner: RunId, epochs: Mapping[RunId, int]) -> None:
        now = _instant(clock.now())
        with self._transaction():
            self._connection.executemany(
                "UPDATE runs_run SET owner = NULL, due_at = ? WHERE id = ? AND epoch = ? AND owner = ?",
                [(now, run_id.hex, epoch, owner.hex) for run_id, epoch in epochs.items()],
            )

    def close(self) -> None:
        self._connection.close()

    def _write(self, owner: RunId, write: Write) -> bool:
        """Write one run's share; tell whether its fence held."""
        row = {
            "id": write.run_id.hex, "epoch": write.epoch, "seq_from": write.seq_from, "guard": write.guard,
            "owner": owner.hex, **_values(write.run),
        }  # fmt: skip
        if not self._connection.execute(FENCED, row).rowcount:
            return False
        common = {"run_id": write.run_id.hex, "epoch": write.epoch}
        for name, (table, columns) in INSERTS.items():
            if rows := getattr(write, name):
                self._connection.executemany(_insert(table, columns), [{**_values(r), **common} for r in rows])
        self._connection.executemany(SETTLE, [_values(settled) for settled in write.settlements])
        self._connection.executemany("UPDATE runs_fact SET consumed = 1 WHERE id = ?", [(f,) for f in write.consumed])
        return True

    def _rows(self, statement: str, values: Any) -> list[tuple[Any, ...]]:
        return self._connection.execute(statement, values).fetchall()

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """One IMMEDIATE transaction, or the caller's where there is one already."""
        if self._connection.in_transaction:
            yield
            return
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")


def _insert(table: str, columns: str) -> str:
    names = columns.split()
    places = ", ".join(f":{name}" for name in names)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})"  # noqa: S608 - names of this module
    return statement + REOPEN if table == "runs_effect" else statement


def _values(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, value) for name, value in row.items()}


def _value(name: str, value: Any) -> Any:
    """Give a value as Django's SQLite backend would store it."""
    if name in JSON_COLUMNS:
        return None if value is None and name in NULLABLE_JSON else orjson.dumps(value).decode()
    if name == "arguments":
        return base64.b64decode(value)
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, uuid.UUID):
        return value.hex
    return value


def _instant(moment: datetime) -> str:
    return str(moment.astimezone(UTC).replace(tzinfo=None))


def _moment(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text).replace(tzinfo=UTC) if text else None


def _loads(text: str | None) -> Any:
    return None if text is None else orjson.loads(text)


def _claimed(row: tuple[Any, ...]) -> Claimed:
    values = list(row)
    values[0] = uuid.UUID(row[0])
    for place in (9, 14, 15, 16, 17, 18):  # input, active, marks, variables, output, error
        values[place] = _loads(row[place])
    values[24] = bool(row[24])
    values[25:28] = [_moment(moment) for moment in row[25:28]]
    return Claimed(*values)
