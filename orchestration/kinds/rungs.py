"""From the config of a model step to the rungs of its ladder, bound to what the step may see."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from orchestration.core.canonical import canonical
from orchestration.core.catalog import Catalog, Model
from orchestration.core.definition import Json, Step
from orchestration.core.durations import parse_duration
from orchestration.core.errors import EvaluationError, InvalidValue
from orchestration.core.values import check as check_value
from orchestration.kinds.base import Scope
from orchestration.kinds.ladder import (
    ANSWER_BYTES,
    MESSAGE_BYTES,
    Answer,
    Ladder,
    ModelRung,
    RulesRung,
    Rung,
    Trouble,
)
from orchestration.kinds.table import describe, matches
from orchestration.providers.base import ModelCall, ModelReply

CALL_TIMEOUT = 60.0  # seconds, where neither rung nor step says
TEXT_OUTPUT: Mapping[str, Json] = {
    "type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"],
    "additionalProperties": False,
}  # fmt: skip
# The longest error a prompt can get: rendering with it bounds what a rung can cost.
WORST = Trouble("invalid_output", "x" * MESSAGE_BYTES, "x" * ANSWER_BYTES)


def specs_of(config: Mapping[str, Json]) -> list[Mapping[str, Json]]:
    """Give the rungs as written; `model: fast` alone is a ladder of one rung."""
    ladder = config.get("ladder")
    return list(ladder) if ladder else [{"model": config.get("model", "")}]


def timeout_of(spec: Mapping[str, Json], step: Step) -> float:
    """Give the seconds that one call of a rung may take."""
    return parse_duration(spec["timeout"]) if "timeout" in spec else step.timeout or CALL_TIMEOUT


def build(step: Step, scope: Scope, catalog: Catalog) -> Ladder:
    """Bind the ladder to a scope. Raises EvaluationError, or InvalidValue for a model that does not exist."""
    rungs: list[Rung] = []
    for spec in specs_of(step.config):
        make = _rules_rung if "rules" in spec else partial(_model_rung, catalog=catalog)
        rungs.append(make(spec, step, scope, first=not rungs))
    return Ladder(tuple(rungs), partial(_judge, step.config, scope))


def _model_rung(spec: Mapping[str, Json], step: Step, scope: Scope, first: bool, catalog: Catalog) -> ModelRung:
    model = _known(spec["model"], catalog)
    prompt, system = (_text(field, spec, step, scope, first) for field in ("prompt", "system"))
    config = step.config

    def call(trouble: Trouble | None) -> ModelCall:
        return ModelCall(
            prompt=prompt(trouble),
            system=system(trouble),
            output_schema=config.get("output"),
            max_tokens=min(config.get("max_tokens", model.max_tokens), model.max_tokens),
            temperature=config.get("temperature"),
            timeout=timeout_of(spec, step),
        )

    return ModelRung(spec["model"], model, spec.get("attempts", 1), frozenset(spec.get("on", ())), call)


def _text(
    field: str, spec: Mapping[str, Json], step: Step, scope: Scope, first: bool
) -> Callable[[Trouble | None], str]:
    """Render a text of a rung now, unless it is a later rung's own, which may refer to the error."""
    if field in spec and not first:
        return lambda trouble: _as_text(_with_error(scope, trouble).render(spec[field]))
    text = _as_text(scope.render(spec[field] if field in spec else step.config.get(field, "")))
    return lambda trouble: text


def _rules_rung(spec: Mapping[str, Json], step: Step, scope: Scope, first: bool) -> RulesRung:
    schema = step.config.get("output", TEXT_OUTPUT)

    def answer(trouble: Trouble | None) -> Answer | Trouble:
        try:
            return _look_up(spec["rules"], scope if first else _with_error(scope, trouble), schema)
        except EvaluationError as error:
            return Trouble("expression_error", str(error))

    return RulesRung(frozenset(spec.get("on", ())), answer)


def _look_up(rows: list[Mapping[str, Json]], scope: Scope, schema: Mapping[str, Json]) -> Answer | Trouble:
    number, row = next(matches(rows, scope), (0, None))
    if row is None:
        return Trouble("no_match", "No row of the table matches.")
    value = scope.render(row["then"])
    try:
        check_value(value, schema, "")
    except InvalidValue as error:
        return Trouble("invalid_output", f"{describe(number, row)} gives what the output schema refuses: {error}")
    return Answer(value, describe(number, row))


def _judge(config: Mapping[str, Json], scope: Scope, reply: ModelReply) -> Answer | Trouble:
    value = reply.value if "output" in config else {"text": reply.value}
    asked = config.get("confidence")
    if asked is None:
        return Answer(value)
    try:
        found = scope.also({"output": value}).evaluate(asked["of"])
    except EvaluationError as error:
        return Trouble("low_confidence", f"The confidence is not known: {error}", reply.text)
    if isinstance(found, bool) or not isinstance(found, int | float):
        return Trouble("low_confidence", f"The confidence is not a number: {found!r:.60}", reply.text)
    if found < asked["at_least"]:
        return Trouble("low_confidence", f"The confidence is {found:g}, below {asked['at_least']:g}.", reply.text)
    return Answer(value)


def _known(alias: str, catalog: Catalog) -> Model:
    """Find a model. One that is switched off is found too: the guard refuses it, with its reason."""
    model = catalog.models.get(alias)
    if model is None:
        raise InvalidValue(f"the model `{alias}` is not set up in this workspace", "model")
    return model


def _with_error(scope: Scope, trouble: Trouble | None) -> Scope:
    return scope if trouble is None else scope.also(trouble.names())


def _as_text(value: Json) -> str:
    if isinstance(value, str):
        return value
    return "" if value is None else canonical(value).decode()
