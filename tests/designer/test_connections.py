import pytest

from designer import connections
from designer.connections import Configuration, save_connection
from designer.models import Connection
from designer.refusals import Unfit
from orchestration.access import Forbidden
from orchestration.models import AuditEvent
from tests.support.cast import a_workspace, an_actor
from tests.support.designer import a_connection

pytestmark = pytest.mark.django_db


def test_a_secret_is_encrypted_and_only_revealed_when_asked():
    record = a_connection(secret="s3cret")

    stored = bytes(Connection.objects.get().secret)
    value = connections.value(record)

    assert b"s3cret" not in stored
    assert "s3cret" not in repr(value)
    assert value.reveal() == "s3cret"


def test_a_connection_without_a_secret_reveals_nothing():
    assert connections.value(a_connection(secret=None)).reveal is None


def test_the_secret_goes_to_the_host_of_the_base_url_alone_unless_others_are_named():
    assert connections.value(a_connection()).hosts == ("api.example.com",)
    other = a_connection(name="other", hosts=("API.example.com", "files.example.com"))
    assert connections.value(other).hosts == ("api.example.com", "files.example.com")


def test_a_change_raises_the_version_and_a_new_secret_does_not():
    workspace = a_workspace()
    a_connection(workspace)

    connections.set_secret(None, Connection.objects.get(), "another")
    assert Connection.objects.get().version == 1
    changed = a_connection(workspace, secret=None, scheme="Token")

    assert changed.version == 2
    assert connections.value(Connection.objects.get()).reveal() == "another"


def test_saving_the_same_settings_changes_nothing():
    a_connection(secret=None)
    assert a_connection(secret=None).version == 1
    assert list(AuditEvent.objects.filter(subject_type="connection").values_list("verb", flat=True)) == [
        "connection.created"
    ]


def test_the_audit_log_never_holds_the_secret():
    a_connection(secret="s3cret")

    acts = {event.verb: str(event.details) for event in AuditEvent.objects.filter(subject_type="connection")}
    assert set(acts) == {"connection.created", "connection.secret_set"}
    assert "s3cret" not in str(acts)


def test_an_empty_secret_removes_it():
    record = a_connection()

    connections.set_secret(None, record, "")

    assert connections.value(Connection.objects.get()).reveal is None
    assert AuditEvent.objects.filter(verb="connection.secret_removed").exists()


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("base_url", {"base_url": "ftp://api.example.com"}),
        ("base_url", {"base_url": "api.example.com"}),
        ("base_url", {"base_url": "http://api.example.com"}),
        ("base_url", {"base_url": "https://user:pass@api.example.com"}),
        ("base_url", {"base_url": "https://api.example.com/?key=1"}),
        ("base_url", {"base_url": "https://api.example.com:port"}),
        ("hosts", {"hosts": ("files.example.com",)}),
        ("hosts", {"hosts": ("api.example.com", "*.example.com")}),
        ("hosts", {"hosts": ("api.example.com", "2130706433")}),
        ("header", {"header": "X Key"}),
        ("header", {"header": "X-Key:\r\nHost"}),
        ("scheme", {"scheme": "Bearer\r\n"}),
    ],
)
def test_settings_that_can_not_be_used_are_refused(field, changes):
    with pytest.raises(Unfit) as refused:
        a_connection(**changes)

    assert refused.value.extra["problems"][0]["field"] == field
    assert not Connection.objects.exists()


@pytest.mark.parametrize("secret", ["two\nlines", "x" * 8193, "nul\0"])
def test_a_secret_that_no_header_can_carry_is_refused(secret):
    with pytest.raises(Unfit, match="secret"):
        a_connection(secret=secret)

    assert not Connection.objects.exists()


def test_plain_http_is_for_private_connections():
    assert a_connection(base_url="http://ollama.internal:11434", private=True).private


@pytest.mark.parametrize("role", ["designer", "operator", "viewer"])
def test_only_administrators_have_a_say_in_connections(role):
    record = a_connection()
    actor = an_actor(role)

    with pytest.raises(Forbidden):
        save_connection(actor, actor.workspace, "crm", Configuration("https://evil.example"))
    with pytest.raises(Forbidden):
        connections.set_secret(actor, record, "mine")
