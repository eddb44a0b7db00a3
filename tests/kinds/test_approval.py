from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from orchestration.core.outcomes import AskApproval
from orchestration.core.values import check
from orchestration.kinds import get
from orchestration.kinds.approval import output_of
from tests.kinds.world import NOW, a_catalog, a_definition, a_scope, a_step, complaints, decided

CREDIT = a_step("tool", id="credit", tool="helpdesk.issue_credit", arguments={"amount": "{{ steps.sum.output.usd }}"})
SUM = a_step("set", id="sum", values={"usd": 20.0})
WAY = ("start -> sum", "sum -> ask", "ask.approved -> credit")


def an_approval(**config: Any) -> Any:
    return a_step("approval", id="ask", **{"question": "Go?", **config})


def test_an_approval_asks_its_question_with_what_it_was_given() -> None:
    step = an_approval(
        question="Credit {{ input.usd }} USD?", context={"to": "{{ input.who }}"}, risk="medium",
        require=[{"from": "owner"}, {"from": "security", "count": 2}], decide_by="2d", use_by="1h",
        form={"type": "object"},
    )  # fmt: skip
    outcome = decided(step, a_scope({"usd": 20, "who": "Ada"}))
    assert outcome == AskApproval(
        request={
            "question": "Credit 20 USD?", "context": {"to": "Ada"}, "risk": "medium", "call": None,
            "require": [{"from": "owner", "count": 1}, {"from": "security", "count": 2}],
            "form": {"type": "object"}, "decide_by": "2026-05-06T09:00:00+00:00", "use_by_seconds": 3600.0,
        },
        decide_by=NOW + timedelta(days=2),
    )  # fmt: skip


def test_an_approval_that_says_little_asks_one_approver_for_ever() -> None:
    outcome = decided(an_approval())
    assert outcome.decide_by is None
    assert outcome.request["require"] == [{"from": "approver", "count": 1}]
    assert (outcome.request["risk"], outcome.request["context"], outcome.request["decide_by"]) == ("low", {}, None)
    assert outcome.request["use_by_seconds"] == 86_400


def test_the_covered_call_is_resolved_when_the_question_is_asked() -> None:
    scope = a_scope(steps={"sum": {"usd": 20.0}}, known=(CREDIT,))
    call = decided(an_approval(covers="credit"), scope).request["call"]
    assert call == {"step": "credit", "tool": "helpdesk.issue_credit", "arguments": {"amount": 20.0}}


def test_an_approval_leaves_by_what_was_decided() -> None:
    assert get("approval").ports({}) == ("approved", "rejected", "expired", "error")


def test_a_covered_tool_step_after_approved_is_fine() -> None:
    step = an_approval(covers="credit")
    assert complaints(step, a_definition(SUM, step, CREDIT, edges=WAY)) == []


@pytest.mark.parametrize(
    ("covers", "edges", "message"),
    [
        ("nothing", WAY, "there is no such step"),
        ("sum", WAY, "its kind is `set`"),
        ("credit", ("start -> sum", "sum -> ask", "ask.rejected -> credit"), "does not come after"),
        ("credit", ("start -> ask", "ask.approved -> sum", "sum -> credit"), "reads `sum`, which is not there yet"),
    ],
)
def test_a_cover_that_can_not_be_kept_is_refused(covers: str, edges: tuple[str, ...], message: str) -> None:
    step = an_approval(covers=covers)
    found = complaints(step, a_definition(SUM, step, CREDIT, edges=edges))
    assert any(one.field == "covers" and message in one.message for one in found)


def test_a_covered_call_can_not_read_the_answer_of_the_approval() -> None:
    step = an_approval(covers="credit")
    reads = a_step("tool", id="credit", tool="t", arguments={"x": ["{{ steps.ask.output.comment }}"]})
    found = complaints(step, a_definition(SUM, step, reads, edges=WAY))
    assert "reads `ask`" in found[0].message


def test_a_role_that_the_workspace_does_not_have_is_refused_at_its_row() -> None:
    catalog = replace(a_catalog(), roles=frozenset({"approver", "operator"}))
    step = an_approval(require=[{"from": "operator"}, {"from": "aprover", "count": 2}])

    [found] = complaints(step, catalog=catalog)

    assert (found.field, found.message) == ("require[1].from", "this workspace has no role `aprover`")
    assert "approver" in found.fix


def test_the_role_that_is_asked_without_a_word_must_be_there_too() -> None:
    [found] = complaints(an_approval(), catalog=replace(a_catalog(), roles=frozenset({"boss"})))

    assert "no role `approver`" in found.message


def test_bad_durations_and_forms_are_refused() -> None:
    found = complaints(an_approval(decide_by="soon", use_by="1 fortnight", form={"type": "string"}))
    assert [one.field for one in found] == ["decide_by", "use_by", "form"]


@pytest.mark.parametrize(
    ("port", "decision"),
    [
        ("approved", {"by": "ada", "comment": "fine", "request": "r1", "answer": {"n": 1}}),
        ("rejected", {"by": "ada", "comment": "no"}),
        ("expired", {}),
    ],
)
def test_the_output_of_an_approval_is_as_its_schema_says(port: str, decision: dict) -> None:
    step = an_approval(form={"type": "object", "properties": {"n": {"type": "integer"}}})
    output = output_of(port, decision)
    check(output, get("approval").output_schema(step, a_definition(step), a_catalog()))
    assert output["decision"] == port
    assert output["by"] == decision.get("by", "")
