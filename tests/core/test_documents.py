from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from orchestration.core.definition import Again, Definition, Edge, Limits, Retry, Step, Variable
from orchestration.core.document_schema import document_schema
from orchestration.core.documents import dump, load, parse, read, structure_problems, to_yaml
from orchestration.core.problems import errors
from tests.core.language import CATALOG, KINDS, document, edge, loaded, say, the_one

TEXT = """
format: baton/1
name: Escalation
input: {type: object, required: [body], properties: {body: {type: string}}}
variables:
  account: {schema: {type: object}, class: personal, initial: {}}
limits: {usd: 0.5, tokens: 2000, steps: 50, wall_time: 2h, deadline: 1d}
steps:
  - id: draft
    kind: say
    text: "Dear {{ input.body }}"
    retry: {attempts: 3, delay: 2s, on: [timeout]}
    timeout: 1m30s
    on_error: {value: {text: none}}
    reads: [input.body]
    writes: {account: "{'text': steps.draft.output.text}"}
  - {id: check, kind: fork, join: any, cancel_rest: true, run_if: "input.body != ''"}
edges:
  - {from: start, to: draft}
  - {from: draft.error, to: check}
  - {from: draft, to: check}
  - {from: check.left, to: draft, again: {max: 3}}
output: {reply: "{{ steps.draft.output.text }}"}
layout: {draft: [320, 80.5]}
"""


def test_a_document_is_parsed_into_frozen_values():
    definition, found = loaded(TEXT)

    assert errors(found) == []
    assert definition is not None
    draft = definition.step("draft")
    assert draft is not None
    assert draft.config == {"text": "Dear {{ input.body }}"}
    assert draft.retry == Retry(attempts=3, delay=2.0, on=("timeout",))
    assert (draft.timeout, draft.on_error, draft.reads) == (90.0, {"value": {"text": "none"}}, ("input.body",))
    assert definition.limits == Limits(Decimal("0.5"), 2000, 50, 7200.0, 86_400.0)
    assert definition.variables["account"] == Variable({"type": "object"}, "personal", {})
    assert definition.edges[1:] == (
        Edge("draft", "error", "check"), Edge("draft", "done", "check"), Edge("check", "left", "draft", Again(3)),
    )  # fmt: skip
    assert definition.layout == {"draft": (320.0, 80.5)}


def test_json_and_yaml_mean_the_same():
    import json

    assert load(json.dumps(read(TEXT)), KINDS, CATALOG)[0] == loaded(TEXT)[0]


def test_yaml_is_written_in_a_stable_order_with_edges_on_one_line():
    text = to_yaml(dump(parse(read(TEXT))))

    assert text.startswith("format: baton/1\nname: Escalation\n")
    assert "  - {from: start, to: draft}\n" in text
    assert "required: [body]" in text
    assert text == to_yaml(dump(parse(read(text))))


def test_a_text_that_cannot_be_read_is_one_problem_with_its_place():
    definition, found = loaded("name: [")

    assert definition is None
    assert [(problem.line, problem.column, problem.severity) for problem in found] == [(2, 1, "error")]


def wrong(steps: list | None = None, **more: object) -> list:
    return structure_problems(document(steps or [say("a")], **more), KINDS)


@pytest.mark.parametrize(
    ("settings", "field", "message"),
    [
        ({"retry": {"attempts": 0}}, "retry.attempts", "must be at least 1."),
        ({"retry": {"delay": "soon"}}, "retry.delay", "must be a duration such as 500ms, 20s, 5m, 1h30m or 2d."),
        ({"timeout": -1}, "timeout", "must be a duration such as 500ms, 20s, 5m, 1h30m or 2d."),
        ({"on_error": "ignore"}, "on_error", "must be `fail`, `continue` or `{value: ...}`."),
        ({"join": 0}, "join", "must be `all`, `any` or a number of edges, 1 or more."),
        ({"join": True}, "join", "must be `all`, `any` or a number of edges, 1 or more."),
        ({"cancel_rest": "yes"}, "cancel_rest", "must be true or false."),
        ({"text": 5}, "text", "must be text."),
        ({"parts": [{"size": 1}, {"size": 0}]}, "parts[1].size", "must be at least 1."),
        ({"writes": {"a": 5}}, "writes.a", "must be a CEL expression in quotes."),
        ({"reads": "input"}, "reads", "must be a list."),
        ({"kind": "sya"}, "kind", "must be one of say, fork, tool, model. Did you mean 'say'?"),
    ],
)
def test_a_wrong_setting_is_named_with_its_step(settings, field, message):
    the_one(wrong([say("b"), {**say("a"), **settings}]), step="a", field=field, message=message)


def test_an_unknown_key_is_a_problem_with_a_hint():
    assert the_one(wrong([say("a", txet="x")]), field="txet").fix == "Did you mean 'text'?"
    assert the_one(wrong([say("a", queue="gpu")]), field="queue").message == "is not known here."
    assert the_one(wrong(setps=[]), step="", field="setps").fix == "Did you mean 'steps'?"


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"format": "baton/2"}, "format"),
        ({"name": ""}, "name"),
        ({"limits": {"usd": -1}}, "limits.usd"),
        ({"limits": {"steps": 0}}, "limits.steps"),
        ({"tags": [""]}, "tags[0]"),
        ({"layout": {"a": [1]}}, "layout.a"),
        ({"edges": [edge("a.b.c", "a")]}, "edges[0].from"),
        ({"edges": [edge("a", "b", again={"max": 0})]}, "edges[0].again.max"),
        ({"edges": [{"from": "a"}]}, "edges[0]"),
        ({"variables": {"a": {"class": "hidden"}}}, "variables.a.class"),
        ({"variables": {"__class__": {}}}, "variables"),
        ({"input": []}, "input"),
        ({"steps": []}, "steps"),
        ({"steps": [5]}, "steps[0]"),
        ({"steps": [{"kind": "say", "text": "x"}]}, "steps[0]"),
    ],
)
def test_a_wrong_document_is_named_with_its_place(more, field):
    the_one(structure_problems({**document([say("a")]), **more}, KINDS), step="", field=field)


