import pytest

from orchestration.core.values import check, schema_problems
from orchestration.kinds import KINDS, UnknownKind, extend, get
from orchestration.kinds.base import ControlKind, Kind
from tests.kinds.world import a_catalog, a_definition, a_step, complaints


class Echo(ControlKind):
    name = "echo"


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_a_kind_describes_itself_for_the_designer(kind: Kind) -> None:
    assert kind.label
    assert kind.icon
    assert kind.summary.endswith(".")
    assert schema_problems(kind.config_schema) == []
    assert kind.config_schema["additionalProperties"] is False
    described = all("description" in field for field in kind.config_schema["properties"].values())
    assert described


@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_every_object_in_a_config_schema_is_closed(kind: Kind) -> None:
    def objects(schema: object) -> list[dict]:
        found = [schema] if isinstance(schema, dict) and "properties" in schema else []
        children = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
        return found + [one for child in children for one in objects(child)]

    assert all(one["additionalProperties"] is False for one in objects(kind.config_schema))


def test_all_kinds_but_start_may_be_listed() -> None:
    assert [name for name, kind in KINDS.items() if not kind.listed] == ["start"]
    assert "always there" in complaints(a_step("start"))[0].message


def test_start_gives_the_input() -> None:
    definition = a_definition()
    assert get("start").output_schema(a_step("start"), definition, a_catalog()) is definition.input
    assert get("start").ports({}) == ("done",)


def test_an_unknown_kind_is_refused_with_those_there_are() -> None:
    with pytest.raises(UnknownKind, match=r"no kind `agnet`.*model"):
        get("agnet")


def test_kinds_can_be_added_for_tests_and_benches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(KINDS, "echo", raising=False)
    extend({"echo": f"{__name__}.Echo"})
    extend({"echo": f"{__name__}.Echo"})
    assert isinstance(get("echo"), Echo)
    del KINDS["echo"]


def test_a_kind_of_the_house_can_not_be_replaced() -> None:
    with pytest.raises(ValueError, match="`model` is there already"):
        extend({"model": f"{__name__}.Echo"})


@pytest.mark.parametrize(
    ("kind", "config"),
    [
        ("set", {"values": {"a": 1}}),
        ("branch", {"cases": [{"port": "urgent", "when": "true"}]}),
        ("rules", {"hit": "priority", "rules": [{"when": "true", "then": {"a": 1}, "priority": 2.5}]}),
        ("approval", {"question": "Go?", "require": [{"from": "owner", "count": 2}], "decide_by": "2d"}),
        ("wait", {"for": 90}),
        ("tool", {"tool": "helpdesk.get_account", "arguments": {"customer": "{{ input.customer }}"}}),
        ("model", {"ladder": [{"model": "fast", "attempts": 2, "on": ["timeout"]}, {"rules": [{"then": {}}]}]}),
        ("end", {"state": "failed", "message": "No."}),
    ],
)
def test_a_config_as_people_write_it_matches_its_schema(kind: str, config: dict) -> None:
    check(config, get(kind).config_schema)
