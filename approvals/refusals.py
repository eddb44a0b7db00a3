"""Why a decision is not taken. Each class says what happened and what to do; pages and the API show it as it is."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """The decision was not taken."""

    status = 409  # HTTP
    slug = "refused"
    title = "The decision was not taken"

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        super().__init__(detail or (type(self).__doc__ or "").strip())
        self.detail = str(self)
        self.extra = extra


class Changed(Refusal):
    """The request has changed since you saw it. Look at it again, then decide."""

    slug = "request-changed"
    title = "The request has changed"


class Closed(Refusal):
    """The request is closed: it was decided, or its run went on without it."""

    slug = "request-closed"
    title = "The request is closed"


class NothingToTryAgain(Refusal):
    """The run no longer waits for this call, so it can't try again. Say whether it happened, or skip it."""

    slug = "nothing-to-try-again"
    title = "The run can't try again"


class ToolSwitchedOff(Refusal):
    """The tool of this action is switched off, so approving would send nothing. Switch it on first, or reject."""

    slug = "tool-switched-off"
    title = "The tool is switched off"


class TooLate(Refusal):
    """The time to decide this request is over. It counts as expired."""

    slug = "request-expired"
    title = "The time to decide is over"


class AlreadyDecided(Refusal):
    """You have already decided this request. The others it needs have not."""

    slug = "already-decided"
    title = "You have already decided"


class MayNotDecide(Refusal):
    """You may not decide this request."""

    status = 403
    slug = "may-not-decide"
    title = "You may not decide this request"


class OnlyOnThePage(Refusal):
    """A high-risk request is decided by a person on its page, after signing in anew. A token can't do it."""

    status = 403
    slug = "decide-on-the-page"
    title = "Decide this request on its page"


class SignInAnew(Refusal):
    """A high-risk request needs your password again. Type it beside your answer."""

    status = 403
    slug = "sign-in-anew"
    title = "Your password is needed"


class Unfit(Refusal):
    """The decision is not complete."""

    status = 422
    slug = "invalid-decision"
    title = "The decision is not complete"

    def __init__(self, detail: str | None = None, field: str = "", fix: str = "") -> None:
        super().__init__(detail)
        self.extra = {"problems": [{"step": None, "field": field, "message": self.detail, "fix": fix}]}
