"""manage.py audit verify|seal"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration import audit
from orchestration.models import Workspace

SHOWN = 50  # breaks


class Command(BaseCommand):
    help = "Verify the audit log (exit 1 where anything was changed, removed or reordered), or seal what waits."

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True)
        verify = acts.add_parser("verify", help="check every hash chain and the anchored heads")
        verify.add_argument("--workspace", help="slug: check the chain of this workspace only")
        acts.add_parser("seal", help="seal the events that wait, and anchor the heads")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["act"] == "seal":
            self.seal()
        else:
            self.verify(options["workspace"])

    def seal(self) -> None:
        total = 0
        while sealed := audit.seal():
            total += sealed
        audit.anchor()
        self.stdout.write(f"Sealed {total} events.")

    def verify(self, slug: str | None) -> None:
        report = audit.verify(_chain(slug))
        self.stdout.write(
            f"{report.sealed} events in {report.chains} chains are sealed, {report.pending} wait for their seal;"
            f" {report.anchored} anchored heads were compared."
        )
        if report.sealed and not report.anchored:
            self.stderr.write("No anchored head was there to compare with: a log cut at its end would not be noticed.")
        for found in report.breaks[:SHOWN]:
            self.stderr.write(str(found))
        if not report.intact:
            raise CommandError(f"The audit log is NOT intact: {len(report.breaks)} breaks.", returncode=1)
        self.stdout.write("The audit log is intact.")


def _chain(slug: str | None) -> str | None:
    if slug is None:
        return None
    workspace = Workspace.objects.filter(slug=slug).first()
    if workspace is None:
        raise CommandError(f"There is no workspace {slug}.")
    return str(workspace.pk)
