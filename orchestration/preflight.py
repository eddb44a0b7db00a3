"""What must hold before a process serves. Each refusal is one sentence that says what to do."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import sqlite3
from pathlib import Path
from typing import TextIO

OLDEST_SQLITE = (3, 38, 0)  # RETURNING, upsert and the JSON operators that the engine's statements use
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


def hold_data_folder(folder: Path) -> TextIO:
    """Take the folder for this process and return the open file that holds it until it is closed."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
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
