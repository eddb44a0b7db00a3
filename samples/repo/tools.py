"""The code host's file and tools."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from samples.effects import Store, now
from samples.serving import Arguments, Refused, SampleTool, closed

SCHEMA = """
CREATE TABLE IF NOT EXISTS pulls (
    pr INTEGER PRIMARY KEY, title TEXT NOT NULL, author TEXT NOT NULL, state TEXT NOT NULL, checks TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS comments (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pr INTEGER NOT NULL, text TEXT NOT NULL, at TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS merges (
    id INTEGER PRIMARY KEY AUTOINCREMENT, pr INTEGER NOT NULL, method TEXT NOT NULL, at TEXT NOT NULL
);
"""

PULLS = (
    (41, "Speed up the report query", "mira", {"lint": "passed", "tests": "passed", "build": "passed"}),
    (42, "Retry webhook deliveries", "jonas", {"lint": "passed", "tests": "failed", "build": "passed"}),
    (43, "Rotate signing keys", "aiko", {"lint": "passed", "tests": "passed", "build": "passed"}),
    (44, "Drop the legacy session table", "mira", {"lint": "passed", "tests": "running", "build": "passed"}),
    (45, "Fix a typo in the welcome mail", "sam", {"lint": "passed", "tests": "passed", "build": "passed"}),
)
_PR = {"type": "integer", "minimum": 1, "description": "the number of the pull request"}
_CHECKS = {"type": "array", "items": closed({"name": {"type": "string"}, "result": {"type": "string"}})}


def open_store(folder: Path) -> Store:
    """Open the code host kept in `folder`; the first time, fill it with pull requests."""
    store = Store(folder, SCHEMA)
    rows = [(pr, title, author, "open", json.dumps(checks)) for pr, title, author, checks in PULLS]
    with store.change() as connection:
        connection.executemany("INSERT OR IGNORE INTO pulls VALUES (?, ?, ?, ?, ?)", rows)
    return store


def get_checks(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    row = connection.execute("SELECT * FROM pulls WHERE pr = ?", (arguments["pr"],)).fetchone()
    if row is None:
        return {"found": False, "title": "", "author": "", "state": "", "all_passed": False, "checks": []}
    checks = json.loads(row["checks"])
    return {
        "found": True, "title": row["title"], "author": row["author"], "state": row["state"],
        "all_passed": all(result == "passed" for result in checks.values()),
        "checks": [{"name": name, "result": result} for name, result in checks.items()],
    }  # fmt: skip


def post_comment(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    _known(connection, arguments["pr"])
    values = (arguments["pr"], arguments["text"], now())
    cursor = connection.execute("INSERT INTO comments (pr, text, at) VALUES (?, ?, ?)", values)
    return {"pr": arguments["pr"], "comment": cursor.lastrowid}


def merge(connection: sqlite3.Connection, arguments: Arguments) -> dict[str, Any]:
    _known(connection, arguments["pr"])
    values = (arguments["pr"], arguments.get("method", "squash"), now())
    cursor = connection.execute("INSERT INTO merges (pr, method, at) VALUES (?, ?, ?)", values)
    connection.execute("UPDATE pulls SET state = 'merged' WHERE pr = ?", (arguments["pr"],))
    return {"pr": arguments["pr"], "state": "merged", "merge": cursor.lastrowid}


def _known(connection: sqlite3.Connection, pr: int) -> None:
    if connection.execute("SELECT 1 FROM pulls WHERE pr = ?", (pr,)).fetchone() is None:
        raise Refused(f"there is no pull request {pr}")


TOOLS = (
    SampleTool(
        "get_checks", "Read the checks", "Reads the state of a pull request and the results of its checks.",
        closed({"pr": _PR}, ["pr"]),
        closed({"found": {"type": "boolean"}, "title": {"type": "string"}, "author": {"type": "string"},
                "state": {"type": "string"}, "all_passed": {"type": "boolean"}, "checks": _CHECKS},
               ["found", "title", "author", "state", "all_passed", "checks"]),
        get_checks,
    ),
    SampleTool(
        "post_comment", "Comment", "Posts a comment on a pull request. Calling it twice posts two.",
        closed({"pr": _PR, "text": {"type": "string", "minLength": 1, "maxLength": 20000}}, ["pr", "text"]),
        closed({"pr": {"type": "integer"}, "comment": {"type": "integer"}}, ["pr", "comment"]),
        post_comment, "write", "once",
    ),
    SampleTool(
        "merge", "Merge", "Merges a pull request into the main branch. This can't be undone from here.",
        closed({"pr": _PR, "method": {"enum": ["squash", "merge", "rebase"]}}, ["pr"]),
        closed({"pr": {"type": "integer"}, "state": {"type": "string"}, "merge": {"type": "integer"}},
               ["pr", "state", "merge"]),
        merge, "destructive", "once",
    ),
)  # fmt: skip
