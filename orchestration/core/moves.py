"""The moves a run can make, worked out over a view without touching it: start, end, skip, retry, go back, close.

`Moves` gathers one transition. Steps that became ready are considered one after the other in `follow`, so that a
chain of control steps of any length takes no recursion.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, assert_never

from orchestration.core.definition import Edge, Json
from orchestration.core.errors import EvaluationError, InvalidValue
from orchestration.core.fingerprints import fingerprint
from orchestration.core.outcomes import AskApproval, Blocked, Failed, Finished, Outcome, Succeeded, WaitUntil
from orchestration.core.retry import next_attempt
from orchestration.core.states import RunState, StepState, WaitingFor
from orchestration.core.transition import Ask, AttemptEnd, Perform, StepEnd
from orchestration.core.values import check
from orchestration.core.view import Closing, Ended, Open
from orchestration.core.ways import EXHAUSTED, Ways, exhausted

if TYPE_CHECKING:
    from orchestration.core.plan import Node

UNWANTED = "no longer wanted"
MOST_STEPS = 10_000  # a run without a limit of its own: no diagram can loop for ever


class Moves(Ways):
    """One transition in the making."""

    # Of the run

    def begin(self) -> None:
        self.standing = replace(self.standing, started_at=self.now, state=RunState.RUNNING, wall_since=self.now)
        for edge in self.plan.first:
            self._arrive(edge, True)

    def charge(self, tokens: int, microusd: int) -> None:
        if tokens or microusd:
            standing = self.standing
            self.standing = replace(
                standing, tokens=standing.tokens + tokens, cost_microusd=standing.cost_microusd + microusd
            )

    def charge_reserved(self, step: Open) -> None:
        """Charge an attempt whose answer will not be read: nobody knows what it used, so all of it."""
        self.charge(step.reserved_tokens, step.reserved_microusd)

    def close(self, closing: Closing) -> None:
        """Head for this end: start nothing more, cancel what waits, interrupt what runs and let it settle."""
        if self.standing.closing is not None:
            return
        self.standing = replace(self.standing, closing=closing)
        self.ready.clear()
        for step in self.open_steps():
            self._cancel(step)

    def follow(self) -> None:
        """Run or skip the steps that became ready, and those that follow from them."""
        while self.ready:
            self._consider(self.ready.popleft())

    # Of a step

    def settle(self, step: Open, outcome: Outcome) -> None:
        """Take a step from what it answered to what that means for the run."""
        match outcome:
            case Succeeded():
                self.charge(outcome.tokens, outcome.cost_microusd)
                self.succeed(step, outcome)
            case Failed():
                self.charge(outcome.tokens, outcome.cost_microusd)
                self.fail(step, outcome)
            case Blocked():
                self.block(step, outcome)
            case WaitUntil():
                self.wait(step, outcome)
            case AskApproval():
                self.ask(step, outcome)
            case Finished():
                self.end(step, StepState.SUCCEEDED, "done", output=outcome.output, reason=outcome.message)
                error = None if outcome.state == RunState.SUCCEEDED else {"code": "ended", "message": outcome.message}
                self.close(Closing(outcome.state, error, outcome.output, outcome.output is not None))
            case _:
                assert_never(outcome)

    def succeed(self, step: Open, outcome: Succeeded) -> None:
        node = self.plan.nodes[step.path]
        self.transition.ended[step.path] = Ended(step.pass_number, StepState.SUCCEEDED, outcome.port, outcome.output)
        try:
            self._write_variables(node, outcome.output)
        except (EvaluationError, InvalidValue) as error:
            del self.transition.ended[step.path]
            tokens, cost = outcome.tokens, outcome.cost_microusd
            return self.fail(step, Failed("invalid_variable", str(error), tokens=tokens, cost_microusd=cost))
        return self.end(step, StepState.SUCCEEDED, outcome.port, output=outcome.output, reason=outcome.reason,
                        tokens=outcome.tokens, cost=outcome.cost_microusd)  # fmt: skip

    def fail(self, step: Open, failed: Failed) -> None:
        """Park what nobody knows, try again what may be, else leave by `error`, go on or fail the run."""
        if failed.unknown:
            return self._park(step, failed)
        failures = step.failures + 1
        at = next_attempt(self.plan.nodes[step.path].step.retry, failures, failed, self.now)
        if at is not None and self.standing.closing is None and not self._is_control(step):
            self._end_attempt(step, "failed", failed)
            return self._reopen(
                step, StepState.WAITING, wake_at=at, waiting_for=WaitingFor.RETRY, failures=failures,
                reserved_tokens=0, reserved_microusd=0,
            )  # fmt: skip
        state = {"timeout": StepState.TIMED_OUT, "cancelled": StepState.CANCELLED}.get(failed.code, StepState.FAILED)
        return self._give_up(step, state, failed)

    def block(self, step: Open, blocked: Blocked) -> None:
        self._give_up(step, StepState.BLOCKED, Failed(blocked.code, blocked.message))

    def wait(self, step: Open, outcome: WaitUntil) -> None:
        if self.standing.closing is not None:
            return self.end(step, StepState.CANCELLED, "", reason=UNWANTED)
        return self._reopen(
            step, StepState.WAITING, wake_at=outcome.at, waiting_for=WaitingFor.TIMER, output=outcome.output
        )  # fmt: skip

    def ask(self, step: Open, outcome: AskApproval) -> None:
        if self.standing.closing is not None:
            return self.end(step, StepState.CANCELLED, "", reason=UNWANTED)
        self.transition.asks.append(
            Ask(step.path, step.pass_number, "step", outcome.request, outcome.decide_by)
        )  # fmt: skip
        return self._reopen(step, StepState.NEEDS_APPROVAL, waiting_for=WaitingFor.APPROVAL)

    def retry(self, step: Open) -> None:
        """Start the next attempt."""
        self._reopen(step, StepState.RUNNING, attempt=step.attempt + 1)
        self.transition.performs.append(Perform(step.path, step.pass_number, step.attempt + 1))

    def try_again(self, step: Open, by: str) -> None:
        """Start the next attempt of a call of unknown outcome, as a new effect: a person asked for it."""
        failed = Failed("unknown_effect", f"Nobody knows what became of it; {by} said to try again.")
        self._end_attempt(replace(step, since=step.started) if step.attempt == 1 else step, "failed", failed)
        self.retry(replace(step, generation=step.generation + 1))

    def abandon(self, step: Open, failed: Failed) -> None:
        """Start over an attempt whose worker was lost; it doesn't count as a failure of the step."""
        self._end_attempt(step, "abandoned", failed)
        self.retry(replace(step, reserved_tokens=0, reserved_microusd=0))

    def drop(self, step: Open, failed: Failed) -> None:
        """End a step at once, whatever it is at."""
        self._withdraw(step)
        self._end_unread(step, error=failed)

    def end(
        self, step: Open, state: str, port: str, *, output: Json = None, reason: str = "",
        error: Failed | None = None, tokens: int = 0, cost: int = 0,
    ) -> None:  # fmt: skip
        """Record the end of a step and send its edges on their way."""
        node = self.plan.nodes[step.path]
        described = {"code": error.code, "message": error.message} if error else None
        again = self._again(node, port)
        if again and self._is_exhausted(again):
            if error is None or error.code != EXHAUSTED:
                return self._give_up(step, StepState.FAILED, exhausted(again, error, tokens, cost))
            again = None  # it leaves by what else this port leads to
        self.transition.open[step.path] = None
        self.transition.ended[step.path] = Ended(step.pass_number, state, port, output, described)
        self.transition.rows.append(StepEnd(
            step.path, step.pass_number, node.step.kind, state, port, step.attempt, reason, output, described,
            tokens, cost, step.started,
        ))  # fmt: skip
        self.note("ended", [step.path, step.pass_number, state, port, fingerprint(output)])
        if again:
            return self._go_back(again)
        for edge in node.edges:
            if edge.again is None:
                self._arrive(edge, bool(port) and edge.port == port)
        return None

    # Edges, joins and going back

    def _consider(self, step_id: str) -> None:
        """Run the step if enough of its edges are taken, skip it if they no longer can be, else leave it."""
        if self.standing.closing is not None or self.ended(step_id) or self.opened(step_id):
            return
        node = self.plan.nodes[step_id]
        taken, skipped = self.counts(step_id)
        if node.needed:
            runs, skips = taken >= node.needed, node.incoming - skipped < node.needed
        else:
            decided = taken + skipped >= node.incoming
            runs, skips = decided and taken > 0, decided and taken == 0
        if runs and node.races and self._has_lost(node):
            self._skip(node, "another branch was first")
        elif runs or step_id in self.forced:
            self.forced.discard(step_id)
            self._start(node)
        elif skips:
            self._skip(node, "no edge to it was taken")

    def _go_back(self, edge: Edge) -> None:
        """Start a new pass from the edge's target; what is open in its region is cancelled."""
        region = self.plan.region(edge.target)
        for step in self.open_steps():
            if step.path in region:
                self._cancel(step, at_once=True)
        self._reset(edge, region)

    # Steps

    def _start(self, node: Node) -> None:
        step_id, limit = node.step.id, self.plan.definition.limits.steps or MOST_STEPS
        opened = Open(step_id, self.pass_of(step_id), 1, StepState.RUNNING, self.now, self.now)
        if message := self.out_of_time():
            return self.close(Closing(RunState.TIMED_OUT, {"code": "timed_out", "message": message}))
        if node.step.run_if is not None and not self._runs_if(node, opened):
            return None
        if self.standing.steps_started >= limit:
            return self.block(opened, Blocked("limit_steps", f"The run has started its {limit} steps."))
        self.standing = replace(self.standing, steps_started=self.standing.steps_started + 1)
        if node.needed and node.step.cancel_rest:
            self._cancel_losers(step_id)
        if not self._is_control(opened):
            self.transition.open[step_id] = opened
            self.note("opened", [step_id, opened.pass_number, 1, opened.state])
            return self.transition.performs.append(Perform(step_id, opened.pass_number, 1))
        return self.settle(opened, self._control(node))

    def _is_control(self, step: Open) -> bool:
        return hasattr(self.plan.nodes[step.path].kind, "decide")

    def _control(self, node: Node) -> Outcome:
        try:
            outcome: Outcome = node.kind.decide(node.step, self.scope())
        except (EvaluationError, InvalidValue) as error:
            return Failed("expression_error", str(error))
        return outcome

    def _runs_if(self, node: Node, opened: Open) -> bool:
        assert node.step.run_if is not None
        try:
            runs = self.scope().evaluate(node.step.run_if)
        except EvaluationError as error:
            self.fail(opened, Failed("expression_error", f"run_if: {error}"))
            return False
        if not runs:
            self._skip(node, f"run_if is false: {node.step.run_if}")
        return bool(runs)

    def _skip(self, node: Node, reason: str) -> None:
        step = Open(node.step.id, self.pass_of(node.step.id), 1, StepState.RUNNING, self.now, self.now)
        self.end(step, StepState.SKIPPED, "", reason=reason)

    def _give_up(self, step: Open, state: str, failed: Failed) -> None:
        """Leave by the error edge where there is one, else go on if the step says so, else fail the run."""
        node = self.plan.nodes[step.path]
        costs: dict[str, Any] = {"tokens": failed.tokens, "cost": failed.cost_microusd}
        if self.standing.closing is not None:
            return self.end(step, state, "", error=failed, **costs)
        if "error" in node.following and (failed.code != EXHAUSTED or self._leads_on(node, "error")):
            return self.end(step, state, "error", error=failed, reason=failed.message, **costs)
        if node.step.on_error != "fail":
            output = node.step.on_error.get("value") if not isinstance(node.step.on_error, str) else None
            return self.end(step, state, "done", output=output, error=failed, reason="on_error: goes on", **costs)
        self.end(step, state, "", error=failed, **costs)
        described = {"code": failed.code, "message": failed.message, "step": step.path}
        return self.close(Closing(RunState.BLOCKED if state == StepState.BLOCKED else RunState.FAILED, described))

    def _park(self, step: Open, failed: Failed) -> None:
        """Nobody knows whether a `once` call was acted on: a person says, whether the run goes on or not."""
        asked = {"question": failed.message, "code": failed.code}
        self.transition.asks.append(Ask(step.path, step.pass_number, "unknown_effect", asked))
        if self.standing.closing is not None:
            return self.end(step, StepState.CANCELLED, "", error=replace(failed, code="unknown_effect"),
                            tokens=failed.tokens, cost=failed.cost_microusd)  # fmt: skip
        return self._reopen(
            step, StepState.NEEDS_APPROVAL, waiting_for=WaitingFor.UNKNOWN_EFFECT, reserved_tokens=0,
            reserved_microusd=0,
        )  # fmt: skip

    def _reopen(self, step: Open, state: str, **changes: Any) -> None:
        changed = replace(step, state=state, since=self.now, **{"wake_at": None, "waiting_for": "", **changes})
        self.transition.open[step.path] = changed
        self.note("opened", [step.path, step.pass_number, changed.attempt, state])

    def _end_attempt(self, step: Open, state: str, failed: Failed) -> None:
        error = {"code": failed.code, "message": failed.message}
        self.transition.attempts.append(
            AttemptEnd(step.path, step.pass_number, step.attempt, state, error, step.since)
        )  # fmt: skip

    def _cancel(self, step: Open, at_once: bool = False) -> None:
        """Cancel a step: one that waits ends now, one that runs is interrupted and, unless `at_once`, awaited."""
        left = self._withdraw(step)
        if at_once or not left:
            self._end_unread(step, reason=UNWANTED)

    def _end_unread(self, step: Open, **why: Any) -> None:
        self.charge_reserved(step)
        self.end(
            step, StepState.CANCELLED, "", tokens=step.reserved_tokens, cost=step.reserved_microusd, **why
        )  # fmt: skip

    def _cancel_losers(self, step_id: str) -> None:
        for step in self.open_steps():
            if step_id in self.plan.nodes[step.path].races:
                self._cancel(step, at_once=True)

    def _write_variables(self, node: Node, output: Json) -> None:
        if not node.step.writes:
            return
        scope, written = self.scope(), {}
        for name, source in node.step.writes.items():
            written[name] = scope.evaluate(source)
            check(written[name], self.plan.definition.variables[name].schema, f"vars.{name}")
        self.transition.variables = {**self.variables(), **written}
        for name, value in written.items():
            self.note("variables", [name, fingerprint(value)])
