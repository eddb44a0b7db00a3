"""The one door on a real run: grants, limits, approvals that cover a call, and verdicts that came too early."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from approvals import deciding
from approvals.models import Request
from designer import changing, tools
from designer.models import ToolRecord
from orchestration.access import Actor
from orchestration.core.canonical import canonical
from orchestration.models import User
from runs.models import Effect, Run, Span
from runs.times import database_now
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, advance, an_engine, settle
from tests.support.outside import Outside, a_model, a_tool, not_acted, to_the_end, unknown, what_is_wrong

pytestmark = pytest.mark.django_db(transaction=True)

COVERED = """
variables: {n: {schema: {type: integer}, initial: 1}}
steps:
  - {id: ask, kind: approval, question: "Send it?", covers: send, require: [{from: approver}]}
  - {id: change, kind: set, values: {n: 2}, writes: {n: "steps.change.output.n"}}
  - {id: send, kind: tool, tool: desk.send, arguments: {n: "{{ vars.n }}"}%s}
edges:
  - {from: start, to: ask}
  - {from: ask.approved, to: change}
  - {from: change, to: send}
"""


def a_covered_run(more: str = "", text: str = COVERED) -> Run:
    workspace = a_workspace()
    a_tool(workspace)
    text = text % more if "%s" in text else text
    return a_run(a_person("operator", workspace), a_workflow(workspace, text))


def decide(run: Run, verdict: str = "approve", by: User | None = None, kind: str = "step") -> Request:
    request = Request.objects.get(run_id=run.id, kind=kind, state="open")
    actor = Actor(by or a_person("approver", run.workspace), run.workspace)
    deciding.decide(actor, request.id, verdict, digest=request.digest, comment="I looked.", via="page")
    return request


def verdicts(run: Run, path: str) -> list[str]:
    spans = Span.objects.filter(run_id=run.id, path=path, kind="guard").order_by("id")
    return [span.attributes["verdict"] for span in spans]


def test_a_covered_call_sends_the_bytes_that_were_approved_and_not_what_they_would_be_now(outside: Outside) -> None:
    run = a_covered_run()
    with an_engine() as engine:
        settle(engine, run)
        request = decide(run)
        run = to_the_end(engine, run)

    effect = Effect.objects.get(run_id=run.id)
    request.refresh_from_db()
    assert (run.state, run.variables) == ("succeeded", {"n": 2})
    assert outside.bodies("desk.send") == [canonical({"n": 1})] == [bytes(effect.arguments)]
    assert effect.approval == request.id
    assert request.used_at is not None
    assert what_is_wrong(strict=True) == []


def test_a_call_that_was_not_approved_is_denied(outside: Outside) -> None:
    run = a_covered_run(text=COVERED.replace("ask.approved", "ask.rejected") % "")
    with an_engine() as engine:
        settle(engine, run)
        decide(run, "reject")
        run = to_the_end(engine, run)

    assert (run.state, run.error["code"], outside.calls) == ("blocked", "denied", [])
    assert "must be approved in ask first" in run.error["message"]
    assert verdicts(run, "send") == ["deny"]


def test_an_approval_lets_one_call_out_and_no_second_pass(outside: Outside) -> None:
    run = a_covered_run(text="""
        steps:
          - {id: ask, kind: approval, question: "Send it?", covers: send, require: [{from: approver}]}
          - {id: send, kind: tool, tool: desk.send}
          - {id: more, kind: branch, cases: [{port: "yes", when: "true"}]}
        edges:
          - {from: start, to: ask}
          - {from: ask.approved, to: send}
          - {from: send, to: more}
          - {from: more.yes, to: send, again: {max: 3}}
        """)  # fmt: skip
    with an_engine() as engine:
        settle(engine, run)
        decide(run)
        run = to_the_end(engine, run)

    assert (run.state, run.error["code"], len(outside.calls)) == ("blocked", "approval_not_usable", 1)
    assert "used already" in run.error["message"]


def test_an_approval_is_worth_nothing_once_its_approver_was_disabled(outside: Outside) -> None:
    run = a_covered_run()
    with an_engine() as engine:
        settle(engine, run)
        approver = a_person("approver", run.workspace)
        decide(run, by=approver)
        User.objects.filter(pk=approver.pk).update(is_active=False)
        run = to_the_end(engine, run)

    step = run.steps.get(path="send")
    assert (run.state, step.state, outside.calls) == ("blocked", "blocked", [])
    assert "may no longer do so" in step.error["message"]
    assert Request.objects.get(run_id=run.id).used_at is None
    assert Effect.objects.count() == 0


def change_arguments(request: Request) -> None:
    action = {**orjson.loads(bytes(request.action)), "arguments": {"n": 1000}}
    Request.objects.filter(pk=request.pk).update(action=canonical(action))


def change_where_it_goes(request: Request) -> None:
    tool = ToolRecord.objects.get(name="desk.send")
    tool.target, tool.definition_hash = {"server": "elsewhere", "tool": "desk.send"}, "b" * 64
    tool.save()
    changing.touch_guard(tool.workspace)


def let_it_lapse(request: Request) -> None:
    Request.objects.filter(pk=request.pk).update(use_by=request.opened_at)


@pytest.mark.parametrize(
    ("meanwhile", "why"),
    [
        (change_arguments, "no longer what was approved"),
        (change_where_it_goes, "definition_hash, connection is another now"),
        (let_it_lapse, "had to be used before"),
    ],
)
def test_what_is_no_longer_what_was_approved_does_not_leave(
    outside: Outside, meanwhile: Callable[[Request], None], why: str
) -> None:
    run = a_covered_run()
    with an_engine() as engine:
        settle(engine, run)
        meanwhile(decide(run))
        run = to_the_end(engine, run)

    assert (run.state, run.error["code"], outside.calls) == ("blocked", "approval_not_usable", [])
    assert why in run.error["message"]
    assert Effect.objects.count() == 0


def test_an_approved_call_that_provably_failed_goes_out_again_under_the_same_approval(outside: Outside) -> None:
    run = a_covered_run(", retry: {attempts: 3, delay: 0s}")
    outside.answers("desk.send", not_acted(), not_acted())
    with an_engine() as engine:
        settle(engine, run)
        decide(run)
        run = to_the_end(engine, run)

    assert run.state == "succeeded"
    assert [(call.key, call.body) for call in outside.calls] == [(outside.calls[0].key, canonical({"n": 1}))] * 3
    assert what_is_wrong(strict=True) == []


def test_trying_an_approved_call_again_sends_what_was_approved(outside: Outside) -> None:
    run = a_covered_run()
    outside.answers("desk.send", unknown())
    with an_engine() as engine:
        settle(engine, run)
        decide(run)
        advance(engine, lambda: Request.objects.filter(run_id=run.id, kind="unknown_effect").exists())
        decide(run, "try_again", kind="unknown_effect")
        run = to_the_end(engine, run)

    assert run.state == "succeeded"
    assert outside.bodies("desk.send") == [canonical({"n": 1})] * 2
    assert len(set(outside.keys("desk.send"))) == 2
    assert what_is_wrong(strict=True) == []


def test_a_tool_switched_off_between_verdict_and_commit_is_not_called(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    workspace = a_workspace()
    tool = a_tool(workspace)
    text = "steps: [{id: send, kind: tool, tool: desk.send}]\nedges: [{from: start, to: send}]"
    run = a_run(a_person("operator", workspace), a_workflow(workspace, text))
    with an_engine() as engine:
        commit, switched = engine.journal.commit, []

        def switched_off_first(writes: Any) -> Any:
            if not switched:
                switched.append(tools.set_tool_enabled(None, tool, False))
            return commit(writes)

        monkeypatch.setattr(engine.journal, "commit", switched_off_first)
        run = settle(engine, run)

    assert (run.state, run.error["code"], outside.calls) == ("blocked", "denied", [])
    assert "switched off" in run.error["message"]
    assert verdicts(run, "send") == ["allow", "deny"]
    assert Effect.objects.count() == 0


def test_a_change_that_still_allows_the_call_lets_it_out_once(
    outside: Outside, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = a_covered_run(text="steps: [{id: send, kind: tool, tool: desk.send}]\nedges: [{from: start, to: send}]")
    with an_engine() as engine:
        commit, touched = engine.journal.commit, []

        def touched_first(writes: Any) -> Any:
            if not touched:
                touched.append(changing.touch_guard(run.workspace))
            return commit(writes)

        monkeypatch.setattr(engine.journal, "commit", touched_first)
        run = settle(engine, run)

    assert (run.state, len(outside.calls)) == ("succeeded", 1)


MODELS = """
limits: {%s}
steps:
  - {id: a, kind: model, model: fast, prompt: Hello}
  - {id: b, kind: model, model: fast, prompt: Hello}
