"""`make bench`: durable steps a second and the time one run takes, on PostgreSQL, beside what the machine can do.

Throughput: 1,000 runs of 10 no-op steps are accepted while both workers are stopped (SIGSTOP), then both are let go at
once. A step is all that the product writes: run, step, event, one commit before the next step starts. The limit is
measured in between, in the same minutes: a bare psycopg loop of one statement and one commit a step.

Latency: one run at a time through REST, `?wait=10s`, web and worker in processes of their own, the worker idle.

Writes var/reports/bench.json; exit code 1 where a bar is missed. Only ratios mean something on a busy machine.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psycopg

from bench import limit
from bench.instances import Cluster
from bench.latency import Latency
from tests.support.tree import ROOT
from tools import services

REPORT = ROOT / "var" / "reports" / "bench.json"
RUNS, STEPS, WORKERS = 1000, 10, ("worker-1", "worker-2")
LEAST_SHARE = 0.3  # of the limit
MOST_1_STEP_P50_MS = 25.0
ROUND_SECONDS = 120.0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m bench.engine", description=__doc__.partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=int(os.environ.get("ROUNDS") or 3))
    parser.add_argument("--runs", type=int, default=RUNS, help="of the throughput rounds (%(default)s)")
    parser.add_argument("--requests", type=int, default=200, help="of each latency figure (%(default)s)")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    with _bench() as bench:
        figures = bench.measure(options.rounds, options.runs, options.requests)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(figures, indent=1) + "\n")
    return _judge(figures)


def _judge(figures: dict[str, float]) -> int:
    share = figures["steps_per_s"] / figures["one_commit_limit_steps_per_s"]
    p50 = figures["rest_1_step_p50_ms"]
    bars = [
        (f"steps_per_s is {share:.2f} of one_commit_limit_steps_per_s (at least {LEAST_SHARE})", share >= LEAST_SHARE),
        (f"rest_1_step_p50_ms is {p50} (at most {MOST_1_STEP_P50_MS:g})", p50 <= MOST_1_STEP_P50_MS),
    ]
    print()
    for name, figure in figures.items():
        print(f"{name}: {figure}")
    for sentence, held in bars:
        print(f"{'pass' if held else 'MISSED'}: {sentence}")
    return 0 if all(held for _, held in bars) else 1


@contextlib.contextmanager
def _bench() -> Iterator[Bench]:
    """Set up a database and a broker of our own, and take them down again."""
    with contextlib.ExitStack() as stack:
        server, broker = stack.enter_context(services.postgres()), stack.enter_context(services.broker())
        if not server or not broker:
            sys.exit("bench: needs PostgreSQL and Redis: DATABASE_URL and REDIS_URL, the standard ports, or binaries.")
        database = stack.enter_context(services.database(server))
        folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="baton-bench-"))
        cluster = Cluster(Path(folder) / "own", {"BATON_QUEUE": f"baton-{os.getpid()}"}, database, broker)
        stack.callback(cluster.kill_all)
        yield Bench(cluster, database)


class Bench:
    def __init__(self, cluster: Cluster, database: str) -> None:
        self._cluster, self._database = cluster, database

    def measure(self, rounds: int, runs: int, requests: int) -> dict[str, float]:
        self._done("migrate", "--no-input")
        self._done("create_admin")
        workflows = {1: _chain(1), 5: _chain(5), STEPS: _chain(STEPS)}
        for steps, text in workflows.items():
            file = self._cluster.folder / f"chain-{steps}.yaml"
            file.write_text(text)
            self._done("workflows", "push", str(file))
        self._start(*WORKERS)
        steps_per_s, limit_per_s = self._throughput(rounds, runs)
        for name in WORKERS[1:]:
            self._cluster.processes[name].stop()
        self._start("web")
        return {
            "steps_per_s": round(steps_per_s),
            "one_commit_limit_steps_per_s": round(limit_per_s),
            **self._latency(requests),
        }

    # Throughput

    def _throughput(self, rounds: int, runs: int) -> tuple[float, float]:
        ours, limits = [], []
        self._one_round(max(1, runs // 10))  # warm-up
        for number in range(rounds):
            # The better of two ways is the limit: clients in processes of their own, or threads of two.
            limits.append(max(limit.measure(self._database, way) for way in ("processes", "threads")))
            ours.append(self._one_round(runs))
            print(f"round {number + 1}: {ours[-1]:,.0f} steps/s; the limit {limits[-1]:,.0f}", flush=True)
        return statistics.median(ours), statistics.median(limits)

    def _one_round(self, runs: int) -> float:
        """Accept runs while the workers are stopped, let both go at once; time it all by the database's clock."""
        workers = [self._cluster.processes[name] for name in WORKERS]
        for worker in workers:
            worker.send(signal.SIGSTOP)
        try:
            self._done("shell", "-c", ACCEPT.format(runs=runs, slug=f"chain-{STEPS}"))
            with psycopg.connect(self._database, autocommit=True) as connection:
                queued = connection.execute("SELECT count(*) FROM runs_run WHERE state = 'queued'").fetchone()
                began = connection.execute("SELECT engine_now()").fetchone()
        finally:
            for worker in workers:
                worker.send(signal.SIGCONT)
        if queued != (runs,) or began is None:
            raise RuntimeError(f"{queued} runs are queued, {runs} were accepted: a worker was not stopped")
        return runs * STEPS / self._seconds(began[0], runs)

    def _seconds(self, began: object, runs: int) -> float:
        end = time.monotonic() + ROUND_SECONDS
        question = """
            SELECT count(*), extract(epoch FROM max(ended_at) - %(began)s) FROM runs_run
            WHERE state = 'succeeded' AND ended_at >= %(began)s"""
        with psycopg.connect(self._database, autocommit=True) as connection:
            while time.monotonic() < end:
                time.sleep(0.1)
                row = connection.execute(question, {"began": began}).fetchone()
                if row and row[0] == runs:
                    return float(row[1])
        said = "".join(process.output()[-2000:] for process in self._cluster.processes.values())
        raise RuntimeError(f"The runs did not end within {ROUND_SECONDS:g} s: {row}. The workers say:\n{said}")

    # Latency

    def _latency(self, requests: int) -> dict[str, float]:
        self._cluster.wait_until_ready()
        self._wait_until_idle()
        secret = self._done("token", "admin").strip()
        rest = Latency(urlsplit(self._cluster.url).port or 0, secret)
        figures = {}
        for steps, percentiles in ((1, (50, 95)), (5, (50,))):
            measured = rest.measure(f"chain-{steps}", requests)
            for percentile in percentiles:
                figures[f"rest_{steps}_step_p{percentile}_ms"] = round(measured[percentile], 1)
        return figures

    def _wait_until_idle(self) -> None:
        """Let the worker finish what throughput left behind: the seals of thousands of audit rows."""
        end = time.monotonic() + ROUND_SECONDS
        with psycopg.connect(self._database, autocommit=True) as connection:
            while connection.execute("SELECT EXISTS (SELECT 1 FROM orchestration_auditpending)").fetchone() == (True,):
                if time.monotonic() > end:
                    raise RuntimeError("The audit log was not sealed in time")
                time.sleep(0.2)

    # Processes

    def _start(self, *names: str) -> None:
        self._cluster.revive(names=names)

    def _done(self, *arguments: str) -> str:
        done = self._cluster.manage(*arguments, seconds=300)
        if done.returncode:
            raise RuntimeError(f"manage.py {arguments[0]} failed:\n{done.stdout}{done.stderr}")
        return done.stdout


def _chain(steps: int) -> str:
    lines = ["format: baton/1", f"name: Chain of {steps}", "steps:"]
    lines += [f"  - {{id: s{n}, kind: noop, answer: {{n: {n}}}}}" for n in range(1, steps + 1)]
    lines += ["edges:", "  - {from: start, to: s1}"]
    lines += [f"  - {{from: s{n}, to: s{n + 1}}}" for n in range(1, steps)]
    return "\n".join(lines) + "\n"


ACCEPT = """
from designer.models import Workflow
from orchestration.access import Actor
from orchestration.models import User
from runs import starting
workflow = Workflow.objects.get(slug={slug!r})
actor = Actor(User.objects.get(username="admin"), workflow.workspace)
for _ in range({runs}):
    starting.start(actor, workflow, {{}}, trigger="api")
"""


if __name__ == "__main__":
    sys.exit(main())
