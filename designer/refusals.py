"""Why a change is not made. Each class says what happened and what to do; pages, API and command show it as it is."""

from __future__ import annotations

from typing import Any


class Refusal(Exception):
    """The change was not made."""

    status = 422  # HTTP
    slug = "invalid-change"
    title = "The change was not made"

    def __init__(self, detail: str | None = None, **extra: Any) -> None:
        super().__init__(detail or (type(self).__doc__ or "").strip())
        self.detail = str(self)
        self.extra = extra


class Unfit(Refusal):
    """A value can't be used. `field` names it, `fix` says what would do."""

    def __init__(self, field: str, message: str, fix: str = "") -> None:
        super().__init__(f"{field}: {message}" + (f" {fix}" if fix else ""))
        self.extra = {"problems": [{"step": None, "field": field, "message": message, "fix": fix}]}


class Stale(Refusal):
    """Somebody saved this draft after you opened it. Open it again and repeat your change."""

    status = 409
    slug = "draft-changed"
    title = "The draft has changed"


class Taken(Refusal):
    """There is already something by this name. Choose another one."""

    status = 409
    slug = "name-taken"
    title = "The name is taken"


class NothingToPublish(Refusal):
    """The workflow has no draft. Save one first, or push a document."""

    status = 409
    slug = "nothing-to-publish"
    title = "There is nothing to publish"


class ServerUnreachable(Refusal):
    """The MCP server did not list its tools."""

    status = 502
    slug = "server-unreachable"
    title = "The MCP server did not answer"
