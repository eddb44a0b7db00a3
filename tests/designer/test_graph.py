import re
import xml.etree.ElementTree as ET

import pytest
from django.template.loader import render_to_string

from designer.graph import graph
from orchestration.core.definition import Again, Definition, Edge, Step

DIAMOND = Definition(
    name="Diamond",
    steps=(
        Step("look", "set", title="Look at it"),
        Step("choose", "branch"),
        Step("act_now", "tool", title="Act <b>now</b> & with much more than fits on a node"),
        Step("finish", "end"),
    ),
    edges=(
        Edge("start", "done", "look"),
        Edge("look", "done", "choose"),
        Edge("choose", "urgent", "act_now"),
        Edge("choose", "else", "finish"),
        Edge("act_now", "done", "finish"),
        Edge("act_now", "error", "look", Again(3)),
    ),
)


def test_a_definition_is_drawn_with_its_titles_kinds_and_ports():
    drawn = graph(DIAMOND)

    nodes = {node.id: node for node in drawn.nodes}
    assert (nodes["look"].title, nodes["choose"].title, nodes["choose"].note) == ("Look at it", "Choose", "Branch")
    assert {wire.label for wire in drawn.wires} == {"", "urgent", "else", "error, again, up to 3"}
    assert {node.state for node in drawn.nodes} == {""}
    assert {wire.css for wire in drawn.wires} == {""}


def test_nodes_lie_inside_the_drawing_and_apart():
    drawn = graph(DIAMOND)

    boxes = [(node.x, node.y) for node in drawn.nodes]
    assert len(set(boxes)) == len(boxes)
    assert all(0 <= x <= drawn.width - drawn.node_width for x, _ in boxes)
    assert all(0 <= y <= drawn.height - drawn.node_height for _, y in boxes)


def test_a_run_shows_where_it_is_and_what_it_did_not_reach():
    drawn = graph(DIAMOND, {"look": "succeeded", "choose": "needs_approval"}, {"start.done>look", "look.done>choose"})

    css = {node.id: node.css for node in drawn.nodes}
    assert css == {"start": "", "look": "", "choose": "now", "act_now": "off", "finish": "off"}
    assert [wire.css for wire in drawn.wires].count("taken") == 2
    assert [wire.css for wire in drawn.wires].count("off") == 4
    assert "Needs approval: Choose" in drawn.summary
    assert "Not reached: " in drawn.summary


@pytest.mark.parametrize(
    ("state", "css"), [("failed", "bad"), ("timed_out", "bad"), ("running", "active"), ("skipped", "off")]
)
def test_a_state_has_its_look(state, css):
    assert {node.id: node.css for node in graph(DIAMOND, {"look": state}).nodes}["look"] == css


def test_the_svg_is_well_formed_and_escapes_what_people_wrote():
    svg = render_to_string("designer/_graph.html", {"graph": graph(DIAMOND)})

    root = ET.fromstring(svg.strip())
    assert root.get("aria-label").startswith("Graph of Diamond: Start, Look at it")
    assert "Act <b>" not in svg
    assert "style=" not in svg
    assert len(re.findall(r'class="node ', svg)) == 5


def test_nodes_are_links_where_they_have_addresses():
    drawn = graph(DIAMOND, {"look": "failed"}, urls={"look": "?step=look"}, notes={"look": "12 ms"})

    svg = render_to_string("designer/_graph.html", {"graph": drawn})

    assert '<a href="?step=look" aria-label="Look at it: Failed">' in svg
    assert "12 ms" in svg
