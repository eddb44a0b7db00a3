"""Which facts move a run, and which come too late, too early or twice: reports, timers, decisions."""

from __future__ import annotations

from itertools import permutations

import pytest

from orchestration.core import facts
from orchestration.core.outcomes import Succeeded
from tests.support.core import Play

CHAIN = """
steps: [{id: a, kind: noop, retry: {attempts: 2, delay: 10s}}, {id: b, kind: noop}]
edges: [{from: start, to: a}, {from: a, to: b}]
output: "{{ steps.b.output }}"
"""
ASKING = """
steps:
  - {id: ask, kind: approval, question: "Go on?"}
  - {id: "yes", kind: noop}
  - {id: "no", kind: noop}
  - {id: late, kind: noop}
edges:
  - {from: start, to: ask}
  - {from: ask.approved, to: "yes"}
  - {from: ask.rejected, to: "no"}
  - {from: ask.expired, to: late}
"""


def test_a_start_asks_for_the_first_steps_once() -> None:
    play = Play(CHAIN).start()

    assert (play.state, play.open, play.performed) == ("running", {"a": "running"}, [("a", 0, 1)])
    assert play.tell(facts.Started()) is None


def test_a_run_ends_with_its_last_step_and_its_output() -> None:
    play = Play(CHAIN).start().done("a").done("b", output={"n": 1})

    assert (play.state, play.output) == ("succeeded", {"n": 1})
    assert [kind for _, kind, terminal, _ in play.events if terminal] == ["succeeded"]


@pytest.mark.parametrize(
    "fact",
    [
        facts.Reported("a", 0, 1, Succeeded()), facts.TimeCame(), facts.WorkerLost(), facts.Decided("a", 0, "approved"),
        facts.EffectAnswered("a", 0, "happened", "ann"),
    ],
)  # fmt: skip
def test_before_the_start_only_start_cancel_and_broken_move_a_run(fact: facts.Fact) -> None:
    assert Play(CHAIN).tell(fact) is None


@pytest.mark.parametrize(
    "fact",
    [
        facts.Reported("a", 1, 1, Succeeded()), facts.Reported("a", 0, 2, Succeeded()),
        facts.Reported("b", 0, 1, Succeeded()), facts.Reported("nowhere", 0, 1, Succeeded()), facts.TimeCame(),
        facts.Decided("a", 0, "approved"), facts.EffectAnswered("a", 0, "happened", "ann"),
        facts.Decided("nowhere", 0, "approved"), facts.EffectAnswered("nowhere", 0, "skip", "ann"),
    ],
)  # fmt: skip
def test_a_fact_about_something_else_than_what_is_open_changes_nothing(fact: facts.Fact) -> None:
    assert Play(CHAIN).start().tell(fact) is None


def test_the_same_report_twice_counts_once() -> None:
    play = Play(CHAIN).start()
    report = facts.Reported("a", 0, 1, Succeeded(1, tokens=5))

    assert play.tell(report) is not None
    assert play.tell(report) is None
    assert play.view.standing.tokens == 5


def test_a_report_of_an_earlier_attempt_comes_too_late() -> None:
    play = Play(CHAIN).start()
    first = play.view.active["a"]
    play.fails("a", retryable=True)

    assert play.late(first) is None
    play.wait(10)
    assert play.late(first) is None
    assert play.done("a").open == {"b": "running"}


def test_an_approval_opens_a_request_and_costs_no_worker() -> None:
    play = Play(ASKING).start()

    assert (play.state, play.waiting_for, play.performed) == ("needs_approval", "approval", [])
    assert play.last is not None
    assert [(ask.path, ask.pass_number, ask.kind) for ask in play.last.asks] == [("ask", 0, "step")]
    assert play.last.asks[0].asked["question"] == "Go on?"


