import json

import pytest

from designer.models import ToolRecord, Version, Workflow
from orchestration.core import documents
from tests.support.cast import a_person, a_token, a_workspace, an_api_client
from tests.support.designer import BROKEN, CYCLE, a_document, a_model, a_tool, a_version, a_workflow

pytestmark = pytest.mark.django_db
YAML = "application/yaml"


@pytest.fixture
def api():
    return an_api_client(a_token())


def a_client_of(role: str, scopes: tuple[str, ...] | None = None):
    return an_api_client(a_token(a_person(role), scopes=scopes))


def put(client, slug: str, text: str | bytes, content_type: str = YAML, query: str = ""):
    return client.put(f"/api/v1/workflows/{slug}{query}", data=text, content_type=content_type)


def test_putting_yaml_creates_a_workflow(api):
    answer = put(api, "greeting", a_document(), query="?note=First")

    assert answer.status_code == 201
    assert answer.json() == {
        "workflow": {
            "slug": "greeting", "name": "Greeting", "description": "Says hello.", "enabled": True, "sample": False,
            "live": 1,
        },
        "version": 1, "created": True, "added": True, "problems": [],
    }  # fmt: skip
    assert Version.objects.get().note == "First"


def test_putting_again_adds_a_version_or_finds_the_old_one(api):
    put(api, "greeting", a_document())

    changed = put(api, "greeting", a_document(greeting="hi"))
    same = put(api, "greeting", a_document())

    assert (changed.status_code, changed.json()["version"], changed.json()["added"]) == (200, 2, True)
    assert (same.status_code, same.json()["version"], same.json()["added"]) == (200, 1, False)


def test_json_and_yaml_of_the_same_document_are_the_same_content(api):
    put(api, "greeting", a_document())

    answer = put(api, "greeting", json.dumps(documents.read(a_document())), "application/json")

    assert (answer.status_code, answer.json()["added"]) == (200, False)


def test_all_problems_come_back_with_places_of_the_text(api):
    answer = put(api, "broken", BROKEN)

    body = answer.json()
    assert answer.status_code == 422
    assert answer["Content-Type"].startswith("application/problem+json")
    assert body["type"].endswith("#invalid-definition")
    kind = next(problem for problem in body["problems"] if problem["field"] == "kind")
    assert (kind["step"], kind["line"], kind["column"], kind["severity"]) == ("first", 5, 5, "error")
    assert any(problem["field"] == "edges[1].to" for problem in body["problems"])
    assert not Workflow.objects.exists()


@pytest.mark.parametrize(
    ("text", "content_type", "line"),
    [
        ("name: [x\n", YAML, 2),
        ('{"name": "x",}', "application/json", 1),
        ('{"format": "baton/1",\n "name": "x", "name": "y"}', "application/json", 2),
        ("format: baton/1\nname: &a x\n", YAML, 2),
        (CYCLE, YAML, 6),
        ("", YAML, 1),
        ("[]", "application/json", 1),
        ("a: " + "[" * 200, YAML, 1),
    ],
)
def test_malformed_and_impossible_documents_are_422_with_their_line(api, text, content_type, line):
    answer = put(api, "broken", text, content_type)

    assert (answer.status_code, answer.json()["problems"][0]["line"]) == (422, line)
    assert not Workflow.objects.exists()


def test_bytes_that_are_no_text_are_400_with_their_place(api):
    answer = put(api, "broken", b"name: x\ny: \xff\n")

    assert (answer.status_code, answer.json()["line"], answer.json()["column"]) == (400, 2, 4)


def test_a_refused_version_leaves_the_live_one(api):
    put(api, "greeting", a_document())

    assert put(api, "greeting", BROKEN).status_code == 422

    assert Workflow.objects.get().live.number == 1


def test_a_slug_that_can_not_be_used_is_refused(api):
    assert put(api, "Greeting", a_document()).status_code == 422
    assert put(api, "validate", a_document()).status_code == 405
    assert not Workflow.objects.exists()


def test_validating_tells_all_and_saves_nothing(api):
    good = api.post("/api/v1/workflows/validate", data=a_document(), content_type=YAML)
    bad = api.post("/api/v1/workflows/validate", data=BROKEN, content_type=YAML)

    assert good.json() == {"valid": True, "problems": []}
    assert (bad.status_code, bad.json()["valid"]) == (200, False)
    assert bad.json()["problems"][0]["line"] > 1
    assert not Workflow.objects.exists()


def test_a_document_may_only_use_what_its_workspace_has(api):
    text = a_document().replace("kind: set", "kind: tool").replace("values: {", "tool: crm.lookup\n    arguments: {")
    assert not api.post("/api/v1/workflows/validate", data=text, content_type=YAML).json()["valid"]

    a_tool(a_workspace("other"))
    told = api.post("/api/v1/workflows/validate", data=text, content_type=YAML).json()["problems"]
    assert any("crm.lookup" in problem["message"] for problem in told)


def test_workflows_are_listed_a_page_at_a_time(api):
    for slug in ("c", "a", "b"):
        a_workflow(slug=slug)
    a_workflow(a_workspace("other"), slug="elsewhere")

    first = api.get("/api/v1/workflows?limit=2").json()
    rest = api.get(f"/api/v1/workflows?limit=2&cursor={first['next']}").json()

    assert [line["slug"] for line in first["items"]] == ["a", "b"]
    assert ([line["slug"] for line in rest["items"]], rest["next"]) == (["c"], None)


