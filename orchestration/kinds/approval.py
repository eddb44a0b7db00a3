"""`approval`: asks people, and waits for their decision. With `covers`, the question is one exact tool call."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta

from orchestration.core.canonical import canonical
from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.durations import parse_duration
from orchestration.core.graph import Graph
from orchestration.core.names import did_you_mean
from orchestration.core.outcomes import AskApproval, Outcome
from orchestration.kinds.base import Complaint, ControlKind, Scope, Use
from orchestration.kinds.fields import closed, duration, json_schema, pick, rows, template, value, whole
from orchestration.kinds.times import check_durations

RISKS = ("low", "medium", "high")
PORTS = ("approved", "rejected", "expired")
DEFAULT_REQUIRE = ({"from": "approver", "count": 1},)
DEFAULT_USE_BY = "24h"

_STEP_NAME = re.compile(r"\bsteps\.([A-Za-z_][A-Za-z0-9_]*)")


class Approval(ControlKind):
    """A request for a human decision; it leaves by `approved`, `rejected` or `expired`."""

    name = "approval"
    label = "Approval"
    icon = "user-check"
    summary = "Asks people to decide. It may cover one later tool call, which is then sent exactly as they saw it."
    config_schema = closed(
        {
            "question": template("What is asked, in one sentence."),
            "context": value("What the approver should know, as named values."),
            "covers": pick("step", "The tool step whose exact call is shown, frozen and sent after approval."),
            "risk": {"enum": list(RISKS), "default": "low", "description": "High risk asks for a fresh sign-in."},
            "require": rows(
                closed(
                    {
                        "from": pick("role", "The role whose members may decide."),
                        "count": whole("How many distinct people of it must approve.", 1, 20, default=1),
                    },
                    required=("from",),
                ),
                "Who must approve; without it one approver.",
            ),
            "decide_by": duration("The request expires after this time without a decision. Without it: never."),
            "use_by": duration("The approval is void this long after it was given. Without it: 24h."),
            "form": json_schema("What the approver fills in; it is given on as `output.answer`."),
        },
        required=("question",),
    )

    def ports(self, config: Mapping[str, Json]) -> tuple[str, ...]:
        return (*PORTS, "error")

    def uses(self, step: Step) -> Iterable[Use]:
        yield Use("question", step.config["question"], template=True)
        if "context" in step.config:
            yield Use("context", step.config["context"], template=True)

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        yield from check_durations(step.config, "decide_by", "use_by")
        if step.config.get("form", {}).get("type", "object") != "object":
            yield Complaint("form", "a form is an object of named fields", "Write `type: object` and `properties`.")
        yield from _check_roles(step, catalog)
        if "covers" in step.config:
            yield from _check_cover(step, definition)

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        properties: dict[str, Json] = {
            "decision": {"type": "string", "enum": list(PORTS)},
            "by": {"type": "string"},
            "comment": {"type": "string"},
            "request": {"type": "string"},
        }
        required = list(properties)
        if "form" in step.config:
            properties["answer"] = step.config["form"]
        return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}

    def decide(self, step: Step, scope: Scope) -> Outcome:
        """Ask. The covered call is resolved now: these arguments are what people see and what is sent."""
        config = step.config
        limit = timedelta(seconds=parse_duration(config["decide_by"])) if "decide_by" in config else None
        decide_by = None if limit is None else scope.now + limit
        request = {
            "question": str(scope.render(config["question"])),
            "context": scope.render(config["context"]) if "context" in config else {},
            "risk": config.get("risk", "low"),
            "require": [{"count": 1, **one} for one in config.get("require", DEFAULT_REQUIRE)],
            "form": config.get("form"),
            "call": self._call(config["covers"], scope) if "covers" in config else None,
            "decide_by": None if decide_by is None else decide_by.isoformat(),
            "use_by_seconds": parse_duration(config.get("use_by", DEFAULT_USE_BY)),
        }
        return AskApproval(request=request, decide_by=decide_by)

    def _call(self, covered: str, scope: Scope) -> dict[str, Json]:
        config = scope.step(covered).config
        arguments = {key: scope.render(value) for key, value in config.get("arguments", {}).items()}
        canonical(arguments)  # what can't be frozen can't be approved: refused here, with its place
        return {"step": covered, "tool": config["tool"], "arguments": arguments}


def output_of(port: str, decision: Mapping[str, Json]) -> dict[str, Json]:
    """Give the output of an approval step from a decision's port, `by`, `comment`, `request` (its id) and `answer`."""
    texts = {name: decision.get(name) or "" for name in ("by", "comment", "request")}
    output: dict[str, Json] = {"decision": port, **texts}
    if decision.get("answer") is not None:
        output["answer"] = decision["answer"]
    return output


def _check_roles(step: Step, catalog: Catalog) -> Iterable[Complaint]:
    """A request that asks a role which does not exist would wait for ever."""
    for index, asked in enumerate(step.config.get("require", DEFAULT_REQUIRE)):
        role = asked["from"]
        if catalog.roles is not None and role not in catalog.roles:
            fix = did_you_mean(role, catalog.roles).strip() or f"Roles: {', '.join(sorted(catalog.roles))}."
            yield Complaint(f"require[{index}].from", f"this workspace has no role `{role}`", fix)


def _check_cover(step: Step, definition: Definition) -> Iterable[Complaint]:
    covered = definition.step(step.config["covers"])
    if covered is None or covered.kind != "tool":
        said = "there is no such step" if covered is None else f"its kind is `{covered.kind}`"
        yield Complaint("covers", f"`{step.config['covers']}` is not a tool step: {said}", "Name a tool step.")
        return
    graph = Graph(definition)
    ways = [edge.target for edge in graph.forward if (edge.source, edge.port) == (step.id, "approved")]
    if not any(graph.reach(target) >> graph.index[covered.id] & 1 for target in ways):
        fix = f"Draw a way from `{step.id}.approved` to `{covered.id}`."
        yield Complaint("covers", f"`{covered.id}` does not come after the approval", fix)
    # The call is rendered when the question is asked, so it can't read what only happens afterwards.
    for read in sorted(set(_STEP_NAME.findall(str(covered.config.get("arguments", {})))) & graph.index.keys()):
        if not graph.may_have_run(read, step.id):
            fix = f"Let `{covered.id}` read only what is there before `{step.id}` asks."
            yield Complaint("covers", f"`{covered.id}` reads `{read}`, which is not there yet when people decide", fix)
