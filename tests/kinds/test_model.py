import asyncio
from dataclasses import replace
from typing import Any

import pytest

from orchestration.core.errors import InvalidValue
from orchestration.core.outcomes import Failed, Succeeded
from orchestration.kinds import get
from orchestration.kinds.ladder import TROUBLES
from orchestration.providers.base import ModelError
from orchestration.providers.pricing import worst_case
from tests.kinds.world import Outside, a_catalog, a_definition, a_reply, a_scope, a_step, complaints, performed

OUTPUT = {"type": "object", "properties": {"intent": {"enum": ["billing", "other"]}}, "required": ["intent"]}
MODEL_TROUBLES = [code for code in TROUBLES if code not in ("no_match", "low_confidence")]
RULES = {"rules": [{"when": "input.body.contains('invoice')", "then": {"intent": "billing"}, "name": "invoices"}]}
CATCH_ALL = {"rules": [{"then": {"intent": "other"}}]}


def tagging(*ladder: dict, **config: Any) -> Any:
    return a_step("model", prompt="Tag: {{ input.body }}", output=OUTPUT, ladder=list(ladder), **config)


def run(step: Any, *answers: Any, body: str = "hello") -> tuple[Any, Outside]:
    outside = Outside(models=list(answers))
    return asyncio.run(performed(step, outside, a_scope({"body": body}))), outside


def trouble(code: str = "timeout", **used: Any) -> ModelError:
    return ModelError(code, f"It was {code}.", **used)


GOOD = a_reply({"intent": "billing"})


# One rung


def test_a_model_alone_is_a_ladder_of_one_rung() -> None:
    step = a_step("model", prompt="Say {{ input.body }}", system="Be kind.", model="fast", max_tokens=50)
    done, outside = run(step, a_reply("Hello!"))
    assert done.outcome == Succeeded(
        {"text": "Hello!"}, reason="rung 1 of 1, fast", tokens=15, cost_microusd=20
    )  # fmt: skip
    ((alias, call),) = outside.asked
    assert (alias, call.prompt, call.system) == ("fast", "Say hello", "Be kind.")
    assert (call.output_schema, call.max_tokens, call.timeout) == (None, 50, 60.0)


def test_structured_output_is_given_as_it_came_and_asked_for_by_its_schema() -> None:
    done, outside = run(tagging({"model": "fast", "timeout": "20s"}, temperature=0.2, max_tokens=5000), GOOD)
    assert done.outcome.output == {"intent": "billing"}
    call = outside.asked[0][1]
    assert (call.output_schema, call.timeout, call.temperature) == (OUTPUT, 20.0, 0.2)
    assert call.max_tokens == 100  # the model's own limit


def test_a_failure_of_the_only_rung_is_the_steps() -> None:
    error = trouble("rate_limited", retry_after=9.0, input_tokens=7, cost_microusd=3)
    done, _ = run(a_step("model", prompt="x", model="fast"), error)
    assert done.outcome == Failed(
        "rate_limited", "It was rate_limited.", retryable=True, retry_after=9.0, tokens=7, cost_microusd=3
    )


@pytest.mark.parametrize("code", MODEL_TROUBLES)
def test_only_errors_that_may_pass_are_worth_a_retry_of_the_step(code: str) -> None:
    done, _ = run(a_step("model", prompt="x", model="fast"), trouble(code))
    assert done.outcome.retryable == (code not in ("refusal", "unauthorized", "bad_request"))


# Which rung steps in


@pytest.mark.parametrize("code", MODEL_TROUBLES)
@pytest.mark.parametrize("on", [None, *([code] for code in TROUBLES), ["timeout", "refusal", "invalid_output"]])
def test_a_rung_steps_in_on_the_errors_it_names(code: str, on: list[str] | None) -> None:
    second = {"model": "smart"} if on is None else {"model": "smart", "on": on}
    done, outside = run(tagging({"model": "fast"}, second), trouble(code), GOOD)
    steps_in = on is None or code in on
    assert [alias for alias, _ in outside.asked] == (["fast", "smart"] if steps_in else ["fast"])
    if steps_in:
        assert done.outcome.reason == f"rung 2 of 2, smart: stepped in on {code}"
    else:
        assert done.outcome.code == code
        assert done.spans[-1].status == "skipped"


