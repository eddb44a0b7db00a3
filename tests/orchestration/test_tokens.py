"""API tokens: made with the least scope, recognised exactly, dead when they should be."""

from __future__ import annotations

import hashlib
import re
from datetime import timedelta

import pytest
from django.utils import timezone
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from orchestration import access, members, tokens
from orchestration.access import Actor, Forbidden, Missing, Right
from orchestration.models import AuditEvent, Role, Token
from tests.support.cast import a_person, a_token, a_workspace, an_actor


@pytest.mark.django_db
class TestRecognising:
    def test_the_secret_acts_for_its_person_in_its_workspace(self) -> None:
        person = a_person("operator")

        actor = tokens.authenticate(a_token(person, scopes=("runs:read",)))

        assert actor is not None
        assert (actor.user, actor.workspace) == (person, a_workspace())
        assert actor.token is not None
        assert actor.token.scopes == ["runs:read"]

    @pytest.mark.parametrize("secret", ["", None, [], {}, 0, True, b"bytes", ["x"], "bat_", "null"])
    def test_nothing_that_is_not_the_secret_matches(self, secret: object) -> None:
        a_token()

        assert tokens.authenticate(secret) is None

    def test_neither_digest_nor_prefix_of_a_stolen_database_opens_anything(self) -> None:
        a_token()
        stored = Token.objects.get()

        for stolen in (stored.digest, stored.prefix, f"bat_{stored.prefix}", str(stored.pk), f"bat_{stored.digest}"):
            assert tokens.authenticate(stolen) is None

    def test_near_misses_do_not_match(self) -> None:
        secret = a_token()

        for near in (secret + " ", " " + secret, secret + "\n", secret[:-1], secret.upper(), secret + "\x00"):
            assert tokens.authenticate(near) is None

    def test_an_expired_token_is_nobody(self) -> None:
        assert tokens.authenticate(a_token(expired=True)) is None

    def test_a_revoked_token_is_nobody(self) -> None:
        assert tokens.authenticate(a_token(revoked=True)) is None

    def test_the_token_of_a_disabled_person_is_nobody(self) -> None:
        person = a_person("operator")
        secret = a_token(person)
        person.is_active = False
        person.save()

        assert tokens.authenticate(secret) is None

    def test_the_token_of_someone_who_left_the_workspace_is_nobody(self) -> None:
        person = a_person("operator")
        secret = a_token(person)
        members.remove(None, person, Role.objects.get(workspace=a_workspace(), slug="operator"))

        assert tokens.authenticate(secret) is None

    def test_use_is_noted_to_the_minute_without_a_write_each_time(self, django_assert_num_queries) -> None:
        secret = a_token()

        tokens.authenticate(secret)
        noted = Token.objects.get().last_used_at
        with django_assert_num_queries(1):
            tokens.authenticate(secret)

        assert noted is not None
        assert (noted.second, noted.microsecond) == (0, 0)

    def test_use_is_noted_again_later(self) -> None:
        secret = a_token()
        long_ago = timezone.now() - timedelta(hours=1)
        Token.objects.update(last_used_at=long_ago)

        tokens.authenticate(secret)

        last_used_at = Token.objects.get().last_used_at
        assert last_used_at is not None
        assert last_used_at > long_ago


class TestAnyText(TestCase):
    @settings(max_examples=50)
    @given(st.text())
    def test_no_other_text_matches(self, text: str) -> None:
        assert tokens.authenticate(text) is None


