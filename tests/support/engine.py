"""Builders for engine tests: a workflow from YAML, a run of it, and an engine that advances it in this thread."""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import yaml

from designer.models import Definition, Version, Workflow
from orchestration.access import Actor
from orchestration.core.canonical import canonical, digest, execution_hash
from orchestration.core.states import RunState
from orchestration.models import User, Workspace
from orchestration.providers.io_loop import IoLoop
from runs import numbering, plans, starting
from runs.connections import open_store
from runs.engine import Engine
from runs.models import Run

RESTING = {state.value for state in RunState} - {"queued", "running", "cancelling"}


def a_workflow(workspace: Workspace, text: str, slug: str = "") -> Workflow:
    """Store a workflow whose live version is this YAML, unchecked."""
    document: dict[str, Any] = {"format": "baton/1", "name": "Test", **yaml.safe_load(text)}
    slug = slug or f"test-{uuid.uuid4().hex[:8]}"
    workflow = Workflow.objects.create(workspace=workspace, slug=slug, name=document["name"])
    definition, _ = Definition.objects.get_or_create(
        digest=digest(document),
        defaults={"body": canonical(document).decode(), "execution_hash": execution_hash(document)},
    )
    workflow.live = Version.objects.create(workflow=workflow, number=1, definition=definition)
    workflow.save()
    numbering.forget()
    plans.forget()
    return workflow


def a_run(person: User, workflow: Workflow, input: Any = None) -> Run:
    return starting.start(Actor(person, workflow.workspace), workflow, input or {}, trigger="api")


@contextmanager
def an_engine(**patches: Any) -> Iterator[Engine]:
    """An engine that the test turns itself; its runs are not given back at the end, as if it had died."""
    io = IoLoop().start()
    engine = Engine(uuid.uuid4(), open_store, io)
    try:
        yield engine
    finally:
        engine.stopping.set()
        engine.journal.close()
        io.stop(1)


def advance(engine: Engine, until: Callable[[], bool], seconds: float = 20.0) -> None:
    """Turn the engine until the condition holds."""
    end = time.monotonic() + seconds
    while not until():
        engine._claim_wanted = engine._look_for_suspects = True
        if not engine.turn():
            engine.bell.wait(0.01)
            engine.bell.clear()
        assert time.monotonic() < end, "the engine did not get there in time"


def sweep(engine: Engine) -> None:
    """Make one wave of the engine as at a sweep, when it looks for everything."""
    engine._swept = 0.0
    engine.turn()


def settle(engine: Engine, run: Run, seconds: float = 20.0) -> Run:
    """Advance until the run has ended or waits for something, and give it as it is then."""
    states = Run.objects.filter(pk=run.pk).values_list("state", flat=True)
    advance(engine, lambda: states.get() in RESTING, seconds)
    return Run.objects.get(pk=run.pk)
