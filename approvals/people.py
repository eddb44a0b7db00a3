"""The people of a workspace as the policies see them: who they are, their roles now, and whether they may decide."""

from __future__ import annotations

from collections.abc import Sequence

from guardian.models import GroupObjectPermission

from approvals.policies import Person, Rules, standing
from orchestration.access import Right
from orchestration.models import Membership, User, Workspace


def members(workspace: Workspace) -> list[Person]:
    """Read all members with their roles (two queries). Service accounts and disabled people may never decide."""
    roles: dict[int, set[str]] = {}
    users: dict[int, User] = {}
    deciding_roles = _deciding_roles(workspace)
    for membership in Membership.objects.filter(workspace=workspace).select_related("user", "role"):
        users[membership.user_id] = membership.user
        roles.setdefault(membership.user_id, set()).add(membership.role.slug)
    return [_person(user, roles[user.pk], deciding_roles) for user in users.values()]


def deciders(rules: Rules, people: Sequence[Person]) -> list[Person]:
    """List who could decide a request with these rules now, by name."""
    allowed = [person for person in people if standing(person, rules, people).allows]
    return sorted(allowed, key=lambda person: person.name.casefold())


def _person(user: User, roles: set[str], deciding_roles: set[str]) -> Person:
    return Person(
        id=user.pk,
        name=str(user),
        username=user.get_username(),
        roles=frozenset(roles),
        email=user.email,
        may_decide=user.is_active and not user.is_service and bool(roles & deciding_roles),
    )


def _deciding_roles(workspace: Workspace) -> set[str]:
    held = GroupObjectPermission.objects.filter(
        group__role__workspace=workspace,
        permission__codename=Right.DECIDE_APPROVAL,
        permission__content_type__app_label="orchestration",
        permission__content_type__model="workspace",
        object_pk=str(workspace.pk),
    )
    return set(held.values_list("group__role__slug", flat=True))
