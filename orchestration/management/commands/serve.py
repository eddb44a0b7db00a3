"""`manage.py serve`: everything in one process, or, with DATABASE_URL, the web server of a cluster."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandParser

from orchestration import preflight


class Command(BaseCommand):
    help = "Serve Baton: web, worker and clock in one process, or, with DATABASE_URL, the web server alone."
    requires_system_checks: list[str] = []  # they load every form and page; `make check` runs them

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to serve on (default: %(default)s)")
        parser.add_argument("--web-only", action="store_true", help="no worker and no clock here: needs DATABASE_URL")

    def handle(self, *args: Any, host: str, web_only: bool, **options: Any) -> None:
        try:
            if settings.EMBEDDED:
                self._serve_all(host, web_only)
            else:
                self._serve_web(host)
        except preflight.CannotStart as problem:
            self.stderr.write(f"baton: {problem}")
            sys.exit(1)
        except KeyboardInterrupt:  # before the server has its own way to stop
            sys.exit(130)

    def _serve_all(self, host: str, web_only: bool) -> None:
        if web_only:
            raise preflight.CannotStart("--web-only needs DATABASE_URL: without it nothing would advance the runs.")
        preflight.require_sqlite()
        preflight.keep_private(settings.BATON_DATA)
        with preflight.hold_data_folder(settings.BATON_DATA), preflight.listen(host, settings.PORT) as listener:
            from orchestration import embedded

            call_command("prepare", stdout=self.stdout)
            self._announce(f"Baton is on {settings.BATON_URL} (data in {settings.BATON_DATA}). Ctrl-C stops it.")
            embedded.serve(listener)

    def _serve_web(self, host: str) -> None:
        with preflight.listen(host, settings.PORT) as listener:
            from orchestration import server

            self._announce(
                f"Baton's web server is on {settings.BATON_URL}. DATABASE_URL is set, so runs advance in worker "
                "processes of their own: docs/operations.md says how to start them."
            )
            server.serve(listener, on_serving=lambda: None)

    def _announce(self, sentence: str) -> None:
        self.stdout.write(sentence)
        self.stdout.flush()
