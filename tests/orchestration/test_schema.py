from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from orchestration import preflight, schema

pytestmark = pytest.mark.django_db


def test_a_migrated_database_has_nothing_missing() -> None:
    assert schema.is_current()
    assert schema.bring_up_to_date() is False


def test_a_migration_that_was_not_applied_is_missed() -> None:
    MigrationRecorder(connection).record_unapplied("orchestration", "0001_initial")

    assert not schema.is_current()


def test_data_of_a_newer_baton_is_refused() -> None:
    MigrationRecorder(connection).record_applied("runs", "9999_from_the_future")

    with pytest.raises(preflight.CannotStart, match=r"a newer Baton .*9999_from_the_future"):
        schema.bring_up_to_date()


def test_a_migration_of_a_library_that_we_do_not_know_is_no_reason_to_refuse() -> None:
    MigrationRecorder(connection).record_applied("an_app_that_left", "0007_something")

    assert schema.bring_up_to_date() is False
