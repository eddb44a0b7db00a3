"""Who may do what: roles, scopes, workspaces."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Group

from orchestration import access, members, tokens
from orchestration.access import SCOPES, Actor, Forbidden, Missing, Right
from orchestration.models import Membership, Role, Token
from tests.support.cast import a_person, a_token, a_workspace, an_actor

pytestmark = pytest.mark.django_db

EXPECTED = {
    "viewer": {Right.VIEW},
    "designer": {Right.VIEW, Right.START_RUN, Right.EDIT_WORKFLOW},
    "operator": {Right.VIEW, Right.START_RUN, Right.OPERATE_RUN},
    "approver": {Right.VIEW, Right.DECIDE_APPROVAL},
    "administrator": set(Right),
}


def by_token(role: str, *scopes: str, area: str | None = None) -> Actor:
    actor = an_actor(role)
    token = Token(user=actor.user, workspace=actor.workspace, scopes=list(scopes))
    return Actor(user=actor.user, workspace=actor.workspace, token=token, area=area)


@pytest.mark.parametrize("role", sorted(EXPECTED))
def test_a_role_gives_its_rights_and_no_others(role: str) -> None:
    actor = an_actor(role)

    assert {right for right in Right if access.may(actor, right)} == EXPECTED[role]


def test_rights_of_several_roles_add_up() -> None:
    assert an_actor(("designer", "approver")).rights == EXPECTED["designer"] | EXPECTED["approver"]


def test_a_role_in_one_workspace_gives_nothing_in_another() -> None:
    person = a_person("administrator")

    assert Actor(user=person, workspace=a_workspace("other")).rights == frozenset()


def test_a_superuser_has_no_rights_by_that_alone() -> None:
    person = a_person("")
    person.is_superuser = person.is_staff = True
    person.save()

    assert Actor(user=person, workspace=a_workspace()).rights == frozenset()


def test_a_disabled_person_has_no_rights() -> None:
    assert an_actor("administrator", is_active=False).rights == frozenset()


def test_a_django_group_alone_gives_nothing_without_the_membership() -> None:
    person = a_person("")
    person.groups.add(Group.objects.get(role__slug="administrator", role__workspace=a_workspace()))

    assert Actor(user=person, workspace=a_workspace()).rights == frozenset()


def test_a_service_account_never_decides_approvals() -> None:
    robot = an_actor(("administrator", "approver"), is_service=True)

    assert Right.DECIDE_APPROVAL not in robot.rights
    assert not access.may(robot, Right.DECIDE_APPROVAL)
    with pytest.raises(Forbidden):
        access.require(robot, Right.DECIDE_APPROVAL)


def test_guardian_and_access_agree_for_a_member() -> None:
    person = a_person("operator")

    for right in Right:
        assert person.has_perm(f"orchestration.{right}", a_workspace()) == (right in EXPECTED["operator"])


def test_rights_are_read_with_one_query_and_only_once(django_assert_num_queries) -> None:
    actor = an_actor("designer")

    with django_assert_num_queries(1):
        for right in Right:
            access.may(actor, right)


def test_a_token_narrows_to_its_scopes() -> None:
    actor = by_token("administrator", "runs:start")

    assert {right for right in Right if access.may(actor, right)} == {Right.START_RUN}


def test_a_scope_gives_nothing_that_the_role_does_not_give() -> None:
    actor = by_token("viewer", *SCOPES)

    assert {right for right in Right if access.may(actor, right)} == {Right.VIEW}


@pytest.mark.parametrize("scope", sorted(SCOPES))
def test_without_the_one_scope_the_right_is_refused_and_the_scope_is_named(scope: str) -> None:
    actor = by_token("administrator", *(set(SCOPES) - {scope}), area=scope.split(":")[0])

    with pytest.raises(Forbidden) as refused:
        access.require(actor, SCOPES[scope])

    assert refused.value.scopes == {scope}
    assert scope in str(refused.value)


def test_reading_one_area_does_not_open_another() -> None:
    assert access.may(by_token("viewer", "runs:read", area="runs"), Right.VIEW)
    assert not access.may(by_token("viewer", "runs:read", area="approvals"), Right.VIEW)


def test_reading_without_any_area_needs_every_reading_scope() -> None:
    assert not access.may(by_token("viewer", "runs:read"), Right.VIEW)
    assert access.may(by_token("viewer", "runs:read", "approvals:read", "workflows:read"), Right.VIEW)


def test_a_missing_right_is_named_in_words() -> None:
    with pytest.raises(Forbidden, match="Start runs"):
        access.require(an_actor("viewer"), Right.START_RUN)


def test_a_subject_of_another_workspace_is_missing_not_forbidden() -> None:
    stranger = an_actor("administrator", a_workspace("other"))
    role = Role.objects.get(workspace=a_workspace(), slug="viewer")

    assert not access.may(stranger, Right.VIEW, role)
    with pytest.raises(Missing):
        access.require(stranger, Right.VIEW, role)


def test_foreign_and_absent_rows_are_missing_alike() -> None:
    a_token(a_person("viewer"))
    foreign = Token.objects.get()
    stranger = an_actor("administrator", a_workspace("other"))

    with pytest.raises(Missing) as of_foreign:
        access.find(stranger, Token, pk=foreign.pk)
    with pytest.raises(Missing) as of_absent:
        access.find(stranger, Token, pk=foreign.pk + 1000)
    assert str(of_foreign.value) == str(of_absent.value)


def test_a_row_that_belongs_to_no_workspace_can_not_be_judged() -> None:
    actor = an_actor("administrator")

    with pytest.raises(TypeError):
        access.may(actor, Right.VIEW, actor.user)


def test_a_revoked_role_is_gone_for_the_next_request() -> None:
    actor = an_actor("designer")
    role = Role.objects.get(workspace=actor.workspace, slug="designer")

    members.remove(None, actor.user, role)

    assert Actor(user=actor.user, workspace=actor.workspace).rights == frozenset()
    assert not Membership.objects.filter(user=actor.user).exists()
    assert not actor.user.groups.exists()
    assert tokens.grantable(Actor(user=actor.user, workspace=actor.workspace)) == []
