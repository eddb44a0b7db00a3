"""Whole instances of Baton that can be killed: the embedded form, and the cluster with docker-compose.yml's commands.

Every process is a group of its own, ended by its number and by nothing else. Tool servers are children in sessions of
their own: a kill of their worker does not touch them, as it would not touch a receiver somewhere else.
"""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import psycopg
import redis
import yaml

from tests.support.processes import environment
from tests.support.tree import ROOT
from tools import services

START_SECONDS = 90.0
SETTLE_SECONDS = 0.3  # what PostgreSQL may need to end a statement whose client is gone
ADVANCES = re.compile(r"Worker ([0-9a-f-]{36}) advances runs")
UNSETTLED = (
    "SELECT e.key FROM runs_effect e JOIN runs_run r ON r.id = e.run_id"
    " WHERE e.effect = 'once' AND e.state = 'intended'"
)


class Process:
    """A started process: its group, its log, and whether it is still there."""

    def __init__(self, name: str, command: list[str], env: dict[str, str], log: Path) -> None:
        self.name, self.log = name, log
        self._seen = log.stat().st_size if log.exists() else 0
        with log.open("a") as output:
            self._popen = subprocess.Popen(
                command, env=env, cwd=ROOT, stdout=output, stderr=output, start_new_session=True
            )

    @property
    def alive(self) -> bool:
        return self._popen.poll() is None

    def output(self) -> str:
        with self.log.open(errors="replace") as opened:
            opened.seek(self._seen)
            return opened.read()

    def send(self, number: int) -> None:
        """Send a signal to the whole group."""
        os.killpg(self._popen.pid, number)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        self._popen.wait()

    def stop(self) -> int:
        """Ask it to end, as an operator does; kill it if it doesn't."""
        if self.alive:
            self._popen.terminate()
        try:
            return self._popen.wait(40)
        except subprocess.TimeoutExpired:
            self.kill()
            return -9


class Instance:
    """What both forms share. `settings` are environment variables on top of the form's own."""

    form = ""

    def __init__(self, folder: Path, settings: dict[str, str]) -> None:
        self.folder, self.data = folder, folder / "data"
        self.data.mkdir(parents=True)
        port = services.free_port()
        self.url = f"http://127.0.0.1:{port}"
        own = {
            "BATON_DATA": str(self.data), "PORT": str(port), "BATON_URL": self.url,
            "BATON_ADMIN_PASSWORD": "only for a bench", "DJANGO_SETTINGS_MODULE": "bench.settings",
        }  # fmt: skip
        self.env = environment(**{**own, **settings})
        self.processes: dict[str, Process] = {}

    def manage(self, *arguments: str, seconds: float = START_SECONDS) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "manage.py", *arguments], env=self.env, cwd=ROOT, capture_output=True, text=True,
            timeout=seconds,
        )  # fmt: skip

    def spawn(self, name: str, command: list[str], failpoint: str = "") -> None:
        env = {**self.env, "BENCH_FAILPOINT": failpoint}
        self.processes[name] = Process(name, command, env, self.folder / f"{name}.log")

    def wait_until_ready(self) -> None:
        """Wait until requests are answered. Raises RuntimeError with the log if that never happens."""
        end = time.monotonic() + START_SECONDS
        while time.monotonic() < end:
            with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.url}/healthz", timeout=5):
                return
            if not self.processes["web"].alive:
                break
            time.sleep(0.05)
        raise RuntimeError(f"{self.form} does not answer:\n{self.processes['web'].output()[-3000:]}")

    def stop(self) -> dict[str, int]:
        return {name: process.stop() for name, process in self.processes.items()}

    def kill_all(self) -> None:
        for process in self.processes.values():
            process.kill()

    def orphans(self) -> list[int]:
        """List processes that work in our folder and are not ours any more: tool servers of killed workers."""
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                words = (entry / "cmdline").read_bytes().decode(errors="replace").split("\0")
                parent = (entry / "stat").read_text().rpartition(")")[2].split()[1]
                if str(self.data) in " ".join(words) and parent == "1":
                    found.append(int(entry.name))
        return found


