import pytest

from designer import publishing
from designer.models import Definition, Draft, Version, Workflow
from designer.refusals import NothingToPublish, Stale, Taken, Unfit
from orchestration.access import Forbidden, Missing
from orchestration.core.errors import InvalidDefinition, InvalidDocument
from orchestration.models import AuditEvent
from tests.support.cast import a_workspace, an_actor
from tests.support.designer import BROKEN, CYCLE, a_document, a_version, a_workflow

pytestmark = pytest.mark.django_db


def verbs() -> list[str]:
    acts = AuditEvent.objects.filter(subject_type__in=["workflow", "version"]).order_by("pk")
    return list(acts.values_list("verb", flat=True))


def test_a_push_creates_the_workflow_with_version_1_live():
    actor = an_actor("designer")

    result = publishing.push(actor, actor.workspace, a_document(), slug="greeting", note="First")

    workflow = Workflow.objects.get(slug="greeting")
    assert (result.created, result.added, result.version.number) == (True, True, 1)
    assert (workflow.live, workflow.name, workflow.description) == (result.version, "Greeting", "Says hello.")
    assert (workflow.owner, result.version.note, result.version.source) == (actor.user, "First", a_document())
    assert verbs() == ["workflow.created", "version.published"]


def test_a_push_without_a_slug_makes_one_of_the_name():
    result = publishing.push(None, a_workspace(), a_document(name="Say Hello"))

    assert result.workflow.slug == "say-hello"


def test_a_name_without_letters_for_a_slug_is_refused():
    with pytest.raises(Unfit, match="slug"):
        publishing.push(None, a_workspace(), a_document(name="\u4f60\u597d"))

    assert not Workflow.objects.exists()


@pytest.mark.parametrize("slug", ["Greeting", "a b", "-a", "", "x" * 101, "validate", "../etc"])
def test_a_slug_that_can_not_stand_in_an_address_is_refused(slug):
    with pytest.raises(Unfit, match="slug"):
        publishing.push(None, a_workspace(), a_document(), slug=slug)

    assert not Workflow.objects.exists()


def test_versions_are_numbered_from_one_within_their_workflow():
    first, second = a_workflow(slug="one"), a_workflow(slug="two")

    numbers = [a_version(first, "good day").number, a_version(second, "good day").number, a_version(first, "hi").number]

    assert numbers == [2, 2, 3]


def test_the_same_content_is_stored_once_and_keeps_its_number():
    workflow = a_workflow()
    a_version(workflow, "good day")

    again = publishing.push(None, workflow.workspace, a_document(), slug="greeting")

    assert (again.added, again.version.number, again.workflow.live_id) == (False, 1, again.version.pk)
    assert (Version.objects.count(), Definition.objects.count()) == (2, 2)
    assert verbs()[-1] == "version.made_live"


def test_other_spacing_and_comments_are_the_same_content():
    workflow = a_workflow()

    again = publishing.push(None, workflow.workspace, f"# a comment\n{a_document()}\n\n", slug="greeting")

    assert not again.added


@pytest.mark.parametrize("text", [BROKEN, CYCLE, "name: [x", '{"format": "baton/1",}', "just words", ""])
def test_a_document_with_errors_is_refused_and_leaves_nothing(text):
    with pytest.raises(InvalidDefinition) as refused:
        publishing.push(None, a_workspace(), text, slug="broken")

    assert refused.value.problems
    assert not Workflow.objects.exists()
    assert not Definition.objects.exists()
    assert verbs() == []


def test_all_problems_are_told_at_once():
    with pytest.raises(InvalidDefinition) as refused:
        publishing.push(None, a_workspace(), BROKEN, slug="broken")

    places = {(problem.step, problem.field) for problem in refused.value.problems}
    assert {("first", "kind"), ("", "edges[1].to")} <= places


def test_a_refused_version_leaves_the_live_one():
    workflow = a_workflow()

    with pytest.raises(InvalidDefinition):
        publishing.publish(None, workflow, source=BROKEN)

    workflow.refresh_from_db()
    assert (workflow.live.number, workflow.versions.count()) == (1, 1)


def test_a_note_that_is_too_long_is_refused():
    with pytest.raises(Unfit, match="note"):
        publishing.push(None, a_workspace(), a_document(), slug="greeting", note="x" * 501)

    assert not Workflow.objects.exists()


def test_rolling_back_makes_an_earlier_version_live():
    workflow = a_workflow()
    first = workflow.live
    a_version(workflow, "good day")

    publishing.set_live(an_actor("designer"), workflow, first)

    workflow.refresh_from_db()
    event = AuditEvent.objects.get(verb="version.made_live")
    assert (workflow.live, workflow.description) == (first, "Says hello.")
    assert event.details == {"number": 1, "before": 2}


