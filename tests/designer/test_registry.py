import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from designer import registry, tools
from orchestration.models import Workspace
from orchestration.providers.base import HttpTarget, McpTarget, ModelTarget
from tests.support.cast import a_workspace
from tests.support.designer import NOTHING, a_connection, a_model, a_tool

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _nothing_held():
    registry.forget()
    yield
    registry.forget()


def test_the_catalog_has_the_workspace_s_own_tools_and_models():
    here, elsewhere = a_workspace(), a_workspace("other")
    a_tool(here, "crm.lookup")
    a_model(here, "fast")
    a_tool(elsewhere, "crm.other")

    found = registry.catalog(here.pk)

    assert (list(found.tools), list(found.models)) == (["crm.lookup"], ["fast"])


def test_a_tool_carries_what_its_provider_needs():
    a_tool(method="POST", path="/people/{id}", arguments={"type": "object", "required": ["id"]}, not_acted_on=(409,))

    tool = registry.catalog(a_workspace().pk).tools["crm.lookup"]

    assert isinstance(tool.call, HttpTarget)
    assert (tool.call.method, tool.call.path, tool.call.not_acted_on) == ("POST", "/people/{id}", (409,))
    assert tool.call.connection.reveal() == "s3cret"
    assert (tool.risk, tool.effect, tool.source, tool.enabled) == ("read", "read", "http", True)


def test_an_mcp_tool_is_pinned_to_the_definition_that_was_registered(a_server_tool):
    tool = registry.catalog(a_workspace().pk).tools["desk.close"]

    assert tool.call == McpTarget("desk", "close", "a" * 64)


def test_a_simulated_model_says_so_and_a_real_one_does_not():
    a_model(name="fast")
    a_model(name="real", provider="openai", model="gpt-5", input_usd_per_mtok=None, output_usd_per_mtok=None)

    models = registry.catalog(a_workspace().pk).models

    assert (models["fast"].simulated, models["real"].simulated) == (True, False)
    assert models["fast"].call == ModelTarget("simulator", "simulator-fast", None, {}, 0.1, 0.4)
    assert models["real"].input_usd_per_mtok is None


def test_the_catalog_takes_four_queries_however_much_there_is():
    workspace = a_workspace()
    for number in range(5):
        a_tool(workspace, f"crm.tool{number}")
        a_model(workspace, f"model{number}", connection=a_connection(workspace, f"c{number}"))

    with CaptureQueriesContext(connection) as queries:
        registry.catalog(workspace.pk)

    assert len(queries) == 4


def test_the_catalog_names_the_roles_of_its_own_workspace():
    assert registry.catalog(a_workspace().pk).roles == {"viewer", "designer", "operator", "approver", "administrator"}


def test_every_change_raises_the_guard_revision():
    workspace = a_workspace()

    def revision() -> int:
        return Workspace.objects.get(pk=workspace.pk).guard_revision

    seen = [revision()]
    for change in (
        lambda: a_connection(workspace),
        lambda: a_tool(workspace),
        lambda: a_model(workspace),
        lambda: tools.set_tool_enabled(None, a_tool(workspace), False),
    ):
        change()
        seen.append(revision())

    assert seen == sorted(set(seen))
    assert registry.catalog(workspace.pk).revision == seen[-1]


def test_a_held_catalog_is_given_without_a_query_until_the_revision_rises():
    workspace = a_workspace()
    a_tool(workspace)
    revision = Workspace.objects.get(pk=workspace.pk).guard_revision
    first = registry.cached_catalog(workspace.pk, revision)

    with CaptureQueriesContext(connection) as queries:
        assert registry.cached_catalog(workspace.pk, revision) is first
    assert len(queries) == 0

    a_tool(workspace, "crm.second")
    assert "crm.second" in registry.cached_catalog(workspace.pk, revision + 1).tools


def test_memory_holds_a_bounded_number_of_workspaces(monkeypatch):
    monkeypatch.setattr(registry, "CACHED_WORKSPACES", 2)
    workspaces = [a_workspace(slug) for slug in ("one", "two", "three")]

    for workspace in workspaces:
        registry.cached_catalog(workspace.pk, 0)

    with CaptureQueriesContext(connection) as queries:
        registry.cached_catalog(workspaces[2].pk, 0)
        assert len(queries) == 0
        registry.cached_catalog(workspaces[0].pk, 0)
        assert len(queries) == 4


@pytest.fixture
def a_server_tool():
    from designer.models import ToolRecord

    return ToolRecord.objects.create(
        workspace=a_workspace(), name="desk.close", source="mcp", arguments=NOTHING,
        target={"server": "desk", "tool": "close"}, definition_hash="a" * 64,
    )  # fmt: skip
