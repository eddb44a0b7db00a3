"""Baton's processes as an operator starts them, for tests that need a whole one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from tests.support.tree import ROOT

START_SECONDS = 90  # far above what any start needs, even on a busy machine
STOP_SECONDS = 60
OURS = ("BATON_", "TEST_", "DATABASE_URL", "REDIS_URL", "PORT", "DJANGO_SETTINGS_MODULE")


class Process:
    """A started process and the file that its output goes to."""

    def __init__(self, popen: subprocess.Popen, log: Path) -> None:
        self.popen = popen
        self.log = log

    @property
    def output(self) -> str:
        return self.log.read_text()

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send the signal and return the exit code; a process that does not end is killed and fails the test."""
        if self.popen.poll() is None:
            self.popen.send_signal(number)
        try:
            return self.popen.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            self.popen.wait()
            raise AssertionError(f"{self.popen.args} did not stop:\n{self.output}") from None

    def wait_for(self, address: str) -> str:
        """Return the body that the address answers with 200, once it does."""
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline:
            assert self.popen.poll() is None, f"{self.popen.args} ended:\n{self.output}"
            with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=5) as answer:
                return answer.read().decode()
            time.sleep(0.05)
        raise AssertionError(f"{address} did not answer:\n{self.output}")


def environment(**settings: str) -> dict[str, str]:
    """Return this process's environment with none of its Baton settings but the given ones, and our Python first."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    path = os.pathsep.join([str(Path(sys.executable).parent), inherited.get("PATH", "")])
    return {**inherited, "PATH": path, "PYTHONUTF8": "1", **settings}


@contextlib.contextmanager
def started(command: Sequence[str], env: Mapping[str, str], log: Path) -> Iterator[Process]:
    """Start the command in the repository and end it, whatever happens."""
    with log.open("w") as output:
        popen = subprocess.Popen(command, env=dict(env), cwd=ROOT, stdout=output, stderr=subprocess.STDOUT)
    process = Process(popen, log)
    try:
        yield process
    finally:
        process.stop()


def manage(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run a management command to its end."""
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, env=dict(env), cwd=ROOT, capture_output=True, text=True, timeout=START_SECONDS)
