"""Group commit when the database fails: what was written is found out, and what is missing is written."""

from __future__ import annotations

import threading
import uuid
from collections import deque
from typing import Any

import pytest

from runs.connections import open_store
from runs.journal import Journal, Stopped
from runs.models import Event, Run, StepRun
from tests.races.faults import GONE, Faulty
from tests.runs.test_store import a_write, runs_in

pytestmark = pytest.mark.django_db(transaction=True)

OWNER = uuid.UUID(int=1)


def a_journal(*faults: str) -> Journal:
    script = deque(faults)
    journal = Journal(OWNER, lambda: Faulty(open_store(), script), threading.Event())
    journal._pause = lambda pause, error: 0.0  # type: ignore[method-assign]
    return journal


@pytest.mark.parametrize("faults", [("after",), ("before",), ("before", "before", "after")])
def test_a_batch_whose_answer_was_lost_is_written_once(faults: tuple[str, ...]) -> None:
    runs = runs_in("main", 3)
    journal = a_journal(*faults)
    result = journal.commit([a_write(one) for one in journal.store.claim(OWNER, 3)])
    journal.close()

    assert result.written == {run.id for run in runs}
    assert (StepRun.objects.count(), Event.objects.count()) == (3, 6)


def test_after_a_lost_answer_a_run_that_another_worker_took_is_not_written() -> None:
    runs_in("main", 2)
    journal = a_journal("before")
    mine, theirs = journal.store.claim(OWNER, 2)
    writes = [a_write(mine), a_write(theirs)]
    Run.objects.filter(pk=theirs.id).update(epoch=2, owner=uuid.UUID(int=2))
    result = journal.commit(writes)
    journal.close()

    assert (result.written, result.refused) == ({mine.id}, {})


def test_a_run_that_is_gone_is_not_waited_for() -> None:
    (run,) = runs_in("main", 1)
    journal = a_journal("before")
    writes = [a_write(one) for one in journal.store.claim(OWNER, 1)]
    Event.objects.filter(run_id=run.id).delete()
    Run.objects.filter(pk=run.pk).delete()

    assert journal.commit(writes).written == set()
    journal.close()


def test_the_offender_of_a_batch_is_named_and_the_others_are_written() -> None:
    runs_in("main", 4)
    journal = a_journal()
    writes = [a_write(one) for one in journal.store.claim(OWNER, 4)]
    writes[2].steps[0]["state"] = "nonsense"
    result = journal.commit(writes)
    journal.close()

    assert result.written == {write.run_id for write in writes if write is not writes[2]}
    assert "step_state_known" in result.refused[writes[2].run_id]
    assert StepRun.objects.count() == 3


@pytest.mark.parametrize("value", ["\ud800", 2**70])
def test_a_value_that_no_database_takes_is_refused_too(value: Any) -> None:
    runs_in("main", 2)
    journal = a_journal()
    good, bad = (a_write(one) for one in journal.store.claim(OWNER, 2))
    bad.steps[0]["output"] = {"value": value}
    result = journal.commit([good, bad])
    journal.close()

    assert (result.written, list(result.refused)) == ({good.run_id}, [bad.run_id])


def test_a_stopping_worker_does_not_wait_for_a_database_that_is_away() -> None:
    stopping = threading.Event()

    def away() -> Any:
        stopping.set()
        raise GONE

    with pytest.raises(Stopped):
        _ = Journal(OWNER, away, stopping).store


def test_the_pauses_grow_and_the_first_try_again_is_at_once() -> None:
    journal = Journal(OWNER, open_store, threading.Event())
    journal._stopping.wait = lambda seconds: False  # type: ignore[method-assign,assignment]
    pauses = [0.0]
    for _ in range(8):
        pauses.append(journal._pause(pauses[-1], GONE))

    assert pauses == [0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 2.0, 2.0]
