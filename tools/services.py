"""Find or start the PostgreSQL and Redis that tests use, and leave both as they were.

A server found is a stranger's: we make databases of our own name there and use an empty Redis number, and never flush.
A server started is ours: free port, temporary folder, gone at the end.
"""

from __future__ import annotations

import contextlib
import getpass
import glob
import os
import pwd
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import redis

START_SECONDS = 30  # a server that needs longer than this to answer is broken
CLAIM_SECONDS = 2 * 3600  # how long a Redis number is ours if we die without giving it back
OUR_KEYS = ("_kombu*", "unacked*", "baton*", "celery*")  # what Celery and Baton leave in a broker


@contextlib.contextmanager
def postgres() -> Iterator[str | None]:
    """Yield the URL of a server that lets us create databases (DATABASE_URL, port 5432, own binaries), or None."""
    found = _found_postgres()
    if found or not _postgres_binaries():
        yield found
        return
    with started_postgres() as url:
        yield url


@contextlib.contextmanager
def broker() -> Iterator[str | None]:
    """Yield the URL of an empty Redis number, or None: REDIS_URL's server, the standard port, an own binary."""
    found = _found_redis()
    if not found and not _redis_binary():
        yield None
    elif not found:
        with started_redis() as url:
            yield url
    else:
        with _borrowed_number(found) as url:
            yield url


@contextlib.contextmanager
def database(server_url: str) -> Iterator[str]:
    """Create a database of our own on the server, yield its URL and drop it with whatever is still connected."""
    name = f"test_baton_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    try:
        yield urlsplit(server_url)._replace(path=f"/{name}").geturl()
    finally:
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


@contextlib.contextmanager
def started_postgres() -> Iterator[str]:
    """Start a PostgreSQL of our own on a free port; as root it runs as another user, for it refuses root."""
    binaries, port, user = _postgres_binaries(), free_port(), _unprivileged_user()
    with tempfile.TemporaryDirectory(prefix="baton-postgres-") as folder:
        if user:
            shutil.chown(folder, user)
        data = f"{folder}/data"
        initdb = [f"{binaries}/initdb", "-D", data, "-A", "trust", "-U", "baton", "-E", "UTF8", "--no-sync"]
        subprocess.run(initdb, check=True, capture_output=True, user=user, cwd=folder)
        serve = [f"{binaries}/postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
        with _running(serve, f"{folder}/log", user=user):
            url = f"postgres://baton@127.0.0.1:{port}/postgres"
            _wait(lambda: _answers_postgres(url), f"{folder}/log")
            yield url


@contextlib.contextmanager
def started_redis() -> Iterator[str]:
    """Start a Redis of our own on a free port, keeping nothing on disk: the only one that a test may flush or kill."""
    port = free_port()
    with tempfile.TemporaryDirectory(prefix="baton-redis-") as folder:
        command = [_redis_binary(), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        with _running([*command, "--dir", folder], f"{folder}/log"):
            url = f"redis://127.0.0.1:{port}/0"
            _wait(lambda: _answers_redis(url), f"{folder}/log")
            yield url


def free_port() -> int:
    """Return a port that nobody used a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def chromium() -> str | None:
    """Return the system's Chromium, or None; nothing is downloaded."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


def _found_postgres() -> str | None:
    users = dict.fromkeys([os.environ.get("PGUSER") or getpass.getuser(), "postgres"])
    standard = [f"postgres://{user}@127.0.0.1:5432/postgres" for user in users]
    given = os.environ.get("DATABASE_URL")
    return next(filter(_answers_postgres, [given] if given else standard), None)


def _answers_postgres(url: str) -> bool:
    """Tell whether the server answers and lets this user create databases."""
    may_create = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
    try:
        with psycopg.connect(url, connect_timeout=3) as connection:
            row = connection.execute(may_create).fetchone()
            return bool(row and row[0])
    except psycopg.Error:
        return False


def _found_redis() -> str | None:
    url = os.environ.get("REDIS_URL") or "redis://127.0.0.1:6379/0"
    return url if _answers_redis(url) else None


def _answers_redis(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_connect_timeout=3, socket_timeout=3) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


@contextlib.contextmanager
def _borrowed_number(url: str) -> Iterator[str | None]:
    """Claim an empty number of a server that is not ours, and remove our own keys from it at the end."""
    server = urlsplit(url)
    for number in random.sample(range(1, 16), 15):
        own = server._replace(path=f"/{number}").geturl()
        with redis.Redis.from_url(own, socket_timeout=5) as client:
            if client.dbsize() or not client.set("baton-tests", "claimed", nx=True, ex=CLAIM_SECONDS):
                continue
            try:
                yield own
            finally:
                for pattern in OUR_KEYS:
                    for key in client.scan_iter(pattern):
                        client.delete(key)
            return
    yield None


def _postgres_binaries() -> str | None:
    """Return the folder of initdb and postgres: on the PATH, else where Debian keeps the newest release."""
    on_path = shutil.which("initdb")
    folders = sorted(glob.glob("/usr/lib/postgresql/*/bin"), key=lambda folder: float(Path(folder).parent.name))
    return str(Path(on_path).parent) if on_path else next(reversed(folders), None)


def _redis_binary() -> str:
    return shutil.which("redis-server") or shutil.which("valkey-server") or ""


def _unprivileged_user() -> str | None:
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


@contextlib.contextmanager
def _running(command: list[str], log: str, user: str | None = None) -> Iterator[None]:
    with open(log, "w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output, user=user, cwd="/")
    try:
        yield
    finally:
        process.send_signal(signal.SIGINT)  # for PostgreSQL a fast stop: it waits for no client
        try:
            process.wait(timeout=START_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(answers: Callable[[], bool], log: str) -> None:
    deadline = time.monotonic() + START_SECONDS
    while not answers():
        if time.monotonic() > deadline:
            raise RuntimeError(f"A server did not start within {START_SECONDS} s: {Path(log).read_text()[-500:]}")
        time.sleep(0.05)
