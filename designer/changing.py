"""What the verbs of this app share: who may, and telling the engine that what a workspace offers has changed."""

from __future__ import annotations

import re

from django.db.models import F, Model

from designer.refusals import Unfit
from orchestration import access
from orchestration.access import Actor, Missing, Right
from orchestration.models import Workspace

_SLUG = re.compile(r"[a-z0-9]([a-z0-9_-]{0,98}[a-z0-9])?\Z")


def require(actor: Actor | None, right: Right, subject: Model) -> None:
    """Ask access.py. `actor` None is the system: the command line of whoever runs this instance."""
    if actor is not None:
        access.require(actor, right, subject)


def touch_guard(workspace: Workspace) -> None:
    """Raise the workspace's guard revision, so that verdicts made before are asked anew. In the caller's transaction.

    The row stays locked until the caller commits, which also puts changes of one registry in a row.
    """
    changed = Workspace.objects.filter(pk=workspace.pk).update(guard_revision=F("guard_revision") + 1)
    if not changed:
        raise Missing("Nothing here by that name.")


def check_slug(field: str, slug: str) -> str:
    """Give the slug back if it can stand in an address. Raises Unfit."""
    if not _SLUG.match(slug):
        fix = "Use up to 100 small letters, digits, - and _, beginning and ending with a letter or digit."
        raise Unfit(field, f"{slug[:120]!r} can't be used as a name.", fix)
    return slug