@pytest.mark.parametrize(("port", "target"), [("approved", "yes"), ("rejected", "no"), ("expired", "late")])
def test_a_decision_leaves_by_its_port_with_what_was_answered(port: str, target: str) -> None:
    play = Play(ASKING).start().crash()
    play.decided("ask", port, by="bob", comment="fine")

    assert play.open == {target: "running"}
    assert play.view.ended["ask"].output == {"by": "bob", "comment": "fine"}
    assert play.row("ask").reason == f"{port} by bob"


@pytest.mark.parametrize("fact", [facts.Decided("ask", 1, "approved"), facts.EffectAnswered("ask", 0, "skip", "ann")])
def test_a_decision_about_another_pass_or_question_is_ignored(fact: facts.Fact) -> None:
    assert Play(ASKING).start().tell(fact) is None


def test_a_decision_counts_once() -> None:
    play = Play(ASKING).start()

    assert play.tell(facts.Decided("ask", 0, "approved")) is not None
    assert play.tell(facts.Decided("ask", 0, "rejected")) is None
    assert play.open == {"yes": "running"}


def test_a_wait_ends_when_its_time_has_come_and_not_before() -> None:
    play = Play("{steps: [{id: w, kind: wait, for: 60s}], edges: [{from: start, to: w}]}").start()

    assert (play.state, play.waiting_for) == ("waiting", "timer")
    assert play.wait(59) is None
    assert play.crash().wait(1) is not None
    assert play.state == "succeeded"
    assert play.view.ended["w"].output["until"] == play.now.isoformat()


def test_timers_due_together_end_together() -> None:
    play = Play(
        """
        steps: [{id: a, kind: wait, for: 5s}, {id: b, kind: wait, for: 9s}, {id: c, kind: wait, for: 20s}]
        edges: [{from: start, to: a}, {from: start, to: b}, {from: start, to: c}]
        """
    ).start()
    play.wait(10)

    assert play.ended == {"a": "succeeded", "b": "succeeded"}
    assert play.open == {"c": "waiting"}


def test_what_a_run_waits_for_is_what_needs_somebody_first() -> None:
    play = Play(
        """
        steps: [{id: w, kind: noop}, {id: t, kind: wait, for: 1h}, {id: ask, kind: approval, question: q}]
        edges: [{from: start, to: w}, {from: start, to: t}, {from: start, to: ask}]
        """
    ).start()

    assert (play.state, play.waiting_for) == ("running", "")
    play.done("w")
    assert (play.state, play.waiting_for) == ("needs_approval", "approval")
    play.decided("ask", "approved")
    assert (play.state, play.waiting_for) == ("waiting", "timer")


def test_a_long_chain_of_control_steps_is_one_transition_without_recursion() -> None:
    ids = [f"s{number}" for number in range(1500)]
    steps = [{"id": one, "kind": "set", "values": {"x": 1}} for one in ids]
    edges = [{"from": source, "to": target} for source, target in zip(["start", *ids], ids, strict=False)]
    play = Play({"steps": steps, "edges": edges})
    play._check = lambda: None  # the checks compare each step with each row

    play.start()

    assert (play.state, len(play.rows), len(play.events)) == ("succeeded", 1500, 2)


@pytest.mark.parametrize("order", list(permutations(["a", "b", "c"])))
def test_the_order_of_reports_does_not_change_what_a_run_comes_to(order: tuple[str, ...]) -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: b, kind: noop}, {id: c, kind: noop, on_error: continue},
                {id: d, kind: noop}, {id: e, kind: noop, join: 2}]
        edges:
          - {from: start, to: a}
          - {from: start, to: b}
          - {from: start, to: c}
          - {from: a, to: d}
          - {from: b, to: d}
          - {from: a, to: e}
          - {from: b.error, to: e}
          - {from: c, to: e}
        output: ["{{ steps.d.output }}", "{{ steps.e.output }}", "{{ steps.b.status }}"]
        """
    ).start()
    for path in order:
        play.fails(path) if path != "a" else play.done(path)
    play.done("d", output=1)
    play.done("e", output=2)

    assert (play.state, play.output) == ("succeeded", [1, 2, "failed"])
    assert type(play.output[2]) is str
