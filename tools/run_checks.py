"""`make check`: every check runs, even after one has failed, and each says whether it passed."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

from tools import bootstrap

BIN = bootstrap.VENV / "bin"
PYTHON = [sys.executable]
MANAGE = [*PYTHON, "manage.py"]

CHECKS = {
    "format": [*PYTHON, "-m", "ruff", "format", "--check", "."],
    "lint": [*PYTHON, "-m", "ruff", "check", "."],
    "types": [*PYTHON, "-m", "mypy", "."],
    "import order": [str(BIN / "lint-imports"), "--no-logo", "--no-cache"],
    "deployment": [*MANAGE, "check", "--deploy", "--fail-level", "WARNING"],
    "migrations": [*MANAGE, "makemigrations", "--check", "--dry-run"],
    "house rules": [*PYTHON, "-m", "pytest", "-q", "tests/test_architecture.py", "tests/test_repository.py"],
}


def main() -> int:
    """Run all checks as a deployment behind https would, on a data folder of our own; return 1 if one failed."""
    with tempfile.TemporaryDirectory(prefix="baton-check-") as data:
        environment = {**os.environ, "BATON_DATA": data, "BATON_URL": "https://baton.example", "PYTHONUTF8": "1"}
        for name in ("DATABASE_URL", "REDIS_URL"):
            environment.pop(name, None)
        failed = [name for name, command in CHECKS.items() if not _passes(name, command, environment)]
    print(f"\nFailed: {', '.join(failed)}" if failed else "\nAll checks passed.")
    return 1 if failed else 0


def _passes(name: str, command: list[str], environment: dict[str, str]) -> bool:
    print(f"\n== {name}", flush=True)
    return subprocess.run(command, env=environment, cwd=bootstrap.ROOT).returncode == 0


if __name__ == "__main__":
    sys.exit(main())
