"""Every "may X do Y to Z". Nothing else in Baton answers that question.

A right comes from the roles of a person in a workspace (guardian permissions of the role's group on the workspace).
A token narrows it: the right needs the role and the scope. No flag of a user bypasses this, `is_superuser` included.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property
from typing import TypeVar

from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.db import connection
from django.db.models import Model, QuerySet
from django.http import Http404
from guardian.models import GroupObjectPermission

from orchestration.models import Token, User, Workspace

M = TypeVar("M", bound=Model)


class Right(StrEnum):
    """What a role may hold in a workspace: the codenames of Workspace.Meta.permissions."""

    VIEW = "view"
    START_RUN = "start_run"
    OPERATE_RUN = "operate_run"
    DECIDE_APPROVAL = "decide_approval"
    EDIT_WORKFLOW = "edit_workflow"
    ADMINISTER = "administer"
    VIEW_AUDIT = "view_audit"

    @property
    def label(self) -> str:
        """Say what the right lets people do, in the words of the pages."""
        return LABELS[self.value]


LABELS: dict[str, str] = dict(Workspace._meta.permissions)

# What each scope of a token lets through. Reading is scoped by area, so a token for runs can't read approvals.
SCOPES: dict[str, Right] = {
    "runs:read": Right.VIEW,
    "runs:start": Right.START_RUN,
    "runs:operate": Right.OPERATE_RUN,
    "approvals:read": Right.VIEW,
    "approvals:decide": Right.DECIDE_APPROVAL,
    "workflows:read": Right.VIEW,
    "workflows:write": Right.EDIT_WORKFLOW,
    "audit:read": Right.VIEW_AUDIT,
    "admin": Right.ADMINISTER,
}
AREA_OF_APP = {"designer": "workflows", "runs": "runs", "approvals": "approvals"}


class Forbidden(PermissionDenied):
    """You may not do this here. An administrator of the workspace can give you the right."""

    def __init__(self, right: Right, scopes: frozenset[str] = frozenset()) -> None:
        self.right = right
        self.scopes = scopes  # that the token lacks; empty: the role lacks the right
        super().__init__(self._message())

    def _message(self) -> str:
        if self.scopes:
            return f"The token lacks the scope {' and '.join(sorted(self.scopes))}. Make a token that has it."
        return (
            f"This needs the right “{self.right.label}” ({self.right}). An administrator can give you a role with it."
        )


class Missing(Http404):
    """There is nothing by this name here."""


@dataclass(frozen=True)
class Actor:
    """A person or service account acting in one workspace, directly or by a token. Lives as long as a request."""

    user: User
    workspace: Workspace
    token: Token | None = None
    area: str | None = None  # of the API: workflows, runs or approvals; says which scope reading needs
    known_rights: frozenset[Right] | None = None  # read with the token already

    @cached_property
    def rights(self) -> frozenset[Right]:
        """Read the rights of the actor's roles, once (one query); a token's scopes are not yet applied."""
        if self.known_rights is not None:
            return self.known_rights
        if not self.user.is_active:
            return frozenset()
        held = GroupObjectPermission.objects.filter(
            group__role__workspace=self.workspace,
            group__role__memberships__user=self.user,
            content_type=ContentType.objects.get_for_model(Workspace),
            object_pk=str(self.workspace.pk),
        ).values_list("permission__codename", flat=True)
        return _rights(held, self.user.is_service)

    @property
    def name(self) -> str:
        return str(self.user)


# One statement for each request by a token: everything that may have changed since the last one.
RIGHTS_BEHIND = """
SELECT u.is_service, p.codename
FROM orchestration_token t
JOIN orchestration_user u ON u.id = t.user_id AND u.is_active
JOIN orchestration_membership m ON m.user_id = t.user_id AND m.workspace_id = t.workspace_id
JOIN orchestration_role r ON r.id = m.role_id
LEFT JOIN guardian_groupobjectpermission g
  ON g.group_id = r.group_id AND g.content_type_id = %s AND g.object_pk = CAST(t.workspace_id AS varchar(255))
LEFT JOIN auth_permission p ON p.id = g.permission_id
WHERE t.digest = %s AND t.revoked_at IS NULL AND t.expires_at > %s
"""


def rights_by_token(digest: str, now: datetime) -> frozenset[Right] | None:
    """Read what the person behind a token holds now; None for a token that is unknown, expired, revoked or orphaned."""
    workspaces = ContentType.objects.get_for_model(Workspace).pk
    with connection.cursor() as cursor:
        cursor.execute(RIGHTS_BEHIND, [workspaces, digest, connection.ops.adapt_datetimefield_value(now)])
        rows = cursor.fetchall()
    return _rights((codename for _, codename in rows), bool(rows[0][0])) if rows else None


def _rights(codenames: Iterable[str | None], is_service: bool) -> frozenset[Right]:
    """Read codenames as rights. A service account never decides, whatever its roles."""
    rights = frozenset(Right(codename) for codename in codenames if codename in LABELS)
    return rights - {Right.DECIDE_APPROVAL} if is_service else rights


def may(actor: Actor, right: Right, subject: Model | type[Model] | None = None) -> bool:
    """Tell whether the actor may do this to the subject: the role, the token's scope and the workspace all agree."""
    if not belongs(actor, subject):
        return False
    return right in actor.rights and not missing_scopes(actor, right, subject)


def require(actor: Actor, right: Right, subject: Model | type[Model] | None = None) -> None:
    """Raise Missing for a subject of another workspace, Forbidden where the right or the scope is lacking."""
    if not belongs(actor, subject):
        raise Missing("Nothing here by that name.")
    if right not in actor.rights:
        raise Forbidden(right)
    lacking = missing_scopes(actor, right, subject)
    if lacking:
        raise Forbidden(right, lacking)


def find(actor: Actor, among: type[M] | QuerySet[M], **lookup: object) -> M:
    """Get the one object of the actor's workspace that matches, or raise Missing: foreign and absent look the same."""
    rows: QuerySet[M] = among if isinstance(among, QuerySet) else among._default_manager.all()
    found = rows.filter(workspace=actor.workspace, **lookup).first()
    if found is None:
        raise Missing("Nothing here by that name.")
    return found


def missing_scopes(actor: Actor, right: Right, subject: Model | type[Model] | None = None) -> frozenset[str]:
    """List the scopes the actor's token lacks for the right; without a token nothing is lacking."""
    if actor.token is None:
        return frozenset()
    needed = {scope for scope, gives in SCOPES.items() if gives is right}
    area = AREA_OF_APP.get(subject._meta.app_label) if subject is not None else None
    if right is Right.VIEW and (area or actor.area):
        needed = {f"{area or actor.area}:read"}
    return frozenset(needed - set(actor.token.scopes))


def belongs(actor: Actor, subject: Model | type[Model] | None) -> bool:
    """Tell whether the subject lies in the actor's workspace. A class or nothing lies everywhere."""
    return subject is None or isinstance(subject, type) or workspace_id_of(subject) == actor.workspace.pk


def workspace_id_of(subject: Model) -> int:
    """Find the workspace of a row: its own, or that of the workflow, run, request or version it is part of."""
    if isinstance(subject, Workspace):
        return int(subject.pk)
    if hasattr(subject, "workspace_id"):
        return int(subject.workspace_id)
    for owner in ("workflow", "run", "request", "version", "role"):
        if hasattr(subject, owner):
            return workspace_id_of(getattr(subject, owner))
    raise TypeError(f"{type(subject).__name__} belongs to no workspace, so access to it can't be decided.")
