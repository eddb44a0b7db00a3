"""Builders of the control plane: documents, workflows, tools, models, connections."""

from __future__ import annotations

from designer import publishing, tools
from designer.connections import Configuration, save_connection
from designer.model_aliases import ModelAlias, set_model
from designer.models import Connection, ModelRecord, ToolRecord, Version, Workflow
from designer.tool_checks import HttpTool, Nature
from orchestration.models import Workspace
from tests.support.cast import a_workspace

READING = Nature("read", "read")
NOTHING = {"type": "object", "properties": {}, "additionalProperties": False}


def a_document(name: str = "Greeting", greeting: str = "hello") -> str:
    """Write a small workflow that needs no tool and no model."""
    return f"""\
format: baton/1
name: {name}
description: Says {greeting}.
input: {{type: object, required: [who], properties: {{who: {{type: string}}}}}}
steps:
  - id: greet
    kind: set
    title: Say it
    values: {{text: "{greeting} {{{{ input.who }}}}"}}
edges:
  - {{from: start, to: greet}}
output: {{text: "{{{{ steps.greet.output.text }}}}"}}
"""


BROKEN = """\
format: baton/1
name: Broken
steps:
  - id: first
    kind: teleport
  - id: second
    kind: set
    values: {text: "{{ inputs.who }}"}
edges:
  - {from: start, to: second}
  - {from: second, to: nowhere}
"""
CYCLE = """\
format: baton/1
name: Cycle
steps:
  - {id: one, kind: set, values: {x: 1}}
  - {id: two, kind: set, values: {x: 1}}
edges:
  - {from: start, to: one}
  - {from: one, to: two}
  - {from: two, to: one}
"""


def a_workflow(workspace: Workspace | None = None, slug: str = "greeting", text: str | None = None) -> Workflow:
    """Publish a workflow, by the system, and give it with its live version."""
    return publishing.push(None, workspace or a_workspace(), text or a_document(), slug=slug).workflow


def a_version(workflow: Workflow, greeting: str) -> Version:
    """Publish another version of a workflow that `a_workflow` made; it becomes the live one."""
    return publishing.publish(None, workflow, source=a_document(greeting=greeting))


def a_connection(
    workspace: Workspace | None = None, name: str = "crm", secret: str | None = "s3cret", **changes
) -> Connection:
    """Save a connection to https://api.example.com."""
    configuration = Configuration(**{"base_url": "https://api.example.com", **changes})
    return save_connection(None, workspace or a_workspace(), name, configuration, secret)


def a_tool(
    workspace: Workspace | None = None, name: str = "crm.lookup", nature: Nature = READING, **changes
) -> ToolRecord:
    """Register an HTTP tool; its connection is made where it is missing."""
    workspace = workspace or a_workspace()
    connection = Connection.objects.filter(workspace=workspace, name="crm").first() or a_connection(workspace)
    tool = HttpTool(**{"method": "GET", "path": "/lookup", "arguments": NOTHING, "nature": nature, **changes})
    return tools.register_http_tool(None, workspace, name, tool, connection)


def a_model(workspace: Workspace | None = None, name: str = "fast", **changes) -> ModelRecord:
    """Name a simulated model."""
    prices = {"input_usd_per_mtok": 0.1, "output_usd_per_mtok": 0.4}
    alias = ModelAlias(**{"provider": "simulator", "model": "simulator-fast", **prices, **changes})
    return set_model(None, workspace or a_workspace(), name, alias)