def test_a_rung_that_does_not_fit_is_recorded_with_why_and_the_next_is_tried() -> None:
    ladder = ({"model": "fast"}, {"model": "fast", "on": ["invalid_output"]}, {"model": "smart", "on": ["timeout"]})
    done, _ = run(tagging(*ladder), trouble("timeout"), GOOD)
    assert [(span.kind, span.name, span.status) for span in done.spans] == [
        ("model", "fast", "error"), ("rung", "fast", "skipped"), ("model", "smart", "ok"),
    ]  # fmt: skip
    skipped = done.spans[1].attributes
    assert skipped == {"rung": 2, "why": "steps in on invalid_output; the error was timeout"}
    assert done.outcome.reason == "rung 3 of 3, smart: stepped in on timeout"


def test_a_rung_asks_as_often_as_it_says_and_its_reason_counts() -> None:
    done, outside = run(tagging({"model": "fast", "attempts": 3}), trouble(), trouble("refusal"), GOOD)
    assert len(outside.asked) == 3
    assert done.outcome.reason == "rung 1 of 1, fast, attempt 3"
    assert [span.attributes["attempt"] for span in done.spans] == [1, 2, 3]


@pytest.mark.parametrize(
    ("code", "asked"),
    [("timeout", 2), ("unavailable", 2), ("invalid_output", 2), ("refusal", 2), ("rate_limited", 1),
     ("unauthorized", 1), ("bad_request", 1)],
)  # fmt: skip
def test_errors_that_asking_again_at_once_can_not_cure_end_the_rung(code: str, asked: int) -> None:
    done, outside = run(tagging({"model": "fast", "attempts": 2}, CATCH_ALL), trouble(code), trouble(code))
    assert len(outside.asked) == asked
    assert done.outcome.output == {"intent": "other"}


def test_a_repair_prompt_tells_the_model_what_was_wrong() -> None:
    repair = {"model": "fast", "on": ["invalid_output"], "system": "Repair.",
              "prompt": "Invalid ({{ error.code }}): {{ error.message }} You said: {{ error.text }}"}  # fmt: skip
    done, outside = run(tagging({"model": "fast"}, repair), trouble("invalid_output", text="{oops"), GOOD)
    call = outside.asked[1][1]
    assert call.prompt == "Invalid (invalid_output): It was invalid_output. You said: {oops"
    assert call.system == "Repair."
    assert isinstance(done.outcome, Succeeded)


def test_a_repair_prompt_gets_a_bounded_part_of_a_long_answer() -> None:
    repair = {"model": "fast", "prompt": "{{ error.text }}"}
    _, outside = run(tagging({"model": "fast"}, repair), trouble("invalid_output", text="é" * 20_000), GOOD)
    assert len(outside.asked[1][1].prompt.encode()) == 8192


def test_a_prompt_that_can_not_be_rendered_is_no_reason_to_stop_the_ladder() -> None:
    repair = {"model": "fast", "prompt": "{{ error.code == 'timeout' ? input.nothing : '' }}"}
    done, outside = run(tagging({"model": "fast"}, repair, CATCH_ALL), trouble("timeout"))
    assert len(outside.asked) == 1
    assert done.outcome.reason.startswith("rung 3 of 3, rules")
    assert "its prompt" in done.spans[1].attributes["why"]


def test_when_no_rung_answers_the_last_error_and_all_costs_are_told() -> None:
    used = {"input_tokens": 10, "output_tokens": 1, "cost_microusd": 4}
    done, _ = run(
        tagging({"model": "fast"}, {"model": "smart", "on": ["refusal"]}, {"model": "smart"}),
        trouble("timeout", **used), trouble("unavailable", **used),
    )  # fmt: skip
    assert done.outcome == Failed(
        "unavailable", "No rung answered (2 of 3 tried). Last, rung 3, smart: It was unavailable.", retryable=True,
        tokens=22, cost_microusd=8,
    )  # fmt: skip


def test_tokens_and_cost_of_failed_rungs_are_on_a_success_too() -> None:
    done, _ = run(tagging({"model": "fast"}, {"model": "smart"}), trouble(input_tokens=3, cost_microusd=2), GOOD)
    assert (done.outcome.tokens, done.outcome.cost_microusd) == (18, 22)


# Rules as a rung


def test_rules_answer_in_the_place_of_a_model_and_name_the_row() -> None:
    done, _ = run(tagging({"model": "fast"}, RULES), trouble(), body="my invoice")
    assert done.outcome.output == {"intent": "billing"}
    row = "row 1, invoices: input.body.contains('invoice')"
    assert done.outcome.reason == f"rung 2 of 2, rules, {row}: stepped in on timeout"
    span = done.spans[-1]
    assert (span.kind, span.name, span.status) == ("rung", "rules", "ok")
    assert span.attributes == {
        "rung": 2, "why": "stepped in on timeout", "row": row, "answer": '{"intent":"billing"}',
    }  # fmt: skip


