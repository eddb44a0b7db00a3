from __future__ import annotations

import contextlib
import os
import socket
import sqlite3
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestration import preflight

NOBODY = 65534


def test_an_sqlite_that_is_too_old_is_named_with_the_one_that_is_needed() -> None:
    with pytest.raises(preflight.CannotStart, match=r"SQLite 3\.37\.2, Baton needs 3\.38\.0 or newer"):
        preflight.require_sqlite((3, 37, 2))


def test_the_oldest_sqlite_that_will_do_is_taken() -> None:
    preflight.require_sqlite((3, 38, 0))


def test_a_data_folder_is_held_by_one_process_at_a_time(tmp_path: Path) -> None:
    with (
        preflight.hold_data_folder(tmp_path),
        pytest.raises(preflight.CannotStart, match="Another Baton is running"),
    ):
        preflight.hold_data_folder(tmp_path)


def test_a_data_folder_is_free_again_once_it_is_let_go(tmp_path: Path) -> None:
    preflight.hold_data_folder(tmp_path).close()

    preflight.hold_data_folder(tmp_path).close()


def test_a_data_folder_is_made_where_there_is_none(tmp_path: Path) -> None:
    preflight.hold_data_folder(tmp_path / "a" / "b").close()

    assert (tmp_path / "a" / "b").is_dir()


def test_a_data_folder_behind_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(preflight.CannotStart, match="set BATON_DATA to a folder of yours"):
        preflight.hold_data_folder(tmp_path / "file" / "data")


@pytest.mark.parametrize("started_before", [False, True])
def test_a_read_only_data_folder_is_refused(an_ordinary_user: Path, started_before: bool) -> None:
    if started_before:
        preflight.hold_data_folder(an_ordinary_user).close()
    an_ordinary_user.chmod(0o500)

    with pytest.raises(preflight.CannotStart, match="set BATON_DATA to a folder of yours"):
        preflight.hold_data_folder(an_ordinary_user)


@pytest.fixture
def an_ordinary_user() -> Iterator[Path]:
    """Act as somebody who may not write everywhere, even where the tests run as root, and give a folder of theirs."""
    me = os.geteuid()
    if me == 0:
        os.seteuid(NOBODY)
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
            Path(folder).chmod(0o700)
    finally:
        os.seteuid(me)


def test_a_folder_that_is_made_is_its_owners_alone(tmp_path: Path) -> None:
    preflight.hold_data_folder(tmp_path / "data").close()

    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700


def test_a_database_that_others_could_read_becomes_private_with_what_stands_beside_it(tmp_path: Path) -> None:
    before = os.umask(0o022)
    names = ("baton.sqlite3", "baton.sqlite3-wal", "baton.sqlite3-shm")
    for name in names:
        (tmp_path / name).touch()

    try:
        preflight.keep_private(tmp_path)
        (tmp_path / "later").touch()
    finally:
        os.umask(before)

    assert {stat.S_IMODE((tmp_path / name).stat().st_mode) for name in (*names, "later")} == {0o600}


@pytest.mark.parametrize("arguments", [["token", "admin"], ["workflows", "list"], ["shell"]])
def test_a_command_on_a_folder_without_an_instance_is_refused_and_makes_nothing(
    tmp_path: Path, arguments: list[str]
) -> None:
    with pytest.raises(preflight.CannotStart, match=r"There is no Baton in .*data: set BATON_DATA .*prepare"):
        preflight.require_instance(arguments, tmp_path / "data")

    assert list(tmp_path.iterdir()) == []


def test_a_database_without_tables_is_no_instance(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / preflight.DATABASE)) as opened:
        opened.execute("PRAGMA journal_mode=WAL")

    with pytest.raises(preflight.CannotStart, match="There is no Baton in"):
        preflight.require_instance(["token", "admin"], tmp_path)


@pytest.mark.parametrize(
    "arguments", [["serve"], ["prepare"], ["migrate"], ["check"], ["token", "--help"], ["--help"], []]
)
def test_what_makes_an_instance_or_needs_none_is_let_through(tmp_path: Path, arguments: list[str]) -> None:
    preflight.require_instance(arguments, tmp_path)


def test_a_command_on_an_instance_is_let_through(tmp_path: Path) -> None:
    with contextlib.closing(sqlite3.connect(tmp_path / preflight.DATABASE)) as opened:
        opened.execute("CREATE TABLE django_migrations (id INTEGER)")

    preflight.require_instance(["token", "admin"], tmp_path)


def test_a_port_in_use_is_named_with_one_to_try() -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(preflight.CannotStart, match=rf"Port {port} is in use.*PORT={port + 1}"):
            preflight.listen("127.0.0.1", port)


def test_a_port_is_taken_before_anything_else_happens() -> None:
    with preflight.listen("127.0.0.1", 0) as listener:
        port = listener.getsockname()[1]
        with pytest.raises(preflight.CannotStart, match="is in use"):
            preflight.listen("127.0.0.1", port)


def test_a_port_out_of_range_is_refused() -> None:
    with pytest.raises(preflight.CannotStart, match="PORT must be between 1 and 65535, not 70000"):
        preflight.listen("127.0.0.1", 70000)


def test_an_address_that_is_not_ours_is_refused() -> None:
    with pytest.raises(preflight.CannotStart, match="choose another address"):
        preflight.listen("192.0.2.1", 8000)
