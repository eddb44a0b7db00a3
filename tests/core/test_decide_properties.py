"""Random diagrams, driven by random answers in random order, with lost views and lost workers in between.

`tests.support.core.Play` checks after every fact what must always hold; here it is only driven.
"""

from __future__ import annotations

from collections.abc import Mapping
from random import Random
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchestration.core import facts
from orchestration.core.definition import Json
from orchestration.core.outcomes import Blocked, Failed, Outcome, Succeeded
from orchestration.core.view import Open
from tests.support.core import Play

PORTS = {
    "noop": ("done", "done", "error"),
    "set": ("done",),
    "branch": ("yes", "else"),
    "approval": ("approved", "rejected"),
    "wait": ("done",),
}
KINDS = ("noop", "noop", "noop", "set", "branch", "wait", "approval", "noop")
CONFIG: Mapping[str, Json] = {
    "set": {"values": {"n": "{{ vars.n + 1 }}"}, "writes": {"n": "vars.n + 1"}},
    "branch": {"cases": [{"port": "yes", "when": "vars.n > 1"}]},
    "approval": {"question": "Go on?"},
    "wait": {"for": "10s"},
}
OUTCOMES: tuple[Outcome, ...] = (
    Succeeded(1, tokens=3),
    Succeeded({"n": 2}),
    Failed("broken", "no"),
    Failed("busy", "later", retryable=True),
    Failed("gone", "?", unknown=True, tokens=2),
    Blocked("denied", "not you"),
    Succeeded(None, port="error"),
)


class Choices:
    """Numbers drawn beforehand; 0, the tamest choice, once they are used up."""

    def __init__(self, drawn: bytes) -> None:
        self._left = list(drawn)

    def below(self, limit: int) -> int:
        return self._left.pop(0) % limit if self._left else 0

    def once_in(self, number: int) -> bool:
        return self.below(number) == number - 1

    def of(self, things: Any) -> Any:
        return things[self.below(len(things))]


def a_diagram(choices: Choices) -> dict[str, Json]:
    steps = [_a_step(f"s{number}", choices) for number in range(2 + choices.below(6))]
    edges: list[dict[str, Json]] = []
    for number, step in enumerate(steps):
        for source in {choices.below(number + 1) for _ in range(1 + choices.below(3))}:
            edges.append(_an_edge(steps[source - 1] if source else None, step, choices))
        step["join"] = choices.of(("all", "all", "any", 1 + choices.below(_leading_to(step, edges))))
        step["cancel_rest"] = choices.once_in(3)
    for _ in range(choices.below(4)):
        _go_back(steps, edges, choices)
    limits = {"steps": 3 + choices.below(10)} if choices.once_in(6) else {}
    variables = {"n": {"schema": {"type": "integer", "maximum": 4 + choices.below(4)}, "initial": 0}}
    return {"steps": steps, "edges": edges, "variables": variables, "limits": limits, "output": "{{ vars.n }}"}


def _a_step(step_id: str, choices: Choices) -> dict[str, Json]:
    kind = choices.of(KINDS)
    step: dict[str, Json] = {"id": step_id, "kind": kind, **CONFIG.get(kind, {})}
    if choices.once_in(5):
        step["run_if"] = choices.of(("vars.n < 2", "false", "steps.s0.status != 'failed'"))
    if choices.once_in(4):
        step["on_error"] = choices.of(("continue", {"value": 7}))
    if choices.once_in(3):
        step["retry"] = {"attempts": 2, "delay": "5s"}
    return step


def _an_edge(source: dict[str, Json] | None, target: dict[str, Json], choices: Choices) -> dict[str, Json]:
    if source is None:
        return {"from": "start", "to": target["id"]}
    return {"from": f"{source['id']}.{choices.of(PORTS[source['kind']])}", "to": target["id"]}


