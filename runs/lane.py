"""The second lane of the journal: a commit that other apps take part in, in one transaction on Django's connection.

Opening a request, using an approval and closing requests are other apps' verbs, named in settings. They run under
the same fence: if it doesn't hold, nothing of theirs is kept either.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.utils.module_loading import import_string

from orchestration.core.canonical import canonical
from orchestration.core.definition import Json
from orchestration.core.errors import InvalidValue
from orchestration.core.transition import Ask
from runs.asking import action, described
from runs.connections import LOST, REFUSED, store_on_django
from runs.held import Attempt, Held, Prepared
from runs.journal import first_line
from runs.store import RunId

log = logging.getLogger("baton.lane")

TRIES = 3
UNFIT: tuple[type[Exception], ...] = (*REFUSED, InvalidValue)


@dataclass(frozen=True, slots=True)
class Reply:
    written: bool = False
    called: bool = False
    refused: str | None = None
    denied: tuple[tuple[Attempt, str], ...] = ()  # attempts whose approval can't be used, and why


class _Fenced(Exception):
    """Undo everything: the run is no longer ours."""


class _NotUsable(Exception):
    def __init__(self, attempt: Attempt, why: str) -> None:
        super().__init__(why)
        self.attempt, self.why = attempt, why


def commit_with_ports(owner: RunId, held: Held, now: datetime) -> Reply:
    """Commit one run's write with what other apps must do for it. Raises one of LOST while the database is away."""
    tried = 0
    while True:
        tried += 1
        try:
            return _commit(owner, held, now)
        except _Fenced:
            return Reply()
        except _NotUsable as denied:
            held.prepared = [one for one in held.prepared if one.attempt != denied.attempt]
            return Reply(denied=((denied.attempt, denied.why),))
        except UNFIT as error:
            log.error("Run %s could not be written: %s", held.id, error)
            return Reply(refused=first_line(error))
        except LOST as error:
            log.warning("Run %s: the commit failed, try %s of %s: %s", held.id, tried, TRIES, error)
            connection.close()
            if tried == TRIES:
                raise


def _commit(owner: RunId, held: Held, now: datetime) -> Reply:
    with transaction.atomic():
        if _is_done(held):
            return Reply(written=True, called=True)
        for prepared in held.prepared:
            if prepared.intent and prepared.intent.uses:
                _use(held, prepared, now)
        replied = store_on_django().commit(owner, [held.begin_write()])
        if not replied.runs:
            raise _Fenced
        _tell(held, now)
    return Reply(written=True, called=bool(replied.called))


def _is_done(held: Held) -> bool:
    """Say whether an earlier try of this commit was written, and only its answer lost."""
    standing = store_on_django().standing([held.id])
    return held.begin_write().is_done(standing.get(held.id))


def _use(held: Held, prepared: Prepared, now: datetime) -> None:
    """Use the approval, once, and take the frozen bytes: what was approved is what is sent."""
    intent = prepared.intent
    assert intent is not None
    use = import_string(settings.BATON_USE_APPROVAL)
    not_usable = import_string(settings.BATON_USE_APPROVAL.rpartition(".")[0] + ".NotUsable")
    try:
        frozen = use(intent.approval, effect_key=intent.key, now=now)
    except not_usable as error:
        raise _NotUsable(prepared.attempt, str(error)) from error
    approved = orjson.loads(frozen)
    if changed := _changed(approved, action(held, prepared.perform.path, approved["arguments"])):
        raise _NotUsable(prepared.attempt, f"The tool was changed after the approval: {changed} is another now.")
    arguments = canonical(approved["arguments"])
    prepared.intent = replace(intent, arguments=arguments)
    prepared.job = replace(prepared.job, arguments=arguments)
    held.enter_intents(now)


def _changed(approved: Mapping[str, Json], present: Mapping[str, Json]) -> str:
    """Say what of the approved call is no longer as people saw it; a new title changes nothing."""
    return ", ".join(name for name in present if name != "title" and present[name] != approved.get(name))


def _tell(held: Held, now: datetime) -> None:
    """Open and close requests for what was just committed."""
    void = import_string(settings.BATON_VOID_APPROVALS)
    for path in held.voids:
        void(held.id, path=path, reason="The step is no longer waited for.", now=now)
    for ask in held.asks:
        _open(held, ask, now)


def _open(held: Held, ask: Ask, now: datetime) -> Any:
    open_for_run = import_string(settings.BATON_OPEN_APPROVAL)
    return open_for_run(
        held.claimed, path=ask.path, pass_number=ask.pass_number, kind=ask.kind, asked=described(held, ask), now=now
    )
