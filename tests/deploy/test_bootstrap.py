"""What `make run` and `make test` do first, on machines that have little. The lock here is one wheel of our own."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.support import processes
from tests.support.tree import ROOT

REPORT = "import baton_probe; print('probe', baton_probe.VERSION)"


def a_wheel(folder: Path, version: str) -> str:
    """Write a wheel of the package baton-probe and return its lock line."""
    info = f"baton_probe-{version}.dist-info"
    content = {
        "baton_probe.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: baton-probe\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: baton\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = [f"{name},sha256={digest(text.encode())},{len(text)}" for name, text in content.items()]
    content[f"{info}/RECORD"] = "\n".join([*record, f"{info}/RECORD,,", ""])
    wheel = folder / f"baton_probe-{version}-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, text in content.items():
            archive.writestr(name, text)
    return f"baton-probe=={version} --hash=sha256:{hashlib.sha256(wheel.read_bytes()).hexdigest()}\n"


def digest(content: bytes) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip("=")


class Checkout:
    """A copy of the set-up scripts with a lock of one wheel, on a machine whose PATH we decide."""

    def __init__(self, folder: Path) -> None:
        self.root, self.wheels, self.bin = folder / "baton", folder / "wheels", folder / "bin"
        for made in (self.root / "requirements", self.wheels, self.bin):
            made.mkdir(parents=True)
        shutil.copytree(ROOT / "tools", self.root / "tools", ignore=shutil.ignore_patterns("__pycache__"))
        self.env = processes.environment(
            PATH=f"{self.bin}:/usr/bin:/bin", PIP_NO_INDEX="1", PIP_FIND_LINKS=str(self.wheels)
        )
        self.env["PIP_CONFIG_FILE"] = os.devnull
        self.env.pop("PYTHONPATH", None)
        self.ask_for("1.0")

    @property
    def lock(self) -> Path:
        return self.root / "requirements" / "runtime.txt"

    def ask_for(self, version: str) -> None:
        self.lock.write_text(a_wheel(self.wheels, version))

    def command(self, name: str, script: str) -> None:
        """Put a program of this name first on the PATH."""
        file = self.bin / name
        file.write_text(f"#!/bin/sh\n{script}\n")
        file.chmod(0o755)

    def set_up(self, **env: str) -> subprocess.CompletedProcess[str]:
        """Set up as `make run` does, then say which version of the probe is there."""
        # The interpreter that runs the tests may stand in an environment of its own: use the one below it.
        python = getattr(sys, "_base_executable", sys.executable)
        command = [python, "tools/bootstrap.py", "runtime", "-c", REPORT]
        return subprocess.run(
            command, cwd=self.root, env={**self.env, **env}, capture_output=True, text=True, timeout=120
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_a_bare_python_makes_the_environment_and_obeys_the_users_pip_settings(checkout: Checkout) -> None:
    done = checkout.set_up()

    assert "probe 1.0" in done.stdout, done.stdout + done.stderr


def test_nothing_is_installed_while_the_lock_is_the_same(checkout: Checkout) -> None:
    checkout.set_up()

    again = checkout.set_up(PIP_FIND_LINKS="/nowhere")

    assert again.stdout == "probe 1.0\n"


def test_a_changed_lock_is_installed(checkout: Checkout) -> None:
    checkout.set_up()
    checkout.ask_for("2.0")

    done = checkout.set_up()

    assert "probe 2.0" in done.stdout


def test_a_python_without_ensurepip_uses_the_pip_that_there_is(checkout: Checkout, tmp_path: Path) -> None:
    shadow = tmp_path / "shadow" / "ensurepip"
    shadow.mkdir(parents=True)
    (shadow / "__init__.py").write_text("raise ImportError('removed by the distribution')")

    done = checkout.set_up(PYTHONPATH=str(shadow.parent))

    assert "probe 1.0" in done.stdout, done.stdout + done.stderr


def test_a_failing_uv_was_given_the_users_settings_and_pip_takes_over(checkout: Checkout, tmp_path: Path) -> None:
    checkout.command("uv", f'echo "$UV_FIND_LINKS $UV_NO_INDEX" > {tmp_path}/seen; echo "no luck" >&2; exit 1')

    done = checkout.set_up()

    assert (tmp_path / "seen").read_text().split() == [str(checkout.wheels), "1"]
    assert "uv could not (no luck): trying pip." in done.stdout
    assert "probe 1.0" in done.stdout


def test_a_file_that_does_not_match_its_hash_is_refused(checkout: Checkout) -> None:
    checkout.lock.write_text("baton-probe==1.0 --hash=sha256:" + "0" * 64 + "\n")

    refused = checkout.set_up()
    again = checkout.set_up()

    assert refused.returncode == again.returncode == 1
    assert "baton: pip could not install runtime.txt" in refused.stderr
    assert "probe" not in refused.stdout.splitlines()


def test_a_folder_in_the_way_is_left_alone(checkout: Checkout) -> None:
    mine = checkout.root / ".venv" / "mine"
    mine.mkdir(parents=True)

    refused = checkout.set_up()

    assert refused.returncode == 1
    assert "is in the way" in refused.stderr
    assert mine.exists()


def test_an_environment_whose_python_is_gone_is_made_again(checkout: Checkout) -> None:
    checkout.set_up()
    (checkout.root / ".venv" / "bin" / "python").unlink()

    done = checkout.set_up()

    assert "probe 1.0" in done.stdout


def test_a_missing_home_is_said_and_does_not_stop_it(checkout: Checkout) -> None:
    checkout.env.pop("HOME", None)

    done = checkout.set_up()

    assert "HOME is missing or not yours" in done.stdout
    assert "probe 1.0" in done.stdout


def test_a_machine_without_a_new_python_is_told_what_to_install(checkout: Checkout) -> None:
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14", "python"):
        checkout.command(name, "exit 1")

    refused = run_script(checkout, "--version")

    assert refused.returncode == 1
    assert refused.stderr.startswith("Baton needs Python 3.11 or newer")


def test_an_old_default_python_is_passed_over(checkout: Checkout) -> None:
    for name in ("python3", "python3.11", "python3.12"):
        checkout.command(name, "exit 1")
    checkout.command("python3.13", '[ "$1" = -c ] || echo thirteen')

    assert run_script(checkout, "--version").stdout == "thirteen\n"


def run_script(checkout: Checkout, *arguments: str) -> subprocess.CompletedProcess[str]:
    env = {**checkout.env, "PATH": os.fspath(checkout.bin)}
    return subprocess.run(
        ["/bin/sh", "tools/python", *arguments], cwd=checkout.root, env=env, capture_output=True, text=True
    )
