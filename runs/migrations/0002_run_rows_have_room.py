"""Leave room in the pages of runs: each step updates the row, and a new version of it fits beside the old one."""

from django.db import migrations

from orchestration.vendor_sql import vendor_sql


class Migration(migrations.Migration):
    dependencies = [("runs", "0001_initial"), ("orchestration", "0002_engine_clock")]

    operations = [
        vendor_sql(
            forward={"postgresql": ["ALTER TABLE runs_run SET (fillfactor = 60)"]},
            backward={"postgresql": ["ALTER TABLE runs_run RESET (fillfactor)"]},
        ),
    ]
