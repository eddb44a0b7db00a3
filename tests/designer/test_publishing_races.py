"""Many at once: numbers without gaps, one workflow by a name. Real connections, one each thread."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from designer import publishing, tools
from designer.models import Version, Workflow
from designer.refusals import Stale
from orchestration.models import Workspace
from tests.support.cast import a_workspace
from tests.support.designer import a_document, a_tool, a_workflow

pytestmark = pytest.mark.django_db(transaction=True)
THREADS = 6


def at_once(acts):
    """Run each act in a thread of its own, all let go together; give results or refusals."""
    barrier = threading.Barrier(len(acts))

    def run(act):
        try:
            barrier.wait()
            return act()
        except Stale as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(len(acts)) as pool:
        return list(pool.map(run, acts))


def pushing(workspace, greeting):
    return lambda: publishing.push(None, workspace, a_document(greeting=greeting), slug="greeting")


def test_versions_pushed_at_once_get_numbers_without_gaps():
    workspace = a_workspace()

    results = at_once([pushing(workspace, f"hello {number}") for number in range(THREADS)])

    assert sorted(result.version.number for result in results) == list(range(1, THREADS + 1))
    assert sum(result.created for result in results) == 1
    assert Workflow.objects.get().live in {result.version for result in results}


def test_the_same_document_pushed_at_once_is_one_version():
    workspace = a_workspace()

    results = at_once([pushing(workspace, "hello") for _ in range(THREADS)])

    assert sum(result.added for result in results) == 1
    assert Version.objects.count() == 1


def test_of_many_edits_of_one_draft_revision_one_is_saved():
    workflow = a_workflow()

    def editing(greeting):
        return lambda: publishing.save_draft(None, workflow, a_document(greeting=greeting), revision=1)

    results = at_once([editing(f"hello {number}") for number in range(THREADS)])

    assert sum(isinstance(result, Stale) for result in results) == THREADS - 1
    workflow.draft.refresh_from_db()
    assert workflow.draft.revision == 2


def test_no_change_of_the_registry_loses_its_revision():
    record = a_tool()
    before = Workspace.objects.get().guard_revision

    at_once([lambda on=bool(number % 2): tools.set_tool_enabled(None, record, on) for number in range(THREADS)])

    assert Workspace.objects.get().guard_revision == before + THREADS
