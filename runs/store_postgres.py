"""The engine's SQL on PostgreSQL: each verb is one statement and one round trip, prepared by psycopg.

A commit travels as one JSON document, so that a batch of any size is the same prepared statement. Rows of steps,
events, spans and effects join the fenced UPDATE: where the fence doesn't hold, nothing of the run is written.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import orjson
import psycopg
from psycopg.rows import tuple_row

from runs.store import COLUMNS, Claimed, Committed, EffectRow, EndedRow, FactRow, Loaded, RunId, Write

# Fair between workspaces: each has the same share of a claim, and where there is not a run for each of them, chance
# decides who comes first. Priorities are probed one by one, so that each probe is the front of an index and leased or
# waiting runs, which are due later, are never read. A suspect waits for a worker to be alone with, but not for ever.
CLAIM = f"""
WITH n AS MATERIALIZED (SELECT engine_now() AS now),
lane AS MATERIALIZED (
  SELECT w.id, w.turn, p.priority
  FROM n CROSS JOIN (SELECT id, random() AS turn FROM orchestration_workspace OFFSET 0) w
  CROSS JOIN (VALUES (0), (1), (2)) p(priority)
  CROSS JOIN LATERAL (
    SELECT FROM runs_run r WHERE r.workspace_id = w.id AND r.priority = p.priority AND r.due_at <= n.now
    ORDER BY r.due_at LIMIT 1) due
),
due AS (
  SELECT d.id FROM n, lane CROSS JOIN LATERAL (
    SELECT r.id FROM runs_run r
    WHERE r.workspace_id = lane.id AND r.priority = lane.priority AND r.due_at <= n.now
      AND NOT (r.suspect AND r.owner IS NOT NULL AND r.due_at > n.now - %(lease)s)
    ORDER BY r.due_at LIMIT (SELECT greatest(1, %(limit)s / greatest(1, count(DISTINCT id))) FROM lane)
    FOR UPDATE OF r SKIP LOCKED) d
  ORDER BY lane.turn, lane.priority LIMIT %(limit)s
),
called AS MATERIALIZED (SELECT DISTINCT run_id FROM (SELECT run_id FROM runs_fact WHERE NOT consumed LIMIT 1000) f),
free AS (
  SELECT r.id FROM runs_run r JOIN called c ON c.run_id = r.id WHERE r.owner IS NULL
  LIMIT %(limit)s FOR UPDATE OF r SKIP LOCKED
)
UPDATE runs_run r
SET epoch = r.epoch + 1, owner = %(owner)s, due_at = n.now + %(lease)s, suspect = r.owner IS NOT NULL
FROM (SELECT id FROM due UNION SELECT id FROM free) c, n, orchestration_workspace w
WHERE r.id = c.id AND w.id = r.workspace_id RETURNING {COLUMNS}
"""  # noqa: S608 - constants only

CLAIM_ALONE = f"""
WITH n AS MATERIALIZED (SELECT engine_now() AS now),
due AS (
  SELECT r.id FROM runs_run r, n WHERE r.due_at <= n.now AND r.suspect AND r.owner IS NOT NULL
  ORDER BY r.due_at LIMIT 1 FOR UPDATE OF r SKIP LOCKED
)
UPDATE runs_run r
SET epoch = r.epoch + 1, owner = %(owner)s, due_at = n.now + %(lease)s, deaths = r.deaths + 1
FROM due c, n, orchestration_workspace w WHERE r.id = c.id AND w.id = r.workspace_id RETURNING {COLUMNS}
"""  # noqa: S608 - constants only

READ = f"""
SELECT {COLUMNS} FROM runs_run r JOIN orchestration_workspace w ON w.id = r.workspace_id WHERE r.id = ANY(%(ids)s)
"""  # noqa: S608 - constants only

# A commit that keeps the lease leaves `due_at` alone, prolonging is `renew`'s: so no index changes with a step, and
# PostgreSQL can put the new row beside the old one (HOT).
FENCE = """
WITH p AS MATERIALIZED (SELECT %(batch)s::jsonb AS j),
u AS (
  UPDATE runs_run r SET
    seq = t.seq, state = t.state, waiting_for = t.waiting_for, life = t.life, active = t.active, marks = t.marks,
    variables = t.variables, output = t.output, error = t.error, steps_started = t.steps_started, tokens = t.tokens,
    cost_microusd = t.cost_microusd, started_at = t.started_at, ended_at = t.ended_at,
    owner = CASE WHEN t.keep THEN r.owner END,
    due_at = CASE WHEN t.keep THEN r.due_at ELSE t.due_at END,
    deaths = CASE WHEN t.progress THEN 0 ELSE r.deaths END, suspect = r.suspect AND NOT t.progress
  FROM p, jsonb_to_recordset(p.j->'runs') AS t(
    id uuid, epoch int, seq_from int, guard bigint, seq int, state text, waiting_for text, life smallint, active jsonb,
    marks jsonb, variables jsonb, output jsonb, error jsonb, steps_started int, tokens bigint, cost_microusd bigint,
    started_at timestamptz, ended_at timestamptz, keep bool, due_at timestamptz, progress bool)
  WHERE r.id = t.id AND r.epoch = t.epoch AND r.seq = t.seq_from AND r.owner = %(owner)s
    AND (t.guard IS NULL
      OR t.guard = (SELECT w.guard_revision FROM orchestration_workspace w WHERE w.id = r.workspace_id))
  RETURNING r.id, r.epoch, r.workspace_id
),
e AS (
  INSERT INTO runs_event (run_id, seq, life, kind, terminal, body, epoch, at)
  SELECT u.id, x.seq, x.life, x.kind, x.terminal, x.body, u.epoch, x.at
  FROM p, jsonb_to_recordset(p.j->'events') AS x(
    run_id uuid, seq int, life smallint, kind text, terminal bool, body jsonb, at timestamptz)
  JOIN u ON u.id = x.run_id
),
s AS (
  INSERT INTO runs_steprun (run_id, path, pass, kind, state, port, attempt, reason, output, error, tokens,
    cost_microusd, epoch, started_at, ended_at)
  SELECT u.id, x.path, x.pass, x.kind, x.state, x.port, x.attempt, x.reason, x.output, x.error, x.tokens,
    x.cost_microusd, u.epoch, x.started_at, x.ended_at
  FROM p, jsonb_to_recordset(p.j->'steps') AS x(
    run_id uuid, path text, pass int, kind text, state text, port text, attempt smallint, reason text, output jsonb,
    error jsonb, tokens int, cost_microusd bigint, started_at timestamptz, ended_at timestamptz)
  JOIN u ON u.id = x.run_id
)"""

TRACE = """,
a AS (
  INSERT INTO runs_attempt (run_id, path, pass, number, state, error, epoch, started_at, ended_at)
  SELECT u.id, x.path, x.pass, x.number, x.state, x.error, u.epoch, x.started_at, x.ended_at
  FROM p, jsonb_to_recordset(p.j->'attempts') AS x(
    run_id uuid, path text, pass int, number smallint, state text, error jsonb, started_at timestamptz,
    ended_at timestamptz)
  JOIN u ON u.id = x.run_id
),
sp AS (
  INSERT INTO runs_span (run_id, path, pass, attempt, kind, name, status, attributes, epoch, started_at, ended_at)
  SELECT u.id, x.path, x.pass, x.attempt, x.kind, x.name, x.status, x.attributes, u.epoch, x.started_at, x.ended_at
  FROM p, jsonb_to_recordset(p.j->'spans') AS x(
    run_id uuid, path text, pass int, attempt smallint, kind text, name text, status text, attributes jsonb,
    started_at timestamptz, ended_at timestamptz)
  JOIN u ON u.id = x.run_id
),
i AS (
  INSERT INTO runs_effect (key, workspace_id, run_id, path, pass, ordinal, generation, tool, effect, arguments, digest,
    state, approval, epoch, intended_at)
  SELECT x.key, u.workspace_id, u.id, x.path, x.pass, x.ordinal, x.generation, x.tool, x.effect,
    decode(x.arguments, 'base64'), x.digest, 'intended', x.approval, u.epoch, x.intended_at
  FROM p, jsonb_to_recordset(p.j->'intents') AS x(
    run_id uuid, key text, path text, pass int, ordinal int, generation smallint, tool text, effect text,
    arguments text, digest text, approval uuid, intended_at timestamptz)
  JOIN u ON u.id = x.run_id
  ON CONFLICT (key) DO UPDATE SET state = 'intended', settled_at = NULL, epoch = EXCLUDED.epoch
),
st AS (
  UPDATE runs_effect f SET state = x.state, receipt = x.receipt, settled_at = greatest(x.at, f.intended_at)
  FROM p, jsonb_to_recordset(p.j->'settlements') AS x(run_id uuid, key text, state text, receipt jsonb, at timestamptz)
  JOIN u ON u.id = x.run_id
  WHERE f.key = x.key
),
c AS (
  UPDATE runs_fact f SET consumed = true
  FROM p, jsonb_to_recordset(p.j->'consumed') AS x(run_id uuid, id bigint) JOIN u ON u.id = x.run_id
  WHERE f.id = x.id
)"""

# A fact consumed by this very statement still looks unconsumed to it: those are left out by name.
REPLY = """
SELECT u.id, EXISTS (
  SELECT 1 FROM runs_fact f WHERE f.run_id = u.id AND NOT f.consumed
    AND NOT EXISTS (SELECT 1 FROM jsonb_to_recordset(p.j->'consumed') AS x(id bigint) WHERE x.id = f.id))
