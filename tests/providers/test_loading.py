"""The model library is loaded once, however many first calls come while it loads."""

from __future__ import annotations

import subprocess
import sys

from tests.support.tree import ROOT

# Threads that come a little apart: each meets another state of the half-loaded library.
CALLS = """
import threading, time
from orchestration.providers import model_clients
failed = []
def load(number):
    time.sleep(number * 0.03)
    try:
        model_clients.load("simulator")
    except ImportError as error:
        failed.append(str(error))
threads = [threading.Thread(target=load, args=[number]) for number in range(40)]
for thread in threads: thread.start()
for thread in threads: thread.join()
print(failed)
"""


def test_first_calls_that_come_while_the_library_loads_wait_for_it() -> None:
    done = subprocess.run([sys.executable, "-c", CALLS], cwd=ROOT, capture_output=True, text=True, timeout=120)

    assert done.stdout.strip() == "[]", done.stdout + done.stderr
