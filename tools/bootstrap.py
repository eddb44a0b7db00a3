"""Give this checkout its environment, then run a command in it: `bootstrap.py LOCK COMMAND...`.

Standard library only, so that a bare Python can run it. LOCK is runtime, test or browser: a file of requirements/ with
hashes, of which each holds the one before it. Nothing is installed while the lock is the one installed last.
"""

from __future__ import annotations

import fcntl
import hashlib
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
STAMPS = VENV / "baton-locks.json"
LOCKS = ("runtime", "test", "browser")  # each holds the ones before it

# What pip calls the places packages come from, and what uv calls them. uv does not read pip's settings by itself.
UV_NAMES = {
    "index-url": "UV_DEFAULT_INDEX",
    "extra-index-url": "UV_INDEX",
    "find-links": "UV_FIND_LINKS",
    "no-index": "UV_NO_INDEX",
    "trusted-host": "UV_INSECURE_HOST",
    "cert": "SSL_CERT_FILE",
    "proxy": "ALL_PROXY",
}


class CannotSetUp(Exception):
    """The environment can't be made; the message says why and what to do."""


def main(lock: str, *command: str) -> None:
    """Bring the environment to `lock` and become `command`, run by its Python."""
    try:
        ensure(lock)
    except CannotSetUp as problem:
        sys.exit(f"baton: {problem}")
    except KeyboardInterrupt:
        sys.exit(130)
    if command:
        os.chdir(ROOT)
        os.execve(PYTHON, [str(PYTHON), *command], {**os.environ, "PYTHONUTF8": "1"})


def ensure(lock: str) -> None:
    """Make .venv if it is missing and install `lock` if it changed; two that start at once take turns."""
    file = ROOT / "requirements" / f"{lock}.txt"
    if _is_current(lock):
        return
    with file.open() as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)
        if _is_current(lock):
            return
        if not _works(PYTHON):
            _make_environment()
        print(f"Installing {file.relative_to(ROOT)} into {VENV.name} ...", flush=True)
        _install(file)
        _stamp(lock)


def _is_current(lock: str) -> bool:
    return os.access(PYTHON, os.X_OK) and _stamps().get(lock) == _digest(lock)


def _stamps() -> dict[str, str]:
    try:
        return dict(json.loads(STAMPS.read_text()))
    except (OSError, ValueError):
        return {}


def _digest(lock: str) -> str:
    return hashlib.sha256((ROOT / "requirements" / f"{lock}.txt").read_bytes()).hexdigest()


def _stamp(lock: str) -> None:
    installed = LOCKS[: LOCKS.index(lock) + 1]
    STAMPS.write_text(json.dumps({**_stamps(), **{name: _digest(name) for name in installed}}, indent=1))


def _works(python: Path) -> bool:
    """Tell whether this is a Python that still runs (a moved or upgraded one does not) and is new enough."""
    test = [str(python), "-c", "import sys; sys.exit(sys.version_info < (3, 11))"]
    try:
        return subprocess.run(test, stderr=subprocess.DEVNULL).returncode == 0
    except OSError:
        return False


def _make_environment() -> None:
    if VENV.exists() and not (VENV / "pyvenv.cfg").exists():
        raise CannotSetUp(f"{VENV} is in the way and is no Python environment: move it, then run this again.")
    if importlib.util.find_spec("venv") is None:
        raise CannotSetUp("This Python has no venv module: install it (Debian: python3-venv), then run this again.")
    print(f"Making {VENV.name} with Python {sys.version.split()[0]} ...", flush=True)
    # An interpreter of another environment can't always make one of its own: ask the one it stands on.
    base = getattr(sys, "_base_executable", sys.executable)
    made = _run(base, "-m", "venv", "--clear", "--without-pip", str(VENV))
    if made.returncode != 0:
        raise CannotSetUp(f"Can't make {VENV}: {_last_line(made)} Use a checkout that you can write to.")


def _install(file: Path) -> None:
    """Install with uv where there is one, else, or when uv fails, with pip. Both check every hash; wheels only."""
    if not _home_is_usable():
        print("HOME is missing or not yours: going on without the installers' caches.", flush=True)
    what = ["install", "--quiet", "--require-hashes", "--only-binary", ":all:", "-r", str(file)]
    pip = _pip()
    uv = shutil.which("uv")
    if uv:
        done = _run(uv, "pip", *what, "--python", str(PYTHON), env=_uv_settings(pip))
        if done.returncode == 0:
            return
        print(f"uv could not ({_last_line(done)}): trying pip.", flush=True)
    if not pip:
        raise CannotSetUp(
            "Neither pip nor uv is here to install with: install one (Debian: python3-pip), then run this again."
        )
    if subprocess.run([*pip, *what, "--disable-pip-version-check"]).returncode != 0:
        raise CannotSetUp(
            f"pip could not install {file.name}: its message is above. Run this again when that is mended."
        )


def _pip() -> list[str]:
    """Find a pip for .venv: its own, else another Python's, told where to install. Empty when there is none."""
    if _run(str(PYTHON), "-m", "pip", "--version").returncode == 0:
        return [str(PYTHON), "-m", "pip"]
    if importlib.util.find_spec("ensurepip") and _run(str(PYTHON), "-m", "ensurepip", "--default-pip").returncode == 0:
        return [str(PYTHON), "-m", "pip"]
    base = getattr(sys, "_base_executable", sys.executable)
    others = (
        [base, "-m", "pip"],
        [sys.executable, "-m", "pip"],
        [shutil.which("pip3") or "pip3"],
        [shutil.which("pip") or "pip"],
    )
    for other in others:
        if _run(*other, "--python", str(PYTHON), "--version").returncode == 0:
            return [*other, "--python", str(PYTHON)]
    return []


def _uv_settings(pip: list[str]) -> dict[str, str]:
    """Translate the user's pip settings (files and variables) for uv; settings made for uv itself come first."""
    listed = _run(*pip, "config", "list").stdout if pip else ""
    lines = [line.partition("=") for line in listed.splitlines()]
    settings: dict[str, str] = {}
    for section in ("global.", "install.", ":env:."):  # pip's own order: the later one holds
        for name, _, value in lines:
            uv_name = UV_NAMES.get(name.removeprefix(section)) if name.startswith(section) else None
            if uv_name:
                settings[uv_name] = " ".join(value.strip("'\"").replace("\\n", " ").split())
    return {**settings, **os.environ, "UV_NO_PROGRESS": "1"}


def _home_is_usable() -> bool:
    home = os.environ.get("HOME", "")
    return bool(home) and os.access(home, os.W_OK)


def _run(*command: str, env: dict[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(command, capture_output=True, text=True, env=env)
    except OSError as error:
        return subprocess.CompletedProcess(command, 1, "", f"{command[0]}: {error.strerror}.")


def _last_line(done: subprocess.CompletedProcess[str]) -> str:
    lines = (done.stderr or done.stdout).strip().splitlines()
    return lines[-1] if lines else f"exit code {done.returncode}"


if __name__ == "__main__":
    if sys.version_info < (3, 11) or len(sys.argv) < 2 or sys.argv[1] not in LOCKS:
        sys.exit(f"usage, with Python 3.11 or newer: bootstrap.py {{{'|'.join(LOCKS)}}} [COMMAND...]")
    main(*sys.argv[1:])