FROM u, p
"""

PLAIN, FULL = FENCE + REPLY, FENCE + TRACE + REPLY

RENEW = """
UPDATE runs_run r SET due_at = engine_now() + %(lease)s FROM unnest(%(ids)s::uuid[], %(epochs)s::int[]) AS t(id, epoch)
WHERE r.id = t.id AND r.epoch = t.epoch AND r.owner = %(owner)s RETURNING r.id
"""
RELEASE = """
UPDATE runs_run r SET owner = NULL, due_at = engine_now()
FROM unnest(%(ids)s::uuid[], %(epochs)s::int[]) AS t(id, epoch)
WHERE r.id = t.id AND r.epoch = t.epoch AND r.owner = %(owner)s
"""


class PostgresStore:
    def __init__(self, connection: psycopg.Connection[Any], lease: Any) -> None:
        """Work on this autocommit connection (or on Django's own, inside its transaction). `lease`: a timedelta."""
        self._connection, self._lease = connection, lease

    def now(self) -> datetime:
        moment: datetime = self._rows("SELECT engine_now()", {})[0][0]
        return moment

    def claim(self, owner: RunId, limit: int, *, alone: bool = False) -> list[Claimed]:
        statement = CLAIM_ALONE if alone else CLAIM
        rows = self._rows(statement, {"owner": owner, "limit": limit, "lease": self._lease})
        return [Claimed(*row) for row in rows]

    def read(self, run_ids: Sequence[RunId]) -> list[Claimed]:
        return [Claimed(*row) for row in self._rows(READ, {"ids": list(run_ids)})]

    def load(self, run_ids: Sequence[RunId]) -> Loaded:
        ids = {"ids": list(run_ids)}
        ended: dict[RunId, list[EndedRow]] = defaultdict(list)
        for row in self._rows(
            "SELECT run_id, path, pass, state, port, output, error FROM runs_steprun"
            " WHERE run_id = ANY(%(ids)s) ORDER BY pass", ids,
        ):  # fmt: skip
            ended[row[0]].append(EndedRow(*row))
        effects: dict[RunId, list[EffectRow]] = defaultdict(list)
        for row in self._rows(
            "SELECT key, run_id, path, pass, effect, arguments, state FROM runs_effect WHERE run_id = ANY(%(ids)s)", ids
        ):
            key, run_id, path, number, effect, arguments, state = row
            effects[run_id].append(EffectRow(key, run_id, path, number, effect, bytes(arguments), state))
        return Loaded(ended, self.facts(run_ids), effects)

    def facts(self, run_ids: Sequence[RunId]) -> Mapping[RunId, Sequence[FactRow]]:
        facts: dict[RunId, list[FactRow]] = defaultdict(list)
        for row in self._rows(
            "SELECT id, run_id, kind, body FROM runs_fact WHERE run_id = ANY(%(ids)s) AND NOT consumed ORDER BY id",
            {"ids": list(run_ids)},
        ):
            facts[row[1]].append(FactRow(*row))
        return facts

    def commit(self, owner: RunId, writes: Sequence[Write]) -> Committed:
        batch, full = _batch(writes)
        values = {"batch": batch, "owner": owner}
        rows = self._rows(FULL if full else PLAIN, values)
        return Committed(frozenset(row[0] for row in rows), frozenset(row[0] for row in rows if row[1]))

    def standing(self, run_ids: Sequence[RunId]) -> Mapping[RunId, tuple[int, int]]:
        rows = self._rows("SELECT id, epoch, seq FROM runs_run WHERE id = ANY(%(ids)s)", {"ids": list(run_ids)})
        return {row[0]: (row[1], row[2]) for row in rows}

    def renew(self, owner: RunId, epochs: Mapping[RunId, int]) -> frozenset[RunId]:
        return frozenset(row[0] for row in self._rows(RENEW, self._held(owner, epochs)))

    def release(self, owner: RunId, epochs: Mapping[RunId, int]) -> None:
        self._connection.execute(RELEASE, self._held(owner, epochs))

    def close(self) -> None:
        self._connection.close()

    def _held(self, owner: RunId, epochs: Mapping[RunId, int]) -> dict[str, Any]:
        return {"owner": owner, "ids": list(epochs), "epochs": list(epochs.values()), "lease": self._lease}

    def _rows(self, statement: str, values: Mapping[str, Any]) -> list[tuple[Any, ...]]:
        with self._connection.cursor(row_factory=tuple_row) as cursor:
            cursor.execute(statement, values)
            return cursor.fetchall()


def _batch(writes: Sequence[Write]) -> tuple[str, bool]:
    """Lay a batch out as the JSON document of the statement; say whether it needs the full one."""
    batch: dict[str, list[dict[str, Any]]] = {
        "runs": [
            {"id": w.run_id, "epoch": w.epoch, "seq_from": w.seq_from, "guard": w.guard, **w.run} for w in writes
        ],
        "events": [row for w in writes for row in w.events],
        "steps": [row for w in writes for row in w.steps],
        "consumed": [{"run_id": w.run_id, "id": fact} for w in writes for fact in w.consumed],
    }  # fmt: skip
    full = any(w.attempts or w.spans or w.intents or w.settlements or w.consumed for w in writes)
    if full:
        for name in ("attempts", "spans", "intents", "settlements"):
            batch[name] = [row for w in writes for row in getattr(w, name)]
    return orjson.dumps(batch, default=str).decode(), full
