"""Converging: joins, dead paths, races, conditions. `Play` checks the invariants after each fact."""

from __future__ import annotations

from itertools import permutations

import pytest

from tests.support.core import Play


def meeting(join: str | int, more: str = "") -> Play:
    """a, b and c meet in j."""
    return Play(
        f"""
        steps:
          - {{id: a, kind: noop}}
          - {{id: b, kind: noop}}
          - {{id: c, kind: noop}}
          - {{id: j, kind: noop, join: {join}, {more}}}
        edges:
          - {{from: start, to: a}}
          - {{from: start, to: b}}
          - {{from: start, to: c}}
          - {{from: a, to: j}}
          - {{from: b, to: j}}
          - {{from: c, to: j}}
        """
    ).start()


def caught(join: str | int) -> Play:
    """As `meeting`, and a failure of a, b or c is caught elsewhere."""
    steps = [{"id": step, "kind": "noop"} for step in "abc"]
    steps += [{"id": f"caught_{step}", "kind": "set", "values": {"x": 1}} for step in "abc"]
    steps.append({"id": "j", "kind": "noop", "join": join})
    edges = [{"from": "start", "to": step} for step in "abc"] + [{"from": step, "to": "j"} for step in "abc"]
    edges += [{"from": f"{step}.error", "to": f"caught_{step}"} for step in "abc"]
    return Play({"steps": steps, "edges": edges}).start()


@pytest.mark.parametrize("order", list(permutations("abc")))
def test_a_join_of_all_starts_with_the_last_arrival_in_any_order(order: tuple[str, ...]) -> None:
    play = meeting("all")

    play.done(*order[:2])
    assert "j" not in play.open
    play.done(order[2])
    assert play.open == {"j": "running"}
    assert play.done("j").ended == dict.fromkeys("abcj", "succeeded")


@pytest.mark.parametrize(("join", "needed"), [("any", 1), (1, 1), (2, 2), (3, 3)])
def test_a_join_of_n_starts_with_the_nth_arrival_and_ignores_the_rest(join: str | int, needed: int) -> None:
    play = meeting(join)

    play.done(*"abc"[: needed - 1])
    assert "j" not in play.open
    play.done("abc"[needed - 1])
    assert play.open["j"] == "running"
    play.done("j")
    play.done(*"abc"[needed:])
    assert play.runs_of("j") == [(0, 1)]
    assert play.state == "succeeded"


def test_a_join_of_all_runs_if_one_edge_was_taken_and_the_others_were_skipped() -> None:
    play = caught("all").fails("a").fails("b")

    assert "j" not in play.ended
    play.done("c")
    assert play.open == {"j": "running"}


@pytest.mark.parametrize("join", ["all", "any", 2])
def test_a_join_is_skipped_when_no_edge_to_it_was_taken(join: str | int) -> None:
    play = caught(join).fails("a").fails("b").fails("c")

    assert play.ended["j"] == "skipped"
    assert play.row("j").reason == "no edge to it was taken"
    assert play.state == "succeeded"


def test_a_join_of_n_is_skipped_as_soon_as_n_cannot_be_reached() -> None:
    play = caught(2).fails("a").fails("b")

    assert play.ended["j"] == "skipped"
    assert play.open == {"c": "running"}
    assert play.done("c").state == "succeeded"


def test_skipping_goes_through_any_number_of_steps() -> None:
    ids = [f"s{number}" for number in range(2000)]
    steps = [{"id": one, "kind": "noop", **({"run_if": "false"} if one == "s0" else {})} for one in ids]
    edges = [{"from": source, "to": target} for source, target in zip(["start", *ids], ids, strict=False)]

    play = Play({"steps": steps, "edges": edges})
    play._check = lambda: None  # two thousand steps, checked one against the other, take their time
    play.start()

    assert play.state == "succeeded"
    assert set(play.ended.values()) == {"skipped"}
    assert len(play.rows) == 2000


def test_losers_of_a_race_go_on_unless_told_otherwise() -> None:
    play = meeting("any").done("b")

    assert play.open == {"a": "running", "c": "running", "j": "running"}


