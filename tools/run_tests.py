"""`make test`: everything on SQLite, the database tests again on PostgreSQL with Redis, then the browser tests.

What this machine lacks is skipped by name at the end, or, with BATON_REQUIRE_SERVICES=1, fails before anything runs.
Arguments go to pytest: `make test ARGS="tests/runs -x"`.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from dataclasses import dataclass, field

from tools import bootstrap, services

PROCESSES = "2"  # pytest-xdist; more than the cores of a small machine only makes time-outs likelier
NO_TESTS = 5  # pytest's exit code when a choice of tests is empty


@dataclass
class Session:
    """One call of `make test`: what ran, for how long, with which result, and what was left out."""

    arguments: list[str]
    results: list[tuple[str, int, float]] = field(default_factory=list)  # name, exit code, seconds
    skipped: list[str] = field(default_factory=list)

    def run(self, name: str, *options: str, **environment: str) -> None:
        print(f"\n== {name}", flush=True)
        command = [sys.executable, "-m", "pytest", "-rs", *options, *self.arguments]
        inherited = {key: value for key, value in os.environ.items() if key not in ("DATABASE_URL", "REDIS_URL")}
        began = time.monotonic()
        code = subprocess.run(
            command, env={**inherited, "PYTHONUTF8": "1", **environment}, cwd=bootstrap.ROOT
        ).returncode
        # An own choice of tests may leave a part without any; the whole suite may not.
        code = 0 if code == NO_TESTS and self.arguments else code
        self.results.append((name, code, time.monotonic() - began))

    def report(self) -> int:
        print("\n== Summary")
        for name, code, seconds in self.results:
            print(f"  {'passed' if code == 0 else f'FAILED ({code})':12} {seconds:6.1f} s  {name}")
        for name in self.skipped:
            print(f"  skipped               {name}")
        return max((code for _, code, _ in self.results), default=1)


def main(arguments: list[str]) -> int:
    """Run the suite in its parts and return the exit code."""
    session = Session(arguments)
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(services.postgres())
        broker = stack.enter_context(services.broker())
        browser = services.chromium()
        session.skipped = _missing(database, broker, browser)
        if session.skipped and os.environ.get("BATON_REQUIRE_SERVICES") == "1":
            print("\n".join(["BATON_REQUIRE_SERVICES=1, and this machine lacks:", *session.skipped]))
            return 1
        session.run("SQLite", "-n", PROCESSES, "-m", "not services and not browser")
        if database and broker:
            _run_on_services(session, database, broker)
        if browser:
            _run_browser(session)
    return session.report()


def _missing(database: str | None, broker: str | None, browser: str | None) -> list[str]:
    reasons = {
        "the tests on PostgreSQL: no DATABASE_URL, nothing on port 5432 lets us make a database, no initdb": database,
        "the tests on Redis: no REDIS_URL, no empty number on port 6379, no redis-server": broker,
        "the browser tests: no chromium or google-chrome on the PATH": browser,
    }
    return [reason for reason, found in reasons.items() if not found]


def _run_on_services(session: Session, database: str, broker: str) -> None:
    options = ("-n", PROCESSES, "-p", "tests.support.database_tests", "-m", "not browser")
    where = {"TEST_DATABASE_URL": database, "TEST_REDIS_URL": broker, "PYTHONPATH": str(bootstrap.ROOT)}
    session.run("PostgreSQL and Redis", *options, **where)


def _run_browser(session: Session) -> None:
    try:
        bootstrap.ensure("browser")
    except bootstrap.CannotSetUp as problem:
        sys.exit(f"baton: {problem}")
    session.run("Browser", "-m", "browser")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
