"""The shapes of the control plane's endpoints."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from ninja import Field, Schema
from pydantic import ConfigDict

from orchestration.core.definition import Json
from orchestration.parameters import Parameters


class Page(Parameters):
    """Where to read on: `cursor` is the `next` of the page before."""

    limit: int = Field(50, ge=1, le=200)
    cursor: str | None = Field(None, max_length=100)


class NumberedPage(Page):
    """Where to read on in a list by number."""

    cursor: int | None = Field(None, ge=1, le=2**31 - 1)  # type: ignore[assignment]


class Form(Parameters):
    """In which form a version is read."""

    format: Literal["json", "yaml"] = "json"


class ProblemOut(Schema):
    """What is wrong where. `line` and `column` are of the text that was sent."""

    step: str
    field: str
    message: str
    fix: str
    severity: str
    line: int
    column: int


class WorkflowLine(Schema):
    """A workflow in a list. `live` is the number of the version that new runs use."""

    slug: str
    name: str
    description: str
    enabled: bool
    sample: bool
    live: int | None


class WorkflowOut(WorkflowLine):
    """A workflow with the JSON Schema of what a run of it takes."""

    created_at: datetime
    input: Json = None


class WorkflowPage(Schema):
    """A page of workflows by slug; `next` is the cursor of the one after it."""

    items: list[WorkflowLine]
    next: str | None


class VersionLine(Schema):
    """A version in a list."""

    number: int
    digest: str  # SHA-256 of the canonical JSON of its definition
    note: str
    by: str
    created_at: datetime
    live: bool


class VersionPage(Schema):
    """A page of versions, newest first; `next` is the cursor of the one after it."""

    items: list[VersionLine]
    next: str | None


class VersionOut(VersionLine):
    """A version with its document."""

    execution_hash: str  # of the definition without layout, titles and notes
    definition: dict[str, Any]


class Pushed(Schema):
    """What a push came to. `created`: the workflow is new; `added`: the version is. `problems` are warnings."""

    workflow: WorkflowLine
    version: int
    created: bool
    added: bool
    problems: list[ProblemOut]


class Verdict(Schema):
    """Whether a document could be published as it is; warnings alone do not hinder."""

    valid: bool
    problems: list[ProblemOut]


class Live(Schema):
    """Which version new runs use."""

    model_config = ConfigDict(extra="forbid")

    version: int = Field(ge=1, le=2**31 - 1)


class Enabled(Schema):
    """Whether it may be used."""

    model_config = ConfigDict(extra="forbid", strict=True)

    enabled: bool


class ToolOut(Schema):
    """A registered tool. Risk: read, write, destructive, money. Effect: read, keyed, once."""

    name: str
    title: str
    description: str
    source: str
    risk: str
    effect: str
    enabled: bool
    timeout_seconds: float
    connection: str | None
    definition_hash: str
    arguments: dict[str, Any]
    output: dict[str, Any]


class ToolPage(Schema):
    """A page of tools by name; `next` is the cursor of the one after it."""

    items: list[ToolOut]
    next: str | None


class ModelOut(Schema):
    """What a model name means here. A simulated one calls nobody, and its prices are declared ones."""

    name: str
    provider: str
    model: str
    simulated: bool
    enabled: bool
    max_tokens: int
    input_usd_per_mtok: float | None
    output_usd_per_mtok: float | None


class KindOut(Schema):
    """A kind of step. `config_schema` is what a step of it takes beside the common settings."""

    name: str
    label: str
    summary: str
    config_schema: dict[str, Any]
