"""From a document to what runs: drafts, numbered versions, the live one. Each verb is one audited transaction."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.db.models import Max
from django.utils.text import slugify

from designer import checking, versions
from designer.changing import check_slug, require
from designer.checking import Document
from designer.models import Definition, Draft, Version, Workflow
from designer.refusals import NothingToPublish, Stale, Taken, Unfit
from orchestration import access, audit
from orchestration.access import Actor, Right
from orchestration.core import definition as core
from orchestration.core.definition import Json
from orchestration.core.problems import Problem
from orchestration.models import Workspace

MAX_NOTE = 500  # characters
RESERVED = frozenset({"validate"})  # addresses of the API beside those of workflows


@dataclass(frozen=True)
class PushResult:
    """What a push came to. `created`: the workflow is new; `added`: the version is; `problems` are warnings."""

    workflow: Workflow
    version: Version
    created: bool
    added: bool
    problems: tuple[Problem, ...]


def create_workflow(
    actor: Actor | None, workspace: Workspace, slug: str, name: str, description: str = "", *, sample: bool = False
) -> Workflow:
    """Create an empty workflow. Raises Unfit for a bad slug and Taken where the workspace has one by it."""
    require(actor, Right.EDIT_WORKFLOW, workspace)
    check_slug("slug", slug)
    if slug in RESERVED:
        raise Unfit("slug", f"{slug!r} is an address of the API.", "Choose another one.")
    with transaction.atomic():
        workflow, created = Workflow.objects.get_or_create(
            workspace=workspace,
            slug=slug,
            defaults={"name": name, "description": description, "owner": _user(actor), "sample": sample},
        )
        if not created:
            raise Taken(f"There is already a workflow {slug!r}. Choose another slug, or push to that one.")
        _record(actor, "workflow.created", workflow)
    return workflow


def save_draft(actor: Actor | None, workflow: Workflow, content: str | dict[str, Json], revision: int) -> Draft:
    """Save the draft of a workflow: YAML text or a document, which may have problems but must be readable.

    `revision` is that of the draft the edit began with, 0 for none. Raises Stale where the draft has moved on,
    InvalidDocument for text that is neither YAML nor JSON.
    """
    require(actor, Right.EDIT_WORKFLOW, workflow)
    document = checking.parse(content) if isinstance(content, str) else content
    source = content if isinstance(content, str) else ""
    with transaction.atomic():
        _lock(workflow)
        draft = Draft.objects.filter(workflow=workflow).first()
        if revision != (draft.revision if draft else 0):
            raise Stale
        draft = _write_draft(actor, workflow, draft, document, source)
        _record(actor, "workflow.draft_saved", workflow, revision=draft.revision)
    return draft


def publish(actor: Actor | None, workflow: Workflow, note: str = "", source: str | None = None) -> Version:
    """Publish the draft, or `source` where it is given, and make it live.

    The same definition as an earlier version makes that one live again: content has one number. Raises
    InvalidDefinition with every problem, NothingToPublish. Locks the workflow's row.
    """
    require(actor, Right.EDIT_WORKFLOW, workflow)
    document = checking.check(workflow.workspace_id, _text_to_publish(workflow) if source is None else source)
    with transaction.atomic():
        return _publish(actor, _lock(workflow), document, note)[0]


def push(
    actor: Actor | None, workspace: Workspace, text: str, slug: str | None = None, note: str = "", *,
    sample: bool = False, only_new: bool = False,
) -> PushResult:  # fmt: skip
    """Publish a document under `slug` (else one made of its name), creating the workflow where it is missing.

    All or nothing. Raises InvalidDefinition with every problem, Unfit, and with `only_new` Taken where the workflow
    is there already.
    """
    require(actor, Right.EDIT_WORKFLOW, workspace)
    document = checking.check(workspace.pk, text)
    slug = check_slug("slug", slug) if slug is not None else _slug_of(document)
    with transaction.atomic():
        workflow, created = _found_or_created(actor, workspace, slug, document, sample, only_new)
        workflow = _lock(workflow)
        version, added = _publish(actor, workflow, document, note)
    return PushResult(workflow, version, created, added, document.warnings)


def set_live(actor: Actor | None, workflow: Workflow, version: Version) -> Version:
    """Make an earlier version live: new runs use it, runs under way keep theirs. Nothing if it is live already."""
    require(actor, Right.EDIT_WORKFLOW, workflow)
    if version.workflow_id != workflow.pk:
        raise access.Missing("Nothing here by that name.")
    with transaction.atomic():
        _make_live(actor, _lock(workflow), version, versions.definition_by_digest(version.definition_id))
    return version


def set_enabled(actor: Actor | None, workflow: Workflow, enabled: bool) -> Workflow:
    """Let new runs of a workflow start, or not; runs under way go on. Nothing if it is so already."""
    require(actor, Right.EDIT_WORKFLOW, workflow)
    with transaction.atomic():
        locked = _lock(workflow)
        if locked.enabled != enabled:
            locked.enabled = enabled
            locked.save(update_fields=["enabled"])
            _record(actor, "workflow.enabled" if enabled else "workflow.disabled", locked)
    return locked


def _found_or_created(
    actor: Actor | None, workspace: Workspace, slug: str, document: Document, sample: bool, only_new: bool
) -> tuple[Workflow, bool]:
    """Find the workflow to push to, or create it; somebody else may do so at the same moment."""
    known = Workflow.objects.filter(workspace=workspace, slug=slug)
    if not only_new and (found := known.first()):
        return found, False
    definition = document.definition
    try:
        return create_workflow(actor, workspace, slug, definition.name, definition.description, sample=sample), True
    except Taken:
        if only_new:
            raise
        return known.get(), False


def _publish(actor: Actor | None, workflow: Workflow, document: Document, note: str) -> tuple[Version, bool]:
    """Find or add the version of a document, make it live, and let the draft follow. The workflow's row is locked."""
    if len(note) > MAX_NOTE:
        raise Unfit("note", f"A note has at most {MAX_NOTE} characters; this one has {len(note)}.")
    version = Version.objects.filter(workflow=workflow, definition_id=document.digest).first()
    added = version is None
    if version is None:
        version = _add_version(actor, workflow, document, note)
    _make_live(actor, workflow, version, document.definition, published=added)
    _let_draft_follow(actor, workflow, document)
    return version, added


