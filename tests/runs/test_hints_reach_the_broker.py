"""A ring in a web process reaches the queue that workers listen to."""

from __future__ import annotations

import os
import subprocess
import sys
from uuid import uuid4

import pytest
import redis

from tests.support import processes
from tests.support.tree import ROOT

# As in a web process: nothing there has imported the Celery application before the first ring.
RING = """
import django, sys, time
django.setup()
from django.conf import settings
assert "orchestration.celery" not in sys.modules
from runs import hints
hints.ring()
import redis
with redis.Redis.from_url(settings.REDIS_URL) as broker:
    end = time.monotonic() + 20
    while not broker.llen(settings.CELERY_TASK_DEFAULT_QUEUE) and time.monotonic() < end:
        time.sleep(0.02)
"""


@pytest.mark.services
def test_a_ring_of_a_process_that_has_no_worker_is_a_message_in_our_queue() -> None:
    url = os.environ.get("TEST_REDIS_URL")
    if not url:
        pytest.skip("needs Redis: `make test` finds or starts one")
    queue = f"baton-test-{uuid4().hex[:8]}"
    env = processes.environment(
        DATABASE_URL="postgres://nobody@127.0.0.1:1/never_connected", REDIS_URL=url, BATON_QUEUE=queue,
        BATON_SECRET_KEY="only-for-this-test", BATON_ENCRYPTION_KEYS="only-for-this-test",
        DJANGO_SETTINGS_MODULE="orchestration.settings",
    )  # fmt: skip

    rung = subprocess.run([sys.executable, "-c", RING], env=env, cwd=ROOT, capture_output=True, text=True, timeout=60)

    with redis.Redis.from_url(url) as broker:
        waiting = broker.llen(queue)
        broker.delete(queue, f"_kombu.binding.{queue}", f"_kombu.binding_permanent.{queue}")
    assert rung.returncode == 0, rung.stderr
    assert waiting == 1, rung.stderr
