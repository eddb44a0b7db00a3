"""Sealing the log, and finding whatever was done to it afterwards."""

from __future__ import annotations

import json
import os
import random
import threading
from collections.abc import Callable

import pytest
from django.db import connections, transaction

from orchestration import audit, audit_chain
from orchestration.audit_chain import GENESIS, anchor_file, chain_of, hash_of
from orchestration.models import AuditEvent, AuditPending, AuditSeal, Workspace
from tests.support.cast import a_workspace, an_actor
from tests.support.flushing import audit_unprotected


@pytest.fixture(autouse=True)
def _own_anchor(tmp_path, settings) -> None:
    settings.BATON_DATA = tmp_path


def acts(count: int, workspace: Workspace | None) -> None:
    actor = an_actor("administrator")
    with transaction.atomic():
        for number in range(count):
            audit.record(actor, "run.started", actor.user, workspace=workspace, name=f"run {number}", number=number)


def seal_all() -> None:
    while audit.seal(limit=7):
        pass


@pytest.mark.django_db
class TestSealing:
    def test_each_workspace_has_a_chain_of_its_own_from_one_up(self) -> None:
        acts(3, a_workspace("one")), acts(2, a_workspace("two")), acts(1, None)

        seal_all()

        for chain in AuditSeal.objects.values_list("chain", flat=True).distinct():
            links = list(AuditSeal.objects.filter(chain=chain).order_by("number"))
            assert [link.number for link in links] == list(range(1, len(links) + 1))
            assert [link.previous_hash for link in links] == [GENESIS, *(link.hash for link in links[:-1])]
        assert AuditSeal.objects.count() == AuditEvent.objects.count()

    def test_a_batch_is_bounded_and_the_rest_follows(self) -> None:
        acts(10, a_workspace())
        waiting = AuditPending.objects.count()

        assert audit.seal(limit=4) == 4
        assert AuditPending.objects.count() == waiting - 4
        assert audit.seal(limit=1000) == waiting - 4
        assert audit.seal() == 0

    def test_an_event_that_commits_late_with_an_earlier_id_is_sealed_too(self) -> None:
        acts(3, a_workspace())
        late = AuditEvent.objects.earliest("pk")
        AuditPending.objects.filter(event=late).delete()
        seal_all()

        AuditPending.objects.create(event=late)
        seal_all()

        assert AuditSeal.objects.get(event=late).number == AuditSeal.objects.filter(chain=chain_of(late)).count()
        assert audit.verify().intact

    def test_nothing_to_seal_costs_one_query(self, django_assert_num_queries) -> None:
        a_workspace()
        seal_all()

        with django_assert_num_queries(1):
            assert audit.seal() == 0

    def test_the_queue_is_read_by_its_key_however_long_the_log_is(self) -> None:
        plan = AuditPending.objects.order_by("event_id")[:10].explain()

        assert "auditevent" not in plan


