"""How a transition ends: where the run now stands, whether that is its end, and the event that tells it."""

from __future__ import annotations

from dataclasses import replace

from orchestration.core.errors import EvaluationError
from orchestration.core.fingerprints import fingerprint
from orchestration.core.overlay import Overlay
from orchestration.core.states import RunState, StepState
from orchestration.core.transition import EventRecord, Transition
from orchestration.core.view import Closing, Standing

COUNTING = (RunState.QUEUED, RunState.RUNNING, RunState.WAITING)  # states whose time counts as wall time


def finish(overlay: Overlay, kind: str) -> Transition:
    """Give the transition as a value, with an event of this kind, and a terminal one if nothing is open any more."""
    transition, before = overlay.transition, overlay.view.standing
    ending = None if overlay.is_open() else _ending(overlay)
    standing = _stand(overlay, ending)
    if (standing.state, standing.waiting_for) != (before.state, before.waiting_for):
        overlay.body["run"] = [standing.state, standing.waiting_for]
    transition.events.append(EventRecord(kind, overlay.body))
    if ending:
        body = {"error": standing.error} if standing.error else {"output": fingerprint(standing.output)}
        transition.events.append(EventRecord(standing.state, body, terminal=True))
    transition.standing = replace(standing, seq=before.seq + len(transition.events))
    return transition


def _ending(overlay: Overlay) -> Closing:
    closing = overlay.standing.closing
    if closing is not None and (closing.state != RunState.SUCCEEDED or closing.has_output):
        return closing
    try:
        output = overlay.scope().render(overlay.plan.definition.output)
    except EvaluationError as error:
        return Closing(RunState.FAILED, {"code": "output_error", "message": f"The run's output: {error}"})
    return Closing(RunState.SUCCEEDED, output=output, has_output=True)


def _stand(overlay: Overlay, ending: Closing | None) -> Standing:
    state, waiting_for = (ending.state, "") if ending else _open_state(overlay)
    standing, now = replace(overlay.standing, state=state, waiting_for=waiting_for), overlay.now
    counts = state in COUNTING
    if standing.wall_since is not None and not counts:
        used = standing.wall_used + (now - standing.wall_since).total_seconds()
        standing = replace(standing, wall_used=used, wall_since=None)
    elif standing.wall_since is None and counts:
        standing = replace(standing, wall_since=now)
    if ending:
        standing = replace(standing, ended_at=now, output=ending.output, error=ending.error, closing=None)
    return standing


def _open_state(overlay: Overlay) -> tuple[str, str]:
    closing, steps = overlay.standing.closing, overlay.open_steps()
    if closing is not None:
        return (RunState.CANCELLING if closing.state == RunState.CANCELLED else RunState.RUNNING), ""
    if any(step.state == StepState.RUNNING for step in steps):
        return RunState.RUNNING, ""
    asked = next((step for step in steps if step.state == StepState.NEEDS_APPROVAL), None)
    if asked:
        return RunState.NEEDS_APPROVAL, asked.waiting_for
    first = min(steps, key=lambda step: step.wake_at or overlay.now)
    return RunState.WAITING, first.waiting_for
