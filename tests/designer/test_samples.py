import json
import shutil

import pytest
from django.conf import settings as product
from django.core.management import CommandError, call_command

from designer import publishing, samples
from designer.models import ModelRecord, ToolRecord, Version, Workflow
from orchestration.models import AuditEvent, Workspace
from tests.support.cast import a_workspace
from tests.support.designer import a_document, a_model, a_workflow

pytestmark = pytest.mark.django_db
NO_SERVER = {"servers": {"nobody": {"command": ["{python}", "-c", "raise SystemExit('must not start')"]}}}


@pytest.fixture
def folder(tmp_path):
    """A folder of samples whose workflow needs no tool, so that no server starts."""
    (tmp_path / "greeting.yaml").write_text(a_document())
    return tmp_path


def test_all_samples_load_with_their_models_and_tools(capsys):
    workspace = a_workspace()

    call_command("load_samples")

    names = {file.stem for file in (product.BASE_DIR / "samples").glob("*.yaml")}
    loaded = Workflow.objects.filter(workspace=workspace, sample=True, live__isnull=False)
    assert names >= {"support-escalation", "pr-review"}
    assert set(loaded.values_list("slug", flat=True)) == names
    assert {model.name for model in ModelRecord.objects.all()} == {"fast", "smart"}
    assert ToolRecord.objects.filter(name="helpdesk.open_ticket", risk="write", effect="once").exists()
    assert "Loaded the samples" in capsys.readouterr().out
    assert AuditEvent.objects.filter(verb="samples.loaded").count() == 1


def test_loading_again_starts_no_server_and_changes_nothing(settings, tmp_path, capsys):
    a_workspace()
    call_command("load_samples")
    before = (Version.objects.count(), AuditEvent.objects.count(), Workspace.objects.get().guard_revision)
    file = tmp_path / "servers.json"
    file.write_text(json.dumps({"servers": {}}))
    settings.BATON_MCP_SERVERS = str(file)
    capsys.readouterr()

    call_command("load_samples")

    after = (Version.objects.count(), AuditEvent.objects.count(), Workspace.objects.get().guard_revision)
    assert after == before
    assert capsys.readouterr() == ("", "")


def test_what_somebody_changed_is_never_written_over(folder):
    workspace = a_workspace()
    samples.load(workspace, folder)
    workflow = Workflow.objects.get()
    publishing.push(None, workspace, a_document(greeting="my own words"), slug="greeting")
    a_model(name="fast", model="mine")

    samples.load(workspace, folder)

    workflow.refresh_from_db()
    assert workflow.live.number == 2
    assert ModelRecord.objects.get(name="fast").model == "mine"


def test_a_workflow_of_the_same_name_stays_the_user_s(folder):
    workspace = a_workspace()
    a_workflow(workspace, "greeting", a_document(greeting="my own words"))

    loaded = samples.load(workspace, folder)

    assert loaded.workflows == ()
    assert not Workflow.objects.get().sample


def test_what_can_not_be_loaded_is_left_out_and_said(settings, folder, capsys):
    (folder / "mcp_servers.json").write_text(json.dumps(NO_SERVER))
    settings.BATON_MCP_SERVERS = str(folder / "mcp_servers.json")
    shutil.copy(product.BASE_DIR / "samples" / "support-escalation.yaml", folder)

    loaded = samples.load(a_workspace(), folder)

    assert loaded.workflows == ("greeting",)
    assert [what.split(":")[0] for what in loaded.left_out] == [
        "the tools of nobody",
        "the workflow support-escalation",
    ]


def test_a_workspace_that_is_not_there_is_told():
    with pytest.raises(CommandError, match="nowhere"):
        call_command("load_samples", workspace="nowhere")
