"""`manage.py prepare`: tables, the first administrator, the samples. Safe to run at every start."""

from __future__ import annotations

import sys
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand

from orchestration import preflight, schema
from orchestration.models import User


class Command(BaseCommand):
    help = "Apply missing migrations, create the first administrator, load the samples: each only if not done before."
    requires_system_checks: list[str] = []

    def handle(self, *args: Any, **options: Any) -> None:
        if settings.EMBEDDED:
            preflight.keep_private(settings.BATON_DATA)
        try:
            if schema.bring_up_to_date():
                self.stdout.write("The database is up to date.")
        except preflight.CannotStart as problem:
            self.stderr.write(f"baton: {problem}")
            sys.exit(1)
        self._create_administrator()
        call_command("load_samples", stdout=self.stdout, skip_checks=True)

    def _create_administrator(self) -> None:
        if not User.objects.exists():
            call_command("create_admin", stdout=self.stdout, skip_checks=True)
            return
        self.stdout.write(
            f"Sign in at {settings.BATON_URL} as before "
            "(`.venv/bin/python manage.py changepassword admin` sets a new password)."
        )
