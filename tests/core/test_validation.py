from __future__ import annotations

from dataclasses import replace

import pytest

from orchestration.core.catalog import Model
from orchestration.core.documents import parse
from orchestration.core.expressions import lookup_in
from orchestration.core.problems import Problem, errors
from orchestration.core.types import compile_environment, names_at
from orchestration.core.validation import problems
from orchestration.kinds import get
from tests.core.language import CATALOG, KINDS, document, edge, judged, say, the_one


def test_a_sound_definition_has_no_problems():
    assert judged([say("a"), say("b", "{{ steps.a.output.text }} {{ vars.x }}")], variables={"x": {"initial": 1}}) == []


def test_a_problem_reads_as_a_sentence():
    problem = Problem("draft", "text", "unknown name 'x'.", "Did you mean 'y'?", line=2, column=5)

    assert str(problem) == "step draft, text (line 2, column 5): unknown name 'x'. Did you mean 'y'?"
    assert str(Problem("", "", "nothing.")) == "nothing."
    assert problem.to_dict()["column"] == 5


def test_two_steps_of_one_id_are_refused():
    the_one(judged([say("a"), say("a")], [edge("start", "a")]), step="a", field="id")


def test_an_unknown_kind_is_refused_with_a_hint():
    assert the_one(judged([say("a", kind="sya")]), step="a", field="kind").fix == "Did you mean 'say'?"


def test_the_config_is_judged_by_its_schema_and_its_kind():
    the_one(judged([{"id": "a", "kind": "say"}]), step="a", message="needs text.")
    the_one(judged([say("a", "shout")]), step="a", field="text", message="is too loud.", fix="Speak softly.")
    the_one(judged([say("a", schema={"type": "nothing"})]), step="a", field="schema")
    the_one(judged([say("a", parts=[{"size": 0}])]), step="a", field="parts[0].size")


@pytest.mark.parametrize(
    ("edges", "field", "message"),
    [
        ([edge("start", "a"), edge("b", "a")], "edges[1].from", "there is no step 'b'."),
        ([edge("start", "a"), edge("a", "b")], "edges[1].to", "there is no step 'b'."),
        ([edge("start", "a"), edge("a", "start")], "edges[1].to", "nothing can lead back to `start`."),
        ([edge("start.error", "a")], "edges[0].from", "`start` has no port 'error'."),
        ([edge("start", "a"), edge("a.errror", "a", again={"max": 1})], "edges[1].from",
         "step a (say) has no port 'errror'."),
        ([edge("start", "a"), edge("start", "a")], "edges", "there are 2 edges from start.done to a."),
        ([], "edges", "nothing follows `start`."),
    ],
)  # fmt: skip
def test_a_wrong_edge_is_refused(edges, field, message):
    the_one(judged([say("a")], edges), step="", field=field, message=message)


def test_a_branch_needs_one_of_its_own_ports():
    found = judged([{"id": "a", "kind": "fork"}, say("b")], [edge("start", "a"), edge("a", "b")])

    assert the_one(found, field="edges[1].from").fix == "It has left, right, error."


def test_a_circle_without_again_is_named():
    found = judged(
        [say("a"), say("b"), say("c"), say("d")],
        [edge("start", "a"), edge("a", "b"), edge("b", "c"), edge("c", "b"), edge("c", "d")],
    )

    assert the_one(found, field="edges").message == "these steps lead round in a circle: b -> c -> b."


def test_a_step_that_leads_to_itself_is_a_circle():
    found = judged([say("a")], [edge("start", "a"), edge("a", "a")])

    assert the_one(found, field="edges").message == "these steps lead round in a circle: a -> a."


def test_going_back_is_allowed_where_it_goes_back():
    assert judged([say("a"), say("b")], [edge("start", "a"), edge("a", "b"), edge("b", "a", again={"max": 2})]) == []

    found = judged([say("a"), say("b")], [edge("start", "a"), edge("start", "b"), edge("a", "b", again={"max": 2})])
    the_one(found, field="edges[2].again", message="this edge says `again`, but b does not lead to a.")


def test_a_step_that_cannot_be_reached_is_refused_and_an_unconnected_one_only_warned_of():
    found = judged([say("a"), say("b"), say("c"), say("d")], [edge("start", "a"), edge("b", "c")])

    the_one(found, step="b", severity="error", message="can't be reached from `start`.")
    the_one(found, step="c", severity="error")
    the_one(found, step="d", severity="warning")


def test_a_join_cannot_wait_for_more_edges_than_there_are():
    the_one(judged([say("a"), say("b", join=2)]), step="b", field="join")
    the_one(judged([say("a"), say("b", cancel_rest=True)]), step="b", field="cancel_rest", severity="warning")


