"""A client of the REST API that writes down what it was told: the oracle of what was accepted."""

from __future__ import annotations

import json
import random
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from orchestration.core.states import TERMINAL

PAUSE_SECONDS = 0.1  # before the same request is sent again
TIMEOUT_SECONDS = 10.0


class History:
    """Everything that happened, a JSON object a line, in the order it was seen."""

    def __init__(self, file: Path) -> None:
        self._file = file.open("a", encoding="utf-8")
        self._began, self._lock = time.monotonic(), threading.Lock()

    def note(self, what: str, **details: Any) -> None:
        line = json.dumps({"t": round(time.monotonic() - self._began, 3), "what": what, **details})
        with self._lock:
            self._file.write(line + "\n")
            self._file.flush()

    def close(self) -> None:
        self._file.close()


class Away(Exception):
    """The instance did not answer, or could not."""


class Api:
    """One person's token. Not answering is normal here."""

    def __init__(self, url: str, secret: str) -> None:
        self._url, self._secret = url, secret

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        """Ask once. Raises Away where nobody answers or the answer is a 5xx, RuntimeError for a refusal."""
        request = urllib.request.Request(
            f"{self._url}/api/v1{path}", method=method, data=None if body is None else json.dumps(body).encode(),
            headers={"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json", **headers},
        )  # fmt: skip
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:
                read: dict[str, Any] = json.load(answer)
                return read
        except urllib.error.HTTPError as error:
            said = error.read().decode(errors="replace")
            if error.code >= 500:
                raise Away(f"{error.code} {said[:200]}") from error
            raise RuntimeError(f"{method} {path}: {error.code} {said}") from error
        except (OSError, ValueError, EOFError) as error:
            raise Away(f"{type(error).__name__}: {error}") from error
        except Exception as error:  # http.client's own: the connection ended inside an answer
            raise Away(f"{type(error).__name__}: {error}") from error

    def until(self, method: str, path: str, body: Any = None, seconds: float = 60.0, **headers: str) -> dict[str, Any]:
        """Ask until somebody answers."""
        end = time.monotonic() + seconds
        while True:
            try:
                return self(method, path, body, **headers)
            except Away:
                if time.monotonic() > end:
                    raise
                time.sleep(PAUSE_SECONDS)


class Client:
    """Keeps `level` runs open, under Idempotency-Keys, and logs what was accepted and how runs ended."""

    def __init__(self, api: Api, history: History, accepted: Path, level: int, seed: int) -> None:
        self._api, self._history, self._level = api, history, level
        self._random = random.Random(seed)
        self._accepted = accepted.open("a", encoding="utf-8")
        self._lock, self._stopping = threading.Lock(), threading.Event()
        self._threads = [threading.Thread(target=self._start_runs, name=f"client {n}", daemon=True) for n in range(3)]
        self._threads.append(threading.Thread(target=self._watch, name="watcher", daemon=True))
        self.runs: dict[str, str] = {}  # run -> state, as last seen
        self.changed_endings: list[str] = []
        self.server_errors = 0
        self.most = 2 * level  # runs that may be asked for in all: raised as kills go by, so that the load lasts
        self._asked = 0

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Start no more runs; wait for the answers to those already asked for."""
        self._stopping.set()
        for thread in self._threads:
            thread.join(120)
        self._accepted.close()

    def open(self) -> int:
        with self._lock:
            return sum(state not in TERMINAL and state != "needs_approval" for state in self.runs.values())

    def _start_runs(self) -> None:
        while not self._stopping.is_set():
            number = self._next()
            if number is None:
                self._stopping.wait(0.2)
            else:
                self._start(number)

    def _next(self) -> int | None:
        wanted = self.open() < self._level
        with self._lock:
            if not wanted or self._asked >= self.most:
                return None
            self._asked += 1
            return self._asked

    def _start(self, number: int) -> None:
        """Ask for a run until it is accepted, always with the same key: it must be started once all the same."""
        key = f"chaos-{number}"
        body = {"input": {"reference": f"R-{number}", "lane": self._random.choice(["note", "notify"]), "body": TEXT}}
        while True:
            self._history.note("start", key=key)
            try:
                answer = self._api("POST", "/workflows/chaos/runs", body, **{"Idempotency-Key": key})
                break
            except Away as away:
                self.server_errors += str(away)[:3].isdigit()
                self._history.note("no answer", key=key, why=str(away))
                time.sleep(PAUSE_SECONDS)
        self._history.note("accepted", key=key, run=answer["id"])
        with self._lock:
            self.runs.setdefault(answer["id"], answer["state"])
            self._accepted.write(json.dumps({"key": key, "run": answer["id"]}) + "\n")
            self._accepted.flush()

    def _watch(self) -> None:
        while not self._stopping.wait(0.5):
            try:
                self.look()
            except Away:
                continue

    def look(self) -> None:
        """Read the states of all runs, newest first. An ending that changes is noted. Raises Away."""
        cursor = ""
        while cursor is not None:
            page = self._api("GET", f"/runs?workflow=chaos&limit=200{cursor}")
            self._see(page["items"])
            cursor = f"&cursor={page['next']}" if page["next"] else None

    def _see(self, lines: list[Mapping[str, Any]]) -> None:
        with self._lock:
            for line in lines:
                before = self.runs.get(line["id"])
                if before in TERMINAL and line["state"] != before:
                    self.changed_endings.append(f"{line['id']}: {before}, then {line['state']}")
                self.runs[line["id"]] = line["state"]


TEXT = "Our card was charged twice for October. Please look at the invoice and tell us which of the two is right."