edges: [{from: start, to: a}, {from: start, to: b}]
"""


@pytest.mark.parametrize(("limit", "code"), [("tokens: 1000", "limit_tokens"), ("usd: 0.001", "limit_usd")])
def test_a_limit_counts_what_parallel_steps_may_still_spend(outside: Outside, limit: str, code: str) -> None:
    workspace = a_workspace()
    a_model(workspace, "fast", max_tokens=100)
    run = a_run(a_person("operator", workspace), a_workflow(workspace, MODELS % limit))
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.error["code"]) == ("blocked", code)
    assert (verdicts(run, "a"), verdicts(run, "b")) == (["allow"], ["deny"])  # alone, each would have had room
    assert dict(run.steps.values_list("path", "state")) == {"a": "cancelled", "b": "blocked"}
    assert outside.calls == []


def test_both_parallel_steps_run_where_the_limit_has_room_for_both(outside: Outside) -> None:
    workspace = a_workspace()
    a_model(workspace, "fast", max_tokens=100)
    run = a_run(a_person("operator", workspace), a_workflow(workspace, MODELS % "tokens: 2000"))
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.tokens, len(outside.calls)) == ("succeeded", 40, 2)


def test_a_step_that_is_denied_ends_what_started_beside_it(outside: Outside) -> None:
    workspace = a_workspace()
    a_tool(workspace, "desk.send", enabled=True)
    a_tool(workspace, "desk.dark", enabled=False)
    text = """
        steps: [{id: work, kind: tool, tool: desk.send}, {id: dark, kind: tool, tool: desk.dark}]
        edges: [{from: start, to: work}, {from: start, to: dark}]
        """
    run = a_run(a_person("operator", workspace), a_workflow(workspace, text))
    with an_engine() as engine:
        run = settle(engine, run)

    assert run.state in ("failed", "blocked")
    assert outside.calls == []
    assert (run.steps.get(path="work").state, run.owner) == ("cancelled", None)
    assert what_is_wrong(strict=True) == []


def test_the_verdict_of_each_attempt_is_in_the_trace(outside: Outside) -> None:
    run = a_covered_run(text="steps: [{id: send, kind: tool, tool: desk.send}]\nedges: [{from: start, to: send}]")
    with an_engine() as engine:
        run = settle(engine, run)

    (span,) = Span.objects.filter(run_id=run.id, kind="guard")
    assert (span.name, span.status, span.attributes["layer"]) == ("desk.send", "ok", "grant")
    assert span.ended_at <= database_now()
