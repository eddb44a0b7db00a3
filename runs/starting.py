"""Accepting runs: one committed transaction with the run, its first event and the audit row (promise P1)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction

from designer.models import Workflow
from orchestration import access, audit
from orchestration.access import Actor, Right
from orchestration.core.canonical import digest
from orchestration.core.definition import Json
from orchestration.core.errors import EvaluationError, InvalidValue, InvalidValues
from orchestration.core.scope import RunScope
from orchestration.core.values import problems, with_defaults
from runs import hints, store_new
from runs.attempts import MOST_OUTPUT_BYTES, unstorable
from runs.models import IdempotencyKey, Run
from runs.numbering import next_number
from runs.plans import Compiled, compiled
from runs.times import database_now

LONGEST_KEY = 200  # characters of a business key, as the column
LONGEST_IDEMPOTENCY_KEY = 255


class CannotStart(Exception):
    """The workflow can't be run. `reason` says why and what to do."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class KeyUsed(Exception):
    """The idempotency key was used with another request. Send the same request again, or another key."""

    def __init__(self, run: Run) -> None:
        super().__init__((type(self).__doc__ or "").strip())
        self.run = run


@dataclass(frozen=True, slots=True)
class Accepted:
    run: Run
    repeated: bool  # the same request was accepted before, under the same key


def start(actor: Actor, workflow: Workflow, input: Json, *, trigger: str) -> Run:
    """Accept a run of the live version. Raises CannotStart, InvalidValue, access.Forbidden."""
    return accept(actor, workflow, input, trigger=trigger).run


def accept(
    actor: Actor, workflow: Workflow, input: Json, *, trigger: str, idempotency_key: str | None = None
) -> Accepted:
    """Accept a run; with an idempotency key the same request gives the same run again.

    Raises CannotStart, InvalidValue naming every wrong place, KeyUsed, access.Forbidden. Nothing is written then.
    """
    access.require(actor, Right.START_RUN, workflow)
    body = "" if idempotency_key is None else _body_digest(workflow, input, idempotency_key)
    if known := _known(actor, idempotency_key, body):
        return known
    compiled_ = _runnable(workflow)
    checked = _checked(compiled_, input)
    run = _new_run(actor, workflow, compiled_, checked, trigger)
    try:
        _insert(actor, run, idempotency_key, body)
    except IntegrityError:
        if known := _known(actor, idempotency_key, body):  # the same key, at the same moment
            return known
        raise
    return Accepted(run, repeated=False)


def _insert(actor: Actor, run: Run, idempotency_key: str | None, body: str) -> None:
    with transaction.atomic():
        store_new.insert(run, database_now())
        audit.record(actor, "run.started", run, workspace=actor.workspace, name=str(run), trigger=run.trigger)
        if idempotency_key is not None:
            IdempotencyKey.objects.create(
                workspace=actor.workspace, user=actor.user, key=idempotency_key, body_digest=body, run_id=run.id
            )
        transaction.on_commit(hints.ring)


def _known(actor: Actor, idempotency_key: str | None, body: str) -> Accepted | None:
    if idempotency_key is None:
        return None
    found = IdempotencyKey.objects.filter(workspace=actor.workspace, user=actor.user, key=idempotency_key)
    row = found.select_related("run__workflow", "run__version").first()
    if row is None:
        return None
    if row.body_digest != body:
        raise KeyUsed(row.run)
    return Accepted(row.run, repeated=True)


def _body_digest(workflow: Workflow, input: Json, idempotency_key: str) -> str:
    if not idempotency_key.strip() or len(idempotency_key) > LONGEST_IDEMPOTENCY_KEY:
        raise InvalidValue(f"must have 1 to {LONGEST_IDEMPOTENCY_KEY} characters", "Idempotency-Key")
    return digest([workflow.pk, input])


def _runnable(workflow: Workflow) -> Compiled:
    if workflow.live_id is None:
        raise CannotStart(f"{workflow.name} has no live version. Publish one first.")
    if not workflow.enabled:
        raise CannotStart(f"{workflow.name} is switched off. Somebody who may edit it can switch it on.")
    return compiled(workflow.live_id, workflow.workspace_id, 0)


def _checked(compiled_: Compiled, input: Json) -> Json:
    definition = compiled_.plan.definition
    if problem := unstorable(input):
        raise InvalidValue(problem.replace("output", "input"), "input")
    checked = with_defaults(input, definition.input)
    if found := problems(checked, definition.input, "input"):
        raise InvalidValues(found)
    if problem := unstorable(checked):
        raise InvalidValue(f"is too large with its defaults; at most {MOST_OUTPUT_BYTES:,} bytes are kept", "input")
    return checked


def _new_run(actor: Actor, workflow: Workflow, compiled_: Compiled, input: Json, trigger: str) -> Run:
    definition = compiled_.plan.definition
    assert workflow.live is not None
    return Run(
        workspace=actor.workspace, workflow=workflow, version=workflow.live, number=next_number(workflow.pk),
        key=_key(compiled_, input), tags=list(definition.tags), trigger=trigger, initiator=actor.user, input=input,
        seq=1, variables={name: variable.initial for name, variable in definition.variables.items()},
    )  # fmt: skip


def _key(compiled_: Compiled, input: Json) -> str:
    """Compute the business key from the input."""
    source = compiled_.plan.definition.key
    if source is None:
        return ""
    names: Mapping[str, Any] = {"trigger": {}}
    scope = RunScope(compiled_.plan, names, input, {}, lambda _: None, database_now())
    try:
        key = str(scope.evaluate(source))
    except EvaluationError as error:
        raise InvalidValue(f"gives no business key: {error}", "input") from error
    if len(key) > LONGEST_KEY:  # cut, two different keys could become one
        raise InvalidValue(f"gives a business key of {len(key):,} characters; at most {LONGEST_KEY} are kept", "input")
    return key
