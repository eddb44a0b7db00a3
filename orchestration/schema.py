"""Whether the database has this code's tables, found out cheaply: `migrate` costs seconds even with nothing to do."""

from __future__ import annotations

from pathlib import Path

from django.apps import apps
from django.core.management import call_command
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from orchestration.preflight import CannotStart

Migration = tuple[str, str]  # app label, name


def bring_up_to_date() -> bool:
    """Apply the migrations that are missing and tell whether there were any; refuse a database of a newer Baton."""
    applied = set(MigrationRecorder(connection).applied_migrations())
    known = _migrations_on_disk()
    ours = {config.label for config in apps.get_app_configs() if not config.name.startswith("django.")}
    newer = sorted(name for label, name in applied - known if label in ours)
    if newer:
        raise CannotStart(
            f"The data was written by a newer Baton (it has {newer[0]}): start that version, or use another BATON_DATA."
        )
    if known <= applied:
        return False
    call_command("migrate", interactive=False, verbosity=0, skip_checks=True)
    return True


def is_current() -> bool:
    """Tell whether every migration of this code is applied."""
    return _migrations_on_disk() <= set(MigrationRecorder(connection).applied_migrations())


def _migrations_on_disk() -> set[Migration]:
    return {
        (config.label, file.stem)
        for config in apps.get_app_configs()
        for file in (Path(config.path) / "migrations").glob("*.py")
        if file.stem[0] not in "_~"
    }
