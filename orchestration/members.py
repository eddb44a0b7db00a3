"""Workspaces, their roles, and who is a member of them."""

from __future__ import annotations

from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from guardian.models import GroupObjectPermission

from orchestration import audit
from orchestration.access import Actor, Right
from orchestration.models import Membership, Role, User, Workspace

# The roles each workspace starts with. No role bypasses the rules of approvals: a right only lets a person be asked.
ROLES: dict[str, tuple[str, tuple[Right, ...]]] = {
    "viewer": ("Viewer", (Right.VIEW,)),
    "designer": ("Designer", (Right.VIEW, Right.START_RUN, Right.EDIT_WORKFLOW)),
    "operator": ("Operator", (Right.VIEW, Right.START_RUN, Right.OPERATE_RUN)),
    "approver": ("Approver", (Right.VIEW, Right.DECIDE_APPROVAL)),
    "administrator": ("Administrator", tuple(Right)),
}


def create_workspace(slug: str, name: str, actor: Actor | None = None) -> Workspace:
    """Create a workspace with its standard roles. Audited."""
    with transaction.atomic():
        workspace = Workspace.objects.create(slug=slug, name=name)
        _create_roles(workspace)
        audit.record(actor, "workspace.created", workspace, workspace=workspace)
    return workspace


def add(actor: Actor | None, user: User, role: Role) -> Membership:
    """Give a person or service account a role; its Django group follows. Audited, once. `actor` None is the system."""
    with transaction.atomic():
        membership, created = Membership.objects.get_or_create(workspace=role.workspace, user=user, role=role)
        if created:
            user.groups.add(role.group)
            audit.record(actor, "member.added", user, workspace=role.workspace, role=role.slug)
    return membership


def remove(actor: Actor | None, user: User, role: Role) -> None:
    """Take a role from a person; its Django group follows. Audited where the person had the role."""
    with transaction.atomic():
        removed, _ = Membership.objects.filter(user=user, role=role).delete()
        user.groups.remove(role.group)
        if removed:
            audit.record(actor, "member.removed", user, workspace=role.workspace, role=role.slug)


def deciders(workspace: Workspace, role_slug: str) -> QuerySet[User]:
    """Select the active people who hold the role and have the right to decide approvals; never service accounts."""
    holds = Membership.objects.filter(user=OuterRef("pk"), workspace=workspace, role__slug=role_slug)
    may_decide = GroupObjectPermission.objects.filter(
        group__role__workspace=workspace,
        group__role__memberships__user=OuterRef("pk"),
        permission__content_type__app_label="orchestration",
        permission__content_type__model="workspace",
        permission__codename=Right.DECIDE_APPROVAL,
        object_pk=str(workspace.pk),
    )
    people = User.objects.filter(is_active=True, is_service=False)
    return people.filter(Exists(holds), Exists(may_decide)).order_by("username")


def _create_roles(workspace: Workspace) -> None:
    permissions = {
        permission.codename: permission
        for permission in Permission.objects.filter(
            content_type__app_label="orchestration", content_type__model="workspace"
        )
    }
    held = []
    for slug, (name, rights) in ROLES.items():
        # Group names are unique in the whole instance, so they carry the workspace's id.
        group = Group.objects.create(name=f"{workspace.pk}:{slug}")
        Role.objects.create(workspace=workspace, slug=slug, name=name, group=group)
        held += [_held(group, permissions[right], workspace) for right in rights]
    GroupObjectPermission.objects.bulk_create(held)


def _held(group: Group, permission: Permission, workspace: Workspace) -> GroupObjectPermission:
    return GroupObjectPermission(
        group=group, permission=permission, content_type_id=permission.content_type_id, object_pk=str(workspace.pk)
    )
