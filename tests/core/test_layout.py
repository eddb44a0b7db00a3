from __future__ import annotations

from itertools import combinations, pairwise

from hypothesis import given
from hypothesis import strategies as st

from orchestration.core.definition import Again, Edge
from orchestration.core.documents import parse
from orchestration.core.layout import NODE_HEIGHT, NODE_WIDTH, Layout, layout
from tests.core.language import document, edge, say

IDS = [f"s{number}" for number in range(12)]


@st.composite
def graphs(draw):
    count = draw(st.integers(0, len(IDS)))
    ends = st.sampled_from(["start", *IDS[:count]])
    made = st.builds(
        Edge, ends, st.sampled_from(["done", "error"]), ends.filter(lambda name: name != "start") if count else ends,
        st.none() | st.just(Again(2)),
    )  # fmt: skip
    return IDS[:count], draw(st.lists(made, max_size=25)) if count else []


def crosses(one: tuple[int, int], other: tuple[int, int], x: int, y: int) -> bool:
    """Say whether a straight piece runs through the inside of the node at x, y."""
    left, right = sorted((one[0], other[0]))
    top, bottom = sorted((one[1], other[1]))
    return left < x + NODE_WIDTH and right > x and top < y + NODE_HEIGHT and bottom > y


def check(drawn: Layout) -> None:
    for one, other in combinations(drawn.nodes, 2):
        assert abs(one.x - other.x) >= NODE_WIDTH or abs(one.y - other.y) >= NODE_HEIGHT
    places = {node.id: node for node in drawn.nodes}
    for route in drawn.routes:
        source, target = places[route.edge.source], places[route.edge.target]
        assert source.x <= route.points[0][0] <= source.x + NODE_WIDTH
        assert target.x <= route.points[-1][0] <= target.x + NODE_WIDTH
        assert route.points[0][1] == source.y + NODE_HEIGHT
        assert route.points[-1][1] == target.y
        for one, other in pairwise(route.points):
            assert one[0] == other[0] or one[1] == other[1]
            assert not any(crosses(one, other, node.x, node.y) for node in drawn.nodes)
        assert all(0 <= x <= drawn.width and 0 <= y <= drawn.height for x, y in route.points)


@given(graphs())
def test_nothing_overlaps_and_every_edge_is_drawn(graph):
    steps, edges = graph
    drawn = layout((steps, edges))

    check(drawn)
    assert [route.edge for route in drawn.routes] == edges
    assert {node.id for node in drawn.nodes} == set(steps) | {item.source for item in edges}


@given(graphs())
def test_the_same_graph_is_always_drawn_the_same(graph):
    assert layout(graph) == layout(graph)


def test_steps_follow_each_other_downwards_and_branches_stand_side_by_side():
    steps = [say("a"), say("b"), say("c"), say("d")]
    edges = [edge("start", "a"), edge("a", "b"), edge("a.error", "c"), edge("b", "d"), edge("c", "d")]
    drawn = layout(parse(document(steps, edges)))
    places = {node.id: node for node in drawn.nodes}

    assert places["start"].y < places["a"].y < places["b"].y == places["c"].y < places["d"].y
    assert places["b"].x != places["c"].x
    assert not any(route.back for route in drawn.routes)


def test_an_edge_that_goes_back_is_marked_and_runs_round_the_right_side():
    edges = [Edge("start", "done", "a"), Edge("a", "done", "b"), Edge("b", "error", "a", Again(2))]
    drawn = layout((["a", "b"], edges))

    assert [route.back for route in drawn.routes] == [False, False, True]
    assert max(x for x, _ in drawn.routes[2].points) >= max(node.x for node in drawn.nodes) + NODE_WIDTH


def test_a_circle_is_drawn_all_the_same():
    drawn = layout((["a", "b"], [Edge("a", "done", "b"), Edge("b", "done", "a"), Edge("a", "done", "a")]))

    check(drawn)
    assert [route.back for route in drawn.routes] == [False, True, True]


def test_edges_with_an_unknown_end_are_left_out():
    assert layout((["a"], [Edge("a", "done", "b"), Edge("b", "done", "a")])).routes == ()


def test_nothing_is_drawn_as_nothing():
    assert layout(([], [])).nodes == ()


def test_a_large_graph_keeps_its_rules():
    ids = [f"s{number}" for number in range(300)]
    edges = [Edge(ids[number // 2], "done", ids[number]) for number in range(1, 300)]
    edges += [Edge(ids[number], "error", ids[min(number * 3 + 1, 299)]) for number in range(80)]

    drawn = layout((ids, [item for item in edges if item.source != item.target]))

    assert len(drawn.nodes) == 300
    check(drawn)


def test_long_edges_over_many_layers_go_round_the_outside():
    ids = [f"s{number}" for number in range(1_500)]
    chain = [Edge(one, "done", other) for one, other in pairwise(ids)]
    far = [Edge(ids[number], "error", ids[-1 - number]) for number in range(20)]
    drawn = layout((ids, chain + far))

    assert len(drawn.routes) == len(chain) + 20
    assert sum(len(route.points) for route in drawn.routes) < 60_000
