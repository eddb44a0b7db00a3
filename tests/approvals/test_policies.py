"""Who may decide, and what votes come to."""

from __future__ import annotations

import pytest

from approvals.policies import (
    Approved,
    Need,
    Pending,
    Person,
    Rejected,
    Rules,
    Standing,
    Vote,
    needs_of,
    standing,
    verdict,
)

APPROVER = Need(frozenset({"approver"}))
RISKS = ("low", "medium", "high")
INITIATOR, AUTHOR = 1, 2


def a_person(id_: int, *roles: str, email: str = "", may_decide: bool = True) -> Person:
    return Person(id=id_, name=f"person {id_}", roles=frozenset(roles), email=email, may_decide=may_decide)


OTHER = a_person(50, "approver")

# Twenty identities: who they are, and what they may do at low, medium and high risk where others could decide too.
IDENTITIES = {
    "an approver": (a_person(3, "approver"), "may may may"),
    "an approver who also designs": (a_person(3, "approver", "designer"), "may may may"),
    "an approver who also administers": (a_person(3, "approver", "administrator"), "may may may"),
    "an administrator without the role": (a_person(3, "administrator"), "no_role no_role no_role"),
    "an operator": (a_person(3, "operator"), "no_role no_role no_role"),
    "a designer": (a_person(3, "designer"), "no_role no_role no_role"),
    "a role of the team's own": (a_person(3, "security"), "no_role no_role no_role"),
    "somebody with no role": (a_person(3), "no_role no_role no_role"),
    "an approver who lost the right": (a_person(3, "approver", may_decide=False), "no_right no_right no_right"),
    "a disabled approver": (a_person(3, "approver", may_decide=False), "no_right no_right no_right"),
    "a service account": (a_person(3, "approver", "operator", may_decide=False), "no_right no_right no_right"),
    "the initiator": (a_person(INITIATOR, "operator"), "no_role no_role no_role"),
    "the initiator as approver": (a_person(INITIATOR, "approver"), "excluded excluded excluded"),
    "the initiator as administrator": (a_person(INITIATOR, "administrator"), "no_role no_role no_role"),
    "the initiator with every role": (
        a_person(INITIATOR, "approver", "administrator", "operator"),
        "excluded excluded excluded",
    ),
    "the initiator's second account": (
        a_person(9, "approver", email="Ada@Example.org "),
        "excluded excluded excluded",
    ),
    "somebody with another address": (a_person(9, "approver", email="bob@example.org"), "may may may"),
    "the author": (a_person(AUTHOR, "designer"), "no_role no_role no_role"),
    "the author as approver": (a_person(AUTHOR, "approver"), "may may excluded"),
    "the author with every role": (a_person(AUTHOR, "approver", "administrator"), "may may excluded"),
}


def rules(risk: str = "medium", *needs: Need, excluded: frozenset[int] | None = None) -> Rules:
    four_eyes = frozenset({INITIATOR, AUTHOR} if risk == "high" else {INITIATOR})
    return Rules(needs or (APPROVER,), risk, four_eyes if excluded is None else excluded)


@pytest.mark.parametrize("risk", RISKS)
@pytest.mark.parametrize("who", IDENTITIES)
def test_each_identity_may_do_what_its_risk_allows_where_others_could_decide(who: str, risk: str) -> None:
    person, expected = IDENTITIES[who]
    initiator = a_person(INITIATOR, email="ada@example.org")
    people = [OTHER, person, *([] if person.id == INITIATOR else [initiator])]

    stands = standing(person, rules(risk), people)

    assert stands == expected.split()[RISKS.index(risk)]


@pytest.mark.parametrize(("risk", "expected"), [("low", "self"), ("medium", "self"), ("high", "excluded")])
def test_the_only_person_who_could_decide_may_approve_their_own_unless_the_risk_is_high(
    risk: str, expected: str
) -> None:
    alone = a_person(INITIATOR, "approver")

    assert standing(alone, rules(risk), [alone, a_person(4, "viewer")]) == expected


def test_two_accounts_of_one_human_are_still_the_only_person() -> None:
    first = a_person(INITIATOR, "approver", email="ada@example.org")
    second = a_person(7, "approver", email="ADA@example.org")

    assert standing(second, rules("low"), [first, second]) == Standing.SELF


def test_a_disabled_colleague_does_not_keep_a_person_from_being_the_only_one() -> None:
    alone = a_person(INITIATOR, "approver")

    assert standing(alone, rules("low"), [alone, a_person(4, "approver", may_decide=False)]) == Standing.SELF


def votes(*ids: int) -> list[Vote]:
    return [Vote(id_, approve=True) for id_ in ids]


TWO_SECURITY_ONE_OWNER = (Need(frozenset({"security"}), 2), Need(frozenset({"owner"}), 1))
PEOPLE = [
    a_person(10, "security"),
    a_person(11, "security", "owner"),
    a_person(12, "security", "owner"),
    a_person(13, "owner"),
    a_person(14, "viewer"),
    a_person(15, "security", email="twin@example.org"),
    a_person(16, "owner", "security", email="twin@example.org"),
]


@pytest.mark.parametrize(
    ("voters", "missing"),
    [
        ((), {"security": 2, "owner": 1}),
        ((10,), {"security": 1, "owner": 1}),
        ((10, 13), {"security": 1}),
        ((13, 14), {"security": 2}),
        ((11, 12), {"owner": 1}),
        ((10, 11, 12), {}),
        ((11, 12, 10), {}),
        ((12, 13, 10), {}),
        ((10, 15, 16), {"owner": 1}),  # two accounts of one human count once
        ((15, 16), {"security": 1, "owner": 1}),
    ],
)
def test_a_quorum_seats_distinct_people_whatever_their_order_and_roles(
    voters: tuple[int, ...], missing: dict[str, int]
) -> None:
    outcome = verdict(rules("low", *TWO_SECURITY_ONE_OWNER), votes(*voters), PEOPLE)

    if not missing:
        assert isinstance(outcome, Approved)
    else:
        assert isinstance(outcome, Pending)
        assert {next(iter(need.roles)): need.count for need in outcome.missing} == missing


def test_one_rejection_rejects_whatever_else_was_said() -> None:
    said = [*votes(10, 11), Vote(12, approve=False)]

    assert verdict(rules("low", *TWO_SECURITY_ONE_OWNER), said, PEOPLE) == Rejected(12)


def test_the_vote_of_somebody_who_lost_the_role_since_does_not_count() -> None:
    people = [a_person(10, "viewer"), OTHER]

    assert isinstance(verdict(rules("low"), votes(10), people), Pending)


def test_the_vote_of_somebody_who_left_does_not_count() -> None:
    assert isinstance(verdict(rules("low"), votes(99), [OTHER]), Pending)


def test_a_self_approval_ends_to_count_once_somebody_else_could_decide() -> None:
    alone = a_person(INITIATOR, "approver")

    assert isinstance(verdict(rules("low"), votes(INITIATOR), [alone]), Approved)
    assert isinstance(verdict(rules("low"), votes(INITIATOR), [alone, OTHER]), Pending)


def test_saying_nothing_about_who_decides_means_one_approver() -> None:
    assert needs_of([]) == (APPROVER,)


def test_a_need_may_accept_several_roles() -> None:
    assert needs_of([{"from": ["a", "b"], "count": 2}]) == (Need(frozenset({"a", "b"}), 2),)