def test_making_the_live_version_live_changes_nothing():
    workflow = a_workflow()

    publishing.set_live(None, workflow, workflow.live)

    assert "version.made_live" not in verbs()


def test_a_version_of_another_workflow_can_not_be_made_live():
    one, other = a_workflow(slug="one"), a_workflow(slug="two")

    with pytest.raises(Missing):
        publishing.set_live(None, one, other.live)


def test_switching_a_workflow_off_and_on_is_audited_once_each():
    workflow = a_workflow()
    actor = an_actor("designer")

    for enabled in (False, False, True):
        publishing.set_enabled(actor, workflow, enabled)

    workflow.refresh_from_db()
    assert workflow.enabled
    assert verbs()[2:] == ["workflow.disabled", "workflow.enabled"]


def test_a_slug_is_given_once_in_a_workspace():
    workflow = a_workflow()

    with pytest.raises(Taken):
        publishing.create_workflow(None, workflow.workspace, "greeting", "Another")

    publishing.create_workflow(None, a_workspace("other"), "greeting", "Another")


@pytest.mark.parametrize("role", ["viewer", "operator", "approver"])
def test_who_may_not_edit_changes_nothing(role):
    workflow = a_workflow()
    actor = an_actor(role)

    for act in (
        lambda: publishing.push(actor, actor.workspace, a_document(greeting="hi"), slug="greeting"),
        lambda: publishing.publish(actor, workflow, source=a_document(greeting="hi")),
        lambda: publishing.save_draft(actor, workflow, a_document(), 1),
        lambda: publishing.set_live(actor, workflow, workflow.live),
        lambda: publishing.set_enabled(actor, workflow, False),
        lambda: publishing.create_workflow(actor, actor.workspace, "new", "New"),
    ):
        with pytest.raises(Forbidden):
            act()

    assert (workflow.versions.count(), Workflow.objects.count()) == (1, 1)


def test_a_workflow_of_another_workspace_is_missing():
    workflow = a_workflow(a_workspace("other"))
    actor = an_actor("designer")

    with pytest.raises(Missing):
        publishing.publish(actor, workflow, source=a_document(greeting="hi"))
    with pytest.raises(Missing):
        publishing.push(actor, workflow.workspace, a_document())


def test_a_draft_may_have_problems_but_is_not_published_with_them():
    workflow = a_workflow()

    draft = publishing.save_draft(None, workflow, BROKEN, revision=1)

    assert (draft.revision, draft.source, draft.document["name"]) == (2, BROKEN, "Broken")
    with pytest.raises(InvalidDefinition):
        publishing.publish(None, workflow)


def test_a_draft_that_was_saved_meanwhile_is_not_written_over():
    workflow = a_workflow()
    publishing.save_draft(None, workflow, a_document(greeting="mine"), revision=1)

    with pytest.raises(Stale):
        publishing.save_draft(None, workflow, a_document(greeting="yours"), revision=1)

    assert "mine" in Draft.objects.get().source


def test_a_draft_that_can_not_be_read_is_refused():
    workflow = a_workflow()

    with pytest.raises(InvalidDocument):
        publishing.save_draft(None, workflow, "steps: [", revision=1)

    assert Draft.objects.get().revision == 1


def test_publishing_takes_the_draft():
    workflow = a_workflow()
    publishing.save_draft(None, workflow, a_document(greeting="good day"), revision=1)

    version = publishing.publish(an_actor("designer"), workflow, "Politer")

    workflow.refresh_from_db()
    assert (version.number, version.note, workflow.live) == (2, "Politer", version)


def test_a_draft_saved_as_a_document_is_published_as_yaml():
    workflow = publishing.create_workflow(None, a_workspace(), "greeting", "Greeting")
    document = publishing.checking.parse(a_document())
    publishing.save_draft(None, workflow, document, revision=0)

    version = publishing.publish(None, workflow)

    assert version.definition_id == publishing.checking.digest(document)
    assert "name: Greeting" in version.source


def test_without_a_draft_there_is_nothing_to_publish():
    workflow = publishing.create_workflow(None, a_workspace(), "empty", "Empty")

    with pytest.raises(NothingToPublish):
        publishing.publish(None, workflow)


def test_the_draft_follows_a_push_unless_somebody_has_work_in_it():
    workflow = a_workflow()
    publishing.push(None, workflow.workspace, a_document(greeting="good day"), slug="greeting")
    assert "good day" in Draft.objects.get().source

    publishing.save_draft(None, workflow, a_document(greeting="my unpublished words"), revision=2)
    publishing.push(None, workflow.workspace, a_document(greeting="hi"), slug="greeting")

    assert "my unpublished words" in Draft.objects.get().source