@pytest.mark.django_db(transaction=True)
def test_sealers_side_by_side_seal_each_event_once() -> None:
    acts(60, a_workspace())
    sealed: list[int] = []

    def work() -> None:
        try:
            for _ in range(30):
                sealed.append(audit.seal(limit=5))
        finally:
            connections.close_all()

    threads = [threading.Thread(target=work) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    while left := audit.seal():
        sealed.append(left)

    assert sum(sealed) == AuditEvent.objects.count() == AuditSeal.objects.count()
    assert audit.verify().intact


@pytest.mark.django_db(transaction=True)
class TestAnchoring:
    def test_sealing_anchors_the_heads_outside_the_database(self) -> None:
        acts(3, a_workspace())

        audit.seal()

        heads = json.loads(anchor_file().read_text())
        link = AuditSeal.objects.filter(chain=str(a_workspace().pk)).latest("number")
        assert heads[link.chain] == {"number": link.number, "hash": link.hash}
        assert anchor_file().stat().st_mode & 0o777 == 0o600

    def test_a_fresh_anchor_is_not_written_again(self) -> None:
        acts(1, a_workspace())
        audit.seal()
        before = anchor_file().read_text()

        acts(1, a_workspace())
        audit.seal()

        assert anchor_file().read_text() == before

    def test_an_old_anchor_is_written_again(self) -> None:
        acts(1, a_workspace())
        audit.seal()
        before = anchor_file().read_text()
        os.utime(anchor_file(), (0, 0))

        acts(1, a_workspace())
        audit.seal()

        assert anchor_file().read_text() != before

    def test_a_head_that_was_cut_off_stays_anchored_as_evidence(self) -> None:
        acts(5, a_workspace())
        audit.seal()
        before = anchor_file().read_text()
        with transaction.atomic(), audit_unprotected():
            last = AuditSeal.objects.filter(chain=str(a_workspace().pk)).latest("number")
            AuditSeal.objects.filter(pk=last.pk).delete()

        audit.anchor()

        assert anchor_file().read_text() == before


@pytest.mark.django_db
class TestVerifying:
    def test_an_untouched_log_is_intact_and_counted(self) -> None:
        acts(5, a_workspace("one")), acts(4, a_workspace("two"))
        seal_all()
        acts(1, a_workspace("one"))

        report = audit.verify()

        assert report.intact
        assert (report.sealed, report.pending) == (AuditSeal.objects.count(), AuditPending.objects.count())
        assert report.pending > 0
        assert report.chains == 3

    def test_one_chain_can_be_verified_alone(self) -> None:
        acts(5, a_workspace("one")), acts(4, a_workspace("two"))
        seal_all()

        assert audit.verify(str(a_workspace("one").pk)).chains == 1

    def test_no_anchor_proves_nothing(self) -> None:
        acts(5, a_workspace())
        seal_all()

        report = audit.verify()

        assert (report.intact, report.anchored) == (True, 0)

    def test_a_log_longer_than_a_page_is_walked_to_its_end(self, monkeypatch) -> None:
        monkeypatch.setattr("orchestration.audit_report.PAGE", 3)
        acts(10, a_workspace())
        seal_all()

        assert audit.verify().sealed == AuditSeal.objects.count()
        assert audit.verify().intact

    def test_an_event_that_is_neither_sealed_nor_waiting_is_found(self) -> None:
        acts(2, a_workspace())
        AuditPending.objects.filter(event=AuditEvent.objects.latest("pk")).delete()
        seal_all()

        [found] = audit.verify().breaks

        assert found.event_id == AuditEvent.objects.latest("pk").pk
        assert "never sealed" in str(found)

    def test_an_event_removed_before_its_seal_is_found(self) -> None:
        acts(2, a_workspace())
        with audit_unprotected():
            AuditEvent.objects.filter(pk=AuditEvent.objects.latest("pk").pk)._raw_delete("default")
        seal_all()

        assert "before it was sealed" in str(audit.verify().breaks[0])


def edit_an_event(chance: random.Random, links: list[AuditSeal]) -> None:
    field, value = chance.choice(
        [("actor_name", "Eve"), ("verb", "run.cancelled"), ("subject_name", "x"), ("details", {"number": -1}),
         ("subject_id", "9"), ("token_prefix", "abc"), ("at", "2020-01-01T00:00:00Z"), ("actor", None),
         ("workspace", None), ("subject_type", "x")]
    )  # fmt: skip
    AuditEvent.objects.filter(pk=chance.choice(links).event_id).update(**{field: value})


def edit_a_seal(chance: random.Random, links: list[AuditSeal]) -> None:
    field, value = chance.choice(
        [("hash", "f" * 64), ("previous_hash", "f" * 64), ("sealed_at", "2020-01-01T00:00:00Z"), ("chain", "other"),
         ("number", 9999)]
    )  # fmt: skip
    AuditSeal.objects.filter(pk=chance.choice(links).pk).update(**{field: value})


def remove_an_event(chance: random.Random, links: list[AuditSeal]) -> None:
    AuditEvent.objects.filter(pk=chance.choice(links).event_id)._raw_delete("default")


def remove_a_seal(chance: random.Random, links: list[AuditSeal]) -> None:
    AuditSeal.objects.filter(pk=chance.choice(links).pk)._raw_delete("default")


def remove_both(chance: random.Random, links: list[AuditSeal]) -> None:
    link = chance.choice(links)
    AuditSeal.objects.filter(pk=link.pk)._raw_delete("default")
    AuditEvent.objects.filter(pk=link.event_id)._raw_delete("default")


def cut_the_tail(chance: random.Random, links: list[AuditSeal]) -> None:
    cut = links[chance.randrange(len(links)) :]
    AuditSeal.objects.filter(pk__in=[link.pk for link in cut])._raw_delete("default")
    AuditEvent.objects.filter(pk__in=[link.event_id for link in cut])._raw_delete("default")


def swap_two(chance: random.Random, links: list[AuditSeal]) -> None:
    one, other = chance.sample(links, 2)
    AuditSeal.objects.filter(pk=one.pk).update(number=10_000)
    AuditSeal.objects.filter(pk=other.pk).update(number=one.number)
    AuditSeal.objects.filter(pk=one.pk).update(number=other.number)


def swap_two_events(chance: random.Random, links: list[AuditSeal]) -> None:
    one, other = (AuditEvent.objects.get(pk=link.event_id) for link in chance.sample(links, 2))
    for event, subject in ((one, other), (other, one)):
        AuditEvent.objects.filter(pk=event.pk).update(subject_name=subject.subject_name, details=subject.details)


def forge_the_whole_chain(chance: random.Random, links: list[AuditSeal]) -> None:
    edit_an_event_only = chance.choice(links)
    AuditEvent.objects.filter(pk=edit_an_event_only.event_id).update(actor_name="Eve")
    previous_hash = GENESIS
    for link in links:
        link.previous_hash = previous_hash
        link.hash = previous_hash = hash_of(AuditEvent.objects.get(pk=link.event_id), link)
        AuditSeal.objects.filter(pk=link.pk).update(previous_hash=link.previous_hash, hash=link.hash)


TAMPERINGS: list[Callable[[random.Random, list[AuditSeal]], None]] = [
    edit_an_event, edit_a_seal, remove_an_event, remove_a_seal, remove_both, cut_the_tail, swap_two, swap_two_events,
    forge_the_whole_chain,
]  # fmt: skip


def contents() -> list[object]:
    return [*AuditEvent.objects.order_by("pk").values(), *AuditSeal.objects.order_by("pk").values()]


@pytest.mark.django_db
def test_a_thousand_random_tamperings_are_all_found() -> None:
    acts(8, a_workspace())
    seal_all()
    audit.anchor()
    chain = str(a_workspace().pk)
    links = list(AuditSeal.objects.filter(chain=chain).order_by("number"))
    chance = random.Random(20261122)
    whole, tampered, missed = contents(), 0, []

    with audit_unprotected():
        while tampered < 1000:
            tamper = chance.choice(TAMPERINGS)
            with transaction.atomic():
                tamper(chance, [AuditSeal.objects.get(pk=link.pk) for link in links])
                changed = contents() != whole  # an edit may write what was there before
                tampered += changed
                if changed and audit.verify().intact:
                    missed.append((tampered, tamper.__name__))
                transaction.set_rollback(True)

    assert missed == []
    assert audit.verify().intact


@pytest.mark.django_db
def test_the_sealer_waits_for_nobody_when_another_one_is_at_work(monkeypatch) -> None:
    acts(2, a_workspace())
    monkeypatch.setattr(audit_chain, "_alone", lambda: False)

    assert audit.seal() == 0
    assert AuditPending.objects.exists()
