"""What expressions of a run may name, and how a name finds its value."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

from orchestration.core.definition import Json, Step
from orchestration.core.view import Ended

if TYPE_CHECKING:
    from orchestration.core.plan import Plan


class RunScope:
    """Evaluates expressions and templates over one run at one instant (kinds.base.Scope)."""

    __slots__ = ("_extra", "_input", "_plan", "_run", "_steps", "_variables", "now")

    def __init__(
        self,
        plan: Plan,
        run: Mapping[str, Any],
        input: Json,
        variables: Mapping[str, Json],
        steps: Callable[[str], Ended | None],
        now: datetime,
        extra: Mapping[str, Json] | None = None,
    ) -> None:
        self._extra = extra or {}
        self._plan, self._run, self._input, self._variables, self._steps = plan, run, input, variables, steps
        self.now = now

    def evaluate(self, source: str) -> Json:
        return self._plan.expression(source).evaluate(self.lookup)

    def render(self, value: Json) -> Json:
        return self._plan.template(value).render(self.lookup)

    def also(self, values: Mapping[str, Json]) -> RunScope:
        """Give this scope with further names bound; the plan knows them from the kinds' uses."""
        extra = {**self._extra, **values}
        return RunScope(self._plan, self._run, self._input, self._variables, self._steps, self.now, extra)

    def step(self, step_id: str) -> Step:
        """Give another step of the definition: the one an approval covers."""
        return self._plan.nodes[step_id].step

    def lookup(self, name: str) -> Json:
        """Find the value of a dotted name. Raises LookupError where there is none yet."""
        root, *rest = name.split(".")
        if root in self._extra:
            return _walk(self._extra[root], rest)
        match root:
            case "input":
                return _walk(self._input, rest)
            case "vars":
                return _walk(self._variables, rest)
            case "steps":
                return _walk(self._step(rest[0], rest[1]), rest[2:])
            case "run":
                return _walk(self._run, rest)
            case "trigger":
                return _walk(self._run["trigger"], rest)
            case "now":
                return self.now.isoformat()
        raise LookupError(name)

    def _step(self, step_id: str, part: str) -> Json:
        ended = self._steps(step_id)
        if part == "status":
            return str(ended.state) if ended else ""  # a plain text: an enumeration is no CEL value
        if ended is None:
            raise LookupError(f"steps.{step_id}.{part}")
        if part == "error":
            return dict(ended.error or {})
        if ended.state == "skipped":
            raise LookupError(f"steps.{step_id}.{part}")
        return ended.output


def _walk(value: Json, rest: list[str]) -> Json:
    for key in rest:
        if not isinstance(value, Mapping) or key not in value:
            raise LookupError(key)
        value = value[key]
    return value
