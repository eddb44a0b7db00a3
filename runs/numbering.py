"""Numbers of runs within their workflow, reserved in blocks so that no row is hot. Gaps are normal."""

from __future__ import annotations

import threading

from django.db import transaction
from django.db.models import F

from designer.models import Workflow

BLOCK = 50

_lock = threading.Lock()
_blocks: dict[int, range] = {}


def next_number(workflow_id: int) -> int:
    """Take a number; now and then this reserves a block, in a short transaction of its own."""
    with _lock:
        left = _blocks.get(workflow_id) or _reserve(workflow_id)
        _blocks[workflow_id] = left[1:]
        return left[0]


def forget() -> None:
    """Drop this process's blocks: for tests, whose rolled-back workflows come again by the same id."""
    with _lock:
        _blocks.clear()


def _reserve(workflow_id: int) -> range:
    with transaction.atomic():
        workflow = Workflow.objects.filter(pk=workflow_id)
        workflow.update(next_run_number=F("next_run_number") + BLOCK)
        end = workflow.values_list("next_run_number", flat=True).get()
    return range(end - BLOCK, end)
