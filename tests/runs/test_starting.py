"""Accepting runs: whole or not at all, and once per idempotency key."""

from __future__ import annotations

import threading
from typing import Any

import pytest
from django.db import connections

from designer.models import Workflow
from orchestration.access import Actor, Forbidden
from orchestration.core.errors import InvalidValue
from orchestration.models import AuditEvent
from runs import starting
from runs.models import Event, IdempotencyKey, Run
from tests.runs.test_engine import CHAIN
from tests.support.cast import a_person, a_workspace, an_actor
from tests.support.engine import a_workflow

pytestmark = pytest.mark.django_db(transaction=True)

TAKES_N = "input: {type: object, required: [n], properties: {n: {type: integer}}}\n" + CHAIN


def accept(actor: Actor, workflow: Workflow, input: Any, key: str | None = None) -> starting.Accepted:
    return starting.accept(actor, workflow, input, trigger="api", idempotency_key=key)


def rows() -> tuple[int, int, int, int]:
    acts = AuditEvent.objects.filter(verb="run.started").count()
    return (Run.objects.count(), Event.objects.count(), IdempotencyKey.objects.count(), acts)


def test_twenty_starts_at_once_under_one_key_are_one_run() -> None:
    actor, workflow = an_actor("operator"), a_workflow(a_workspace(), TAKES_N)
    together, accepted, failed = threading.Barrier(20), [], []

    def start() -> None:
        together.wait(20)
        try:
            accepted.append(accept(actor, workflow, {"n": 1}, "the key"))
        except Exception as error:
            failed.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=start) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert failed == []
    assert len({one.run.id for one in accepted}) == 1
    assert [one.repeated for one in accepted].count(False) == 1
    assert rows() == (1, 1, 1, 1)


def test_a_used_key_with_another_request_is_refused_and_names_the_run() -> None:
    actor, workflow = an_actor("operator"), a_workflow(a_workspace(), TAKES_N)
    first = accept(actor, workflow, {"n": 1}, "key").run
    other = a_workflow(a_workspace(), TAKES_N)
    for asked, input in ((workflow, {"n": 2}), (other, {"n": 1})):
        with pytest.raises(starting.KeyUsed) as refused:
            accept(actor, asked, input, "key")
        assert refused.value.run.id == first.id
    assert rows() == (1, 1, 1, 1)


def test_a_key_belongs_to_the_person_who_used_it() -> None:
    workflow = a_workflow(a_workspace(), TAKES_N)
    for _ in range(2):
        assert not accept(an_actor("operator"), workflow, {"n": 1}, "key").repeated
    assert Run.objects.count() == 2


@pytest.mark.parametrize("key", ["", "   ", "\t\n", "k" * 256])
def test_a_key_that_is_blank_or_too_long_is_refused_and_nothing_is_written(key: str) -> None:
    actor, workflow = an_actor("operator"), a_workflow(a_workspace(), TAKES_N)
    with pytest.raises(InvalidValue):
        accept(actor, workflow, {"n": 1}, key)
    assert rows() == (0, 0, 0, 0)


@pytest.mark.parametrize(
    "input", [{}, {"n": "one"}, {"n": 1, "text": "a\0b"}, {"n": 1, "text": "\ud800"}, {"n": 1, "x": "y" * 1_100_000}]
)
@pytest.mark.parametrize("key", [None, "key"])
def test_input_that_does_not_fit_or_cannot_be_stored_writes_nothing(input: Any, key: str | None) -> None:
    actor, workflow = an_actor("operator"), a_workflow(a_workspace(), TAKES_N)
    with pytest.raises(InvalidValue):
        accept(actor, workflow, input, key)
    assert rows() == (0, 0, 0, 0)


def test_a_text_that_spells_a_nul_is_no_nul() -> None:
    actor, workflow = an_actor("operator"), a_workflow(a_workspace(), TAKES_N)
    text = 'a diff with "\\u0000" in it'
    run = accept(actor, workflow, {"n": 1, "diff": text}).run

    assert Run.objects.get(pk=run.pk).input["diff"] == text


def test_a_start_whose_audit_row_cannot_be_written_is_no_start(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: Any, **details: Any) -> None:
        raise OSError("disk full")

    actor, workflow = an_actor("operator"), a_workflow(a_workspace(), TAKES_N)
    monkeypatch.setattr(starting.audit, "record", full)
    with pytest.raises(OSError, match="disk full"):
        accept(actor, workflow, {"n": 1}, "key")
    assert rows() == (0, 0, 0, 0)
    monkeypatch.undo()
    assert not accept(actor, workflow, {"n": 1}, "key").repeated


def test_who_may_not_start_runs_starts_none_even_with_a_known_key() -> None:
    workspace = a_workspace()
    workflow = a_workflow(workspace, TAKES_N)
    viewer = Actor(a_person("viewer", workspace), workspace)
    with pytest.raises(Forbidden):
        accept(viewer, workflow, {"n": 1}, "key")
    assert rows() == (0, 0, 0, 0)


def test_a_workflow_without_a_live_version_or_switched_off_starts_nothing() -> None:
    actor, workflow = an_actor("operator"), a_workflow(a_workspace(), TAKES_N)
    workflow.enabled = False
    with pytest.raises(starting.CannotStart, match="switched off"):
        accept(actor, workflow, {"n": 1})
    workflow.enabled, workflow.live = True, None
    with pytest.raises(starting.CannotStart, match="no live version"):
        accept(actor, workflow, {"n": 1})
    assert rows() == (0, 0, 0, 0)


def test_numbers_of_a_workflow_are_never_given_twice_by_threads() -> None:
    actor, workflow = an_actor("operator"), a_workflow(a_workspace(), TAKES_N)

    def start() -> None:
        for _ in range(8):
            accept(actor, workflow, {"n": 1})
        connections.close_all()

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    numbers = list(Run.objects.values_list("number", flat=True))
    assert len(numbers) == len(set(numbers)) == 32
