"""`manage.py serve` without DATABASE_URL: everything in one process, as `make run` starts it."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.tree import ROOT
from tools import services

SERVE = [sys.executable, "manage.py", "serve"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    port = services.free_port()
    return processes.environment(BATON_DATA=str(tmp_path / "data"), PORT=str(port))


@pytest.fixture
def baton(env: dict[str, str], tmp_path: Path) -> Iterator[processes.Process]:
    with processes.started(SERVE, env, tmp_path / "serve.log") as process:
        process.wait_for(address(env, "/healthz"))
        yield process


def address(env: dict[str, str], path: str = "") -> str:
    return f"http://127.0.0.1:{env['PORT']}{path}"


def refusal(env: dict[str, str], *options: str) -> str:
    """Start where it must not start, and return the one sentence that it says."""
    refused = processes.manage("serve", *options, env=env)
    assert refused.returncode == 1, refused.stdout + refused.stderr
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr
    assert refused.stderr.startswith("baton: ")
    return refused.stderr


@pytest.mark.slow
def test_the_first_start_says_how_to_sign_in_and_the_next_one_keeps_the_password(
    baton: processes.Process, env: dict[str, str], tmp_path: Path
) -> None:
    first = baton.output
    baton.stop()

    with processes.started(SERVE, env, tmp_path / "again.log") as again:
        again.wait_for(address(env, "/healthz"))

    assert "Sign in as admin with the password" in first
    assert address(env) in first
    assert "as before" in again.output
    assert "Sign in as admin with the password" not in again.output


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_web_worker_and_clock_cleanly(baton: processes.Process, number: int) -> None:
    code = baton.stop(number)

    assert code == 0, baton.output
    assert "Traceback" not in baton.output


@pytest.mark.slow
def test_the_keys_it_makes_are_readable_by_their_owner_alone(baton: processes.Process, env: dict[str, str]) -> None:
    data = Path(env["BATON_DATA"])

    modes = {name: stat.S_IMODE((data / name).stat().st_mode) for name in ("baton_secret_key", "baton_encryption_keys")}

    assert modes == {"baton_secret_key": 0o600, "baton_encryption_keys": 0o600}


@pytest.mark.slow
def test_nobody_else_can_read_the_database_or_look_into_its_folder(
    baton: processes.Process, env: dict[str, str]
) -> None:
    data = Path(env["BATON_DATA"])

    modes = {stat.S_IMODE(file.stat().st_mode) for file in data.glob("baton.sqlite3*")}

    assert (stat.S_IMODE(data.stat().st_mode), modes) == (0o700, {0o600})


def test_a_command_without_an_instance_says_so_in_one_sentence_and_makes_nothing(env: dict[str, str]) -> None:
    refused = processes.manage("token", "admin", env=env)

    assert refused.returncode == 1
    assert refused.stderr.startswith("baton: There is no Baton in")
    assert len(refused.stderr.strip().splitlines()) == 1
    assert not Path(env["BATON_DATA"]).exists()


@pytest.mark.slow
def test_a_second_process_on_the_same_data_is_refused(baton: processes.Process, env: dict[str, str]) -> None:
    said = refusal(env | {"PORT": str(services.free_port())})

    assert "Another Baton is running" in said


def test_a_port_in_use_is_refused_before_anything_is_written(env: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", int(env["PORT"]))):
        said = refusal(env)

    assert f"Port {env['PORT']} is in use" in said
    assert not (Path(env["BATON_DATA"]) / "baton.sqlite3").exists()


def test_a_data_folder_that_cannot_be_written_is_refused(env: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "a file").write_text("")

    said = refusal(env | {"BATON_DATA": str(tmp_path / "a file" / "data")})

    assert "Set BATON_DATA to a folder of yours" in said


@pytest.mark.parametrize("port", ["http", "70000"])
def test_a_port_that_is_none_is_refused(env: dict[str, str], port: str) -> None:
    assert "PORT must be" in refusal(env | {"PORT": port})


def test_web_only_is_refused_without_a_database_that_workers_share(env: dict[str, str]) -> None:
    assert "--web-only needs DATABASE_URL" in refusal(env, "--web-only")


@pytest.mark.slow
def test_it_starts_without_a_home(env: dict[str, str], tmp_path: Path) -> None:
    homeless = {name: value for name, value in env.items() if name != "HOME"}

    with processes.started(SERVE, homeless, tmp_path / "serve.log") as process:
        body = process.wait_for(address(env, "/healthz"))

    assert "ok" in body


def test_serving_pages_never_loads_the_model_library(env: dict[str, str]) -> None:
    script = (
        "import sys, orchestration.asgi; from django.urls import get_resolver; get_resolver().url_patterns;"
        "print(sorted({'pydantic_ai', 'openai', 'anthropic', 'mcp'} & set(sys.modules)))"
    )

    loaded = subprocess.run([sys.executable, "-c", script], env=env, cwd=ROOT, capture_output=True, text=True)

    assert loaded.stdout.strip() == "[]", loaded.stdout + loaded.stderr
