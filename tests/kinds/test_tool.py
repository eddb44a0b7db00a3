import asyncio
from dataclasses import replace
from typing import Any

import pytest

from orchestration.core.catalog import Tool
from orchestration.core.errors import InvalidValue
from orchestration.core.outcomes import Failed, Succeeded
from orchestration.kinds import get
from orchestration.providers.base import ToolError, ToolReply
from tests.kinds.world import Outside, a_catalog, a_definition, a_scope, a_step, complaints, performed

OPEN = Tool(
    "helpdesk.open_ticket",
    arguments={
        "type": "object",
        "properties": {"subject": {"type": "string"}, "priority": {"enum": ["low", "high"]}},
        "required": ["subject"],
    },
    output={"type": "object", "properties": {"id": {"type": "string"}}, "required": ["id"]},
    timeout=20.0,
)
CATALOG = a_catalog(tools=(OPEN,))
STEP = a_step("tool", tool=OPEN.name, arguments={"subject": "Re: {{ input.subject }}", "priority": "low"})
SCOPE = a_scope({"subject": "é"})


def prepared(step: Any = STEP, scope: Any = SCOPE, catalog: Any = CATALOG) -> Any:
    return get("tool").prepare(step, scope, catalog)  # type: ignore[attr-defined]


def run(outside: Outside, effect: str = "once") -> Any:
    catalog = a_catalog(tools=(replace(OPEN, effect=effect),))
    return asyncio.run(performed(STEP, outside, SCOPE, catalog))


def test_a_call_is_prepared_as_canonical_bytes() -> None:
    job = prepared()
    assert job.arguments == '{"priority":"low","subject":"Re: é"}'.encode()
    assert (job.tool, job.timeout, job.models) == ("helpdesk.open_ticket", 20.0, ())


@pytest.mark.parametrize(("own", "seconds"), [(None, 20.0), (5.0, 5.0), (99.0, 20.0)])
def test_the_shorter_time_out_of_step_and_tool_holds(own: float | None, seconds: float) -> None:
    assert prepared(replace(STEP, timeout=own)).timeout == seconds


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"subject": "{{ input.number }}"}, "arguments.subject"),
        ({"subject": "x", "cc": "y"}, "cc"),
        ({"priority": "low"}, "subject"),
    ],
)
def test_arguments_that_the_tool_does_not_take_are_never_sent(arguments: dict, message: str) -> None:
    with pytest.raises(InvalidValue, match=message):
        prepared(a_step("tool", tool=OPEN.name, arguments=arguments), a_scope({"number": 4}))


def test_a_tool_that_says_it_takes_more_gets_more() -> None:
    open_tool = replace(OPEN, arguments={**OPEN.arguments, "additionalProperties": True})
    step = a_step("tool", tool=OPEN.name, arguments={"subject": "x", "cc": "y"})
    assert prepared(step, catalog=a_catalog(tools=(open_tool,))).arguments == b'{"cc":"y","subject":"x"}'


@pytest.mark.parametrize("tools", [(), (replace(OPEN, enabled=False),)])
def test_a_tool_that_is_gone_or_off_is_left_to_the_guard_by_its_name(tools: tuple) -> None:
    assert prepared(catalog=a_catalog(tools=tools)).tool == OPEN.name


def test_the_bytes_of_the_job_are_sent_as_they_are() -> None:
    outside = Outside(tools=[ToolReply({"id": "T-1"}, status=201, bytes_received=12)])
    job = replace(prepared(), arguments=b'{"frozen":1}')
    done = asyncio.run(get("tool").perform(job, outside))  # type: ignore[attr-defined]
    assert outside.sent == [("helpdesk.open_ticket", b'{"frozen":1}')]
    assert done.outcome == Succeeded({"id": "T-1"}, reason="helpdesk.open_ticket answered")


def test_a_call_leaves_a_span_that_tells_all_of_it() -> None:
    done = run(Outside(tools=[ToolReply({"id": "T-1"}, status=201, bytes_received=12)]))
    (span,) = done.spans
    assert (span.kind, span.name, span.status) == ("tool", "helpdesk.open_ticket", "ok")
    assert (span.ended_at - span.started_at).total_seconds() == 1
    assert span.attributes == {
        "tool": "helpdesk.open_ticket", "effect": "once", "arguments": '{"priority":"low","subject":"Re: é"}',
        "answer": '{"id":"T-1"}', "status": 201, "bytes_received": 12, "error": None, "acted": "yes",
    }  # fmt: skip