@pytest.mark.django_db
class TestMaking:
    def test_only_the_hash_is_kept(self) -> None:
        token, secret = tokens.create(a_person("operator"), a_workspace(), "ci", ["runs:read"], days=7)

        assert re.fullmatch(r"bat_[0-9a-f]{8}_[\w-]{43}", secret)
        assert secret.split("_")[1] == token.prefix
        assert token.digest == hashlib.sha256(secret.encode()).hexdigest()
        random_part = secret.split("_", 2)[2]
        assert not any(random_part in str(value) for value in Token.objects.values_list().get())
        assert not any(random_part in str(event) for event in AuditEvent.objects.values_list())

    def test_it_expires_when_it_was_said(self) -> None:
        token, _ = tokens.create(a_person("operator"), a_workspace(), "ci", ["runs:read"], days=7)

        assert token.expires_at - token.created_at == pytest.approx(timedelta(days=7), abs=timedelta(seconds=5))

    def test_it_is_audited_without_its_secret(self) -> None:
        token, _ = tokens.create(an_actor("operator"), a_workspace(), "ci", ["runs:read"], days=7)

        event = AuditEvent.objects.get(verb="token.created")
        assert (event.subject_id, event.details) == (str(token.pk), {"scopes": ["runs:read"], "days": 7})

    def test_the_default_neither_decides_nor_administers(self) -> None:
        given = {access.SCOPES[scope] for scope in tokens.DEFAULT_SCOPES}

        assert not given & {Right.DECIDE_APPROVAL, Right.ADMINISTER, Right.EDIT_WORKFLOW, Right.VIEW_AUDIT}

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"scopes": ["runs:erase"]}, "Unknown scope runs:erase"),
            ({"scopes": []}, "at least one scope"),
            ({"days": 0}, "1 to 366 days"),
            ({"days": 367}, "1 to 366 days"),
            ({"name": "  "}, "name"),
            ({"name": "x" * 101}, "name"),
            ({"scopes": ["admin"]}, "can't give admin"),
            ({"scopes": ["approvals:decide"]}, "can't give approvals:decide"),
        ],
    )
    def test_what_can_not_be_given_is_refused_and_nothing_is_kept(self, wrong: dict, says: str) -> None:
        asked = {"name": "ci", "scopes": ["runs:read"], "days": 30} | wrong

        with pytest.raises(tokens.InvalidToken, match=says):
            tokens.create(an_actor("operator"), a_workspace(), **asked)

        assert not Token.objects.exists()

    def test_a_person_who_is_no_member_gets_none(self) -> None:
        with pytest.raises(tokens.InvalidToken, match="not an active member"):
            tokens.create(a_person("operator", a_workspace("other")), a_workspace(), "ci", ["runs:read"], days=1)

    def test_an_actor_of_one_workspace_makes_none_for_another(self) -> None:
        with pytest.raises(tokens.InvalidToken):
            tokens.create(an_actor("administrator"), a_workspace("other"), "ci", ["runs:read"], days=1)

    def test_a_token_makes_no_token_wider_than_itself(self) -> None:
        narrow = tokens.authenticate(a_token(scopes=("admin", "runs:read")))
        assert narrow is not None

        with pytest.raises(tokens.InvalidToken, match="approvals:decide"):
            tokens.create(narrow, narrow.workspace, "wider", ["approvals:decide"], days=1)


@pytest.mark.django_db
class TestRevoking:
    def test_people_revoke_their_own_once_and_it_is_audited(self) -> None:
        actor = an_actor("viewer")
        secret = a_token(actor.user)
        token = Token.objects.get()

        tokens.revoke(actor, token)
        tokens.revoke(actor, token)

        assert tokens.authenticate(secret) is None
        assert AuditEvent.objects.filter(verb="token.revoked").count() == 1

    def test_an_administrator_revokes_anybodys(self) -> None:
        secret = a_token(a_person("operator"))

        tokens.revoke(an_actor("administrator"), Token.objects.get())

        assert tokens.authenticate(secret) is None

    def test_others_may_not(self) -> None:
        secret = a_token(a_person("operator"))

        with pytest.raises(Forbidden):
            tokens.revoke(an_actor("operator"), Token.objects.get())

        assert tokens.authenticate(secret) is not None

    def test_an_administrator_elsewhere_does_not_even_find_it(self) -> None:
        a_token(a_person("operator"))

        with pytest.raises(Missing):
            tokens.revoke(an_actor("administrator", a_workspace("other")), Token.objects.get())

    def test_a_narrow_token_of_the_same_person_may_not(self) -> None:
        actor = tokens.authenticate(a_token(scopes=("runs:read",)))
        assert isinstance(actor, Actor)

        with pytest.raises(Forbidden):
            tokens.revoke(actor, Token.objects.get())


@pytest.mark.django_db
def test_people_see_their_own_tokens_and_administrators_see_all() -> None:
    mine, other = an_actor("viewer"), a_person("operator")
    a_token(mine.user), a_token(other), a_token(workspace=a_workspace("other"))

    assert [token.user for token in tokens.visible(mine)] == [mine.user]
    assert tokens.visible(an_actor("administrator")).count() == 2
