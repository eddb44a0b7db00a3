"""The engine's statements on a real database: claims, fences, and leases between two workers."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from datetime import timedelta

import pytest
from django.db import connections

from designer.changing import touch_guard
from orchestration.core.states import RunState
from runs import facts
from runs.connections import open_store
from runs.models import Event, Fact, Run, StepRun
from runs.store import Claimed, Store, Write
from runs.times import database_now
from tests.runs.test_engine import CHAIN
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow
from tests.support.outside import expire_lease

pytestmark = pytest.mark.django_db(transaction=True)

ONE, OTHER = uuid.UUID(int=1), uuid.UUID(int=2)


@pytest.fixture
def store() -> Iterator[Store]:
    opened = open_store()
    yield opened
    opened.close()


def runs_in(slug: str, how_many: int) -> list[Run]:
    workspace = a_workspace(slug)
    person, workflow = a_person("operator", workspace), a_workflow(workspace, CHAIN)
    return [a_run(person, workflow) for _ in range(how_many)]


def a_write(one: Claimed, **changes: object) -> Write:
    """A commit that ends a step and goes on holding the run."""
    now = database_now()
    columns = {
        "seq": one.seq + 1, "state": RunState.RUNNING, "waiting_for": "", "life": 1, "active": {}, "marks": {},
        "variables": {}, "output": None, "error": None, "steps_started": 1, "tokens": 0, "cost_microusd": 0,
        "started_at": now, "ended_at": None, "keep": True, "due_at": None, "progress": True, **changes,
    }  # fmt: skip
    event = {"run_id": one.id, "seq": one.seq + 1, "life": 1, "kind": "test", "terminal": False, "body": {}, "at": now}
    step = {
        "run_id": one.id, "path": f"step{one.seq}", "pass": 0, "kind": "noop", "state": "succeeded", "port": "done",
        "attempt": 1, "reason": "", "output": None, "error": None, "tokens": 0, "cost_microusd": 0, "started_at": now,
        "ended_at": now,
    }  # fmt: skip
    return Write(one.id, one.epoch, one.seq, columns, events=[event], steps=[step])


def test_a_claimed_run_is_not_claimed_again_while_its_lease_holds(store: Store) -> None:
    (run,) = runs_in("main", 1)
    (claimed,) = store.claim(ONE, 10)

    assert (claimed.id, claimed.epoch, claimed.suspect) == (run.id, 1, False)
    assert store.claim(OTHER, 10) == []
    assert store.claim(OTHER, 10, alone=True) == []


def test_a_run_whose_lease_is_over_is_claimed_under_the_next_epoch_and_suspected(store: Store) -> None:
    (run,) = runs_in("main", 1)
    store.claim(ONE, 1)
    expire_lease(run)
    (claimed,) = store.claim(OTHER, 1)

    assert (claimed.epoch, claimed.suspect, claimed.deaths) == (2, True, 0)


def test_a_suspect_lost_again_is_claimed_alone_and_the_death_is_counted_first(store: Store) -> None:
    (run,) = runs_in("main", 1)
    for owner in (ONE, OTHER):
        store.claim(owner, 1)
        expire_lease(run)

    assert store.claim(ONE, 10) == []
    (claimed,) = store.claim(ONE, 1, alone=True)
    assert (claimed.epoch, claimed.deaths) == (3, 1)


@pytest.mark.parametrize("limit", [4, 10])
def test_a_claim_is_shared_between_workspaces_however_many_runs_one_of_them_has(store: Store, limit: int) -> None:
    flood, few = runs_in("flood", 40), runs_in("few", 2)
    claimed = {one.id for one in store.claim(ONE, limit)}

    assert len(claimed) >= limit // 2
    assert {run.id for run in few} <= claimed
    assert claimed & {run.id for run in flood}


def test_no_workspace_starves_where_a_worker_has_room_for_one_run_at_a_time(store: Store) -> None:
    runs_in("flood", 60)
    (lonely,) = runs_in("lonely", 1)
    claimed = [one.id for _ in range(50) for one in store.claim(ONE, 1)]

    assert lonely.id in claimed


def test_within_a_workspace_priority_goes_first(store: Store) -> None:
    runs = runs_in("main", 3)
    Run.objects.filter(pk=runs[0].pk).update(priority=2)
    Run.objects.filter(pk=runs[1].pk).update(priority=1)

    assert [store.claim(ONE, 1)[0].id for _ in runs] == [runs[2].id, runs[1].id, runs[0].id]


def test_runs_are_claimed_once_by_workers_that_claim_at_the_same_time() -> None:
    runs = runs_in("main", 60)
    together, claimed = threading.Barrier(4), []

    def claim() -> None:
        store, owner = open_store(), uuid.uuid4()
        together.wait(10)
        for _ in range(8):
            claimed.extend(one.id for one in store.claim(owner, 5))
        store.close()
        connections.close_all()

    threads = [threading.Thread(target=claim) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert sorted(claimed) == sorted(run.id for run in runs)
    assert set(Run.objects.values_list("epoch", flat=True)) == {1}


def test_a_write_under_the_current_epoch_and_event_is_kept(store: Store) -> None:
    (run,) = runs_in("main", 1)
    (claimed,) = store.claim(ONE, 1)
    replied = store.commit(ONE, [a_write(claimed)])

    run.refresh_from_db()
    assert (replied.runs, replied.called, run.seq, run.owner) == ({run.id}, frozenset(), 2, ONE)
    assert run.due_at > database_now()
    assert list(run.events.values_list("seq", "epoch")) == [(1, 0), (2, 1)]


def test_a_write_with_any_part_of_its_fence_wrong_changes_nothing(store: Store) -> None:
    (run,) = runs_in("main", 1)
    (claimed,) = store.claim(ONE, 1)
    before = Run.objects.filter(pk=run.pk).values().get()
    late, early, twice = a_write(claimed), a_write(claimed), a_write(claimed)
    late.epoch, early.epoch, twice.seq_from = 0, 2, 0
    guarded = a_write(claimed)
    guarded.guard = claimed.guard_revision
    touch_guard(run.workspace)

    for owner, write in ((ONE, late), (ONE, early), (ONE, twice), (OTHER, a_write(claimed)), (ONE, guarded)):
        assert store.commit(owner, [write]).runs == frozenset()
    assert Run.objects.filter(pk=run.pk).values().get() == before
    assert (Event.objects.count(), StepRun.objects.count()) == (1, 0)


def test_a_fenced_run_does_not_keep_its_batch_from_being_written(store: Store) -> None:
    runs_in("main", 3)
    claimed = store.claim(ONE, 3)
    writes = [a_write(one) for one in claimed]
    writes[1].epoch = 7

    assert store.commit(ONE, writes).runs == {claimed[0].id, claimed[2].id}
    assert StepRun.objects.count() == 2


def test_a_commit_says_for_which_runs_facts_wait_and_leaves_out_what_it_consumed(store: Store) -> None:
    runs_in("main", 2)
    first, second = store.claim(ONE, 2)
    seen = facts.record(first.id, "cancel_asked", {"by": "x"})
    facts.record(second.id, "cancel_asked", {"by": "x"})
    write = a_write(first)
    write.consumed = [seen.id]

    assert store.commit(ONE, [write, a_write(second)]).called == {second.id}
    assert Fact.objects.get(pk=seen.id).consumed


def test_a_fact_calls_a_waiting_run_and_not_one_in_a_workers_hands(store: Store) -> None:
    waiting, leased = runs_in("main", 2)
    claimed = {one.id: one for one in store.claim(ONE, 2)}
    store.commit(ONE, [a_write(claimed[waiting.id], keep=False, state=RunState.WAITING)])
    for run in (waiting, leased):
        facts.record(run.id, "cancel_asked", {"by": "x"})

    assert [one.id for one in store.claim(OTHER, 10)] == [waiting.id]


def test_only_the_holder_renews_and_releases(store: Store) -> None:
    (run,) = runs_in("main", 1)
    (claimed,) = store.claim(ONE, 1)
    expire_lease(run)

    assert store.renew(OTHER, {run.id: 1}) == frozenset()
    assert store.renew(ONE, {run.id: 2}) == frozenset()
    assert store.renew(ONE, {run.id: claimed.epoch}) == {run.id}
    assert Run.objects.get(pk=run.pk).due_at > database_now() + timedelta(seconds=5)
    store.release(OTHER, {run.id: 1})
    assert Run.objects.get(pk=run.pk).owner == ONE
    store.release(ONE, {run.id: 1})
    assert (Run.objects.get(pk=run.pk).owner, [one.id for one in store.claim(OTHER, 1)]) == (None, [run.id])
