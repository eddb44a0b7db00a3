"""Open, use and void requests: the ports that runs call. All of them join the caller's transaction.

What is asked is frozen when it is asked: the action as canonical JSON bytes, and one digest over everything a person
decides about. The page is drawn from these bytes, and these bytes are what is sent.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from approvals import people
from approvals.models import Decision, Request
from approvals.policies import HIGH, Approved, Pending, Rules, Vote, needs_of, verdict
from designer.models import ToolRecord, Version
from orchestration import audit
from orchestration.core import canonical
from orchestration.core.states import TERMINAL, RunState, WaitingFor
from runs.models import Run

# Who may say what became of a call nobody knows the outcome of.
UNKNOWN_EFFECT_REQUIRE = [{"from": ["administrator", "approver", "operator"], "count": 1}]
# The risk of a decision; a tool's own risk class is understood too. What is not known counts as high.
RISKS = {"low": "low", "medium": "medium", "high": HIGH, "read": "low", "write": "medium"}
QUESTION_LENGTH = 500  # characters, as the column


class NotUsable(Exception):
    """The approval can't be used. `reason` is a sentence for the timeline."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@dataclass(frozen=True, slots=True)
class Pinned:
    """The version a run is pinned to, as far as a request is about it."""

    definition: str  # SHA-256
    made_by: int | None


def open_for_run(
    run: Run, *, path: str, pass_number: int, kind: str, asked: Mapping[str, Any], now: datetime
) -> Request:
    """Open a request about a step of a run and return it, frozen. Joins the caller's transaction.

    `run` needs its id, workspace_id, initiator_id and version_id; `asked` is what the step or the ledger wants to know.
    Raises InvalidValue or ValueError for values that JSON can't hold, IntegrityError if one is open already.
    """
    pinned = _pinned(run.version_id)
    unknown = kind == Request.Kind.UNKNOWN_EFFECT
    risk = RISKS.get(asked.get("risk") or "medium", HIGH)
    request = Request(
        workspace_id=run.workspace_id,
        kind=kind,
        run_id=run.id,
        path=path,
        pass_number=pass_number,
        question=_question(str(asked["question"])),
        context=_context(asked),
        action=_frozen_action(asked, unknown),
        risk=risk,
        require=UNKNOWN_EFFECT_REQUIRE if unknown else list(asked.get("require") or []),
        form=asked.get("form") or None,
        # Saying what happened to a call is a report, not a permission: nobody is excluded from it.
        excluded=[] if unknown else _excluded(run, pinned, risk),
        opened_at=now,
        decide_by=None if unknown else _instant(asked.get("decide_by")),  # not knowing does not go away
        use_within_seconds=_whole_seconds(asked.get("use_by_seconds")),
    )
    request.digest = frozen_digest(request, pinned.definition)
    request.save(force_insert=True)
    _record(request, "approval.opened", path=path, digest=request.digest)
    return request


def use(request_id: UUID | str, *, effect_key: str, now: datetime) -> bytes:
    """Mark an approved request as used, once, and return the bytes to send. Joins the caller's transaction.

    Locks the request. Everything is checked again as it is now: state, time, the digest over what was frozen, and that
    those who approved may still approve. Raises NotUsable with the reason; then nothing was marked.
    """
    request = locked(Request.objects.filter(pk=request_id))
    if request is None:
        raise NotUsable("There is no such approval.")
    _check_usable(request, now)
    _check_people(request)
    # The condition is the guard where a database has no row locks: the second of two uses changes no row.
    if not Request.objects.filter(pk=request.pk, state=Request.State.APPROVED, used_at=None).update(used_at=now):
        raise NotUsable("The approval has been used already.")
    _record(request, "approval.used", effect_key=effect_key, digest=request.digest)
    return bytes(request.action)


def void_for_run(run_id: UUID | str, *, path: str | None = None, reason: str, now: datetime) -> int:
    """Close the open requests of a run, or of one of its steps, and return how many. Joins the caller's transaction.

    Questions about calls of unknown outcome stay open: they are about the world, not about the run.
    """
    found = Request.objects.filter(run_id=run_id, state=Request.State.OPEN, kind=Request.Kind.STEP)
    if path is not None:
        found = found.filter(path=path)
    closed = 0
    for request in _locking(found.select_related("workspace")):
        if close(request, Request.State.VOIDED, now):
            _record(request, "approval.voided", reason=reason)
            closed += 1
    return closed


def close(request: Request, state: str, now: datetime) -> bool:
    """Close an open request, or return False if somebody was faster. Joins the caller's transaction."""
    values: dict[str, Any] = {"state": state, "closed_at": now}
    if state == Request.State.APPROVED and request.use_within_seconds is not None:
        values["use_by"] = now + timedelta(seconds=request.use_within_seconds)
    return bool(Request.objects.filter(pk=request.pk, state=Request.State.OPEN).update(**values))


def frozen_digest(request: Request, definition: str) -> str:
    """Compute the SHA-256 over all that a decision is about. `definition` is the digest of the run's definition."""
    return canonical.digest(
        {
            "workspace": request.workspace_id,
            "run": str(request.run_id),
            "path": request.path,
            "pass": request.pass_number,
            "kind": str(request.kind),
            "question": request.question,
            "context": request.context,
            "action": hashlib.sha256(bytes(request.action)).hexdigest(),
            "version": definition,
            "decide_by": request.decide_by.isoformat() if request.decide_by else None,
            "use_within_seconds": request.use_within_seconds,
            "risk": request.risk,
            "require": request.require,
            "form": request.form,
            "excluded": request.excluded,
        }
    )


