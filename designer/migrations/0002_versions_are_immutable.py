"""A published version and the document behind it never change: runs are pinned to them, approvals name their hash."""

from django.db import migrations

from orchestration.vendor_sql import vendor_sql

TABLES = ["designer_version", "designer_definition"]
MESSAGE = "Versions and definitions are immutable. Publish a new version instead."

FUNCTION = f"""
CREATE FUNCTION refuse_version_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'restrict_violation', MESSAGE = '{MESSAGE}',
        DETAIL = format('%s on %s was refused.', TG_OP, TG_TABLE_NAME);
END $$
"""


def on_postgresql(table: str) -> str:
    return (
        f"CREATE TRIGGER {table}_immutable BEFORE UPDATE ON {table}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_version_change()"
    )


def on_sqlite(table: str) -> str:
    return f"CREATE TRIGGER {table}_immutable BEFORE UPDATE ON {table} BEGIN SELECT RAISE(ABORT, '{MESSAGE}'); END"


class Migration(migrations.Migration):
    dependencies = [("designer", "0001_initial"), ("orchestration", "0001_initial")]

    operations = [
        vendor_sql(
            forward={"postgresql": [FUNCTION, *map(on_postgresql, TABLES)], "sqlite": list(map(on_sqlite, TABLES))},
            backward={
                "postgresql": ["DROP FUNCTION refuse_version_change() CASCADE"],
                "sqlite": [f"DROP TRIGGER {table}_immutable" for table in TABLES],
            },
        ),
    ]
