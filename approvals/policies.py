"""Who may decide a request, and what the votes so far come to. Pure: people and votes are arguments."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

DEFAULT_ROLE = "approver"
HIGH = "high"


@dataclass(frozen=True, slots=True)
class Need:
    """`count` distinct people, each holding one of `roles` (slugs)."""

    roles: frozenset[str]
    count: int = 1

    def __str__(self) -> str:
        people = "one person" if self.count == 1 else f"{self.count} people"
        return f"{people} with the role {' or '.join(sorted(self.roles))}"


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody of the workspace as they are now. Two accounts with one e-mail address are one human."""

    id: int
    name: str = ""
    username: str = ""
    roles: frozenset[str] = frozenset()
    email: str = ""
    may_decide: bool = True  # active, a person, and holds the right to decide approvals

    @property
    def human(self) -> str:
        return self.email.strip().casefold() or f"account {self.id}"


@dataclass(frozen=True, slots=True)
class Vote:
    person: int
    approve: bool


@dataclass(frozen=True, slots=True)
class Rules:
    """What a request says about who decides it. `excluded` are ids of accounts."""

    needs: tuple[Need, ...]
    risk: str
    excluded: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Approved:
    by: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Rejected:
    by: int


@dataclass(frozen=True, slots=True)
class Pending:
    missing: tuple[Need, ...]  # `count` is how many are still to come


Verdict = Approved | Rejected | Pending


class Standing(StrEnum):
    """Whether somebody may decide a request, or why not."""

    MAY = "may"
    SELF = "self"  # may, though it is their own: nobody else in the workspace could
    NO_RIGHT = "no_right"
    NO_ROLE = "no_role"
    EXCLUDED = "excluded"

    @property
    def allows(self) -> bool:
        return self in (Standing.MAY, Standing.SELF)


def needs_of(require: Sequence[Mapping[str, Any]]) -> tuple[Need, ...]:
    """Read `[{"from": role or list of roles, "count": n}]`; nothing said means one approver."""
    return tuple(_need(item) for item in require) or (Need(frozenset({DEFAULT_ROLE})),)


def _need(item: Mapping[str, Any]) -> Need:
    roles = item.get("from", DEFAULT_ROLE)
    return Need(frozenset([roles] if isinstance(roles, str) else roles), int(item.get("count", 1)))


def standing(person: Person, rules: Rules, people: Iterable[Person]) -> Standing:
    """Say whether this person may decide. `people` are all members of the workspace, this one included.

    The exclusion covers every account of an excluded human. It is lifted only at low and medium risk, and only while
    that human is the only one in the workspace who could decide.
    """
    if not person.may_decide:
        return Standing.NO_RIGHT
    if not _useful(person, rules):
        return Standing.NO_ROLE
    members = list(people)
    if person.human not in _excluded_humans(rules, members):
        return Standing.MAY
    alone = {other.human for other in members if other.may_decide and _useful(other, rules)} == {person.human}
    return Standing.SELF if alone and rules.risk != HIGH else Standing.EXCLUDED


def verdict(rules: Rules, votes: Iterable[Vote], people: Sequence[Person]) -> Verdict:
    """Say what the votes come to, judged by who people are now: a vote of somebody who may no longer decide is void.

    One rejection rejects. Approval needs every Need met by people of its own: nobody counts for two of them.
    """
    by_id = {person.id: person for person in people}
    valid = [vote for vote in votes if (person := by_id.get(vote.person)) and standing(person, rules, people).allows]
    for vote in valid:
        if not vote.approve:
            return Rejected(vote.person)
    voters = list({by_id[vote.person].human: by_id[vote.person] for vote in valid}.values())
    missing = _missing(rules.needs, voters)
    return Pending(missing) if missing else Approved(tuple(voter.id for voter in voters))


def _useful(person: Person, rules: Rules) -> bool:
    return any(person.roles & need.roles for need in rules.needs)


def _excluded_humans(rules: Rules, people: Iterable[Person]) -> set[str]:
    return {person.human for person in people if person.id in rules.excluded}


def _missing(needs: Sequence[Need], voters: Sequence[Person]) -> tuple[Need, ...]:
    """Seat the voters, by matching, so that order and double roles don't matter; say which seats stay empty."""
    seats = [number for number, need in enumerate(needs) for _ in range(need.count)]
    seated: dict[int, Person] = {}
    for voter in voters:
        _seat(voter, needs, seats, seated, set())
    empty = [number for seat, number in enumerate(seats) if seat not in seated]
    return tuple(Need(need.roles, empty.count(number)) for number, need in enumerate(needs) if number in empty)


def _seat(voter: Person, needs: Sequence[Need], seats: list[int], seated: dict[int, Person], tried: set[int]) -> bool:
    for seat, number in enumerate(seats):
        if seat in tried or not voter.roles & needs[number].roles:
            continue
        tried.add(seat)
        if seat not in seated or _seat(seated[seat], needs, seats, seated, tried):
            seated[seat] = voter
            return True
    return False
