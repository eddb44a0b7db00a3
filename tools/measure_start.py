"""`make startup`: how long `make run` takes to serve in a clean copy of this checkout, the first time and the second.

Writes var/reports/startup.json and exits with 1 where a bar is missed.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path

from tools import bootstrap, services

BARS_SECONDS = {"first_start_s": 120.0, "second_start_s": 6.0}
STOP_SECONDS = 30


def main() -> int:
    """Measure both starts, print them beside their bars, and return the exit code."""
    with tempfile.TemporaryDirectory(prefix="baton-startup-") as folder:
        copy = Path(folder) / "baton"
        _copy_checkout(copy)
        figures = {name: round(_seconds_to_serve(copy), 2) for name in BARS_SECONDS}
    for name, seconds in figures.items():
        print(f"{name}: {seconds} (bar {BARS_SECONDS[name]})")
    report = bootstrap.ROOT / "var" / "reports" / "startup.json"
    report.parent.mkdir(parents=True, exist_ok=True)
    report.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if any(seconds > BARS_SECONDS[name] for name, seconds in figures.items()) else 0


def _copy_checkout(copy: Path) -> None:
    """Copy what git would: no environment, no data."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=bootstrap.ROOT, check=True, capture_output=True, text=True)
    for name in filter(None, listed.stdout.split("\0")):
        source = bootstrap.ROOT / name
        if source.is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, copy / name)


def _seconds_to_serve(copy: Path) -> float:
    port = services.free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("BATON_", "DATABASE_", "REDIS_"))}
    began = time.monotonic()
    process = subprocess.Popen(["make", "run"], cwd=copy, env={**kept, "PORT": str(port)})
    try:
        while not _answers(f"http://127.0.0.1:{port}/healthz"):
            if process.poll() is not None or time.monotonic() - began > BARS_SECONDS["first_start_s"] * 2:
                sys.exit("`make run` did not serve: its output is above.")
            time.sleep(0.02)
        return time.monotonic() - began
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(STOP_SECONDS)


def _answers(address: str) -> bool:
    with contextlib.suppress(OSError), urllib.request.urlopen(address, timeout=2):
        return True
    return False


if __name__ == "__main__":
    sys.exit(main())
