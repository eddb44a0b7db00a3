"""docker-compose.yml's own commands, started as processes: they come up and take a run to its approval."""

from __future__ import annotations

import contextlib
import json
import re
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.support import processes
from tests.support.tree import ROOT
from tools import services

pytestmark = [pytest.mark.services, pytest.mark.slow]

SECRETS = {
    "POSTGRES_PASSWORD": "unused-here",
    "BATON_SECRET_KEY": "only-for-this-test-" + "0" * 40,
    "BATON_ENCRYPTION_KEYS": "only-for-this-test",
    "BATON_ADMIN_PASSWORD": "a-long-enough-password",
}
VARIABLE = re.compile(r"\$\{(\w+)(?::[-?]([^}]*))?\}")
TICKET = {
    "ticket_id": "T-1",
    "customer": "acme",
    "subject": "Charged twice",
    "body": "Our card was charged twice for October. Please refund one of the two charges.",
}


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]


def filled_in(value: str) -> str:
    """Put the variables in as compose does, from what an operator's .env would hold."""
    return VARIABLE.sub(lambda match: SECRETS.get(match[1], match[2] or ""), value)


@contextlib.contextmanager
def cluster(compose: dict[str, Any], own: dict[str, str], folder: Path, workers: int) -> Iterator[processes.Process]:
    """Start web, workers and clock with the file's commands and variables; `own` names this machine's servers."""
    with contextlib.ExitStack() as stack:
        names = ["web", "clock", *["worker"] * workers]
        for number, name in enumerate(names):
            log = folder / f"{name}-{number}.log"
            started = stack.enter_context(
                processes.started(compose[name]["command"], variables(compose[name], own), log)
            )
            if name == "web":
                web = started
        yield web


def variables(service: dict[str, Any], own: dict[str, str]) -> dict[str, str]:
    given = {name: filled_in(value) for name, value in service["environment"].items()}
    return processes.environment(**{**given, **own})


@pytest.fixture
def own(database_url: str, redis_url: str, tmp_path: Path) -> dict[str, str]:
    port = services.free_port()
    return {
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "PORT": str(port),
        "BATON_URL": f"http://127.0.0.1:{port}",
        "BATON_DATA": str(tmp_path),
        "BATON_QUEUE": f"baton-test-{uuid4().hex[:8]}",
    }


def migrate(compose: dict[str, Any], own: dict[str, str], folder: Path) -> None:
    service = compose["migrate"]
    with processes.started(service["command"], variables(service, own), folder / "migrate.log") as process:
        assert process.popen.wait(processes.START_SECONDS) == 0, process.output


def healthy(service: dict[str, Any], own: dict[str, str]) -> str:
    """Run the service's health check until it passes; return what it last said if it never did."""
    check, env = service["healthcheck"]["test"], variables(service, own)
    assert check[:3] == ["CMD", "python", "manage.py"]
    deadline = time.monotonic() + processes.START_SECONDS
    while (done := processes.manage(*check[3:], env=env)).returncode and time.monotonic() < deadline:
        pass  # each try is a whole process: no need to wait between them
    return done.stderr if done.returncode else ""


def asked(own: dict[str, str], method: str, path: str, secret: str, body: object = None) -> Any:
    request = urllib.request.Request(
        f"{own['BATON_URL']}/api/v1{path}",
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Authorization": f"Bearer {secret}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as answer:
        return json.load(answer)


def test_the_cluster_comes_up_and_takes_a_run_to_its_approval(
    compose: dict[str, Any], own: dict[str, str], tmp_path: Path
) -> None:
    migrate(compose, own, tmp_path)

    with cluster(compose, own, tmp_path, workers=2) as web:
        web.wait_for(f"{own['BATON_URL']}/readyz")
        for name in ("web", "worker", "clock"):
            assert not healthy(compose[name], own)
        secret = processes.manage("token", "admin", env=variables(compose["web"], own)).stdout.strip()
        run = asked(own, "POST", "/workflows/support-escalation/runs", secret, {"input": TICKET})
        state = run["state"]
        deadline = time.monotonic() + processes.START_SECONDS
        while state in ("queued", "running", "waiting") and time.monotonic() < deadline:
            time.sleep(0.2)
            state = asked(own, "GET", f"/runs/{run['id']}", secret)["state"]

    assert state in ("needs_approval", "succeeded")


def test_preparing_twice_changes_nothing(compose: dict[str, Any], own: dict[str, str], tmp_path: Path) -> None:
    migrate(compose, own, tmp_path)

    migrate(compose, own, tmp_path)

    assert "as before" in (tmp_path / "migrate.log").read_text()


@pytest.mark.parametrize("name", ["web", "worker", "clock"])
def test_a_process_of_the_cluster_ends_cleanly_when_it_is_told_to(
    compose: dict[str, Any], own: dict[str, str], tmp_path: Path, name: str
) -> None:
    migrate(compose, own, tmp_path)
    service = compose[name]

    with processes.started(service["command"], variables(service, own), tmp_path / f"{name}.log") as process:
        assert not healthy(service, own)
        code = process.stop()

    assert code == 0, process.output


@pytest.mark.parametrize("missing", ["BATON_SECRET_KEY", "BATON_ENCRYPTION_KEYS"])
def test_a_cluster_process_refuses_to_start_without_a_given_secret(
    compose: dict[str, Any], own: dict[str, str], missing: str
) -> None:
    env = variables(compose["web"], own) | {missing: ""}

    refused = processes.manage("serve", "--web-only", env=env)

    assert refused.returncode == 1
    assert refused.stderr.startswith(f"baton: Set {missing}")
    assert len(refused.stderr.splitlines()) == 1
