"""What the page of one run shows, gathered for its template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.utils.module_loading import import_string

from designer import versions
from designer.graph import Graph, graph
from orchestration import access
from orchestration.access import Actor, Right
from orchestration.core.definition import Definition
from orchestration.core.states import TERMINAL, RunState
from orchestration.templatetags.ui import duration, state_word
from runs import queries
from runs.inspector import inspect
from runs.models import Run
from runs.narration import tell
from runs.trace import Trace, Visit, title_of, trace_of
from runs.waterfall import FAILED, waterfall

VIEWS = ("waterfall", "graph", "events")
PANELS = ("run", "effects", "data")  # of the inspector when no step is chosen
BAD_ENDS = (RunState.FAILED, RunState.BLOCKED, RunState.TIMED_OUT)


@dataclass(frozen=True)
class Look:
    """What the page looks at; all of it stands in the URL."""

    view: str = "waterfall"
    step: str = ""
    pass_number: int | None = None
    tab: str = ""

    @classmethod
    def read(cls, params: Any) -> Look:
        """Take the look from the query string; what is not known is dropped."""
        view, number = params.get("view", ""), params.get("pass", "")
        return cls(
            view=view if view in VIEWS else "waterfall",
            step=params.get("step", "")[:200],
            pass_number=int(number) if number.isascii() and number.isdigit() and len(number) < 6 else None,
            tab=params.get("tab", "")[:20],
        )

    def query(self, **changes: Any) -> str:
        """Write the look as a query string, changed."""
        look = replace(self, **changes)
        pairs = {"view": look.view if look.view != "waterfall" else "", "step": look.step,
                 "pass": "" if look.pass_number in (None, 0) else look.pass_number, "tab": look.tab}  # fmt: skip
        kept = {name: value for name, value in pairs.items() if value != ""}
        return f"?{urlencode(kept)}" if kept else "?"


def run_page(actor: Actor, run: Run, look: Look, now: datetime) -> dict[str, Any]:
    """Gather the page of a run: at most twelve queries, whatever its size."""
    definition = versions.definition(run.version_id)
    trace = trace_of(run, definition)
    ended = run.state in TERMINAL
    drawn = waterfall(trace, run.started_at or run.accepted_at, run.ended_at or now, ended)
    context = {
        "run": run,
        "look": look,
        "ended": ended,
        "trace": trace,
        "waterfall": drawn,
        "usd_limit": definition.limits.usd,
        "may_cancel": not ended and run.state != RunState.CANCELLING and access.may(actor, Right.OPERATE_RUN, run),
        "cause": _cause(run, trace, definition),
        "waits": _waits(run, trace, definition),
        "views": [(view, look.query(view=view)) for view in VIEWS],
        "effects": queries.effects_of(run),
    }
    return {**context, **_left(run, look, definition, trace), **_right(run, look, definition, trace)}


def _left(run: Run, look: Look, definition: Definition, trace: Trace) -> dict[str, Any]:
    if look.view == "events":
        return {"events": tell(queries.events_of(run), definition)}
    if look.view == "graph":
        return {"graph": _graph(run, look, definition, trace)}
    return {}


def _graph(run: Run, look: Look, definition: Definition, trace: Trace) -> Graph:
    """Draw the run's version: each step with its state and how long it took or where it left, as a link to it."""
    latest = trace.latest
    notes = {path: _brief(visit) for path, visit in latest.items()}
    urls = {step.id: look.query(step=step.id, pass_number=None, tab="") for step in definition.steps}
    states = {path: visit.state for path, visit in latest.items()}
    return graph(definition, states=states, taken=queries.edges_taken(run), notes=notes, urls=urls)


def _brief(visit: Visit) -> str:
    if visit.port not in ("", "done", "error"):
        return visit.port
    if visit.ended_at is None or visit.state == "skipped":
        return str(state_word(visit.state, visit.waiting_for)).lower()
    return str(duration(visit.ended_at - visit.started_at))


def _right(run: Run, look: Look, definition: Definition, trace: Trace) -> dict[str, Any]:
    """Show the chosen step, or the run itself where none is chosen or none is called so."""
    known = look.step and (definition.step(look.step) or trace.find(look.step, None))
    if known:
        seen = inspect(run, trace, definition, look.step, look.pass_number, look.tab)
        return {"seen": seen, "tabs": [(*one, look.query(tab=one[0])) for one in seen.tabs]}
    panel = look.tab if look.tab in PANELS else "run"
    return {"panel": panel, "panels": [(slug, look.query(tab=slug, step="")) for slug in PANELS]}


def _cause(run: Run, trace: Trace, definition: Definition) -> dict[str, Any] | None:
    """Say first why a run ended badly: which step, which error, after how many attempts."""
    if run.state not in BAD_ENDS:
        return None
    error: Mapping[str, Any] = run.error or {}
    path = str(error.get("step") or "")
    visit = trace.find(path, None) if path else _last_failed(trace)
    return {
        "title": visit.title if visit else (title_of(path, definition.step(path)) if path else ""),
        "visit": visit,
        "code": error.get("code", ""),
        "message": error.get("message", ""),
    }


def _last_failed(trace: Trace) -> Visit | None:
    failed = [visit for visit in trace.visits if visit.state in FAILED and visit.port == ""]
    return failed[-1] if failed else None


def _waits(run: Run, trace: Trace, definition: Definition) -> list[dict[str, Any]]:
    """List what a run asks people now; the requests themselves are the approvals' and come through a port."""
    open_visits = [visit for visit in trace.visits if visit.is_open and visit.asks_people]
    asked = import_string(settings.BATON_ASKED_OF_RUN)(run.id) if open_visits else {}
    return [_wait(visit, definition, asked.get((visit.path, visit.pass_number))) for visit in open_visits]


def _wait(visit: Visit, definition: Definition, asked: Any) -> dict[str, Any]:
    """Say what is asked: who may decide, since when and until when."""
    step = definition.step(visit.path)
    config: Mapping[str, Any] = step.config if step and step.kind == "approval" else {}
    deciders = config.get("require") or ([{"from": "approver", "count": 1}] if config else [])
    return {
        "visit": visit,
        "asked": asked,
        "until": asked.decide_by if asked else visit.wake_at,
        "deciders": deciders,
        "unknown": visit.waiting_for == "unknown_effect",
    }