def definition_of(request: Request) -> str:
    """Give the digest of the definition that the request's run is pinned to now; empty if the run is gone."""
    return Version.objects.filter(runs=request.run_id).values_list("definition_id", flat=True).first() or ""


def effect_key_of(request: Request) -> str:
    """Read the key of the call that a request about an unknown effect asks for."""
    return str(json.loads(bytes(request.action))["effect_key"])


def tool_is_off(request: Request) -> bool:
    """Tell whether the action is a call of a tool that is switched off now: the guard would not let it out."""
    name = json.loads(bytes(request.action)).get("tool") if request.action else None
    return ToolRecord.objects.filter(workspace=request.workspace_id, name=name, enabled=False).exists()


def can_try_again(request: Request) -> bool:
    """Tell whether the run still holds the step of an unknown effect open, so that its call can be sent once more."""
    run = Run.objects.filter(pk=request.run_id).only("state", "active").first()
    if run is None or run.state == RunState.CANCELLING or run.state in TERMINAL:
        return False
    step = run.active.get(request.path, {})
    return (step.get("waiting_for"), step.get("pass")) == (WaitingFor.UNKNOWN_EFFECT, request.pass_number)


def context_of(request: Request) -> Any:
    """Read the context as it was given: named values, or the text that a step wrote."""
    try:
        context = json.loads(request.context)
    except ValueError:
        return request.context
    return context if isinstance(context, dict) else request.context


def rules_of(request: Request) -> Rules:
    return Rules(needs_of(request.require), request.risk, frozenset(request.excluded))


def votes_on(request: Request) -> list[Vote]:
    rows = Decision.objects.filter(request=request).order_by("id").values_list("by_id", "verdict")
    return [Vote(person, said != Decision.Verdict.REJECT) for person, said in rows]


def locked(found: QuerySet[Request]) -> Request | None:
    """Read the one request of a queryset under a row lock (on SQLite the transaction itself is the lock)."""
    return found.select_related("workspace").select_for_update(of=_own_row()).first()


def _locking(found: QuerySet[Request]) -> QuerySet[Request]:
    return found.order_by("id").select_for_update(of=_own_row())


def _own_row() -> tuple[str, ...]:
    return ("self",) if connection.features.has_select_for_update_of else ()


def _check_usable(request: Request, now: datetime) -> None:
    if request.state != Request.State.APPROVED:
        raise NotUsable(f"The request is {request.state}, not approved.")
    if request.used_at is not None:
        raise NotUsable("The approval has been used already.")
    if request.use_by is not None and now > request.use_by:
        raise NotUsable(f"The approval had to be used before {request.use_by:%Y-%m-%d %H:%M:%S} UTC.")
    if frozen_digest(request, definition_of(request)) != request.digest:
        raise NotUsable("What would be done is no longer what was approved.")


def _check_people(request: Request) -> None:
    match verdict(rules_of(request), votes_on(request), people.members(request.workspace)):
        case Approved():
            return
        case Pending(missing):
            missed = " and ".join(str(need) for need in missing)
            raise NotUsable(f"Who approved may no longer do so: {missed} would have to approve.")
        case _:
            raise NotUsable("The request was rejected.")


def _pinned(version_id: int) -> Pinned:
    definition, made_by = Version.objects.values_list("definition_id", "created_by_id").get(pk=version_id)
    return Pinned(definition, made_by)


def _excluded(run: Run, pinned: Pinned, risk: str) -> list[int]:
    """The initiator always; whoever made the version too, where the risk is high."""
    ids = {run.initiator_id, pinned.made_by if risk == HIGH else None}
    return sorted(person for person in ids if person is not None)


def _frozen_action(asked: Mapping[str, Any], unknown: bool) -> bytes:
    if unknown:
        return canonical.canonical({name: asked.get(name) for name in ("effect_key", "tool", "arguments", "digest")})
    return canonical.canonical(asked["action"]) if asked.get("action") else b""


def _question(text: str) -> str:
    """Fit a question into its column; what is cut off is counted, so that nobody takes it for the whole."""
    if len(text) <= QUESTION_LENGTH:
        return text
    note = f"… (cut here, {len(text):,} characters in all)"
    return text[: QUESTION_LENGTH - len(note)] + note


def _context(asked: Mapping[str, Any]) -> str:
    """Write named values as JSON text. It is shown, never sent, so it need not be in the canonical form."""
    context = asked.get("context") or ""
    return context if isinstance(context, str) else json.dumps(context, ensure_ascii=False, sort_keys=True)


def _instant(value: Any) -> datetime | None:
    instant = datetime.fromisoformat(value) if isinstance(value, str) else value
    return instant.astimezone(UTC) if instant else None  # as it reads back: it is part of the digest


def _whole_seconds(value: float | None) -> int | None:
    return None if value is None else math.ceil(value)


def _record(request: Request, verb: str, **details: Any) -> None:
    audit.record(
        None, verb, request, workspace=request.workspace, name=request.question, run=str(request.run_id), **details
    )
