"""What is allowed but will hurt: warnings on steps whose failure nobody handles."""

from __future__ import annotations

from collections.abc import Iterator

from orchestration.core.catalog import Catalog, Tool
from orchestration.core.definition import Definition, Step
from orchestration.core.problems import Problem

ASK_BEFORE = {"money": "it moves money", "destructive": "it destroys"}  # risk of a tool -> why a person should look
_FIX = "Add an edge from `{step}.error`, or say `on_error: continue`."


def warnings(definition: Definition, catalog: Catalog) -> Iterator[Problem]:
    """Yield the warnings of a definition."""
    handled = {edge.source for edge in definition.edges if edge.port == "error"}
    covered = {step.config.get("covers") for step in definition.steps if step.kind == "approval"}
    for step in definition.steps:
        tool = _tool(step, catalog)
        if tool is not None and tool.risk in ASK_BEFORE and step.id not in covered:
            message = f"{tool.name} ({ASK_BEFORE[tool.risk]}) is called without asking anybody."
            fix = f"Put an approval step with `covers: {step.id}` before it."
            yield Problem(step.id, "tool", message, fix, "warning")
        if step.on_error == "fail" and step.id not in handled:
            yield from _unhandled(step, tool)
        if step.retry.attempts > 1 and tool is not None and tool.effect == "once":
            message = f"{tool.name} is called at most once by itself: only a call that provably did nothing is retried."
            fix = "Keep the retry for that, or take it out."
            yield Problem(step.id, "retry", message, fix, "warning")
    limits = definition.limits
    if limits.deadline is not None and limits.wall_time is not None and limits.deadline < limits.wall_time:
        message = "the deadline comes before wall_time is used up, so wall_time never matters."
        yield Problem("", "limits.deadline", message, "Raise the deadline, or take wall_time out.", "warning")


def _unhandled(step: Step, tool: Tool | None) -> Iterator[Problem]:
    fix = _FIX.format(step=step.id)
    if step.kind in ("model", "agent") and not step.config.get("ladder"):
        message = f"if the {step.kind} fails, the run fails."
        yield Problem(step.id, "", message, f"Add a ladder. Or: {fix[0].lower()}{fix[1:]}", "warning")
    elif tool is not None and tool.risk != "read":
        yield Problem(
            step.id, "", f"if {tool.name} fails, the run fails after other steps may have acted.", fix, "warning"
        )
    elif step.retry.attempts > 1:
        yield Problem(step.id, "retry", "when all attempts have failed, the run fails.", fix, "warning")


def _tool(step: Step, catalog: Catalog) -> Tool | None:
    name = step.config.get("tool") if step.kind == "tool" else None
    return catalog.tools.get(name) if isinstance(name, str) else None