@pytest.mark.parametrize("step_id", ["A", "1a", "a-b", "__class__", "start", "a" * 64, "", "a\n"])
def test_an_id_that_is_not_a_plain_word_is_refused(step_id):
    assert next(problem.field for problem in wrong([say(step_id)], edges=[])).endswith("id")


def test_problems_of_shape_and_of_meaning_come_together():
    text = to_yaml(
        document(
            [say("a", retry={"attempts": 0}), say("b", "{{ inptu.body }}"), say("c", kind="sya")], limits={"usd": -1}
        )
    )
    definition, found = loaded(text)

    assert definition is None
    the_one(found, step="a", field="retry.attempts")
    the_one(found, step="b", field="text", column=4)
    the_one(found, step="c", field="kind")
    the_one(found, step="", field="limits.usd")


def test_a_hundred_thousand_steps_are_refused_at_once():
    steps = [{"id": f"s{number}"} for number in range(100_000)]

    assert the_one(structure_problems(document(steps, []), KINDS), field="steps").message.startswith(
        "there are 100,000"
    )


def test_the_number_of_problems_is_bounded():
    assert len(wrong([say(f"s{number}", nope=1, nada=2) for number in range(500)])) == 200


def test_the_document_schema_is_a_valid_schema_that_knows_each_kind():
    schema = document_schema(KINDS)
    Draft202012Validator.check_schema(schema)

    assert schema["$defs"]["step_say"]["properties"]["parts"]["items"] == {"$ref": "#/$defs/say_part"}
    assert schema["$defs"]["step_say"]["required"] == ["id", "kind", "text"]
    assert Draft202012Validator(schema).is_valid(read(TEXT))
    assert not Draft202012Validator(schema).is_valid({**read(TEXT), "nope": 1})


IDS = st.from_regex(r"[a-z][a-z0-9_]{0,8}", fullmatch=True)
WORDS = st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=12)
SECONDS = st.floats(0, 1e6).map(lambda number: round(number, 3)) | st.integers(0, 10**6).map(float)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | WORDS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)
SCHEMAS = st.sampled_from([{}, {"type": "object"}, {"type": "string", "x-class": "personal"}])
RETRIES = st.builds(Retry, st.integers(1, 9), SECONDS, st.floats(1, 9), SECONDS, st.lists(IDS, max_size=2).map(tuple))
STEPS = st.builds(
    Step,
    id=IDS,
    kind=IDS,
    config=st.dictionaries(IDS.map("x_".__add__), JSON, max_size=2),
    title=WORDS,
    note=WORDS,
    run_if=st.none() | WORDS,
    retry=RETRIES,
    timeout=st.none() | SECONDS,
    on_error=st.sampled_from(["fail", "continue"]) | st.builds(lambda value: {"value": value}, JSON),
    join=st.sampled_from(["all", "any"]) | st.integers(1, 5),
    cancel_rest=st.booleans(),
    reads=st.none() | st.lists(WORDS, max_size=2).map(tuple),
    writes=st.dictionaries(IDS, WORDS, max_size=2),
)
EDGES = st.builds(Edge, IDS, IDS, IDS, st.none() | st.builds(Again, st.integers(1, 9)))
AMOUNTS = st.none() | st.decimals(0, 1000, places=2)
DEFINITIONS = st.builds(
    Definition,
    name=WORDS,
    steps=st.lists(STEPS, max_size=3).map(tuple),
    edges=st.lists(EDGES, max_size=3).map(tuple),
    description=WORDS,
    input=SCHEMAS,
    variables=st.dictionaries(
        IDS, st.builds(Variable, SCHEMAS, st.sampled_from(["internal", "secret"]), JSON), max_size=2
    ),
    limits=st.builds(Limits, AMOUNTS, st.none() | st.integers(1), st.none(), st.none() | SECONDS, st.none() | SECONDS),
    output=JSON,
    key=st.none() | WORDS.filter(bool),
    tags=st.lists(WORDS, max_size=2).map(tuple),
    layout=st.dictionaries(IDS, st.tuples(st.integers(-9, 999).map(float), st.floats(-9, 999)), max_size=2),
)


@given(DEFINITIONS)
def test_what_is_dumped_is_parsed_back_the_same(definition):
    assert parse(dump(definition)) == definition


@given(DEFINITIONS)
def test_what_is_written_as_yaml_is_parsed_back_the_same(definition):
    limits = Limits(definition.limits.usd)  # whole numbers beyond 2^53 are not written
    bounded = Definition(definition.name, definition.steps, definition.edges, limits=limits, output=definition.output)

    assert parse(read(to_yaml(dump(bounded)))) == bounded


@given(st.dictionaries(st.sampled_from(["format", "name", "steps", "edges", "limits", "input", "variables"]), JSON))
def test_any_document_is_judged_without_an_exception(value):
    assert structure_problems(value, KINDS)