def test_cancel_rest_cancels_the_losers_and_ignores_their_late_reports() -> None:
    play = meeting("any", "cancel_rest: true")
    late = play.view.active["a"]

    play.done("b")

    assert play.open == {"j": "running"}
    assert play.ended == {"a": "cancelled", "b": "succeeded", "c": "cancelled"}
    assert play.last is not None
    assert [one.path for one in play.last.interrupts] == ["a", "c"]
    assert play.late(late) is None
    assert play.done("j").state == "succeeded"


def test_a_loser_that_was_about_to_start_is_skipped() -> None:
    """m has one edge taken already: without the race it would run once the cancelled q lets go of it."""
    play = Play(
        """
        steps:
          - {id: p, kind: noop}
          - {id: q, kind: noop}
          - {id: m, kind: noop}
          - {id: fast, kind: noop}
          - {id: j, kind: noop, join: any, cancel_rest: true}
        edges:
          - {from: start, to: p}
          - {from: start, to: q}
          - {from: start, to: fast}
          - {from: p, to: m}
          - {from: q, to: m}
          - {from: m, to: j}
          - {from: fast, to: j}
        """
    ).start()

    play.done("p", "fast")

    assert play.open == {"j": "running"}
    assert (play.ended["q"], play.ended["m"]) == ("cancelled", "skipped")
    assert play.row("m").reason == "another branch was first"


def test_a_race_won_at_once_never_starts_the_loser() -> None:
    play = Play(
        """
        steps:
          - {id: slow, kind: noop}
          - {id: fast, kind: set, values: {x: 1}}
          - {id: j, kind: noop, join: any, cancel_rest: true}
        edges:
          - {from: start, to: slow}
          - {from: start, to: fast}
          - {from: slow, to: j}
          - {from: fast, to: j}
        """
    ).start()

    assert play.open == {"j": "running"}
    assert play.ended["slow"] == "cancelled"
    assert play.runs_of("slow") == []


@pytest.mark.parametrize(("condition", "state"), [("input.n > 1", "succeeded"), ("input.n > 2", "skipped")])
def test_run_if_runs_or_skips_a_step_and_what_follows_it(condition: str, state: str) -> None:
    play = Play(
        f"""
        input: {{type: object, properties: {{n: {{type: integer}}}}}}
        steps: [{{id: a, kind: set, values: {{x: 1}}, run_if: "{condition}"}}, {{id: b, kind: set, values: {{x: 1}}}}]
        edges: [{{from: start, to: a}}, {{from: a, to: b}}]
        """,
        {"n": 2},
    ).start()

    assert (play.state, play.ended) == ("succeeded", {"a": state, "b": state})
    assert state == "succeeded" or play.row("a").reason == f"run_if is false: {condition}"


def test_a_step_skipped_by_its_condition_lets_a_join_go_on_with_the_others() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop, run_if: "false"}, {id: b, kind: noop}, {id: j, kind: noop}]
        edges: [{from: start, to: a}, {from: start, to: b}, {from: a, to: j}, {from: b, to: j}]
        """
    ).start()

    assert play.done("b").open == {"j": "running"}


def test_a_skipped_join_does_not_cancel_the_rest() -> None:
    play = meeting("any", 'cancel_rest: true, run_if: "false"').done("a")

    assert play.ended["j"] == "skipped"
    assert play.open == {"b": "running", "c": "running"}


def test_two_edges_from_one_step_count_each() -> None:
    play = Play(
        """
        steps: [{id: a, kind: noop}, {id: b, kind: noop}]
        edges: [{from: start, to: a}, {from: a, to: b}, {from: a.error, to: b}]
        """
    ).start()

    assert play.fails("a").open == {"b": "running"}


@pytest.mark.parametrize("crashed", [False, True])
def test_a_condition_may_ask_how_another_step_ended(crashed: bool) -> None:
    play = Play(
        """
        steps:
          - {id: a, kind: noop}
          - {id: b, kind: noop}
          - {id: c, kind: noop, run_if: "steps.a.status == 'succeeded'"}
        edges: [{from: start, to: a}, {from: a, to: b}, {from: b, to: c}]
        """
    ).start()
    play.done("a")

    assert (play.crash() if crashed else play).done("b").open == {"c": "running"}
