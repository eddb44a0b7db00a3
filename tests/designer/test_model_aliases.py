import pytest

from designer.models import ModelRecord
from designer.refusals import Unfit
from orchestration.access import Forbidden, Missing
from orchestration.models import AuditEvent
from tests.support.cast import a_workspace, an_actor
from tests.support.designer import ModelAlias, a_connection, a_model, set_model

pytestmark = pytest.mark.django_db


def test_a_name_can_be_given_another_model():
    a_model(name="fast")
    a_model(name="fast", provider="openai", model="gpt-5-mini", input_usd_per_mtok=None, output_usd_per_mtok=None)

    record = ModelRecord.objects.get()
    verbs = AuditEvent.objects.filter(subject_type="modelrecord").order_by("pk").values_list("verb", flat=True)
    assert (record.provider, record.model, record.input_usd_per_mtok) == ("openai", "gpt-5-mini", None)
    assert list(verbs) == ["model.registered", "model.changed"]


@pytest.mark.parametrize(
    ("field", "changes"),
    [
        ("name", {"name": "Fast one"}),
        ("provider", {"provider": "magic"}),
        ("model", {"model": ""}),
        ("connection", {"provider": "compatible", "model": "llama"}),
        ("max_tokens", {"max_tokens": 0}),
        ("prices", {"input_usd_per_mtok": -1.0}),
        ("prices", {"output_usd_per_mtok": float("nan")}),
        ("prices", {"output_usd_per_mtok": None}),
    ],
)
def test_an_alias_that_can_not_be_called_or_priced_is_refused(field, changes):
    with pytest.raises(Unfit) as refused:
        a_model(**changes)

    assert refused.value.extra["problems"][0]["field"] == field
    assert not ModelRecord.objects.exists()


def test_only_administrators_name_models():
    actor = an_actor("designer")

    with pytest.raises(Forbidden):
        set_model(actor, actor.workspace, "fast", ModelAlias("openai", "gpt-5"))


def test_a_connection_of_another_workspace_is_missing():
    actor = an_actor("administrator")
    foreign = a_connection(a_workspace("other"))

    with pytest.raises(Missing):
        set_model(actor, actor.workspace, "fast", ModelAlias("openai", "gpt-5", foreign))
