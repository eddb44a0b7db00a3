"""Audit rows: with their act, readable, never changed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction

from designer.models import Definition
from orchestration import audit
from orchestration.core.errors import InvalidValue
from orchestration.models import AuditEvent, AuditPending, AuditSeal, Workspace
from tests.support.cast import a_person, a_workspace, an_actor

ROOT = Path(__file__).resolve().parents[2]
RECORDED = re.compile(r'audit\.record\(\s*[^()]*?"([a-z]+\.[a-z_]+)"', re.DOTALL)


@pytest.mark.django_db(transaction=True)
def test_an_audit_row_outside_a_transaction_is_refused() -> None:
    workspace = a_workspace()

    with pytest.raises(audit.NotInTransaction):
        audit.record(None, "workspace.created", workspace, workspace=workspace)


@pytest.mark.django_db(transaction=True)
def test_an_act_that_fails_leaves_no_audit_row_and_nothing_to_seal() -> None:
    workspace = a_workspace()
    before = AuditEvent.objects.count(), AuditPending.objects.count()

    def fail() -> None:
        with transaction.atomic():
            audit.record(None, "workspace.created", workspace, workspace=workspace)
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()

    assert (AuditEvent.objects.count(), AuditPending.objects.count()) == before


@pytest.mark.django_db
def test_a_row_says_who_did_what_to_which_thing() -> None:
    actor = an_actor("administrator", username="ada")
    other = a_person("", username="bo")

    event = audit.record(actor, "member.added", other, workspace=actor.workspace, role="viewer")

    assert (event.actor, event.actor_name, event.subject_type, event.subject_id, event.subject_name) == (
        actor.user, "ada", "user", str(other.pk), "bo",
    )  # fmt: skip
    assert audit.sentence(event) == "gave bo the role viewer"


@pytest.mark.django_db
def test_the_system_acts_under_its_own_name() -> None:
    event = audit.record(None, "workspace.created", a_workspace(), workspace=None)

    assert (event.actor, event.actor_name, event.workspace) == (None, "Baton", None)


@pytest.mark.django_db
@pytest.mark.parametrize("details", [{"x": float("nan")}, {"x": "\ud800"}, {"x": 2**60}])
def test_details_that_can_not_be_hashed_fail_the_act(details: dict[str, object]) -> None:
    with pytest.raises(InvalidValue):
        audit.record(None, "workspace.created", a_workspace(), workspace=a_workspace(), **details)


@pytest.mark.django_db
def test_a_long_name_is_cut_and_does_not_fail_the_act() -> None:
    event = audit.record(None, "workspace.created", a_workspace(), workspace=a_workspace(), name="x" * 1000)

    assert len(event.subject_name) == 300


def test_an_unknown_verb_and_missing_details_still_read() -> None:
    assert audit.sentence(AuditEvent(verb="moon.landed", subject_name="Apollo")) == "moon.landed Apollo"
    assert audit.sentence(AuditEvent(verb="member.added", subject_name="bo")) == "gave bo the role "


def test_a_name_with_braces_is_only_text() -> None:
    event = AuditEvent(verb="run.started", subject_name="{subject.__class__}", details={"subject": "{x}"})

    assert audit.sentence(event) == "started {subject.__class__}"


def test_every_verb_that_is_recorded_has_its_sentence() -> None:
    files = [file for app in ("orchestration", "designer", "runs", "approvals") for file in (ROOT / app).rglob("*.py")]
    recorded = {verb for file in files for verb in RECORDED.findall(file.read_text())}

    assert "token.created" in recorded
    assert recorded - set(audit.SENTENCES) == set()


@pytest.mark.django_db
@pytest.mark.parametrize("model", [AuditEvent, AuditSeal])
@pytest.mark.parametrize(
    "act", ["UPDATE {table} SET {key} = {key}", "DELETE FROM {table} WHERE {key} > 0", "{truncate} {table} {cascade}"]
)
def test_the_database_refuses_to_change_the_log(model: type[AuditEvent | AuditSeal], act: str) -> None:
    a_workspace()
    audit.seal()
    before = list(model.objects.order_by("pk").values())
    truncate = "SET CONSTRAINTS ALL IMMEDIATE; TRUNCATE" if connection.vendor == "postgresql" else "DELETE FROM"
    cascade = "CASCADE" if connection.vendor == "postgresql" else ""
    sql = act.format(table=model._meta.db_table, key=model._meta.pk.column, truncate=truncate, cascade=cascade)

    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(sql)

    assert before
    assert list(model.objects.order_by("pk").values()) == before


@pytest.mark.django_db
def test_a_published_definition_never_changes() -> None:
    Definition.objects.create(digest="a" * 64, execution_hash="b" * 64, body="{}")

    with pytest.raises(IntegrityError, match="immutable"), transaction.atomic():
        Definition.objects.update(body='{"steps": []}')

    assert Definition.objects.get().body == "{}"


@pytest.mark.django_db(transaction=True)
def test_the_test_runner_empties_the_log_and_the_triggers_stay() -> None:
    from django.core.management import call_command

    a_workspace()

    call_command("flush", interactive=False, verbosity=0)

    assert not AuditEvent.objects.exists()
    assert not Workspace.objects.exists()
    a_workspace()
    with pytest.raises(IntegrityError, match="append-only"), transaction.atomic():
        AuditEvent.objects.update(verb="x")
    assert AuditPending.objects.exists()


@pytest.mark.django_db
@pytest.mark.skipif("connection.vendor != 'postgresql'")
def test_the_engine_clock_runs_inside_a_transaction() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT engine_now() > now()")
        assert cursor.fetchone() == (True,)
