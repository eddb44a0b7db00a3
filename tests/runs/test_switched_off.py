"""What is switched off is refused by the guard, and the trace says so."""

from __future__ import annotations

import pytest

from designer import tools
from designer.models import ModelRecord, ToolRecord
from runs.models import Span
from tests.support.cast import a_person, a_workspace
from tests.support.engine import a_run, a_workflow, an_engine, settle
from tests.support.outside import Outside, a_model, a_tool

pytestmark = pytest.mark.django_db(transaction=True)
CALL = "steps: [{id: send, kind: tool, tool: desk.send}]\nedges: [{from: start, to: send}]"
ASK = "steps: [{id: say, kind: model, model: fast, prompt: Hello}]\nedges: [{from: start, to: say}]"


def refused(text: str, step: str, name: str, said: str) -> None:
    run = a_run(a_person("operator"), a_workflow(a_workspace(), text))
    with an_engine() as engine:
        run = settle(engine, run)

    assert (run.state, run.error["code"]) == ("blocked", "denied")
    assert f"{name} is {said}" in run.error["message"]
    [span] = Span.objects.filter(run=run, path=step)
    assert (span.kind, span.name, span.status) == ("guard", name, "denied")
    assert (span.attributes["layer"], span.attributes["rule"]) == ("registry", name)


def test_a_tool_that_is_switched_off_is_denied_in_the_trace(outside: Outside) -> None:
    tools.set_tool_enabled(None, a_tool(a_workspace()), False)

    refused(CALL, "send", "desk.send", "switched off")

    assert outside.calls == []


def test_a_tool_that_is_not_registered_is_denied_in_the_trace() -> None:
    assert not ToolRecord.objects.exists()

    refused(CALL, "send", "desk.send", "not registered")


def test_a_model_that_is_switched_off_is_denied_in_the_trace() -> None:
    a_model(a_workspace(), "fast")
    ModelRecord.objects.update(enabled=False)

    refused(ASK, "say", "fast", "switched off")