def test_rules_without_a_matching_row_let_the_next_rung_step_in() -> None:
    done, outside = run(tagging(RULES, {"model": "smart", "on": ["no_match"]}), GOOD)
    assert done.outcome.reason == "rung 2 of 2, smart: stepped in on no_match"
    assert len(outside.asked) == 1


def test_rules_may_refer_to_the_error() -> None:
    rules = {"rules": [{"when": "error.code == 'refusal'", "then": {"intent": "other"}}]}
    done, _ = run(tagging({"model": "fast"}, rules), trouble("refusal"))
    assert done.outcome.output == {"intent": "other"}


def test_an_answer_of_rules_must_match_the_output_as_a_models_must() -> None:
    rules = {"rules": [{"then": {"intent": "{{ input.body }}"}}]}
    done, _ = run(tagging({"model": "fast"}, rules), trouble())
    assert done.outcome.code == "invalid_output"
    assert done.spans[-1].status == "error"


def test_rules_that_can_not_be_evaluated_count_as_a_rung_that_failed() -> None:
    rules = {"rules": [{"when": "input.nothing == 1", "then": {"intent": "other"}}]}
    done, _ = run(tagging({"model": "fast"}, rules, CATCH_ALL), trouble())
    assert done.outcome.reason == "rung 3 of 3, rules, row 1: no condition: stepped in on expression_error"


# Confidence

SURE = {"of": "output.confidence", "at_least": 0.7}


@pytest.mark.parametrize(
    ("answer", "taken"),
    [({"confidence": 0.9}, True), ({"confidence": 0.7}, True), ({"confidence": 0.69}, False),
     ({"confidence": "high"}, False), ({}, False)],
)  # fmt: skip
def test_an_answer_that_is_too_unsure_makes_the_next_rung_step_in(answer: dict, taken: bool) -> None:
    step = a_step("model", prompt="x", output={"type": "object"}, confidence=SURE,
                  ladder=[{"model": "fast"}, {"model": "smart", "on": ["low_confidence"]}])  # fmt: skip
    done, outside = run(step, a_reply(answer), a_reply({"confidence": 1.0}))
    assert len(outside.asked) == (1 if taken else 2)
    assert done.spans[0].status == ("ok" if taken else "error")
    assert done.outcome.cost_microusd == (20 if taken else 40)


def test_a_confidence_that_is_too_low_everywhere_fails_the_step() -> None:
    step = a_step("model", prompt="x", output={"type": "object"}, confidence=SURE, model="fast")
    done, _ = run(step, a_reply({"confidence": 0.25}))
    assert (done.outcome.code, done.outcome.retryable) == ("low_confidence", True)
    assert "0.25, below 0.7" in done.outcome.message


# The trace


def test_each_call_leaves_a_span_that_tells_all_of_it() -> None:
    done, _ = run(tagging({"model": "fast"}, {"model": "smart"}), trouble("refusal", text="No."), GOOD)
    first, second = done.spans
    assert first.attributes == {
        "rung": 1, "attempt": 1, "why": "the first rung", "model": "fast-1", "provider": "simulator",
        "simulated": True, "prompt": "Tag: hello", "system": "", "answer": "No.", "input_tokens": 0,
        "output_tokens": 0, "cost_microusd": 0, "error": {"code": "refusal", "message": "It was refusal."},
    }  # fmt: skip
    assert (second.name, second.status, second.attributes["why"]) == ("smart", "ok", "stepped in on refusal")
    assert second.attributes["error"] is None
    assert first.started_at < first.ended_at < second.started_at


def test_long_prompts_and_answers_are_cut_in_the_span_and_counted() -> None:
    done, outside = run(tagging({"model": "fast"}), GOOD, body="ä" * 10_000)
    attributes = done.spans[0].attributes
    assert len(outside.asked[0][1].prompt) > 10_000
    assert len(attributes["prompt"].encode()) <= 8192
    assert attributes["cut"]["prompt"] + len(attributes["prompt"].encode()) == len("Tag: ") + 20_000


# Preparing


def prepared(step: Any, body: str = "hello", catalog: Any = None) -> Any:
    return get("model").prepare(step, a_scope({"body": body}), catalog or a_catalog())  # type: ignore[attr-defined]


def test_a_job_names_the_models_once_and_its_longest_time() -> None:
    job = prepared(tagging({"model": "fast", "attempts": 2, "timeout": "20s"}, {"model": "fast"}, {"model": "smart"},
                           CATCH_ALL))  # fmt: skip
    assert job.models == ("fast", "smart")
    assert job.timeout == 2 * 20 + 60 + 60 + 5
    assert prepared(replace(tagging({"model": "fast"}), timeout=30.0)).timeout == 30.0


