import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from designer.models import ToolRecord, Workflow
from tests.support.cast import a_browser, a_person, a_workspace
from tests.support.designer import BROKEN, a_document, a_model, a_tool, a_version, a_workflow

pytestmark = pytest.mark.django_db


@pytest.fixture
def designer():
    return a_browser(a_person("designer"))


@pytest.fixture
def viewer():
    return a_browser(a_person("viewer"))


def test_versions_are_listed_with_the_live_one_marked(designer):
    a_version(a_workflow(), "good day")

    page = designer.get("/w/main/workflows/greeting/versions/")

    assert page.status_code == 200
    assert [(line.number, line.live) for line in page.context["versions"]] == [(2, True), (1, False)]
    assert "Make version 1 live" in page.content.decode()


def test_older_versions_are_on_the_next_page(designer, monkeypatch):
    monkeypatch.setattr("designer.views.VERSIONS_ON_A_PAGE", 2)
    workflow = a_workflow()
    a_version(workflow, "good day")
    a_version(workflow, "hi")

    first = designer.get("/w/main/workflows/greeting/versions/")
    older = designer.get(f"/w/main/workflows/greeting/versions/{first.context['older']}")

    assert [line.number for line in older.context["versions"]] == [1]
    assert designer.get("/w/main/workflows/greeting/versions/?before=nonsense").status_code == 200


def test_the_list_takes_the_same_queries_however_long_it_is(designer):
    workflow = a_workflow()

    def queries() -> int:
        with CaptureQueriesContext(connection) as seen:
            designer.get("/w/main/workflows/greeting/versions/")
        return len(seen)

    before = queries()
    for number in range(5):
        a_version(workflow, f"hello {number}")

    assert queries() <= before


def test_a_version_shows_its_graph_and_its_source(viewer):
    a_workflow(text=f"# <b>mine</b>\n{a_document()}")

    page = viewer.get("/w/main/workflows/greeting/versions/1/").content.decode()

    assert 'aria-label="Graph of Greeting: Start, Say it."' in page
    assert "# &lt;b&gt;mine&lt;/b&gt;" in page
    assert "style=" not in page
    assert "<button" not in page.split("<main", 1)[1].split("</main>")[0]


def test_the_source_comes_as_a_file_to_the_byte(viewer):
    a_workflow()

    answer = viewer.get("/w/main/workflows/greeting/versions/1/source/")

    assert answer.content.decode() == a_document()
    assert answer["Content-Disposition"] == 'attachment; filename="greeting-v1.yaml"'


def test_rolling_back_is_one_press(designer):
    a_version(a_workflow(), "good day")

    answer = designer.post("/w/main/workflows/greeting/live/", {"version": 1}, follow=True)

    assert "Version 1 is live" in answer.content.decode()
    assert Workflow.objects.get().live.number == 1


@pytest.mark.parametrize(("version", "status"), [("9", 404), ("x", 400), ("", 400), ("9" * 30, 400)])
def test_a_version_that_is_not_there_can_not_be_made_live(designer, version, status):
    a_workflow()

    assert designer.post("/w/main/workflows/greeting/live/", {"version": version}).status_code == status


def test_switching_a_workflow_off_and_on(designer):
    a_workflow()

    designer.post("/w/main/workflows/greeting/enabled/", {"enabled": "0"})
    assert not Workflow.objects.get().enabled
    designer.post("/w/main/workflows/greeting/enabled/", {"enabled": "1"})
    assert Workflow.objects.get().enabled
    assert designer.post("/w/main/workflows/greeting/enabled/", {"enabled": "perhaps"}).status_code == 400


def test_a_pasted_document_is_published(designer):
    pasted = a_document().replace("\n", "\r\n")

    page = designer.post("/w/main/push/", {"source": pasted, "slug": "", "note": "First"}, follow=True)

    version = Workflow.objects.get(slug="greeting").live
    assert page.redirect_chain[-1][0] == "/w/main/workflows/greeting/versions/1/"
    assert "Published as version 1." in page.content.decode()
    assert (version.source, version.note) == (a_document(), "First")


def test_a_pasted_document_with_problems_comes_back_with_their_lines(designer):
    page = designer.post("/w/main/push/", {"source": BROKEN, "slug": "broken"})

    text = page.content.decode()
    assert page.status_code == 422
    assert "Line 5, column 5, <code>first.kind</code>" in text
    assert "kind: teleport" in text
    assert not Workflow.objects.exists()


def test_a_document_that_can_not_be_named_is_told_at_the_form(designer):
    page = designer.post("/w/main/push/", {"source": a_document(name="你好")})

    assert (page.status_code, Workflow.objects.exists()) == (422, False)
    assert "No slug can be made" in page.content.decode()


def test_an_empty_form_is_refused(designer):
    assert designer.post("/w/main/push/", {}).status_code == 422


def test_a_new_version_begins_with_the_live_one(designer):
    a_workflow()

    page = designer.get("/w/main/push/?workflow=greeting")

    assert page.context["form"].initial == {"slug": "greeting", "source": a_document()}
    assert designer.get("/w/main/push/").status_code == 200
    assert designer.get("/w/main/push/?workflow=nothing").status_code == 404


def test_viewers_see_but_do_not_change(viewer):
    a_workflow()
    a_tool()

    for path in ("workflows/greeting/versions/", "workflows/greeting/versions/1/", "tools/", "models/"):
        assert viewer.get(f"/w/main/{path}").status_code == 200
    for path in ("workflows/greeting/live/", "workflows/greeting/enabled/", "push/", "tools/crm.lookup/enabled/"):
        assert viewer.post(f"/w/main/{path}", {"enabled": "0", "version": 1}).status_code == 403
    assert viewer.get("/w/main/push/").status_code == 403


def test_changes_are_never_made_by_get(designer):
    a_workflow()

    assert designer.get("/w/main/workflows/greeting/live/").status_code == 405
    assert designer.get("/w/main/workflows/greeting/enabled/").status_code == 405


def test_another_workspace_s_workflow_is_missing(designer):
    a_workflow(a_workspace("other"))

    assert designer.get("/w/main/workflows/greeting/versions/").status_code == 404
    assert designer.post("/w/main/workflows/greeting/live/", {"version": 1}).status_code == 404
    assert designer.get("/w/other/workflows/greeting/versions/").status_code == 404


def test_tools_are_listed_and_switched_by_administrators():
    administrator = a_browser(a_person("administrator"))
    a_tool(description="Finds <people>")

    page = administrator.get("/w/main/tools/").content.decode()
    assert "Switch crm.lookup off" in page
    assert "Finds &lt;people&gt;" in page
    assert "s3cret" not in page

    after = administrator.post("/w/main/tools/crm.lookup/enabled/", {"enabled": "0"}, follow=True).content.decode()
    assert "Switched off" in after
    assert not ToolRecord.objects.get().enabled


def test_a_simulated_model_is_labelled_so(viewer):
    a_model(name="fast")

    assert "Simulated" in viewer.get("/w/main/models/").content.decode()


def test_empty_lists_say_what_would_fill_them(viewer):
    assert "No tools yet" in viewer.get("/w/main/tools/").content.decode()
    assert "No models yet" in viewer.get("/w/main/models/").content.decode()