def test_a_workflow_says_what_a_run_takes(api):
    a_workflow()

    body = api.get("/api/v1/workflows/greeting").json()

    assert (body["live"], body["input"]["required"]) == (1, ["who"])


def test_versions_are_listed_and_read_as_json_and_yaml(api):
    workflow = a_workflow()
    a_version(workflow, "good day")

    lines = api.get("/api/v1/workflows/greeting/versions?limit=1").json()
    older = api.get(f"/api/v1/workflows/greeting/versions?cursor={lines['next']}").json()
    body = api.get("/api/v1/workflows/greeting/versions/1").json()
    text = api.get("/api/v1/workflows/greeting/versions/1?format=yaml")

    assert [(line["number"], line["live"], line["by"]) for line in lines["items"]] == [(2, True, "Baton")]
    assert [line["number"] for line in older["items"]] == [1]
    assert (body["definition"]["name"], body["live"]) == ("Greeting", False)
    assert (text["Content-Type"], text.content.decode()) == ("application/yaml; charset=utf-8", a_document())
    assert api.get("/api/v1/workflows/greeting/versions/1?format=xml").status_code == 422
    assert api.get("/api/v1/workflows/greeting/versions/3").status_code == 404


def test_a_version_pushed_as_json_is_given_as_yaml_that_means_the_same(api):
    document = documents.read(a_document())
    put(api, "greeting", json.dumps(document), "application/json")

    text = api.get("/api/v1/workflows/greeting/versions/1?format=yaml").content.decode()

    assert not text.startswith("{")
    assert documents.read(text) == document


def test_rolling_back(api):
    a_version(a_workflow(), "good day")

    answer = api.put("/api/v1/workflows/greeting/live", data={"version": 1}, content_type="application/json")

    assert (answer.status_code, answer.json()["live"]) == (200, 1)
    for body in ({"version": 9}, {"version": 0}, {"version": "x"}, {"version": 1, "more": 1}, {}):
        refused = api.put("/api/v1/workflows/greeting/live", data=body, content_type="application/json")
        assert refused.status_code in (404, 422)
    assert Workflow.objects.get().live.number == 1


def test_switching_a_workflow_off(api):
    a_workflow()

    answer = api.patch("/api/v1/workflows/greeting", data={"enabled": False}, content_type="application/json")

    assert (answer.status_code, answer.json()["enabled"]) == (200, False)
    for body in ({"enabled": "off"}, {"enabled": None}, {"enabled": True, "live": 3}):
        refused = api.patch("/api/v1/workflows/greeting", data=body, content_type="application/json")
        assert refused.status_code == 422
    assert not Workflow.objects.get().enabled


def test_tools_are_listed_read_and_switched(api):
    a_tool(name="crm.lookup")
    a_tool(name="crm.search")

    lines = api.get("/api/v1/tools?limit=1").json()
    rest = api.get(f"/api/v1/tools?cursor={lines['next']}").json()
    tool = api.get("/api/v1/tools/crm.lookup").json()
    off = api.patch("/api/v1/tools/crm.lookup", data={"enabled": False}, content_type="application/json")

    assert [line["name"] for line in (*lines["items"], *rest["items"])] == ["crm.lookup", "crm.search"]
    assert (tool["risk"], tool["effect"], tool["connection"], tool["enabled"]) == ("read", "read", "crm", True)
    assert (off.status_code, off.json()["enabled"]) == (200, False)
    assert "s3cret" not in json.dumps([lines, rest, tool])
    assert api.get("/api/v1/tools/crm.nothing").status_code == 404


def test_models_kinds_and_the_schema_are_told(api):
    a_model()

    models = api.get("/api/v1/models").json()
    kinds = {kind["name"] for kind in api.get("/api/v1/kinds").json()}
    schema = api.get("/api/v1/schema").json()

    assert [(model["name"], model["simulated"]) for model in models] == [("fast", True)]
    assert {"model", "tool", "set", "branch", "end"} <= kinds
    assert "start" not in kinds
    assert schema["title"] == "Baton workflow"


def test_what_belongs_to_another_workspace_reads_as_missing(api):
    other = a_workspace("other")
    a_workflow(other)
    a_tool(other)

    answers = [
        api.get("/api/v1/workflows/greeting"),
        api.get("/api/v1/workflows/greeting/versions"),
        api.get("/api/v1/workflows/greeting/versions/1"),
        api.put("/api/v1/workflows/greeting/live", data={"version": 1}, content_type="application/json"),
        api.patch("/api/v1/workflows/greeting", data={"enabled": False}, content_type="application/json"),
        api.get("/api/v1/tools/crm.lookup"),
        api.patch("/api/v1/tools/crm.lookup", data={"enabled": False}, content_type="application/json"),
    ]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert ToolRecord.objects.get().enabled


def test_reading_needs_the_scope_and_writing_the_right_and_the_scope():
    a_workflow()
    blind = a_client_of("administrator", ("runs:read",))
    reader = a_client_of("designer", ("workflows:read",))
    viewer = a_client_of("viewer")
    designer = a_client_of("designer")
    a_tool()

    assert blind.get("/api/v1/workflows").status_code == 403
    assert reader.get("/api/v1/workflows").status_code == 200
    for client in (reader, viewer):
        assert put(client, "greeting", a_document(greeting="hi")).status_code == 403
    assert put(designer, "greeting", a_document(greeting="hi")).status_code == 200
    switch = designer.patch("/api/v1/tools/crm.lookup", data={"enabled": False}, content_type="application/json")
    assert switch.status_code == 403
    assert put(an_api_client(None), "greeting", a_document()).status_code == 401
