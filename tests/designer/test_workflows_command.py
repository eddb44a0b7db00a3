import json

import pytest
from django.core.management import CommandError, call_command

from designer.models import Workflow
from orchestration.models import AuditEvent
from tests.support.cast import a_person, a_workspace
from tests.support.designer import BROKEN, CYCLE, a_document, a_workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Give a function that writes a file into a folder that is the present one."""
    monkeypatch.chdir(tmp_path)
    a_workspace()

    def write(name: str, content: str | bytes) -> str:
        (tmp_path / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return name

    return write


def refused(*arguments: str) -> int:
    with pytest.raises(CommandError) as error:
        call_command("workflows", *arguments)
    return error.value.returncode


def test_pushing_a_file_publishes_it_under_its_name(write, capsys):
    call_command("workflows", "push", write("hello-world.yaml", a_document()), "--note", "First")

    workflow = Workflow.objects.get()
    assert (workflow.slug, workflow.live.number, workflow.live.note) == ("hello-world", 1, "First")
    assert capsys.readouterr().out == "hello-world v1 published\n"


def test_pushing_the_same_again_says_so(write, capsys):
    file = write("greeting.yaml", a_document())
    call_command("workflows", "push", file)
    capsys.readouterr()

    call_command("workflows", "push", file)

    assert capsys.readouterr().out == "greeting v1 unchanged, made live\n"


def test_the_source_is_kept_to_the_byte(write):
    text = "# why this is here\n" + a_document() + "\n\n"

    call_command("workflows", "push", write("greeting.yaml", text))

    assert Workflow.objects.get().live.source == text


def test_json_is_a_workflow_too(write):
    step, edge = {"id": "a", "kind": "set", "values": {"x": 1}}, {"from": "start", "to": "a"}
    text = json.dumps({"format": "baton/1", "name": "J", "steps": [step], "edges": [edge]})

    call_command("workflows", "push", write("j.json", text), "--slug", "from-json")

    assert Workflow.objects.get().slug == "from-json"


def test_each_problem_is_a_line_with_its_place_and_its_fix(write, capsys):
    assert refused("push", write("broken.yaml", BROKEN)) == 1

    lines = capsys.readouterr().out.splitlines()
    kind, edge = (next(line for line in lines if part in line) for part in ("first.kind", "edges[1].to"))
    assert kind.startswith("broken.yaml:5:5 first.kind: ")
    assert edge.startswith("broken.yaml:11:20 edges[1].to: ")
    assert "(" in edge
    assert not Workflow.objects.exists()


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("yaml.yaml", "name: [x\n", "yaml.yaml:2:1 document: "),
        ("json.json", '{"name": "x",}', "json.json:1:14 document: "),
        ("twice.yaml", "name: x\nname: y\n", "twice.yaml:2:1 document: "),
        ("anchor.yaml", "a: &x 1\nb: *x\n", "anchor.yaml:1:4 document: "),
        ("list.yaml", "- 1\n", "list.yaml:1:1 document: "),
        ("cycle.yaml", CYCLE, "cycle.yaml:6:1 edges: "),
        ("empty.yaml", "", "empty.yaml:1:1 document: "),
    ],
)
def test_malformed_and_impossible_documents_are_told_with_their_place(write, capsys, name, text, place):
    assert refused("push", write(name, text)) == 1

    assert place in capsys.readouterr().out
    assert not Workflow.objects.exists()


def test_one_wrong_file_of_several_publishes_none(write, capsys):
    good, bad = write("good.yaml", a_document()), write("bad.yaml", BROKEN)

    assert refused("push", good, bad) == 1

    assert not Workflow.objects.exists()
    assert not AuditEvent.objects.filter(verb="version.published").exists()
    assert "published" not in capsys.readouterr().out


def test_validating_changes_nothing(write, capsys):
    call_command("workflows", "validate", write("good.yaml", a_document()))
    assert refused("validate", write("bad.yaml", BROKEN), "good.yaml") == 1

    assert not Workflow.objects.exists()
    assert "bad.yaml:5:5 first.kind: " in capsys.readouterr().out


@pytest.mark.parametrize("act", ["validate", "push"])
def test_a_file_that_can_not_be_read_is_exit_code_2(write, act):
    write("good.yaml", a_document())

    assert refused(act, "good.yaml", "missing.yaml") == 2
    assert refused(act, write("bytes.yaml", b"name: \xff\n")) == 2
    assert refused(act, "good.yaml", "--workspace", "nowhere") == 2
    assert not Workflow.objects.exists()


def test_a_slug_names_one_file(write):
    assert refused("push", write("a.yaml", a_document()), write("b.yaml", a_document()), "--slug", "both") == 2


def test_a_file_name_that_makes_no_slug_asks_for_one(write):
    assert refused("push", write("My Workflow.yaml", a_document())) == 2
    assert not Workflow.objects.exists()


def test_pushing_in_somebody_s_name_needs_their_right(write):
    file = write("greeting.yaml", a_document())
    designer, viewer = a_person("designer"), a_person("viewer")

    assert refused("push", file, "--as", "nobody") == 2
    assert refused("push", file, "--as", viewer.username) == 2
    assert not Workflow.objects.exists()
    call_command("workflows", "push", file, "--as", designer.username)

    assert Workflow.objects.get().live.created_by == designer
    assert AuditEvent.objects.get(verb="version.published").actor == designer


def test_listing_names_the_live_versions(capsys):
    a_workflow(slug="one")

    call_command("workflows", "list")

    assert capsys.readouterr().out == "one  v1  Greeting\n"
