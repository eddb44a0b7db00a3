"""The engine's own connection, beside Django's: one per process, in autocommit, with statements prepared."""

from __future__ import annotations

import sqlite3
from datetime import timedelta
from typing import Any

import django.db
import orjson
import psycopg
from django.conf import settings
from django.db import connection
from psycopg.types.json import set_json_loads

from runs.store import Store
from runs.store_postgres import PostgresStore
from runs.store_sqlite import SqliteStore

# The database is away, or can't do it now: the same again may well succeed. Caught after REFUSED.
LOST: tuple[type[Exception], ...] = (
    psycopg.OperationalError, psycopg.InterfaceError, sqlite3.OperationalError, django.db.OperationalError,
    django.db.InterfaceError,
)  # fmt: skip
# It is the values that it won't take. Nothing else: a column that is missing is no fault of the run.
REFUSED: tuple[type[Exception], ...] = (
    psycopg.DataError, psycopg.IntegrityError, psycopg.errors.CardinalityViolation,
    psycopg.errors.ProgramLimitExceeded, sqlite3.IntegrityError, sqlite3.DataError, sqlite3.InterfaceError,
    django.db.DataError, django.db.IntegrityError, TypeError, ValueError, OverflowError,
)  # fmt: skip

# Each statement of the engine looks rows up by an index, whatever the planner thinks of tables that were just filled:
# without statistics it prefers to read all runs and hash them. What a batch holds says nothing about the best plan.
BY_INDEX = "-c enable_seqscan=off -c plan_cache_mode=force_generic_plan -c jit=off"


def lease() -> timedelta:
    return timedelta(seconds=settings.BATON_LEASE_SECONDS)


def open_store() -> Store:
    """Connect the engine. Raises one of LOST while the database is away."""
    if connection.vendor == "postgresql":
        return PostgresStore(_postgres(), lease())
    return SqliteStore(_sqlite(), lease())


def store_on_django() -> Store:
    """Work inside the transaction that is open on Django's connection: for commits that call other apps."""
    connection.ensure_connection()
    if connection.vendor == "postgresql":
        return PostgresStore(connection.connection, lease())
    return SqliteStore(connection.connection, lease())


def _postgres() -> psycopg.Connection[Any]:
    given = connection.settings_dict
    options = {name: value for name, value in given["OPTIONS"].items() if name != "pool"}
    options["options"] = f"{options.get('options', '')} {BY_INDEX}".strip()
    own = psycopg.connect(
        dbname=given["NAME"], user=given["USER"] or None, password=given["PASSWORD"] or None,
        host=given["HOST"] or None, port=given["PORT"] or None, autocommit=True, prepare_threshold=1, **options,
    )  # fmt: skip
    set_json_loads(orjson.loads, own)
    return own


def _sqlite() -> sqlite3.Connection:
    given = connection.settings_dict
    own = sqlite3.connect(
        given["NAME"], isolation_level=None, check_same_thread=False, timeout=given["OPTIONS"].get("timeout", 20)
    )
    for pragma in given["OPTIONS"].get("init_command", "").split(";"):
        if pragma.strip():
            own.execute(pragma)
    return own
