"""The product's settings with step kinds for benches: one that does nothing, one that fails now and then.

A failpoint, read from BENCH_FAILPOINT, makes the process kill itself where it hurts most (runs/failpoints.py).
"""

import os

from orchestration.settings import *  # noqa: F403

BATON_EXTRA_KINDS = {"noop": "tests.support.noop.Noop", "flaky": "bench.flaky.Flaky"}
BATON_FAILPOINTS = os.environ.get("BENCH_FAILPOINT", "")
