import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from designer import versions
from designer.models import Definition, Version
from tests.support.designer import a_document, a_version, a_workflow

pytestmark = pytest.mark.django_db


def test_a_version_keeps_its_definition_when_later_ones_come():
    workflow = a_workflow()
    first = workflow.live
    a_version(workflow, "good day")

    assert versions.definition(first.pk).description == "Says hello."


def test_a_definition_is_read_once():
    version = a_workflow(text=a_document(greeting="read once")).live
    versions.definition(version.pk)

    with CaptureQueriesContext(connection) as queries:
        assert versions.definition(version.pk) is versions.definition(version.pk)

    assert len(queries) == 2  # one of one row each, for which definition it is


def test_what_is_stored_is_the_canonical_json_its_digest_is_of():
    from hashlib import sha256

    version = a_workflow().live

    assert sha256(version.definition.body.encode()).hexdigest() == version.definition.digest


def test_titles_and_layout_do_not_change_the_execution_hash():
    a_workflow(slug="one")
    a_workflow(slug="two", text=a_document().replace("Say it", "Say it loud"))

    assert Definition.objects.count() == 2
    assert len(set(Definition.objects.values_list("execution_hash", flat=True))) == 1


def test_an_unknown_version_is_told():
    with pytest.raises(Version.DoesNotExist):
        versions.definition(4711)
