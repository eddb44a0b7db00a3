"""Load the samples into a workspace, each once: what is there by name is never written over, it may be somebody's."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from django.conf import settings
from django.db import transaction

from designer import checking, publishing, tools
from designer.model_aliases import ModelAlias, set_model
from designer.models import ModelRecord, ToolRecord, Workflow
from designer.refusals import ServerUnreachable, Taken
from orchestration import audit
from orchestration.core.errors import InvalidDefinition
from orchestration.models import Workspace

# The simulator calls nobody; these are the list prices its traces are said to cost, US dollars a million tokens.
MODELS = {
    "fast": ModelAlias("simulator", "simulator-fast", input_usd_per_mtok=0.10, output_usd_per_mtok=0.40),
    "smart": ModelAlias("simulator", "simulator-smart", input_usd_per_mtok=2.00, output_usd_per_mtok=8.00),
}


@dataclass(frozen=True)
class Loaded:
    """What a load added, by name, and what it could not load, with the reason."""

    models: tuple[str, ...] = ()
    tools: tuple[str, ...] = ()
    workflows: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.models or self.tools or self.workflows)


def load(workspace: Workspace, folder: Path | None = None) -> Loaded:
    """Add the sample models, tools and workflows that are missing. Starts a server only for tools that are.

    `folder` has the workflows and the file of the sample servers; the servers are started as the operator's own
    file says, and left out where it does not know them. Safe to run by two processes at once.
    """
    folder = folder or settings.BASE_DIR / "samples"
    models = [name for name in MODELS if _add_model(workspace, name)]
    added_tools: list[str] = []
    left_out: list[str] = []
    for server in _missing_servers(workspace, folder):
        try:
            added_tools += tools.register_mcp_tools(None, workspace, server).added
        except ServerUnreachable as refusal:
            left_out.append(f"the tools of {server}: {refusal}")
    workflows = [slug for file in sorted(folder.glob("*.yaml")) if (slug := _add_workflow(workspace, file, left_out))]
    loaded = Loaded(tuple(models), tuple(added_tools), tuple(workflows), tuple(left_out))
    if loaded:
        with transaction.atomic():
            audit.record(None, "samples.loaded", workspace, workspace=workspace, workflows=workflows, models=models)
    return loaded


def _add_model(workspace: Workspace, name: str) -> bool:
    if ModelRecord.objects.filter(workspace=workspace, name=name).exists():
        return False
    set_model(None, workspace, name, MODELS[name])
    return True


def _missing_servers(workspace: Workspace, folder: Path) -> list[str]:
    """Name the sample servers of which the workspace has no tool."""
    file = folder / "mcp_servers.json"
    servers = json.loads(file.read_text(encoding="utf-8"))["servers"] if file.exists() else {}
    known = ToolRecord.objects.filter(workspace=workspace, source=ToolRecord.Source.MCP)
    there = {target["server"] for target in known.values_list("target", flat=True)}
    return [name for name in servers if name not in there]


def _add_workflow(workspace: Workspace, file: Path, left_out: list[str]) -> str | None:
    """Push a sample under its file's name, unless there is a workflow by it."""
    if Workflow.objects.filter(workspace=workspace, slug=file.stem).exists():
        return None
    try:
        text = checking.decode(file.read_bytes())
        publishing.push(None, workspace, text, slug=file.stem, note="Sample", sample=True, only_new=True)
    except Taken:  # another process was quicker
        return None
    except InvalidDefinition as error:
        left_out.append(f"the workflow {file.stem}: {error}")
        return None
    return file.stem