class Embedded(Instance):
    """One process: web, worker and clock on SQLite."""

    form = "embedded"

    def start(self, failpoint: str = "") -> None:
        self.spawn("web", [sys.executable, "manage.py", "serve"], failpoint)

    def victims(self, number: int) -> list[str]:
        return ["web"]

    def revive(self, failpoint: str = "") -> None:
        self.start(failpoint)

    def unsettled(self, killed: list[str]) -> set[str]:
        """Read which `once` calls are in doubt now, from a copy: our opening the file would do its recovery for it."""
        with tempfile.TemporaryDirectory() as folder:
            for suffix in ("", "-wal"):
                file = self.data / f"baton.sqlite3{suffix}"
                if file.exists():
                    shutil.copy(file, folder)
            with contextlib.closing(sqlite3.connect(Path(folder) / "baton.sqlite3")) as copy:
                return {row[0] for row in copy.execute(UNSETTLED)}

    def flush(self) -> bool:
        return False

    def dump(self) -> None:
        """The data folder is the dump."""


class Cluster(Instance):
    """web, two workers and a clock, with the commands of docker-compose.yml, on PostgreSQL and a Redis of our own."""

    form = "cluster"
    NAMES = {"web": "web", "worker-1": "worker", "worker-2": "worker", "clock": "clock"}

    def __init__(self, folder: Path, settings: dict[str, str], database: str, broker: str) -> None:
        own = {"DATABASE_URL": database, "REDIS_URL": broker, "BATON_SECRET_KEY": "only-for-chaos-" + "0" * 50}
        super().__init__(folder, {**settings, **own, "BATON_ENCRYPTION_KEYS": "only-for-chaos"})
        self._database, self._broker = database, broker
        self._services: dict[str, Any] = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]

    def start(self, failpoint: str = "") -> None:
        done = self.manage("prepare")
        if done.returncode:
            raise RuntimeError(f"prepare failed:\n{done.stdout}{done.stderr}")
        self.revive()

    def revive(self, failpoint: str = "", names: Sequence[str] = ()) -> None:
        """Start what does not run, of all or of these; the first worker that is started gets the failpoint."""
        for name, service in self.NAMES.items():
            wanted = not names or name in names
            if wanted and (name not in self.processes or not self.processes[name].alive):
                own = failpoint if service == "worker" else ""
                self.spawn(name, list(self._services[service]["command"]), own)
                failpoint = "" if own else failpoint

    def victims(self, number: int) -> list[str]:
        """Say who dies at this kill: everything and single processes in turn, so that few kills have some of each."""
        return [["worker-1", "worker-2"], ["worker-1"], list(self.NAMES), ["worker-2"]][number % 4]

    def unsettled(self, killed: list[str]) -> set[str]:
        time.sleep(SETTLE_SECONDS)
        owners = [owner for name in killed for owner in ADVANCES.findall(self.processes[name].output())]
        with psycopg.connect(self._database) as connection:
            rows = connection.execute(f"{UNSETTLED} AND r.owner = ANY(%s)", (owners,))
            return {row[0] for row in rows}

    def flush(self) -> bool:
        with redis.Redis.from_url(self._broker) as broker:
            return bool(broker.flushall())

    def dump(self) -> None:
        with (self.folder / "dump.sql").open("w") as output:
            subprocess.run(["pg_dump", self._database], stdout=output, stderr=output)


@contextlib.contextmanager
def embedded(folder: Path, settings: dict[str, str]) -> Iterator[Instance]:
    instance = Embedded(folder, settings)
    try:
        yield instance
    finally:
        instance.kill_all()


@contextlib.contextmanager
def cluster(folder: Path, settings: dict[str, str]) -> Iterator[Instance]:
    """A cluster on a database of its own and on a Redis that is started here: the only one that may be flushed."""
    with services.postgres() as server, services.started_redis() as broker:
        if server is None:
            raise RuntimeError("The cluster form needs PostgreSQL: no DATABASE_URL, nothing on port 5432, no initdb.")
        with services.database(server) as database:
            instance = Cluster(folder, settings, database, broker)
            try:
                yield instance
            finally:
                instance.kill_all()