def test_every_expression_is_compiled_with_its_place():
    found = judged(
        [say("a", "x {{ inptu }}", when="input.body", run_if="input.amount", repair="{{ error.mesage }}",
             writes={"x": "inptu"})],
        variables={"x": {}}, output={"r": ["{{ steps.b.output }}"]}, key="steps.a.output.text",
    )  # fmt: skip

    assert (the_one(found, field="text").line, the_one(found, field="text").column) == (1, 6)
    assert "must give true or false" in the_one(found, field="when").message
    assert "must give true or false" in the_one(found, field="run_if").message
    assert "Did you mean 'message'?" in the_one(found, field="repair").message
    assert "Did you mean 'input'?" in the_one(found, field="writes.x").message
    assert the_one(found, field="output").message == "r[0]: there is no step 'b'."
    assert "unknown name 'steps'" in the_one(found, field="key").message


def test_names_of_one_place_are_unknown_in_another():
    the_one(judged([say("a", "{{ error.message }}", repair="{{ error.message }}")]), field="text")


def test_secrets_are_never_names():
    assert "connection" in the_one(judged([say("a", "{{ secrets.key }}")]), field="text").message


def test_a_step_that_cannot_have_run_yet_is_refused():
    found = judged([say("a", "{{ steps.b.output.text }}"), say("b")])

    the_one(found, step="a", field="text", message="step b cannot have run before a.")
    the_one(judged([say("a", "{{ steps.a.output.text }}")]), message="step a cannot have run before a.")


def test_a_branch_does_not_see_the_other_branch():
    steps = [
        {"id": "f", "kind": "fork"},
        say("a"),
        say("b", "{{ steps.a.output.text }}"),
        say("c", "{{ steps.a.output.text }}"),
    ]
    edges = [edge("start", "f"), edge("f.left", "a"), edge("f.right", "b"), edge("a", "c"), edge("b", "c")]

    the_one(judged(steps, edges), step="b", message="step a cannot have run before b.")


def test_within_a_region_that_repeats_a_later_step_is_its_previous_pass():
    steps = [say("a", "{{ steps.b.output.text }} {{ steps.a.status }}"), say("b"), say("c")]
    edges = [edge("start", "a"), edge("a", "b"), edge("b.error", "a", again={"max": 2}), edge("b", "c")]

    assert judged(steps, edges) == []


def test_a_write_may_use_its_own_output_and_must_fit_its_variable():
    variables = {"score": {"schema": {"type": "number"}}, "note": {"schema": {"type": "string"}}}

    assert judged([say("a", writes={"score": "steps.a.output.score"})], variables=variables) == []
    the_one(judged([say("a", writes={"note": "steps.a.output.score"})], variables=variables), field="writes.note")
    the_one(
        judged([say("a", writes={"nte": "'x'"})], variables=variables), field="writes.nte", fix="Did you mean 'note'?"
    )


def test_data_outside_reads_is_refused():
    text = "{{ input.body }} {{ run.id }} {{ now }} {{ steps.z.status }}"
    assert judged([say("z"), say("a", text, reads=["input.body"])]) == []
    assert judged([say("z"), say("a", "{{ steps.z.output.text }}", reads=["steps.z", "input"])]) == []
    assert judged([say("a", repair="{{ error.message }}", reads=[])]) == []

    the_one(judged([say("a", "{{ input.customer }}", reads=["input.body"])]), step="a", field="text")
    the_one(judged([say("a", "{{ input }}", reads=["input.body"])]), step="a", field="text")
    the_one(judged([say("a", run_if="input.body == ''", reads=[])]), step="a", field="run_if")


def test_reads_are_names_that_exist():
    the_one(judged([say("a", reads=["input.bdy"])]), field="reads[0]")
    the_one(judged([say("a", reads=["vars.x.deep"])], variables={"x": {}}), field="reads[0]")


def test_schemas_and_initial_values_are_judged():
    the_one(judged([say("a")], input={"type": "object", "properties": {"a": {"$ref": "http://x"}}}), field="input")
    the_one(judged([say("a")], input={"type": "string"}), field="input")
    found = judged(
        [say("a")], variables={"x": {"schema": {"type": "integer"}, "initial": "a"}, "y": {"schema": {"type": 1}}}
    )
    the_one(found, field="variables.x.initial", message="must be a whole number.")
    the_one(found, field="variables.y.schema")


def test_a_time_limit_of_nothing_is_refused():
    the_one(judged([say("a")], limits={"wall_time": "0s"}), field="limits.wall_time")
    the_one(judged([say("a", timeout="0s")]), step="a", field="timeout")
    the_one(judged([say("a")], limits={"wall_time": "2h", "deadline": "1h"}), severity="warning")