def _add_version(actor: Actor | None, workflow: Workflow, document: Document, note: str) -> Version:
    Definition.objects.get_or_create(
        digest=document.digest, defaults={"execution_hash": document.execution_hash, "body": document.body}
    )
    last = Version.objects.filter(workflow=workflow).aggregate(last=Max("number"))["last"] or 0
    version = Version.objects.create(
        workflow=workflow,
        number=last + 1,
        definition_id=document.digest,
        source=document.source,
        note=note,
        created_by=_user(actor),
    )
    _record(actor, "version.published", version, number=version.number, definition=document.digest, note=note)
    return version


def _make_live(
    actor: Actor | None, workflow: Workflow, version: Version, definition: core.Definition, published: bool = False
) -> None:
    """Point the workflow at a version, whose name it takes. The publishing of a new one is audited by itself."""
    if workflow.live_id == version.pk:
        return
    before = workflow.live.number if workflow.live else None
    workflow.live, workflow.name, workflow.description = version, definition.name, definition.description
    workflow.save(update_fields=["live", "name", "description"])
    if not published:
        _record(actor, "version.made_live", version, number=version.number, before=before)


def _let_draft_follow(actor: Actor | None, workflow: Workflow, document: Document) -> None:
    """Bring the draft to what was published, unless somebody has unpublished work in it."""
    draft = Draft.objects.filter(workflow=workflow).first()
    if draft is None or checking.digest(draft.document) in _published_digests(workflow):
        _write_draft(actor, workflow, draft, document.content, document.source)


def _published_digests(workflow: Workflow) -> set[str]:
    return set(Version.objects.filter(workflow=workflow).values_list("definition_id", flat=True))


def _write_draft(
    actor: Actor | None, workflow: Workflow, draft: Draft | None, document: dict[str, Any], source: str
) -> Draft:
    draft = draft or Draft(workflow=workflow, revision=0)
    draft.document, draft.source = document, source
    draft.revision += 1
    draft.updated_by = _user(actor)
    draft.save()
    return draft


def _text_to_publish(workflow: Workflow) -> str:
    draft = Draft.objects.filter(workflow=workflow).first()
    if draft is None:
        raise NothingToPublish
    return draft.source or checking.write(draft.document)


def _slug_of(document: Document) -> str:
    slug = slugify(document.definition.name)[:100].strip("-_")
    if not slug:
        raise Unfit("slug", f"No slug can be made of the name {document.definition.name[:100]!r}.", "Give one.")
    return slug


def _lock(workflow: Workflow) -> Workflow:
    return Workflow.objects.select_for_update().get(pk=workflow.pk)


def _user(actor: Actor | None) -> Any:
    return actor.user if actor else None


def _record(actor: Actor | None, verb: str, subject: Workflow | Version, **details: Any) -> None:
    workflow = subject if isinstance(subject, Workflow) else subject.workflow
    audit.record(actor, verb, subject, workspace=workflow.workspace, **details)
