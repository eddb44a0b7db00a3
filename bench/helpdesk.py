"""The helpdesk's own memory of what it did: the oracle of effects, read past Baton."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path
from typing import Any


class Helpdesk:
    def __init__(self, data: Path) -> None:
        self._folder = data / "helpdesk"

    def answer_for(self, key: str, tool: str, arguments: dict[str, Any]) -> dict[str, Any] | None:
        """Say what a call with this key came to, as its answer would have; None if it never happened."""
        if not self._rows("SELECT 1 FROM effects WHERE key = ?", key):
            return None
        if tool.endswith("open_ticket"):
            number, at = self._rows(
                "SELECT number, opened_at FROM tickets WHERE reference = ?", arguments["reference"]
            )[0]
            return {"ticket_id": f"HD-{number}", "state": "open", "opened_at": at}
        if tool.endswith("notify_team"):
            found = self._rows("SELECT id FROM notifications WHERE message = ?", arguments["message"])
            return {"notified": True, "team": arguments["team"], "notification": found[0][0]}
        found = self._rows("SELECT id FROM messages WHERE text = ?", arguments["text"])
        return {"ticket_id": arguments["ticket_id"], "state": "answered", "message": found[0][0]}

    def log(self) -> Path:
        """Give the append-only log: a line an effect."""
        return self._folder / "effects.jsonl"

    def doubles(self) -> list[str]:
        """Name what happened twice: a key that acted more than once, or one act of one run under two keys."""
        seen: set[tuple[str, str]] = set()
        found = []
        for act in map(json.loads, self.log().read_text().splitlines()):
            names = {(act["tool"], act["key"]), (act["tool"], act["arguments_digest"])}
            if seen & names:
                found.append(f"{act['tool']} happened again: {act['key'][:16]} at {act['at']}")
            seen |= names
        return found

    def count(self) -> int:
        """Say how many effects there were."""
        return len(self.log().read_text().splitlines()) if self.log().exists() else 0

    def _rows(self, statement: str, *values: Any) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self._folder / "data.sqlite3", timeout=20)) as connection:
            return connection.execute(statement, values).fetchall()
