"""Asking a run to stop: who may, what is written, and what is refused."""

from __future__ import annotations

import pytest

from orchestration.access import Actor, Forbidden, Missing
from orchestration.models import AuditEvent
from runs import cancelling
from runs.models import Fact, Run
from tests.runs.test_engine import CHAIN
from tests.support.cast import a_person, a_workspace, an_actor
from tests.support.engine import a_run, a_workflow, an_engine, settle

pytestmark = pytest.mark.django_db(transaction=True)


def a_chain() -> Run:
    workspace = a_workspace()
    return a_run(a_person("operator", workspace), a_workflow(workspace, CHAIN))


def test_a_cancel_is_a_fact_with_its_audit_row_and_the_run_is_untouched_until_the_engine_comes() -> None:
    run = a_chain()
    before = Run.objects.filter(pk=run.pk).values().get()
    actor = an_actor("operator")
    cancelling.cancel(actor, run.id, "a mistake")

    fact = Fact.objects.get()
    assert (fact.kind, fact.body["by"], fact.body["reason"]) == ("cancel_asked", actor.name, "a mistake")
    assert AuditEvent.objects.filter(verb="run.cancel_asked").count() == 1
    assert Run.objects.filter(pk=run.pk).values().get() == before


def test_a_run_that_has_ended_cannot_be_cancelled_and_nothing_is_written() -> None:
    run = a_chain()
    with an_engine() as engine:
        settle(engine, run)
    with pytest.raises(cancelling.AlreadyEnded, match="succeeded"):
        cancelling.cancel(an_actor("operator"), run.id)
    assert not Fact.objects.exists()
    assert not AuditEvent.objects.filter(verb="run.cancel_asked").exists()


def test_a_second_cancel_changes_nothing_more() -> None:
    run = a_chain()
    for reason in ("first", "second"):
        cancelling.cancel(an_actor("operator"), run.id, reason)
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, Fact.objects.filter(consumed=False).count()) == ("cancelled", 0)
    assert "first" in run.error["message"]
    assert run.events.filter(terminal=True).count() == 1


def test_people_without_the_right_and_people_of_other_workspaces_are_refused() -> None:
    run = a_chain()
    with pytest.raises(Forbidden):
        cancelling.cancel(an_actor("viewer"), run.id)
    other = a_workspace("other")
    with pytest.raises(Missing):
        cancelling.cancel(Actor(a_person("administrator", other), other), run.id)
    assert not Fact.objects.exists()
