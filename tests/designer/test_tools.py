import json

import pytest

from designer import tools
from designer.models import Connection, ToolRecord
from designer.refusals import ServerUnreachable, Taken, Unfit
from designer.tool_checks import HttpTool, Nature, nature_from_hints
from orchestration.access import Forbidden, Missing
from orchestration.models import AuditEvent, Workspace
from tests.support.cast import a_workspace, an_actor
from tests.support.designer import NOTHING, a_connection, a_tool

pytestmark = pytest.mark.django_db


def test_an_http_tool_is_registered_and_audited():
    actor = an_actor("administrator")
    tool = HttpTool("POST", "/tickets", NOTHING, title="Open", nature=Nature("write", "once"))

    record = tools.register_http_tool(actor, actor.workspace, "desk.open", tool, a_connection())

    event = AuditEvent.objects.get(verb="tool.registered")
    assert (record.name, record.risk, record.effect, record.owner) == ("desk.open", "write", "once", actor.user)
    assert event.details == {"definition": record.definition_hash, "risk": "write", "effect": "once"}


def test_another_meaning_is_another_definition_and_another_title_is_not():
    before = a_tool().definition_hash

    assert a_tool(title="Find somebody").definition_hash == before
    assert a_tool(path="/find").definition_hash != before
    assert ToolRecord.objects.count() == 1


@pytest.mark.parametrize("name", ["", "a b", ".lookup", "crm..lookup", "crm.lookup\n", "1crm", "x" * 201, "crm/lookup"])
def test_a_name_that_no_workflow_can_write_is_refused(name):
    with pytest.raises(Unfit, match="name"):
        a_tool(name=name)

    assert not ToolRecord.objects.exists()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("method", {"method": "TRACE"}),
        ("path", {"path": "lookup"}),
        ("path", {"path": "//evil.example/lookup"}),
        ("path", {"path": "/people/{id}"}),
        ("send", {"send": "form"}),
        ("timeout", {"timeout": 0.0}),
        ("timeout", {"timeout": float("nan")}),
        ("not_acted_on", {"not_acted_on": (200,)}),
        ("arguments", {"arguments": {"type": "string"}}),
        ("arguments", {"arguments": {"type": "object", "properties": {"x": {"type": "nonsense"}}}}),
        ("output", {"output": {"type": "nonsense"}}),
        ("risk", {"nature": Nature("harmless", "once")}),
        ("effect", {"nature": Nature("write", "twice")}),
        ("effect", {"nature": Nature("money", "read")}),
    ],
)
def test_a_tool_that_can_not_be_called_safely_is_refused(field, changes):
    with pytest.raises(Unfit) as refused:
        a_tool(**changes)

    assert refused.value.extra["problems"][0]["field"] == field
    assert not ToolRecord.objects.exists()


def test_switching_a_tool_off_is_audited_and_raises_the_guard_revision():
    record = a_tool()
    before = Workspace.objects.get(pk=record.workspace_id).guard_revision

    tools.set_tool_enabled(an_actor("administrator"), record, False)

    assert not ToolRecord.objects.get().enabled
    assert Workspace.objects.get(pk=record.workspace_id).guard_revision == before + 1
    assert AuditEvent.objects.filter(verb="tool.disabled", subject_name="crm.lookup").count() == 1


def test_a_tool_that_changes_something_can_not_be_classed_as_free_to_repeat():
    record = a_tool()

    tools.set_tool_nature(None, record, Nature("money", "once"))
    with pytest.raises(Unfit):
        tools.set_tool_nature(None, record, Nature("money", "read"))

    assert (ToolRecord.objects.get().risk, ToolRecord.objects.get().effect) == ("money", "once")


def test_who_does_not_administer_registers_and_switches_nothing():
    record = a_tool()
    actor = an_actor("designer")
    tool = HttpTool("GET", "/x", NOTHING)

    for act in (
        lambda: tools.register_http_tool(actor, actor.workspace, "x", tool, record.connection),
        lambda: tools.register_mcp_tools(actor, actor.workspace, "helpdesk"),
        lambda: tools.set_tool_enabled(actor, record, False),
        lambda: tools.set_tool_nature(actor, record, Nature()),
    ):
        with pytest.raises(Forbidden):
            act()

    assert ToolRecord.objects.get().enabled


