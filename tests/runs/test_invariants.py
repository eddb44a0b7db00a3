"""The checker of invariants: quiet on what is right, loud on each kind of wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from io import StringIO
from pathlib import Path
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command

from runs import invariants, oracles
from runs.models import Effect, Event, Run, StepRun
from runs.times import database_now
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, an_engine, settle

pytestmark = pytest.mark.django_db(transaction=True)

CHAIN = """
steps: [{id: a, kind: noop, answer: 1}, {id: pause, kind: wait, for: 1h}]
edges: [{from: start, to: a}, {from: a, to: pause}]
"""
SHORT = "steps: [{id: a, kind: noop, answer: 1}]\nedges: [{from: start, to: a}]\noutput: 7"


def at_rest(text: str = SHORT) -> Run:
    workspace = a_workspace()
    run = a_run(a_person("operator", workspace), a_workflow(workspace, text))
    with an_engine() as engine:
        return settle(engine, run)


def found(strict: bool = True) -> dict[str, str]:
    """Give what is wrong by invariant."""
    tolerance = invariants.Tolerance(database_now(), timedelta(seconds=30), strict)
    return {one.invariant: one.what for one in invariants.violations(tolerance) if not hasattr(one, "hex")}


def change(run: Run, **fields: object) -> None:
    Run.objects.filter(pk=run.pk).update(**fields)


def an_effect(run: Run, **fields: object) -> Effect:
    now = database_now()
    given = {
        "key": uuid4().hex, "workspace_id": run.workspace_id, "path": "a", "tool": "helpdesk.open_ticket",
        "effect": "once", "arguments": b'{"n":1}', "digest": "", "state": "confirmed", "epoch": 1, "intended_at": now,
        "settled_at": now, **fields,
    }  # fmt: skip
    return Effect.objects.create(run_id=run.id, **given)


@pytest.mark.parametrize("text", [SHORT, CHAIN])
def test_what_the_engine_writes_violates_nothing(text: str) -> None:
    at_rest(text)

    assert found() == {}


def test_a_run_nobody_takes_up_is_a_violation_only_of_an_instance_at_rest() -> None:
    workspace = a_workspace()
    a_run(a_person("operator", workspace), a_workflow(workspace, SHORT))

    assert found(strict=False) == {}
    assert "still queued" in found(strict=True)["I1"]


def test_an_ending_without_its_event_is_found() -> None:
    run = at_rest()
    Event.objects.filter(run_id=run.id, terminal=True).update(terminal=False, kind="step_reported")

    assert "without an event" in found()["I1"]


def test_an_ended_run_that_somebody_still_owns_is_found() -> None:
    change(at_rest(), owner=uuid4())

    assert "still has owner" in found()["I1"]


def test_a_timer_that_never_comes_is_found() -> None:
    change(at_rest(CHAIN), due_at=None)

    assert "never due" in found()["I1"]


def test_a_run_that_is_long_overdue_is_found() -> None:
    change(at_rest(CHAIN), due_at=database_now() - timedelta(minutes=5))

    assert "has been due since" in found()["I6"]


def test_a_gap_in_the_trace_is_found() -> None:
    run = at_rest()
    Event.objects.filter(run_id=run.id, seq=2).delete()

    assert set(found()) >= {"I4", "I10"}


def test_a_stored_state_that_the_events_do_not_tell_is_found() -> None:
    change(at_rest(), output=8)

    assert found()["I10"].startswith("output")


def test_a_row_of_a_later_epoch_than_its_run_is_found() -> None:
    run = at_rest()
    StepRun.objects.filter(run_id=run.id).update(epoch=run.epoch + 1)

    assert "steps of epoch" in found()["I3"]


def test_tokens_that_do_not_add_up_are_found() -> None:
    change(at_rest(), tokens=5)

    assert "tokens: 0 in its steps, 5 in the run" in found()["I8"]


def test_a_run_that_belongs_to_another_workspace_than_its_workflow_is_found() -> None:
    change(at_rest(), workspace=a_workspace("elsewhere"))

    assert "somebody else" in found()["I12"]


def test_a_call_that_is_never_settled_is_found() -> None:
    an_effect(at_rest(), state="intended", settled_at=None)

    assert "not settled" in found()["I2"]


def test_an_unknown_call_that_nobody_is_asked_about_is_found() -> None:
    an_effect(at_rest(), state="unknown")

    assert "nobody was asked" in found()["I2"]


def test_an_approval_that_does_not_exist_is_found() -> None:
    an_effect(at_rest(), approval=uuid4())

    assert "not one of this run" in found()["I11"]


def said(check: object) -> str:
    return "; ".join(str(one) for one in check)  # type: ignore[attr-defined]


def a_log(folder: Path, *lines: dict[str, str]) -> Path:
    file = folder / "log.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


def test_an_accepted_run_that_is_not_there_is_found(tmp_path: Path) -> None:
    there, lost = str(at_rest().id), str(uuid4())

    complaint = said(oracles.accepted(a_log(tmp_path, {"key": "k1", "run": there}, {"key": "k2", "run": lost})))

    assert complaint == f"I1 {lost}: it was accepted, and is not there"


def test_a_key_that_started_two_runs_is_found(tmp_path: Path) -> None:
    one, two = str(at_rest().id), str(at_rest().id)

    assert "started 2 runs" in said(
        oracles.accepted(a_log(tmp_path, {"key": "k", "run": one}, {"key": "k", "run": two}))
    )


def an_act(effect: Effect, **changes: str) -> dict[str, str]:
    sent = oracles._digest(json.loads(bytes(effect.arguments)))
    return {"key": effect.key, "tool": "open_ticket", "arguments_digest": sent, **changes}


def test_a_receiver_that_saw_what_the_ledger_says_is_no_violation(tmp_path: Path) -> None:
    effect = an_effect(at_rest())

    assert said(oracles.outside(a_log(tmp_path, an_act(effect)))) == ""


@pytest.mark.parametrize(
    ("times", "state", "changes", "complaint"),
    [
        (2, "confirmed", {}, "acted 2 times for one key"),
        (1, "confirmed", {"arguments_digest": "other"}, "other arguments"),
        (1, "failed", {}, "the ledger says failed"),
        (1, "confirmed", {"key": "never entered"}, "not in the ledger"),
    ],
)
def test_a_receiver_that_saw_something_else_is_a_violation(
    tmp_path: Path, times: int, state: str, changes: dict[str, str], complaint: str
) -> None:
    effect = an_effect(at_rest(), state=state)

    assert complaint in said(oracles.outside(a_log(tmp_path, *[an_act(effect, **changes)] * times)))


def test_a_confirmed_call_that_its_receiver_never_got_is_found(tmp_path: Path) -> None:
    run = at_rest()
    seen, unseen = an_effect(run), an_effect(run, path="b")

    complaint = said(oracles.outside(a_log(tmp_path, an_act(seen))))

    assert f"the receiver knows nothing of {unseen.key[:12]}" in complaint


def test_the_command_counts_and_fails_where_anything_is_wrong(tmp_path: Path) -> None:
    run, output, report = at_rest(), StringIO(), tmp_path / "report.json"
    call_command("check_invariants", "--strict", stdout=output, report=report)
    assert "1 runs were checked." in output.getvalue()

    change(run, output=8)
    with pytest.raises(CommandError, match="1 violations"):
        call_command("check_invariants", "--strict", stdout=output, stderr=output, report=report)

    assert json.loads(report.read_text())["I10"] == 1
