"""The engine on a real database: what follows from what, and what is written of it."""

from __future__ import annotations

import pytest

from orchestration.core.fingerprints import fingerprint
from orchestration.core.fold import fold
from runs.models import Event, Run, StepRun
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, an_engine, settle

pytestmark = pytest.mark.django_db(transaction=True)

CHAIN = """
steps:
  - {id: a, kind: noop, answer: {n: 1}}
  - {id: b, kind: noop, answer: {n: 2}}
  - {id: c, kind: noop}
edges:
  - {from: start, to: a}
  - {from: a, to: b}
  - {from: b, to: c}
output: {n: "{{ steps.b.output.n }}"}
"""


def ended(run: Run) -> dict[str, str]:
    return dict(StepRun.objects.filter(run_id=run.id).values_list("path", "state"))


def check_events_tell_the_state(run: Run) -> None:
    rows = Event.objects.filter(run_id=run.id).order_by("seq").values_list("seq", "kind", "terminal", "body")
    folded = fold(rows)
    assert (folded.state, folded.waiting_for, folded.seq) == (run.state, run.waiting_for, run.seq)
    stored = {(s.path, s.pass_number): (s.state, s.port, fingerprint(s.output)) for s in run.steps.all()}
    assert folded.ended == stored
    assert set(folded.open) == set(run.active)


def test_a_chain_of_steps_runs_to_its_end_and_renders_its_output() -> None:
    workspace = a_workspace()
    run = a_run(a_person("operator", workspace), a_workflow(workspace, CHAIN))

    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.output) == ("succeeded", {"n": 2})
    assert ended(run) == {"a": "succeeded", "b": "succeeded", "c": "succeeded"}
    assert (run.owner, run.due_at) == (None, None)
    check_events_tell_the_state(run)