def test_a_connection_of_another_workspace_is_missing():
    actor = an_actor("administrator")
    foreign = a_connection(a_workspace("other"))

    with pytest.raises(Missing):
        tools.register_http_tool(actor, actor.workspace, "x", HttpTool("GET", "/x", NOTHING), foreign)

    assert not ToolRecord.objects.exists()


def test_a_server_s_tools_are_imported_under_its_name_with_their_nature():
    imported = tools.register_mcp_tools(None, a_workspace(), "helpdesk")

    found = {record.name: (record.risk, record.effect) for record in ToolRecord.objects.all()}
    assert set(imported.added) == set(found)
    assert found["helpdesk.get_account"] == ("read", "read")
    assert found["helpdesk.open_ticket"] == ("write", "once")
    assert found["helpdesk.add_note"] == ("write", "keyed")
    assert found["helpdesk.issue_credit"] == ("money", "once")
    assert imported.refused == ()


def test_importing_again_takes_a_changed_definition_and_keeps_what_administrators_set():
    tools.register_mcp_tools(None, a_workspace(), "helpdesk")
    record = ToolRecord.objects.get(name="helpdesk.notify_team")
    tools.set_tool_nature(None, record, Nature("destructive", "once"))
    tools.set_tool_enabled(None, record, False)
    ToolRecord.objects.filter(pk=record.pk).update(definition_hash="0" * 64, description="as it was")

    again = tools.register_mcp_tools(None, a_workspace(), "helpdesk")

    record.refresh_from_db()
    assert (again.added, again.changed) == ((), ("helpdesk.notify_team",))
    assert (record.risk, record.enabled) == ("destructive", False)
    assert record.definition_hash != "0" * 64
    assert record.description != "as it was"


def test_a_name_that_another_source_has_is_not_taken_over():
    a_tool(name="helpdesk.get_account")

    with pytest.raises(Taken):
        tools.register_mcp_tools(None, a_workspace(), "helpdesk")

    assert ToolRecord.objects.get().source == "http"


def test_an_unknown_server_is_told_with_the_ones_there_are():
    with pytest.raises(ServerUnreachable, match="helpdesk"):
        tools.register_mcp_tools(None, a_workspace(), "nonsense")


def test_a_server_that_does_not_start_is_told_and_changes_nothing(settings, tmp_path):
    file = tmp_path / "servers.json"
    file.write_text(json.dumps({"servers": {"broken": {"command": ["{python}", "-c", "raise SystemExit(3)"]}}}))
    settings.BATON_MCP_SERVERS = str(file)

    with pytest.raises(ServerUnreachable, match="broken"):
        tools.register_mcp_tools(None, a_workspace(), "broken")

    assert not ToolRecord.objects.exists()


@pytest.mark.parametrize(
    ("hints", "nature"),
    [
        ({}, Nature("write", "once")),
        ({"read_only_hint": True}, Nature("read", "read")),
        ({"read_only_hint": True, "baton/risk": "money"}, Nature("write", "once")),
        ({"destructive_hint": True}, Nature("destructive", "once")),
        ({"idempotent_hint": True}, Nature("write", "keyed")),
        ({"baton/risk": "money", "baton/effect": "keyed"}, Nature("money", "keyed")),
        ({"baton/risk": "money", "baton/effect": "read"}, Nature("write", "once")),
        ({"baton/risk": ["x"], "destructive_hint": True}, Nature("destructive", "once")),
        ({"read_only_hint": "yes"}, Nature("write", "once")),
    ],
)
def test_the_hints_of_a_server_give_a_first_nature(hints, nature):
    assert nature_from_hints(hints) == nature


def test_no_tool_keeps_a_connection_that_is_not_there():
    a_tool()

    from django.db.models import ProtectedError

    with pytest.raises(ProtectedError):
        Connection.objects.get().delete()
