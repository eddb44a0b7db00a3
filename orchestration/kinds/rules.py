"""`rules`: a decision table."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.outcomes import Failed, Outcome, Succeeded
from orchestration.kinds.base import Complaint, ControlKind, Scope, Use
from orchestration.kinds.fields import cel, closed, rows, value
from orchestration.kinds.shapes import shape_of, union
from orchestration.kinds.table import describe, matches

HITS = ("first", "all", "priority")
ROW_NAME = {"type": "string", "maxLength": 80, "description": "A name for the trace: what this row is about."}


class Rules(ControlKind):
    """A decision table: the first row that matches, all of them, or the one that matters most."""

    name = "rules"
    label = "Rules"
    icon = "table-2"
    summary = "A decision table: conditions on the left, answers on the right; the trace names the row."
    config_schema = closed(
        {
            "hit": {
                "enum": list(HITS), "default": "first",
                "description": "first: the first row that matches; all: a list of all; priority: the highest priority.",
            },
            "rules": rows(
                closed(
                    {
                        "name": ROW_NAME,
                        "when": cel("The row matches if this is true; without it the row always matches."),
                        "then": value("The answer of the row; texts may hold {{ cel }}."),
                        "priority": {"type": "number", "default": 0, "description": "The highest wins."},
                    },
                    required=("then",),
                ),
                "The rows, in order.",
            ),
            "default": value("The answer when no row matches. Without it that is the error `no_match`."),
        },
        required=("rules",),
    )  # fmt: skip

    def uses(self, step: Step) -> Iterable[Use]:
        yield from row_uses(step.config["rules"], "rules")
        if "default" in step.config:
            yield Use("default", step.config["default"], template=True)

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        table, hit = step.config["rules"], step.config.get("hit", "first")
        if hit == "first":
            yield from unreachable(table, "rules")
        if hit == "priority":
            return
        for index, row in enumerate(table):
            if "priority" in row:
                fix = "Take it out, or set `hit: priority`."
                yield Complaint(f"rules[{index}].priority", f"`hit: {hit}` does not look at priorities", fix)

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        answers = union(shape_of(row["then"]) for row in step.config["rules"])
        if step.config.get("hit") == "all":
            answers = {"type": "array", "items": answers}
        return union([answers, shape_of(step.config["default"])]) if "default" in step.config else answers

    def decide(self, step: Step, scope: Scope) -> Outcome:
        found = list(_hits(step.config, scope))
        if not found:
            return _no_match(step.config, scope)
        reason = "; ".join(describe(number, row) for number, row in found)
        answers = [scope.render(row["then"]) for _, row in found]
        return Succeeded(output=answers if step.config.get("hit") == "all" else answers[0], reason=reason)


def row_uses(
    table: Iterable[Mapping[str, Json]], field: str, extra: Mapping[str, Mapping[str, Json]] | None = None
) -> Iterable[Use]:
    """Yield the expressions of a decision table that stands at `field`."""
    for index, row in enumerate(table):
        if "when" in row:
            yield Use(f"{field}[{index}].when", row["when"], wants="bool", extra=extra or {})
        yield Use(f"{field}[{index}].then", row["then"], template=True, extra=extra or {})


def unreachable(table: list[Mapping[str, Json]], field: str) -> Iterable[Complaint]:
    """Warn of rows below one that always matches."""
    always = next((index for index, row in enumerate(table) if "when" not in row), None)
    if always is not None and always < len(table) - 1:
        message = f"row {always + 1} always matches, so the rows below it are never reached"
        yield Complaint(f"{field}[{always}]", message, "Move it to the end or give it a `when`.", warning=True)


def _hits(config: Mapping[str, Json], scope: Scope) -> Iterable[tuple[int, Mapping[str, Json]]]:
    found = matches(config["rules"], scope)
    match config.get("hit", "first"):
        case "all":
            return found
        case "priority":
            # Of equal priorities the upper row wins: max() keeps the first.
            best = max(found, key=lambda hit: hit[1].get("priority", 0), default=None)
        case _:
            best = next(found, None)
    return () if best is None else (best,)


def _no_match(config: Mapping[str, Json], scope: Scope) -> Outcome:
    if "default" in config:
        return Succeeded(output=scope.render(config["default"]), reason="no row matches: the default")
    if config.get("hit") == "all":
        return Succeeded(output=[], reason="no row matches")
    return Failed("no_match", "No row of the table matches and it has no `default`.")
