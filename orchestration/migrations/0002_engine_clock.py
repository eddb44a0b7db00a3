"""engine_now(): the one clock of the engine, so that processes with different clocks agree on leases and timers."""

from django.db import migrations

from orchestration.vendor_sql import vendor_sql

CREATE = (
    "CREATE FUNCTION engine_now() RETURNS timestamptz LANGUAGE sql VOLATILE PARALLEL SAFE AS 'SELECT clock_timestamp()'"
)


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0001_initial")]

    operations = [
        vendor_sql(forward={"postgresql": [CREATE]}, backward={"postgresql": ["DROP FUNCTION engine_now()"]}),
    ]
