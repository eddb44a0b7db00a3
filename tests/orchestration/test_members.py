"""Workspaces, roles and who may be asked to decide."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction

from orchestration import members
from orchestration.models import AuditEvent, Membership, Role
from tests.support.cast import a_person, a_workspace, an_actor

pytestmark = pytest.mark.django_db


def test_a_new_workspace_has_the_five_roles_and_an_audit_row() -> None:
    workspace = members.create_workspace("sales", "Sales")

    assert set(workspace.roles.values_list("slug", flat=True)) == set(members.ROLES)
    assert AuditEvent.objects.get(workspace=workspace).verb == "workspace.created"


def test_two_workspaces_never_share_a_group() -> None:
    a_workspace("one"), a_workspace("two")

    assert Role.objects.values("group").distinct().count() == 2 * len(members.ROLES)


def test_a_slug_that_is_taken_leaves_nothing_behind() -> None:
    a_workspace("sales")
    before = Role.objects.count(), AuditEvent.objects.count()

    with pytest.raises(IntegrityError), transaction.atomic():
        members.create_workspace("sales", "Sales again")

    assert (Role.objects.count(), AuditEvent.objects.count()) == before


def test_giving_a_role_twice_is_one_membership_and_one_audit_row() -> None:
    by, person = an_actor("administrator"), a_person("")
    role = Role.objects.get(workspace=by.workspace, slug="viewer")

    members.add(by, person, role)
    members.add(by, person, role)

    assert Membership.objects.filter(user=person).count() == 1
    assert list(person.groups.all()) == [role.group]
    event = AuditEvent.objects.get(verb="member.added", subject_id=str(person.pk))
    assert (event.actor, event.details) == (by.user, {"role": "viewer"})


def test_taking_a_role_that_was_not_held_is_not_audited() -> None:
    person = a_person("viewer")

    members.remove(None, person, Role.objects.get(workspace=a_workspace(), slug="operator"))

    assert not AuditEvent.objects.filter(verb="member.removed").exists()


def test_deciders_hold_the_role_and_the_right() -> None:
    ada = a_person("approver", username="ada")
    bo = a_person(("approver", "administrator"), username="bo")
    a_person("administrator"), a_person("viewer")

    assert list(members.deciders(a_workspace(), "approver")) == [ada, bo]


def test_a_role_without_the_right_gives_no_deciders() -> None:
    a_person("operator")

    assert not members.deciders(a_workspace(), "operator").exists()


def test_who_holds_the_asked_role_may_decide_by_another_role() -> None:
    both = a_person(("operator", "approver"))

    assert list(members.deciders(a_workspace(), "operator")) == [both]


@pytest.mark.parametrize("person", [{"is_service": True}, {"is_active": False}])
def test_service_accounts_and_disabled_people_are_no_deciders(person: dict[str, bool]) -> None:
    a_person("approver", **person)

    assert not members.deciders(a_workspace(), "approver").exists()


def test_an_approver_elsewhere_is_no_decider_here() -> None:
    a_person("approver", a_workspace("other"))
    a_person("viewer", username="visitor")

    assert not members.deciders(a_workspace(), "approver").exists()
    assert not members.deciders(a_workspace(), "no such role").exists()
