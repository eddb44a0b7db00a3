"""`branch`: routes to the port of the first case that is true, else to `else`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping

from orchestration.core.catalog import Catalog
from orchestration.core.definition import Definition, Json, Step
from orchestration.core.outcomes import Outcome, Succeeded
from orchestration.kinds.base import Complaint, ControlKind, Scope, Use
from orchestration.kinds.fields import cel, closed, rows
from orchestration.kinds.table import holds, readings, shown

ELSE = "else"
RESERVED = (ELSE, "done", "error")
_PORT = {
    "type": "string", "pattern": "^[a-z][a-z0-9_]{0,39}$", "x-editor": "port",
    "description": "The port this case leaves by: small letters, digits and _.",
}  # fmt: skip


class Branch(ControlKind):
    """Routes by conditions, top to bottom; exactly one port is taken."""

    name = "branch"
    label = "Branch"
    icon = "git-branch"
    summary = "Takes the port of the first case that is true, else the port `else`."
    config_schema = closed(
        {
            "cases": rows(
                closed({"port": _PORT, "when": cel("Take this port if this is true.")}, required=("port", "when")),
                "The cases, tried from top to bottom.",
            )
        },
        required=("cases",),
    )

    def ports(self, config: Mapping[str, Json]) -> tuple[str, ...]:
        listed = config.get("cases")
        cases = listed if isinstance(listed, (list, tuple)) else ()
        named = [case["port"] for case in cases if isinstance(case, Mapping) and isinstance(case.get("port"), str)]
        return (*dict.fromkeys(named), ELSE, "error")

    def uses(self, step: Step) -> Iterable[Use]:
        for index, case in enumerate(step.config["cases"]):
            yield Use(f"cases[{index}].when", case["when"], wants="bool")

    def check(self, step: Step, definition: Definition, catalog: Catalog) -> Iterable[Complaint]:
        ports = Counter(case["port"] for case in step.config["cases"])
        for index, case in enumerate(step.config["cases"]):
            if case["port"] in RESERVED:
                yield Complaint(f"cases[{index}].port", f"`{case['port']}` is always there", "Choose another name.")
            elif ports[case["port"]] > 1:
                fix = "Give each case a port of its own, or join the conditions with ||."
                yield Complaint(f"cases[{index}].port", f"port `{case['port']}` is used by several cases", fix)

    def output_schema(self, step: Step, definition: Definition, catalog: Catalog) -> Mapping[str, Json]:
        taken = {"enum": list(self.ports(step.config)[:-1]), "type": "string"}
        return {"type": "object", "properties": {"port": taken}, "required": ["port"], "additionalProperties": False}

    def decide(self, step: Step, scope: Scope) -> Outcome:
        cases = step.config["cases"]
        for case in cases:
            if holds(scope, case["when"]):
                return _to(case["port"], shown(case["when"]), readings(scope, case["when"]))
        only = cases[0]["when"] if len(cases) == 1 else ""
        return _to(ELSE, f"not {shown(only)}" if only else "no case is true", readings(scope, only))


def _to(port: str, why: str, seen: str) -> Succeeded:
    told = f" ({seen})" if seen else ""
    return Succeeded(output={"port": port}, port=port, reason=f"{why}{told} -> {port}")
