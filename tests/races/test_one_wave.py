"""What happens to a run twice within one wave, before anything of it is committed."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from approvals.models import Request
from orchestration.access import Actor
from orchestration.models import User
from runs import cancelling
from runs.engine import Engine
from runs.held import Held
from runs.models import Run
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, an_engine, settle

pytestmark = pytest.mark.django_db(transaction=True)

ASKS = """
steps: [{id: ask, kind: approval, question: "May it?"}]
edges: [{from: start, to: ask}]
"""


def test_a_step_that_asks_and_is_cancelled_in_one_wave_leaves_no_request_open() -> None:
    workspace = a_workspace()
    operator = a_person("operator", workspace)
    run = a_run(operator, a_workflow(workspace, ASKS))

    with an_engine() as engine:
        _cancel_before_the_first_commit(engine, run, operator)
        run = settle(engine, run)

    assert run.state == "cancelled"
    assert not Request.objects.filter(run_id=run.id, state="open").exists()


def _cancel_before_the_first_commit(engine: Engine, run: Run, operator: User) -> None:
    """Let the fact arrive after the run was started in memory and before that is committed."""
    commit = engine._commit

    def commit_after_cancel(dirty: Sequence[Held]) -> None:
        engine._commit = commit
        cancelling.cancel(Actor(operator, run.workspace), run.id)
        engine._advancing.take_facts(dirty[0], engine.journal.store.facts([run.id])[run.id])
        commit(dirty)

    engine._commit = commit_after_cancel