def test_a_job_reserves_what_the_whole_ladder_can_use_and_no_climb_uses_more() -> None:
    repair = {"model": "smart", "attempts": 2, "prompt": "{{ error.message }} {{ error.text }} {{ input.body }}"}
    step = tagging({"model": "fast", "attempts": 2}, repair)
    job = prepared(step)
    long_error = trouble("invalid_output", text="€" * 9000)
    _, outside = run(step, long_error, long_error, long_error, long_error)
    models = a_catalog().models
    used = [worst_case(models[alias], call) for alias, call in outside.asked]
    assert sum(tokens for tokens, _ in used) <= job.tokens
    assert sum(cost for _, cost in used) <= job.cost_microusd
    assert job.tokens > sum(worst_case(models[alias], call)[0] for alias, call in outside.asked[:2])


def test_a_model_that_is_gone_is_refused_when_its_turn_comes() -> None:
    with pytest.raises(InvalidValue, match="`fast`"):
        prepared(tagging({"model": "fast"}), catalog=a_catalog(models=("smart",)))


def test_a_model_that_is_off_is_left_to_the_guard_by_its_name() -> None:
    catalog = a_catalog()
    fast = replace(catalog.models["fast"], enabled=False)

    job = prepared(tagging({"model": "fast"}), catalog=replace(catalog, models={**catalog.models, "fast": fast}))

    assert job.models == ("fast",)


# Checking


@pytest.mark.parametrize(
    ("config", "found"),
    [
        ({"prompt": "x", "model": "fast"}, []),
        ({"prompt": "x"}, [("", False)]),
        ({"prompt": "x", "model": "fast", "ladder": [{"model": "fast"}]}, [("", False)]),
        ({"model": "fast"}, [("prompt", False)]),
        ({"prompt": "x", "model": "slow"}, [("model", False)]),
        ({"ladder": [{"model": "fast", "prompt": "x"}, CATCH_ALL], "output": OUTPUT}, []),
        ({"prompt": "x", "ladder": [{"model": "fast"}, {"model": "slow"}]}, [("ladder[1].model", False)]),
        ({"prompt": "x", "ladder": [{"timeout": "5s"}]}, [("ladder[0]", False)]),
        ({"prompt": "x", "ladder": [{"model": "fast", "timeout": "soon"}]}, [("ladder[0].timeout", False)]),
        ({"prompt": "x", "ladder": [{"model": "fast"}, {"rules": [{"then": {"text": "y"}}], "attempts": 2}]},
         [("ladder[1].attempts", False)]),
        ({"prompt": "x", "ladder": [{"model": "fast"}, {"rules": [{"then": 5}]}]},
         [("ladder[1].rules[0].then", False)]),
        ({"prompt": "x", "ladder": [{"model": "fast", "on": ["timeout"]}]}, [("ladder[0].on", True)]),
        ({"prompt": "x", "ladder": [{"model": "fast"}, {"model": "fast", "on": ["low_confidence"]}]},
         [("ladder[1].on", True)]),
        ({"prompt": "x", "ladder": [{"rules": [{"then": {"text": "y"}}]}, {"model": "fast"}]},
         [("ladder[0].rules", True)]),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_model_step_is_said_when_it_is_saved(config: dict, found: list) -> None:
    assert [(one.field, one.warning) for one in complaints(a_step("model", **config))] == found


def test_a_ladder_that_can_not_end_within_the_steps_time_is_pointed_out() -> None:
    ladder = ({"model": "fast", "attempts": 2, "timeout": "20s"}, CATCH_ALL)
    assert [one.field for one in complaints(replace(tagging(*ladder), timeout=30.0))] == ["timeout"]
    assert complaints(replace(tagging(*ladder), timeout=40.0)) == []


def test_only_later_rungs_may_name_the_error() -> None:
    step = tagging({"model": "fast", "prompt": "a"}, {"model": "fast", "prompt": "b", "system": "c"}, CATCH_ALL,
                   confidence=SURE)  # fmt: skip
    extras = {use.field: sorted(use.extra) for use in get("model").uses(step)}
    assert extras == {
        "prompt": [], "ladder[0].prompt": [], "ladder[1].prompt": ["error"], "ladder[1].system": ["error"],
        "ladder[2].rules[0].then": ["error"], "confidence.of": ["output"],
    }  # fmt: skip


def test_a_model_without_an_output_schema_gives_a_text() -> None:
    step = a_step("model", prompt="x", model="fast")
    schema = get("model").output_schema(step, a_definition(step), a_catalog())
    assert schema["properties"] == {"text": {"type": "string"}}
