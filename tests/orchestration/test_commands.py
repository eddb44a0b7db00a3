"""manage.py token, audit and create_admin."""

from __future__ import annotations

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from orchestration import audit, tokens
from orchestration.access import Actor, Right, may
from orchestration.models import AuditEvent, AuditPending, Token, User, Workspace
from tests.support.cast import a_person, a_token, a_workspace
from tests.support.flushing import audit_unprotected

pytestmark = pytest.mark.django_db


def run(*arguments: str) -> tuple[str, str]:
    out, err = StringIO(), StringIO()
    call_command(*arguments, stdout=out, stderr=err)
    return out.getvalue(), err.getvalue()


class TestToken:
    def test_the_secret_stands_alone_on_standard_output(self) -> None:
        a_person("operator", username="ada")

        out, err = run("token", "ada")

        assert out.count("\n") == 1
        assert tokens.authenticate(out.strip()) is not None
        assert out.strip() not in err

    def test_by_default_it_can_not_decide_approvals_or_administer(self) -> None:
        a_person("administrator", username="ada")

        actor = tokens.authenticate(run("token", "ada")[0].strip())

        assert actor is not None
        assert not may(actor, Right.DECIDE_APPROVAL)
        assert not may(actor, Right.ADMINISTER)

    def test_deciding_is_given_when_asked_for(self) -> None:
        a_person("approver", username="ada")

        actor = tokens.authenticate(run("token", "ada", "--scopes", "approvals:read,approvals:decide")[0].strip())

        assert actor is not None
        assert may(actor, Right.DECIDE_APPROVAL)

    def test_the_default_for_a_viewer_is_refused_with_what_lacks(self) -> None:
        a_person("viewer", username="ada")

        with pytest.raises(CommandError, match="runs:start"):
            run("token", "ada")

    @pytest.mark.parametrize(
        ("arguments", "says"),
        [
            (["nobody"], "no user nobody"),
            (["ada", "--workspace", "other"], "not in a workspace other"),
            (["ada", "--scopes", "x"], "Unknown scope x"),
            (["ada", "--days", "0"], "days"),
            (["revoke", "ffffffff"], "no token ffffffff"),
            (["revoke"], "Say which token"),
            (["ada", "deadbeef"], "Unexpected word deadbeef"),
        ],
    )
    def test_what_can_not_be_is_said(self, arguments: list[str], says: str) -> None:
        a_person("operator", username="ada")

        with pytest.raises(CommandError, match=says):
            run("token", *arguments)

        assert not Token.objects.exists()

    def test_a_person_of_two_workspaces_must_say_which(self) -> None:
        person = a_person("operator", username="ada")
        from orchestration import members
        from orchestration.models import Role

        members.add(None, person, Role.objects.get(workspace=a_workspace("other"), slug="operator"))

        with pytest.raises(CommandError, match="--workspace"):
            run("token", "ada")
        assert run("token", "ada", "--workspace", "other")

    def test_it_is_revoked_by_its_prefix_and_both_are_audited(self) -> None:
        a_person("operator", username="ada")
        secret = run("token", "ada")[0].strip()

        run("token", "revoke", secret.split("_")[1])

        assert tokens.authenticate(secret) is None
        assert AuditEvent.objects.filter(verb__in=["token.created", "token.revoked"]).count() == 2


class TestAudit:
    def test_an_intact_log_is_counted(self, settings, tmp_path) -> None:
        settings.BATON_DATA = tmp_path
        a_token()
        sealed = run("audit", "seal")[0]

        out, _ = run("audit", "verify")

        assert f"Sealed {AuditEvent.objects.count()} events." in sealed
        assert f"{AuditEvent.objects.count()} events in 1 chains are sealed, 0 wait" in out
        assert "is intact" in out

    def test_a_tampered_log_ends_with_an_error(self, settings, tmp_path) -> None:
        settings.BATON_DATA = tmp_path
        a_token()
        audit.seal()
        with audit_unprotected():
            AuditEvent.objects.filter(verb="token.created").update(actor_name="Eve")

        with pytest.raises(CommandError, match="NOT intact: 1 break") as failed:
            run("audit", "verify", "--workspace", "main")

        assert failed.value.returncode == 1

    def test_an_emptied_log_ends_with_an_error(self, settings, tmp_path) -> None:
        settings.BATON_DATA = tmp_path
        a_workspace()
        with audit_unprotected():
            AuditPending.objects.all().delete()
            AuditEvent.objects.all().delete()

        with pytest.raises(CommandError, match="NOT intact: 1 break"):
            run("audit", "verify")

    def test_it_says_that_there_was_no_anchored_head(self, settings, tmp_path) -> None:
        settings.BATON_DATA = tmp_path
        a_token()
        audit.seal()

        assert "No anchored head" in run("audit", "verify")[1]

    def test_an_unknown_workspace_is_said(self) -> None:
        with pytest.raises(CommandError, match="no workspace x"):
            run("audit", "verify", "--workspace", "x")


class TestCreateAdmin:
    def test_the_first_administrator_can_do_everything_alone(self, monkeypatch) -> None:
        monkeypatch.setenv("BATON_ADMIN_PASSWORD", "correct horse battery")

        out, _ = run("create_admin")

        admin = User.objects.get()
        assert Client().login(username="admin", password="correct horse battery")
        assert Actor(user=admin, workspace=Workspace.objects.get(slug="main")).rights == set(Right)
        assert set(admin.memberships.values_list("role__slug", flat=True)) == {"administrator", "approver"}
        assert "correct horse battery" not in out

    def test_a_password_is_made_and_printed_when_none_is_given(self, monkeypatch) -> None:
        monkeypatch.delenv("BATON_ADMIN_PASSWORD", raising=False)

        password = run("create_admin")[0].split()[-1]

        assert len(password) >= 16
        assert Client().login(username="admin", password=password)

    def test_running_it_again_changes_nothing(self, monkeypatch) -> None:
        monkeypatch.setenv("BATON_ADMIN_PASSWORD", "correct horse battery")
        run("create_admin")
        monkeypatch.setenv("BATON_ADMIN_PASSWORD", "another long password")

        run("create_admin")

        assert User.objects.count() == 1
        assert not Client().login(username="admin", password="another long password")

    def test_a_weak_password_is_refused_and_nothing_is_made(self, monkeypatch) -> None:
        monkeypatch.setenv("BATON_ADMIN_PASSWORD", "short")

        with pytest.raises(CommandError, match="BATON_ADMIN_PASSWORD"):
            run("create_admin")

        assert not User.objects.exists()
        assert not Workspace.objects.exists()
