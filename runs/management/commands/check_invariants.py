"""`manage.py check_invariants`: read every run and say what can't be."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError
from django.db import connection, transaction

from runs import invariants, oracles
from runs.times import database_now

SHOWN = 50  # violations


class Command(BaseCommand):
    help = (
        "Check what must hold of every run, in one snapshot of the database. Exit code 1 where anything doesn't."
        " With the logs of a client and of a receiver, compare with what they saw."
    )
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--strict", action="store_true", help="the instance is at rest: nothing may be on the move")
        parser.add_argument(
            "--accepted", type=Path, metavar="FILE", help='JSON lines {"key", "run"} of accepted starts'
        )
        parser.add_argument(
            "--effects", type=Path, metavar="FILE", action="append", default=[],
            help='JSON lines {"key", "tool", "arguments_digest"} of what a receiver did; may be given again',
        )  # fmt: skip
        parser.add_argument("--report", type=Path, metavar="FILE", help="write the counts there, as JSON")

    def handle(self, *args: Any, strict: bool, accepted: Path | None, effects: list[Path], **options: Any) -> None:
        counts: Counter[str] = Counter()
        for found in self._all(strict, accepted, effects):
            if isinstance(found, UUID):
                counts["runs"] += 1
                continue
            counts[found.invariant] += 1
            if sum(counts.values()) - counts["runs"] <= SHOWN:
                self.stderr.write(str(found))
        self._report(counts, options["report"])

    def _all(self, strict: bool, accepted: Path | None, effects: list[Path]) -> Iterator[invariants.Violation | UUID]:
        # A lease may be out and the run not yet claimed again: that is late only after a while.
        grace = timedelta(seconds=settings.BATON_LEASE_SECONDS + 2 * settings.BATON_SWEEP_SECONDS)
        with snapshot():
            yield from invariants.violations(invariants.Tolerance(database_now(), grace, strict))
            if accepted:
                yield from oracles.accepted(accepted)
            for file in effects:
                yield from oracles.outside(file)

    def _report(self, counts: Counter[str], file: Path | None) -> None:
        self.stdout.write(f"{counts['runs']} runs were checked.")
        for name, sentence in invariants.INVARIANTS.items():
            self.stdout.write(f"{name:4} {counts[name] or 'ok':>4}  {sentence}")
        if file:
            file.write_text(json.dumps({name: counts[name] for name in ("runs", *invariants.INVARIANTS)}) + "\n")
        broken = sum(counts[name] for name in invariants.INVARIANTS)
        if broken:
            raise CommandError(f"{broken} violations; at most {SHOWN} are shown above.", returncode=1)


@contextmanager
def snapshot() -> Iterator[None]:
    """Read everything as of one moment, without hindering writers."""
    if connection.vendor == "postgresql":
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SET LOCAL idle_in_transaction_session_timeout = 0")
            yield
        return
    with connection.cursor() as cursor:
        cursor.execute("BEGIN DEFERRED")  # by hand: atomic() would take the write lock
        try:
            yield
        finally:
            cursor.execute("ROLLBACK")
