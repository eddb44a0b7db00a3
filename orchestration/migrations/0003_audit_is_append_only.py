"""Nobody changes or removes audit events and seals, not even by SQL as the application's database user."""

from django.db import migrations

from orchestration.vendor_sql import vendor_sql

TABLES = ["orchestration_auditevent", "orchestration_auditseal"]
MESSAGE = "The audit log is append-only: its rows are never changed or removed."

FUNCTION = f"""
CREATE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = '{MESSAGE}',
        DETAIL = format('%s on %s was refused.', TG_OP, TG_TABLE_NAME);
END $$
"""


def on_postgresql(table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_audit_change()"
    )


def on_sqlite(table: str, act: str) -> str:
    return (
        f"CREATE TRIGGER {table}_no_{act.lower()} BEFORE {act} ON {table} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"
    )


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0002_engine_clock")]

    operations = [
        vendor_sql(
            forward={
                "postgresql": [FUNCTION, *map(on_postgresql, TABLES)],
                "sqlite": [on_sqlite(table, act) for table in TABLES for act in ("UPDATE", "DELETE")],
            },
            backward={
                "postgresql": ["DROP FUNCTION refuse_audit_change() CASCADE"],
                "sqlite": [f"DROP TRIGGER {table}_no_{act}" for table in TABLES for act in ("update", "delete")],
            },
        ),
    ]
