"""What the inspector shows of one step: why it went as it did, what it was told, what it answered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from orchestration.core.definition import Definition, Json, Step
from runs.models import Run, Span, StepRun
from runs.trace import Trace, Visit, title_of

TABS = ("summary", "messages", "calls", "output", "settings", "raw")


@dataclass(frozen=True)
class Rung:
    """One rung of a model's ladder, tried or passed over."""

    number: str
    name: str
    state: str  # a step state: how it is marked
    why: str
    used: bool


@dataclass(frozen=True)
class Inspected:
    visit: Visit | None  # None: the step was not reached
    step: Step | None
    path: str
    title: str
    tab: str
    output: Json
    rungs: list[Rung]
    guards: list[Span]
    models: list[Span]
    tools: list[Span]

    @property
    def tabs(self) -> list[tuple[str, str, int]]:
        """List the tabs that have something to show: slug, words, count (0: none is said)."""
        shown = [("summary", "Summary", 0)]
        shown += [("messages", "Messages", len(self.models))] if self.models else []
        shown += [("calls", "Tool calls", len(self.tools))] if self.tools else []
        shown += [("output", "Output", 0)] if self.visit and not self.visit.is_open else []
        return [*shown, ("settings", "Settings", 0), *([("raw", "Raw", 0)] if self.visit else [])]

    @property
    def settings(self) -> Mapping[str, Json]:
        return self.step.config if self.step else {}

    @property
    def raw(self) -> dict[str, Any]:
        """Give the step as it is stored, spans included."""
        assert self.visit is not None
        spans = [{"kind": span.kind, "name": span.name, "status": span.status, "attempt": span.attempt,
                  "started_at": span.started_at, "ended_at": span.ended_at, "attributes": span.attributes}
                 for span in sorted([*self.guards, *self.models, *self.tools], key=lambda span: span.pk)]  # fmt: skip
        visit = {name: value for name, value in vars(self.visit).items() if name not in ("spans", "tries", "title")}
        return {**visit, "output": self.output, "spans": spans}


def inspect(run: Run, trace: Trace, definition: Definition, path: str, pass_number: int | None, tab: str) -> Inspected:
    """Read what there is to see of a step: two queries."""
    visit, step = trace.find(path, pass_number), definition.step(path)
    spans: list[Span] = []
    output: Json = None
    if visit is not None:
        of_step = {"run": run, "path": path, "pass_number": visit.pass_number}
        spans = list(Span.objects.filter(**of_step).order_by("started_at", "id"))
        output = StepRun.objects.filter(**of_step).values_list("output", flat=True).first()
    kinds = {kind: [span for span in spans if span.kind == kind] for kind in ("guard", "model", "tool", "rung")}
    found = Inspected(
        visit, step, path, title_of(path, step), "summary", output, _ladder(step, kinds["model"] + kinds["rung"]),
        kinds["guard"], kinds["model"], kinds["tool"],
    )  # fmt: skip
    known = {slug for slug, _, _ in found.tabs}
    return Inspected(**{**vars(found), "tab": tab if tab in known else "summary"})


def _ladder(step: Step | None, spans: list[Span]) -> list[Rung]:
    """List the rungs in their order: those tried with what they came to, the others with what they wait for."""
    declared = step.config.get("ladder", ()) if step else ()
    seen: dict[int, list[Span]] = {}
    for span in sorted(spans, key=lambda span: span.pk):
        seen.setdefault(int(span.attributes.get("rung") or 1), []).append(span)
    count = max([len(declared), *seen]) if (seen or declared) else 0
    return [_rung(number, declared, seen.get(number, [])) for number in range(1, count + 1)]


def _rung(number: int, declared: Any, spans: list[Span]) -> Rung:
    told = declared[number - 1] if number <= len(declared) else {}
    name = str(told.get("model") or ("rules" if "rules" in told else ""))
    if not spans:
        on = ", ".join(told.get("on", ()))
        return Rung(str(number), name, "skipped", f"only on {on}" if on else "not needed", False)
    last = spans[-1]
    about = last.attributes
    state = {"ok": "succeeded", "skipped": "skipped"}.get(last.status, "failed")
    error = about.get("error") if isinstance(about.get("error"), Mapping) else {}
    why = error.get("code") or about.get("why") or last.status
    if last.status == "ok" and number == 1:
        why = "answered"
    name = last.name or name
    return Rung(str(number), name, "timed_out" if "timeout" in str(why) else state, str(why), last.status == "ok")
