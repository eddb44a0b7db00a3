"""Many at once: parallel steps, many runs in a wave, and two workers side by side."""

from __future__ import annotations

import threading
from typing import Any

import pytest

from runs.models import Run
from tests.runs.test_engine import CHAIN, check_events_tell_the_state
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle
from tests.support.outside import Outside, a_tool, what_is_wrong

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_run_with_two_hundred_parallel_steps_ends_whole(outside: Outside) -> None:
    workspace = a_workspace()
    a_tool(workspace, "desk.send", "keyed")
    steps = "".join(f"  - {{id: s{n}, kind: tool, tool: desk.send}}\n" for n in range(200))
    edges = "".join(f"  - {{from: start, to: s{n}}}\n  - {{from: s{n}, to: all}}\n" for n in range(200))
    text = f"steps:\n{steps}  - {{id: all, kind: noop}}\nedges:\n{edges}"
    run = a_run(a_person("operator", workspace), a_workflow(workspace, text))
    with an_engine() as engine:
        run = settle(engine, run)

    assert run.state == "succeeded"
    assert len(set(outside.keys("desk.send"))) == len(outside.calls) == 200
    check_events_tell_the_state(run)
    assert what_is_wrong(strict=True) == []


def test_a_wave_of_many_runs_is_committed_together_and_each_ends_once() -> None:
    workspace = a_workspace()
    person, workflow = a_person("operator", workspace), a_workflow(workspace, CHAIN)
    runs = [a_run(person, workflow) for _ in range(60)]
    with an_engine() as engine:
        commits: list[int] = []
        commit = engine.journal.commit

        def counted(writes: Any) -> Any:
            commits.append(len(writes))
            return commit(writes)

        engine.journal.commit = counted  # type: ignore[method-assign]
        advance(engine, lambda: not Run.objects.exclude(state="succeeded").exists())

    assert max(commits) == 60
    for run in runs:
        run.refresh_from_db()
        check_events_tell_the_state(run)


def test_two_whole_workers_share_the_work_and_do_nothing_twice(outside: Outside, settings: Any) -> None:
    settings.BATON_RUNS_PER_WORKER = 5
    workspace = a_workspace()
    a_tool(workspace, "desk.send", "once")
    text = """
        steps: [{id: a, kind: noop}, {id: send, kind: tool, tool: desk.send}]
        edges: [{from: start, to: a}, {from: a, to: send}]
        """
    person, workflow = a_person("operator", workspace), a_workflow(workspace, text)
    runs = [a_run(person, workflow) for _ in range(40)]
    with an_engine() as one, an_engine() as other, an_engine() as watching:
        threads = [threading.Thread(target=engine.run) for engine in (one, other)]
        for thread in threads:
            thread.start()
        try:
            watching._claim = lambda: 0  # type: ignore[method-assign]
            advance(watching, lambda: not Run.objects.exclude(state="succeeded").exists(), 60)
        finally:
            for engine in (one, other):
                engine.stop()
            for thread in threads:
                thread.join(30)

    assert len(set(outside.keys("desk.send"))) == len(outside.calls) == 40
    for run in runs:
        run.refresh_from_db()
        assert run.epoch == 1
        check_events_tell_the_state(run)
    assert what_is_wrong(strict=True) == []
