"""`tool`: one call of a registered tool."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

from orchestration.core.canonical import canonical
from orchestration.core.catalog import Catalog, Tool
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.errors import InvalidValue
from orchestration.core.outcomes import Failed, Outcome, Succeeded
from orchestration.core.values import check as check_value
from orchestration.kinds.base import Complaint, Job, Performed, Ports, Scope, SpanRecord, Use, WorkKind
from orchestration.kinds.fields import closed, pick, values
from orchestration.kinds.spans import texts
from orchestration.providers.base import ToolError, ToolReply


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What `perform` knows of the tool besides the arguments, which are `Job.arguments`: those are the frozen ones."""

    name: str
    effect: str  # read | keyed | once
    output: Mapping[str, Json]


class ToolStep(WorkKind):
    """Calls a tool with mapped arguments."""

    name = "tool"
    label = "Tool"
    icon = "wrench"
    summary = "Calls one registered tool; its arguments are checked against the tool's schema before it is called."
    config_schema = closed(
        {
            "tool": pick("tool", "The tool's name: helpdesk.open_ticket."),
            "arguments": values("Argument -> value; texts may hold {{ cel }}."),
        },
        required=("tool",),
    )

    def uses(self, step: Step) -> Iterable[Use]:
        for argument, value in step.config.get("arguments", {}).items():
            yield Use(f"arguments.{argument}", value, template=True)

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        tool = catalog.tools.get(step.config["tool"])
        if tool is None:
            known = ", ".join(sorted(catalog.tools)) or "none"
            fix = f"Register it, or use one of: {known}."
            yield Complaint("tool", f"this workspace has no tool `{step.config['tool']}`", fix)
            return
        if not tool.enabled:
            yield Complaint("tool", f"the tool `{tool.name}` is switched off", "Switch it on or use another.")
        yield from _check_arguments(step.config.get("arguments", {}), tool)

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        tool = catalog.tools.get(step.config["tool"])
        return tool.output if tool else {}

    def prepare(self, step: Step, scope: Scope, catalog: Catalog) -> Job:
        """Render and check the arguments. Whether the tool may be used at all, the guard says, with its reason."""
        tool = catalog.tools.get(step.config["tool"])
        if tool is None:
            return _unregistered(step)
        arguments = {key: scope.render(value) for key, value in step.config.get("arguments", {}).items()}
        check_value(arguments, accepted(tool), "arguments")
        return Job(
            kind=self.name,
            payload=ToolCall(tool.name, tool.effect, tool.output),
            timeout=min(step.timeout or tool.timeout, tool.timeout),
            tool=tool.name,
            arguments=canonical(arguments),
        )

    async def perform(self, job: Job, ports: Ports) -> Performed:
        call: ToolCall = job.payload
        started = ports.now()
        try:
            reply: ToolReply = await ports.call_tool(call.name, job.arguments)
        except ToolError as error:
            span = _span(job, call, started, ports.now(), error=error)
            return Performed(failed(error, call.effect), (span,))
        span = _span(job, call, started, ports.now(), reply=reply)
        return Performed(_answered(call, reply), (span,))


def accepted(tool: Tool) -> Mapping[str, Json]:
    """Give the schema that arguments must match: fields the tool does not know are refused unless it says otherwise."""
    schema = tool.arguments
    if "properties" in schema and "additionalProperties" not in schema and "patternProperties" not in schema:
        return {**schema, "additionalProperties": False}
    return schema


def failed(error: ToolError, effect: str) -> Failed:
    """Say what an error means for the step.

    Not acted on: as the error says. Otherwise nobody knows, and a `once` call must not be repeated; a call that may
    be repeated is worth it unless the other side has answered and the error will not go away by itself.
    """
    if error.acted == "no":
        return Failed(error.code, error.message, retryable=error.retryable, retry_after=error.retry_after)
    if effect == "once":
        return Failed(error.code, error.message, unknown=True)
    again = error.retryable or error.status is None
    return Failed(error.code, error.message, retryable=again, retry_after=error.retry_after)


def _unregistered(step: Step) -> Job:
    """Give the job of a call nobody can make: the guard refuses it by the tool's name."""
    name = step.config["tool"]
    call = ToolCall(name, "once", {})
    return Job(kind=ToolStep.name, payload=call, timeout=step.timeout or Tool(name).timeout, tool=name)


def _check_arguments(arguments: Mapping[str, Json], tool: Tool) -> Iterable[Complaint]:
    schema = accepted(tool)
    properties = schema.get("properties", {})
    for argument in schema.get("required", ()):
        if argument not in arguments:
            fix = f"Add `arguments.{argument}`."
            yield Complaint("arguments", f"`{tool.name}` needs the argument `{argument}`", fix)
    for argument, value in arguments.items():
        if argument not in properties and schema.get("additionalProperties") is False:
            known = ", ".join(properties) or "none"
            message = f"`{tool.name}` has no argument `{argument}`"
            yield Complaint(f"arguments.{argument}", message, f"It takes: {known}.")
        elif argument in properties and "{{" not in str(value):
            yield from _check_constant(argument, value, properties[argument], schema)


def _check_constant(
    argument: str, value: Json, part: Mapping[str, Json], schema: Mapping[str, Json]
) -> Iterable[Complaint]:
    whole = {**part, "$defs": schema["$defs"]} if "$defs" in schema else part
    try:
        check_value(value, whole, "")
    except InvalidValue as error:
        yield Complaint(f"arguments.{argument}", str(error), "Write a value that the tool's schema allows.")


def _answered(call: ToolCall, reply: ToolReply) -> Outcome:
    try:
        check_value(reply.value, call.output, "")
    except InvalidValue as error:
        if call.effect == "read":
            return Failed("invalid_output", f"The answer of {call.name} does not match its schema: {error}")
        # It has acted: failing now would invite someone to do it again.
        return Succeeded(output=reply.value, reason=f"{call.name} answered, but not as its schema says: {error}")
    return Succeeded(output=reply.value, reason=f"{call.name} answered")


def _span(
    job: Job, call: ToolCall, started: datetime, ended: datetime,
    reply: ToolReply | None = None, error: ToolError | None = None,
) -> SpanRecord:  # fmt: skip
    # Not the canonical form: that refuses what other sides do send, such as whole numbers beyond 2^53.
    answer = "" if reply is None else json.dumps(reply.value, ensure_ascii=False, separators=(",", ":"))
    attributes = {
        "tool": call.name,
        "effect": call.effect,
        **texts(arguments=job.arguments.decode(), answer=answer),
        "status": reply.status if reply else error.status if error else None,
        "bytes_received": reply.bytes_received if reply else 0,
        "error": {"code": error.code, "message": error.message} if error else None,
        "acted": error.acted if error else "yes",
    }
    return SpanRecord("tool", call.name, started, ended, "error" if error else "ok", attributes)
