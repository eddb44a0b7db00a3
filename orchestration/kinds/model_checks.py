"""What can be wrong with a model step beyond its schema and its expressions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Json, Step
from orchestration.core.errors import InvalidValue
from orchestration.core.values import check as check_value
from orchestration.kinds.base import Complaint
from orchestration.kinds.rules import unreachable
from orchestration.kinds.rungs import TEXT_OUTPUT, specs_of, timeout_of
from orchestration.kinds.times import check_durations

_OF_MODELS = ("attempts", "timeout", "prompt", "system")


def check_model_step(step: Step, catalog: Catalog) -> Iterable[Complaint]:
    """Yield what is wrong with the ladder, its models, its order and its times."""
    config = step.config
    if ("model" in config) == ("ladder" in config):
        yield Complaint("", "a model step needs either `model` or `ladder`", "Write one of the two.")
        return
    if "model" in config:
        yield from _check_alias("model", config["model"], catalog)
    for index, spec in enumerate(config.get("ladder", ())):
        yield from _check_rung(f"ladder[{index}]", spec, step, catalog)
    yield from _check_prompts(config)
    yield from _check_order(config)
    yield from _check_times(step)


def _check_alias(field: str, alias: str, catalog: Catalog) -> Iterable[Complaint]:
    model = catalog.models.get(alias)
    if model is None:
        known = ", ".join(sorted(catalog.models)) or "none"
        yield Complaint(field, f"this workspace has no model `{alias}`", f"Set it up, or use one of: {known}.")
    elif not model.enabled:
        yield Complaint(field, f"the model `{alias}` is switched off", "Switch it on or use another.")


def _check_rung(place: str, spec: Mapping[str, Json], step: Step, catalog: Catalog) -> Iterable[Complaint]:
    if ("model" in spec) == ("rules" in spec):
        yield Complaint(place, "a rung needs either `model` or `rules`", "Write one of the two.")
        return
    if "model" in spec:
        yield from _check_alias(f"{place}.model", spec["model"], catalog)
        yield from check_durations(spec, "timeout", place=f"{place}.")
        return
    for field in _OF_MODELS:
        if field in spec:
            yield Complaint(f"{place}.{field}", f"`{field}` means nothing for rules", "Take it out.")
    yield from unreachable(spec["rules"], f"{place}.rules")
    yield from _check_answers(f"{place}.rules", spec["rules"], step.config.get("output", TEXT_OUTPUT))


def _check_answers(place: str, rows: list[Mapping[str, Json]], schema: Mapping[str, Json]) -> Iterable[Complaint]:
    for index, row in enumerate(rows):
        if "{{" in str(row["then"]):
            continue
        try:
            check_value(row["then"], schema, "")
        except InvalidValue as error:
            message = f"this answer does not match the step's output: {error}"
            yield Complaint(f"{place}[{index}].then", message, "Give what `output` describes.")


def _check_prompts(config: Mapping[str, Json]) -> Iterable[Complaint]:
    missing = [spec["model"] for spec in specs_of(config) if "model" in spec and "prompt" not in spec]
    if missing and not config.get("prompt"):
        yield Complaint("prompt", f"there is no prompt for `{missing[0]}`", "Write what the model is asked.")


def _check_order(config: Mapping[str, Json]) -> Iterable[Complaint]:
    specs = specs_of(config)
    if "on" in specs[0]:
        yield Complaint("ladder[0].on", "the first rung is always tried", "Take `on` out.", warning=True)
    for index, spec in enumerate(specs):
        if "low_confidence" in spec.get("on", ()) and "confidence" not in config:
            fix = "Say `confidence: {of: output.confidence, at_least: 0.7}`, or take it out."
            yield Complaint(f"ladder[{index}].on", "`low_confidence` never happens here", fix, warning=True)
        if "on" not in spec and index < len(specs) - 1 and any("when" not in row for row in spec.get("rules", ())):
            message = "these rules always answer, so the rungs below are never reached"
            yield Complaint(f"ladder[{index}].rules", message, "Move them to the end.", warning=True)


def _check_times(step: Step) -> Iterable[Complaint]:
    if step.timeout is None:
        return
    try:
        specs = [spec for spec in specs_of(step.config) if "model" in spec]
        longest = sum(timeout_of(spec, step) * spec.get("attempts", 1) for spec in specs)
    except InvalidValue:
        return  # complained of where it stands
    if longest > step.timeout:
        message = f"the ladder may take {longest:g} s but the step has {step.timeout:g} s: its end may not be reached"
        yield Complaint("timeout", message, "Give the step more time or its rungs less.", warning=True)
