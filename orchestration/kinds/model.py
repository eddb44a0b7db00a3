"""`model`: one answer of a model, by a ladder of fallbacks."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Step
from orchestration.kinds.base import Complaint, Job, Performed, Ports, Scope, Use, WorkKind
from orchestration.kinds.fields import cel, closed, duration, json_schema, pick, rows, template, value, whole
from orchestration.kinds.ladder import ERROR_NAME, TROUBLES, Climb, Ladder, ModelRung
from orchestration.kinds.model_checks import check_model_step
from orchestration.kinds.rules import ROW_NAME, row_uses
from orchestration.kinds.rungs import TEXT_OUTPUT, WORST, build, specs_of, timeout_of
from orchestration.providers.pricing import worst_case

MARGIN = 5.0  # seconds that the ladder as a whole has on top of its calls

_RULES = rows(
    closed(
        {
            "name": ROW_NAME,
            "when": cel("The row matches if this is true; without it the row always matches."),
            "then": value("The step's output if the row matches; texts may hold {{ cel }}."),
        },
        required=("then",),
    ),
    "Instead of a model: a decision table that gives the same output. Its first row that matches answers.",
)
_RUNG = closed(
    {
        "model": pick("model", "The model to ask, by its alias."),
        "attempts": whole("How often this rung asks, in all.", 1, 5, default=1),
        "timeout": duration("How long one call may take. Without it: the step's time-out, else 60s."),
        "prompt": template("A prompt for this rung. It may refer to error.code, error.message and error.text."),
        "system": template("A system text for this rung. It may refer to the error too."),
        "on": {
            "type": "array",
            "items": {"enum": list(TROUBLES)},
            "minItems": 1,
            "uniqueItems": True,
            "description": "The errors, of the rung tried last, that make this rung step in. Without it: any.",
        },
        "rules": _RULES,
    }
)
_CONFIDENCE = closed(
    {
        "of": cel("A number over `output`, the model's answer: output.confidence."),
        "at_least": {"type": "number", "description": "Below this the answer counts as `low_confidence`."},
    },
    required=("of", "at_least"),
    description="When an answer of a model is too unsure to be taken.",
)


class ModelStep(WorkKind):
    """Asks a model; when it does not answer well, the next rung of the ladder steps in."""

    name = "model"
    label = "Model"
    icon = "cpu"
    summary = "Asks a model for a text or for structured output, with fallbacks that step in when it fails."
    config_schema = closed(
        {
            "prompt": template("What the model is asked."),
            "system": template("Standing instructions for the model."),
            "model": pick("model", "The model to ask, by its alias. Either this or a ladder."),
            "ladder": rows(_RUNG, "What is tried, in order, until one answers well."),
            "output": json_schema("The JSON Schema of the answer. Without it the output is {text}."),
            "confidence": _CONFIDENCE,
            "temperature": {"type": "number", "minimum": 0, "maximum": 2, "description": "How freely it answers."},
            "max_tokens": whole("The longest answer, in tokens; at most what the model allows.", 1, 200_000),
        }
    )

    def uses(self, step: Step) -> Iterable[Use]:
        for field in ("prompt", "system"):
            if field in step.config:
                yield Use(field, step.config[field], template=True)
        for index, spec in enumerate(step.config.get("ladder", ())):
            # The first rung follows nothing, so there is no error to speak of.
            extra = ERROR_NAME if index else {}
            for field in ("prompt", "system"):
                if field in spec:
                    yield Use(f"ladder[{index}].{field}", spec[field], template=True, extra=extra)
            yield from row_uses(spec.get("rules", ()), f"ladder[{index}].rules", extra)
        if "confidence" in step.config:
            answer = {"output": step.config.get("output", TEXT_OUTPUT)}
            yield Use("confidence.of", step.config["confidence"]["of"], wants="number", extra=answer)

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        return check_model_step(step, catalog)

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        schema: Mapping[str, Json] = step.config.get("output", TEXT_OUTPUT)
        return schema

    def prepare(self, step: Step, scope: Scope, catalog: Catalog) -> Job:
        """Bind the ladder. The prompts of later rungs are rendered when they step in: they may tell of the error."""
        ladder = build(step, scope, catalog)
        tokens, cost = _most(ladder)
        aliases = dict.fromkeys(rung.name for rung in ladder.rungs if isinstance(rung, ModelRung))
        specs = [spec for spec in specs_of(step.config) if "rules" not in spec]
        longest = sum(timeout_of(spec, step) * spec.get("attempts", 1) for spec in specs) + MARGIN
        return Job(
            kind=self.name, payload=ladder, timeout=step.timeout or longest, cost_microusd=cost, tokens=tokens,
            models=tuple(aliases),
        )  # fmt: skip

    async def perform(self, job: Job, ports: Ports) -> Performed:
        return await Climb(job.payload, ports).run()


def _most(ladder: Ladder) -> tuple[int, int]:
    """Give the most tokens and microusd the whole ladder can use: every rung, every attempt, the longest error."""
    tokens = cost = 0
    for index, rung in enumerate(ladder.rungs):
        if isinstance(rung, ModelRung):
            one_tokens, one_cost = worst_case(rung.model, rung.call(WORST if index else None))
            tokens, cost = tokens + one_tokens * rung.attempts, cost + one_cost * rung.attempts
    return tokens, cost
