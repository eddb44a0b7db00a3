"""Health."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import OperationalError
from django.test import Client
from django.utils import timezone

from orchestration import health
from runs.models import Run
from tests.support.approvals import a_run


def test_alive_asks_nothing_of_the_database() -> None:
    response = Client().get("/healthz")  # without the mark django_db any query fails

    assert (response.status_code, response.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_ready_tells_the_age_of_the_oldest_due_run() -> None:
    response = Client().get("/readyz")

    assert (response.status_code, response.json()) == (200, {"status": "ok", "oldest_due_seconds": 0.0})


@pytest.mark.django_db
def test_not_ready_when_no_worker_takes_runs(monkeypatch) -> None:
    monkeypatch.setattr(health, "oldest_due_seconds", lambda: 61.0)

    response = Client().get("/readyz")

    assert (response.status_code, response.json()["status"]) == (503, "overdue")


@pytest.mark.django_db
def test_not_ready_without_the_database(monkeypatch) -> None:
    def gone() -> float:
        raise OperationalError

    monkeypatch.setattr(health, "oldest_due_seconds", gone)

    assert Client().get("/readyz").status_code == 503


@pytest.mark.django_db
def test_only_runs_that_are_due_by_now_count() -> None:
    later, overdue = a_run(), a_run()
    Run.objects.filter(pk=later.pk).update(due_at=timezone.now() + timedelta(hours=1))
    Run.objects.filter(pk=overdue.pk).update(due_at=None)
    nobody_waits = health.oldest_due_seconds()

    Run.objects.filter(pk=overdue.pk).update(due_at=timezone.now() - timedelta(hours=1))

    assert nobody_waits == 0.0
    assert health.oldest_due_seconds() >= 3600.0
