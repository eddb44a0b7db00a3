import pytest

from designer.places import Place, Places
from orchestration.core.problems import Problem

TEXT = """\
name: Example
steps:
  - id: first
    kind: set
    run_if: "vars.x == 1"
    values:
      - {a: 1, b: [10, 20]}
  - kind: model
    id: second
    prompt: |
      one
      two {{ three }}
edges:
  - {from: start, to: first}
"""


@pytest.mark.parametrize(
    ("step", "field", "line", "column"),
    [
        ("", "name", 1, 1),
        ("", "", 1, 1),
        ("first", "", 3, 5),
        ("first", "kind", 4, 5),
        ("first", "values[0].b[1]", 7, 24),
        ("first", "values[7]", 6, 5),
        ("first", "unheard.of", 3, 5),
        ("second", "prompt", 10, 5),
        ("nobody", "", 3, 3),
        ("", "edges[0].to", 14, 19),
        ("", "edges[5]", 13, 1),
    ],
)
def test_a_problem_is_placed_at_its_field_or_the_nearest_part_around_it(step, field, line, column):
    assert Places(TEXT).of(Problem(step, field, "wrong")) == Place(line, column)


def test_a_place_within_an_expression_is_added():
    assert Places(TEXT).of(Problem("first", "run_if", "wrong", line=1, column=6)) == Place(5, 19)


def test_a_place_within_a_block_is_its_line():
    assert Places(TEXT).of(Problem("second", "prompt", "wrong", line=2, column=8)) == Place(12, 1)


def test_a_text_that_can_not_be_read_has_the_place_of_its_refusal():
    assert Places("name: [").of(Problem("", "", "wrong", line=7, column=3)) == Place(7, 3)


def test_json_has_places_too():
    text = '{\n "name": "x",\n "steps": [{"id": "a",\n  "kind": "set"}]\n}'

    assert Places(text).of(Problem("a", "kind", "wrong")) == Place(4, 3)


@pytest.mark.parametrize("text", ["", "- 1", "steps: 3", "steps: [3, {id: [x]}, {id: {}}]", '{\t"steps":\t3}'])
def test_any_text_has_a_place(text):
    assert Places(text).of(Problem("a", "b[1].c", "wrong")).line == 1
