"""What must hold before a process serves. Each refusal is one sentence that says what to do."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import socket
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TextIO

OLDEST_SQLITE = (3, 38, 0)  # RETURNING, upsert and the JSON operators that the engine's statements use
DATABASE = "baton.sqlite3"  # of the embedded form, in the data folder
# Commands that make an instance, or need none; all others work on one that is there.
NEED_NO_INSTANCE = frozenset(
    {"serve", "prepare", "migrate", "makemigrations", "check", "help", "version", "alive", "collectstatic", "test"}
)
LISTEN_BACKLOG = 2048  # connections the kernel keeps waiting while the first start migrates


class CannotStart(Exception):
    """Baton can't start here; the message says why and what to do."""


def require_sqlite(version: tuple[int, ...] = sqlite3.sqlite_version_info) -> None:
    """Refuse an SQLite that lacks what the engine's statements need."""
    if version < OLDEST_SQLITE:
        have, need = (".".join(map(str, numbers)) for numbers in (version, OLDEST_SQLITE))
        raise CannotStart(
            f"This Python has SQLite {have}, Baton needs {need} or newer: use a newer Python, or set DATABASE_URL."
        )


def require_instance(arguments: Sequence[str], folder: Path) -> None:
    """Refuse a command that works on an instance where `folder` holds none: nothing is made on the way there."""
    command = arguments[0] if arguments else "help"
    asks_for_help = command.startswith("-") or {"-h", "--help"} & set(arguments)
    if command in NEED_NO_INSTANCE or asks_for_help or _has_tables(folder / DATABASE):
        return
    raise CannotStart(f"There is no Baton in {folder}: set BATON_DATA as for `make run`, or run `manage.py prepare`.")


def _has_tables(database: Path) -> bool:
    if not database.is_file():
        return False
    try:
        with contextlib.closing(sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True)) as opened:
            return bool(opened.execute("SELECT 1 FROM sqlite_master WHERE name = 'django_migrations'").fetchone())
    except sqlite3.Error:
        return True  # busy, or not ours to read: the command itself says what is wrong


def keep_private(folder: Path) -> None:
    """Make what this process writes from now on, and the database that is there, readable by its owner alone."""
    os.umask(0o077)
    for file in folder.glob(f"{DATABASE}*"):
        with contextlib.suppress(OSError):  # another process closed it meanwhile, or it is not ours to change
            file.chmod(0o600)


def hold_data_folder(folder: Path) -> TextIO:
    """Take the folder for this process and return the open file that holds it until it is closed."""
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        held = (folder / "serve.lock").open("a")
    except OSError as error:
        raise CannotStart(
            f"Can't write in {folder} ({error.strerror}): set BATON_DATA to a folder of yours."
        ) from error
    try:
        fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        held.close()
        raise CannotStart(
            f"Another Baton is running on {folder}: stop it, or set BATON_DATA to another folder."
        ) from error
    if not os.access(folder, os.W_OK, effective_ids=True):
        held.close()
        raise CannotStart(f"Can't write in {folder}: set BATON_DATA to a folder of yours.")
    return held


def listen(host: str, port: int) -> socket.socket:
    """Take the address at once, so that a port in use is known before anything is written."""
    if not 0 <= port <= 65535:
        raise CannotStart(f"PORT must be between 1 and 65535, not {port}.")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.socket(family, kind, protocol)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(LISTEN_BACKLOG)
    except OSError as error:
        raise CannotStart(_refusal(host, port, error)) from error
    return listener


def _refusal(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Port {port} is in use: stop what uses it, or choose another with PORT={port + 1}."
    return f"Can't serve on {host}:{port} ({error.strerror}): choose another address with --host and PORT."
