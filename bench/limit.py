"""The limit that the engine is measured against: a bare psycopg loop, one CTE and one commit a step.

Each connection updates one run and inserts one step in one prepared statement: the least that a durable step can be.
"""

from __future__ import annotations

import threading
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import psycopg

CONNECTIONS = 8
SECONDS = 3.0
TABLES = """
CREATE TABLE IF NOT EXISTS limit_run (id int PRIMARY KEY, seq int NOT NULL, state jsonb NOT NULL, at timestamptz);
CREATE TABLE IF NOT EXISTS limit_step (
  run int NOT NULL, seq int NOT NULL, path text NOT NULL, state text NOT NULL, output jsonb, at timestamptz NOT NULL,
  PRIMARY KEY (run, seq));
TRUNCATE limit_run, limit_step;
"""
STEP = """
WITH u AS (
  UPDATE limit_run SET seq = seq + 1, state = %(state)s, at = clock_timestamp()
  WHERE id = %(id)s AND seq = %(seq)s RETURNING id, seq)
INSERT INTO limit_step SELECT id, seq, 'step', 'succeeded', %(state)s, clock_timestamp() FROM u
"""
STATE = '{"active": {"step": {"pass": 0, "attempt": 1, "state": "running"}}}'


def measure(url: str, way: str, seconds: float = SECONDS) -> float:
    """Give steps a second over 8 connections, in `processes` of their own or in `threads` of two processes."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(TABLES)
        connection.cursor().executemany(
            "INSERT INTO limit_run VALUES (%s, 0, %s)", [(n, STATE) for n in range(CONNECTIONS)]
        )
    processes = CONNECTIONS if way == "processes" else 2
    each = CONNECTIONS // processes
    ids = [list(range(n * each, (n + 1) * each)) for n in range(processes)]
    with ProcessPoolExecutor(processes, mp_context=get_context("spawn")) as pool:
        list(pool.map(_warm, range(processes)))
        begin = time.time() + 0.7  # every process has connected by then
        steps = sum(pool.map(_some, [url] * processes, ids, [begin] * processes, [seconds] * processes))
    return steps / seconds


def _warm(_: int) -> None:
    time.sleep(0.3)  # so that the pool makes all of its processes


def _some(url: str, ids: list[int], begin: float, seconds: float) -> int:
    done = [0] * len(ids)
    threads = [
        threading.Thread(target=_loop, args=[url, run, begin, seconds, done, place]) for place, run in enumerate(ids)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done)


def _loop(url: str, run: int, begin: float, seconds: float, done: list[int], place: int) -> None:
    with psycopg.connect(url, autocommit=True, prepare_threshold=0) as connection, connection.cursor() as cursor:
        time.sleep(max(0.0, begin - time.time()))
        end, seq = begin + seconds, 0
        while time.time() < end:
            cursor.execute(STEP, {"id": run, "seq": seq, "state": STATE})
            seq += 1
        done[place] = seq