def test_long_texts_are_cut_in_the_span_and_counted() -> None:
    scope = a_scope({"subject": "ü" * 10_000})
    outside = Outside(tools=[ToolReply({"id": "x"})])
    done = asyncio.run(performed(STEP, outside, scope, CATALOG))
    attributes = done.spans[0].attributes
    assert len(attributes["arguments"].encode()) <= 8192
    assert attributes["cut"] == {"arguments": len(outside.sent[0][1]) - len(attributes["arguments"].encode())}


@pytest.mark.parametrize(
    ("effect", "acted", "retryable", "status", "expected"),
    [
        # Proved that the other side did not act: as the error says.
        ("once", "no", True, None, "retryable"),
        ("once", "no", False, None, "final"),
        ("read", "no", False, 400, "final"),
        # Nobody knows, and it must not happen twice: a person is asked.
        ("once", "unknown", True, 503, "unknown"),
        ("once", "unknown", False, 404, "unknown"),
        ("once", "unknown", True, None, "unknown"),
        # Nobody knows, but it may be repeated.
        ("read", "unknown", False, None, "retryable"),
        ("keyed", "unknown", False, None, "retryable"),
        ("keyed", "unknown", True, 503, "retryable"),
        # It answered, and would answer the same again.
        ("read", "unknown", False, 404, "final"),
    ],
)
def test_an_error_of_a_tool_is_classed_by_what_may_have_happened(
    effect: str, acted: str, retryable: bool, status: int | None, expected: str
) -> None:
    error = ToolError("broke", "It broke.", acted=acted, retryable=retryable, retry_after=3.0, status=status)
    failed = run(Outside(tools=[error]), effect).outcome
    assert isinstance(failed, Failed)
    assert (failed.code, failed.message) == ("broke", "It broke.")
    assert failed.unknown == (expected == "unknown")
    assert failed.retryable == (expected == "retryable")
    assert failed.retry_after == (None if expected == "unknown" else 3.0)


def test_a_failed_call_leaves_a_span_too() -> None:
    done = run(Outside(tools=[ToolError("timeout", "Too late.", acted="unknown")]))
    (span,) = done.spans
    assert (span.status, span.attributes["acted"]) == ("error", "unknown")
    assert span.attributes["error"] == {"code": "timeout", "message": "Too late."}


def test_a_read_that_answers_against_its_schema_fails_but_a_change_has_happened() -> None:
    failed = run(Outside(tools=[ToolReply({"id": 7})]), "read").outcome
    assert (failed.code, failed.unknown) == ("invalid_output", False)
    done = run(Outside(tools=[ToolReply({"id": 7})]), "once").outcome
    assert isinstance(done, Succeeded)
    assert "not as its schema says" in done.reason


@pytest.mark.parametrize(
    ("step", "fields"),
    [
        (STEP, []),
        (a_step("tool", tool="helpdesk.close"), ["tool"]),
        (a_step("tool", tool=OPEN.name), ["arguments"]),
        (a_step("tool", tool=OPEN.name, arguments={"subject": "x", "cc": "y"}), ["arguments.cc"]),
        (a_step("tool", tool=OPEN.name, arguments={"subject": "x", "priority": "max"}), ["arguments.priority"]),
        (a_step("tool", tool=OPEN.name, arguments={"subject": "x", "priority": "{{ input.p }}"}), []),
    ],
)
def test_what_is_wrong_with_a_call_is_said_when_it_is_saved(step: Any, fields: list[str]) -> None:
    assert [one.field for one in complaints(step, catalog=CATALOG)] == fields


def test_a_tool_that_is_switched_off_is_pointed_out() -> None:
    assert "switched off" in complaints(STEP, catalog=a_catalog(tools=(replace(OPEN, enabled=False),)))[0].message


def test_the_output_schema_is_the_tools() -> None:
    assert get("tool").output_schema(STEP, a_definition(STEP), CATALOG) == OPEN.output
    assert get("tool").output_schema(STEP, a_definition(STEP), a_catalog()) == {}
