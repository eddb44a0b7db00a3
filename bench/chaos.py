"""`make chaos`: runs under kill -9, and what became of every one of them.

Keeps RUNS runs going, kills KILLS times at random moments (a third of them by failpoint, in the middle of things),
starts again each time, then lets everything come to rest, answers what is parked from the helpdesk's own log, and
checks every invariant against what the client and the helpdesk saw. Exit code 1 where anything is amiss.

    make chaos                                 both forms, 50 runs, 20 kills
    make chaos ARGS=--short                    the form for CI
    make chaos FORM=cluster SEED=7 RUNS=100 KILLS=40
    make chaos ARGS=--without-defence          shows that the harness can fail
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import shutil
import signal
import sys
import tempfile
import time
from pathlib import Path

from bench import instances
from bench.rounds import Figures, Round
from tests.support.tree import ROOT

FORMS = ("embedded", "cluster")
REPORT = ROOT / "var" / "reports" / "chaos.json"
KEPT = ROOT / "var" / "chaos"  # what a failed round leaves
LEASES = {"BATON_LEASE_SECONDS": "6", "BATON_LEASE_RENEW_SECONDS": "2", "BATON_LEASE_MARGIN_SECONDS": "1.5"}


def main() -> int:
    options = _options()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what was started is ended
    forms = FORMS if options.form == "both" else (options.form,)
    totals = Figures()
    passed = True
    for form in forms:
        figures = _round(form, options)
        totals = totals + figures
        passed &= figures.passed
    if options.without_defence:
        return _judge_control(totals)
    if not options.no_report:
        REPORT.parent.mkdir(parents=True, exist_ok=True)
        REPORT.write_text(json.dumps(totals.as_json(), indent=1) + "\n")
    print(f"\n{'PASSED' if passed else 'FAILED'}: {json.dumps(totals.as_json())}", flush=True)
    return 0 if passed else 1


def _options() -> argparse.Namespace:
    given = os.environ.get
    parser = argparse.ArgumentParser(prog="python -m bench.chaos", description=__doc__.partition("\n")[0])
    parser.add_argument("--short", action="store_true", help="15 runs; 4 kills embedded, 2 and a flush in the cluster")
    parser.add_argument("--runs", type=int, default=int(given("RUNS") or 0), help="runs kept going (50)")
    parser.add_argument("--kills", type=int, default=int(given("KILLS") or 0), help="kills in each form (20)")
    parser.add_argument("--seed", type=int, default=int(given("SEED") or random.randrange(1, 10**6)))
    parser.add_argument("--form", choices=[*FORMS, "both"], default=given("FORM") or "both")
    parser.add_argument("--no-report", action="store_true", help="leave var/reports/chaos.json as it is")
    parser.add_argument("--without-defence", action="store_true", help="remove a defence: this must show doubles")
    return parser.parse_args()


def _round(form: str, options: argparse.Namespace) -> Figures:
    runs = options.runs or (15 if options.short else 50)
    kills = options.kills or ({"embedded": 4, "cluster": 2}[form] if options.short else 20)
    flushes = (1 if options.short else 5) if form == "cluster" else 0
    settings = dict(LEASES)
    if options.without_defence:
        settings["DJANGO_SETTINGS_MODULE"] = "bench.broken_settings"
    print(f"\n== {form}: {runs} runs going, {kills} kills, {flushes} flushes, seed {options.seed}", flush=True)
    folder = Path(tempfile.mkdtemp(prefix=f"baton-chaos-{form}-"))
    began, figures = time.monotonic(), None
    try:
        with getattr(instances, form)(folder, settings) as instance:
            armed = 1.0 if options.without_defence else 1 / 3
            figures = Round(instance, runs, kills, flushes, options.seed, armed).play()
    finally:
        failed = figures is None or not (figures.passed or options.without_defence)
        _keep_or_remove(folder, f"{form}-{options.seed}", failed)
    print(f"-- {form}: {'passed' if figures.passed else 'FAILED'} in {time.monotonic() - began:.0f} s", flush=True)
    return figures


def _keep_or_remove(folder: Path, name: str, failed: bool) -> None:
    if failed:
        kept = KEPT / name
        shutil.rmtree(kept, ignore_errors=True)
        kept.parent.mkdir(parents=True, exist_ok=True)
        with contextlib.suppress(OSError):
            shutil.copytree(folder, kept, ignore=shutil.ignore_patterns("static"))
        print(f"   the logs, history.jsonl and the data are in {kept.relative_to(ROOT)}")
    shutil.rmtree(folder, ignore_errors=True)


def _judge_control(figures: Figures) -> int:
    noticed = figures.double_effects > 0
    print(f"\nWithout the defence, {figures.double_effects} effects happened twice: "
          + ("the harness notices." if noticed else "THE HARNESS IS BLIND."))  # fmt: skip
    return 0 if noticed else 1


if __name__ == "__main__":
    sys.exit(main())
