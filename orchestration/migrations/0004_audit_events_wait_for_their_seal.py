"""Each new audit event is queued for the sealer by the database itself, in the transaction that inserts it."""

from django.db import migrations

from orchestration.vendor_sql import vendor_sql

FUNCTION = """
CREATE FUNCTION queue_audit_events() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO orchestration_auditpending (event_id) SELECT id FROM added;
    RETURN NULL;
END $$
"""
ON_POSTGRESQL = """
CREATE TRIGGER orchestration_auditevent_queue AFTER INSERT ON orchestration_auditevent
REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION queue_audit_events()
"""
ON_SQLITE = """
CREATE TRIGGER orchestration_auditevent_queue AFTER INSERT ON orchestration_auditevent
BEGIN INSERT INTO orchestration_auditpending (event_id) VALUES (NEW.id); END
"""


class Migration(migrations.Migration):
    dependencies = [("orchestration", "0003_audit_is_append_only")]

    operations = [
        vendor_sql(
            forward={"postgresql": [FUNCTION, ON_POSTGRESQL], "sqlite": [ON_SQLITE]},
            backward={
                "postgresql": ["DROP FUNCTION queue_audit_events() CASCADE"],
                "sqlite": ["DROP TRIGGER orchestration_auditevent_queue"],
            },
        ),
    ]