def _go_back(steps: list[dict[str, Json]], edges: list[dict[str, Json]], choices: Choices) -> None:
    target = choices.of(steps)
    reached = {target["id"]}
    for step in steps:
        sources = {edge["from"].partition(".")[0] for edge in edges if edge["to"] == step["id"] and "again" not in edge}
        if sources & reached:
            reached.add(step["id"])
    source = choices.of([step for step in steps if step["id"] in reached])
    edge = _an_edge(source, target, choices)
    if not any((one["from"], one["to"]) == (edge["from"], edge["to"]) for one in edges):
        edges.append({**edge, "again": {"max": 1 + choices.below(2)}})


def _leading_to(step: dict[str, Json], edges: list[dict[str, Json]]) -> int:
    return sum(edge["to"] == step["id"] for edge in edges)


def drive(shape: bytes, moves: bytes, most: int = 600) -> Play:
    """Play a random run to its end."""
    play, choices = Play(a_diagram(Choices(shape))), Choices(moves)
    if choices.once_in(40):
        play.cancel()
    play.start()
    late: list[facts.Reported] = []
    for _ in range(most):
        if play.view.standing.is_ended:
            break
        _disturb(play, choices, late)
        if play.view.active:
            _answer(play, choices.of(list(play.view.active.values())), choices, late)
    assert play.view.standing.is_ended, "everything was answered and the run still has not ended"
    for fact in (*late, facts.TimeCame(), facts.Started(), facts.CancelAsked("ann"), facts.WorkerLost()):
        assert play.tell(fact) is None, "an ended run moved"
    return play


def _answer(play: Play, step: Open, choices: Choices, late: list[facts.Reported]) -> None:
    if step.state == "running":
        outcome = choices.of(OUTCOMES) if choices.once_in(2) else OUTCOMES[0]
        fact = facts.Reported(step.path, step.pass_number, step.attempt, outcome)
        assert play.tell(fact) is not None
        late.append(fact)
    elif step.waiting_for == "approval":
        assert play.decided(step.path, choices.of(("approved", "rejected", "expired")), by="ann")
    elif step.waiting_for == "unknown_effect":
        assert play.answered(step.path, choices.of(("happened", "skip", "try_again")), 5)
    else:
        assert step.wake_at is not None
        assert play.wait(max(0.0, (step.wake_at - play.now).total_seconds()))


def _disturb(play: Play, choices: Choices, late: list[facts.Reported]) -> None:
    match choices.below(24):
        case 20:
            play.crash()
        case 21:
            running = [path for path, state in play.open.items() if state == "running"]
            for path in running:
                play.view.reserve(path, 5, 7)
            play.tell(facts.WorkerLost(frozenset(path for path in running if choices.once_in(2))))
        case 22 if late:
            assert play.tell(choices.of(late)) is None, "a late or repeated report moved the run"
        case 23:
            _stop(play, choices)


def _stop(play: Play, choices: Choices) -> None:
    match choices.below(6):
        case 4:
            play.cancel()
        case 5:
            play.tell(facts.Broken("quarantined", "three workers died"))
            assert play.state == "failed"


# Bytes that Hypothesis draws are easily made small; those of a seed are wilder.
seeded = st.integers(0, 2**32).map(lambda seed: Random(seed).randbytes(60 + seed % 90))
shapes, plays = st.binary(min_size=50, max_size=120) | seeded, st.binary(max_size=200) | seeded
slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
quiet = settings(deadline=None, database=None, derandomize=True, suppress_health_check=slow)


@settings(quiet, max_examples=1000)
@given(shapes, plays)
def test_a_random_run_keeps_its_invariants_and_ends(shape: bytes, moves: bytes) -> None:
    drive(shape, moves)


@pytest.mark.slow
@settings(quiet, max_examples=10_000)
@given(shapes, plays)
def test_many_random_runs_keep_their_invariants_and_end(shape: bytes, moves: bytes) -> None:
    drive(shape, moves)
