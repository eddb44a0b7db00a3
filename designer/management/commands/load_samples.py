"""manage.py load_samples"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from designer import samples
from orchestration.models import Workspace


class Command(BaseCommand):
    help = (
        "Add the sample models, tools and workflows that a workspace lacks. What is there is never changed,"
        " so it is safe to run at every start."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", default="main", help="slug of the workspace (main)")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = Workspace.objects.filter(slug=options["workspace"]).first()
        if workspace is None:
            raise CommandError(f"There is no workspace {options['workspace']}. `create_admin` makes the first one.")
        loaded = samples.load(workspace)
        for what in loaded.left_out:
            self.stderr.write(f"Left out {what}")
        if loaded:
            self.stdout.write(
                f"Loaded the samples into {workspace.slug}: {len(loaded.models)} models, {len(loaded.tools)} tools,"
                f" workflows {', '.join(loaded.workflows) or 'none'}."
            )