def test_the_value_of_on_error_is_taken_as_it_is():
    the_one(judged([say("a", on_error={"value": "{{ input.body }}"})]), field="on_error.value")
    assert judged([say("a", on_error={"value": {"text": "none"}})]) == []


@pytest.mark.parametrize(
    ("step", "warned"),
    [
        ({"kind": "model"}, True),
        ({"kind": "model", "ladder": [{"model": "fast"}]}, False),
        ({"kind": "model", "on_error": "continue"}, False),
        ({"kind": "tool", "tool": "desk.open"}, True),
        ({"kind": "tool", "tool": "desk.read"}, False),
        ({"kind": "tool", "tool": "desk.read", "retry": {"attempts": 3}}, True),
        ({"kind": "fork"}, False),
    ],
)
def test_steps_whose_failure_nobody_handles_are_warned_of(step, warned):
    alone = judged([{"id": "a", **step}])
    handled = judged([{"id": "a", **step}, say("b")], [edge("start", "a"), edge("a.error", "b")])

    assert [problem.severity for problem in alone] == ["warning"] * warned
    assert handled == []


def test_a_retry_of_a_tool_that_acts_once_is_warned_of():
    step = {"id": "a", "kind": "tool", "tool": "desk.open", "retry": {"attempts": 2}, "on_error": "continue"}

    assert the_one(judged([step]), step="a", field="retry").severity == "warning"


def test_the_value_that_stands_in_for_a_failed_step_must_look_like_its_output():
    kinds = {**KINDS, "model": get("model")}
    schema = {"type": "object", "required": ["intent"], "properties": {"intent": {"type": "string"}}}
    step = {"id": "tag", "kind": "model", "prompt": "Tag", "model": "fast", "output": schema}
    catalog = replace(CATALOG, models={"fast": Model("fast")})

    def found(value):
        return problems(parse(document([{**step, "on_error": {"value": value}}])), kinds, catalog)

    assert found({"intent": "other"}) == []
    assert the_one(found({"wrong": 1}), step="tag", severity="error").field == "on_error.value"
    assert the_one(found({"intent": 1}), step="tag").field == "on_error.value.intent"


def test_a_call_that_moves_money_without_an_approval_is_warned_of():
    pay = {"id": "pay", "kind": "tool", "tool": "desk.pay", "on_error": "continue"}

    found = the_one(judged([pay]), step="pay", field="tool", severity="warning")

    assert found.message == "desk.pay (it moves money) is called without asking anybody."
    assert "`covers: pay`" in found.fix


def test_a_call_that_moves_money_after_an_approval_is_fine():
    steps = [{"id": "ask", "kind": "approval", "question": "Pay?", "covers": "pay"},
             {"id": "pay", "kind": "tool", "tool": "desk.pay", "on_error": "continue"}]  # fmt: skip
    kinds = {**KINDS, "approval": get("approval")}
    definition = parse(document(steps, [edge("start", "ask"), edge("ask.approved", "pay")]))

    assert problems(definition, kinds, CATALOG) == []


def test_warnings_come_last_and_do_not_stand_in_the_way():
    found = judged([{"id": "m", "kind": "model"}, say("a", "{{ x }}")])

    assert [problem.severity for problem in found] == ["error", "warning"]
    assert len(errors(found)) == 1


def test_the_names_at_a_step_are_those_of_the_run_and_of_the_steps_before():
    definition = parse(document([say("a"), say("b"), say("c")], variables={"x": {}}))
    names = names_at(definition, "b", KINDS, CATALOG)

    assert {"input", "vars.x", "now", "run.id", "trigger", "steps.a.output", "steps.a.status", "steps.a.error"} <= set(
        names
    )
    assert not any(name.startswith(("steps.b", "steps.c")) for name in names)


def test_the_environment_of_a_run_has_all_names_and_those_of_single_places():
    environment = compile_environment(
        parse(document([say("a", repair="{{ error.message }}"), say("b", repair="x")])), KINDS, CATALOG
    )
    values = {"steps": {"b": {"output": {"score": 1}}}, "error": {"message": "bad"}}

    assert environment.compile("steps.b.output.score + 0.5").evaluate(lookup_in(values)) == 1.5
    assert environment.compile("error.message").evaluate(lookup_in(values)) == "bad"


def test_a_chain_of_many_steps_is_judged_in_reasonable_work():
    steps = [say("s0"), *(say(f"s{number}", f"{{{{ steps.s{number - 1}.output.text }}}}") for number in range(1, 800))]

    assert judged(steps) == []
