"""Health, for load balancers and compose: is the process alive, can it do its work."""

from __future__ import annotations

from django.apps import apps
from django.db import Error
from django.http import HttpRequest, JsonResponse
from django.utils import timezone

OVERDUE_SECONDS = 60.0  # a run that is due for longer means that no worker takes runs


def healthz(request: HttpRequest) -> JsonResponse:
    """Answer as soon as the process serves; asks nothing of the database."""
    return JsonResponse({"status": "ok"})


def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 while the database can be reached and due runs are being taken, else 503 with the reason."""
    try:
        age = oldest_due_seconds()
    except Error:
        return JsonResponse({"status": "no database"}, status=503)
    overdue = age > OVERDUE_SECONDS
    body = {"status": "overdue" if overdue else "ok", "oldest_due_seconds": round(age, 3)}
    return JsonResponse(body, status=503 if overdue else 200)


def oldest_due_seconds() -> float:
    """Measure how long the oldest due run has waited for a worker; 0.0 if none is due."""
    now = timezone.now()
    due = apps.get_model("runs", "Run")._default_manager.filter(due_at__lte=now)
    oldest = due.order_by("due_at").values_list("due_at", flat=True).first()
    return (now - oldest).total_seconds() if oldest else 0.0
