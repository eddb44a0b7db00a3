"""What a person fills in to decide: read from outside, made typed here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms

from approvals.deciding import COMMENT_LENGTH
from approvals.models import Decision
from approvals.refusals import Unfit
from orchestration.core.definition import Json
from runs.forms import InputForm, StrictJson, form_for


class DecisionForm(forms.Form):
    """The fixed part of a decision. What a request asks for besides is its answer form."""

    verdict = forms.ChoiceField(choices=Decision.Verdict.choices)
    digest = forms.CharField(max_length=64)
    comment = forms.CharField(max_length=COMMENT_LENGTH, required=False)
    password = forms.CharField(max_length=1000, required=False, strip=False)
    output = StrictJson(required=False, label="What it answered")  # of a call that did happen


def answer_form(schema: Mapping[str, Any] | None, posted: Mapping[str, Any] | None = None) -> InputForm | None:
    """Make the form of the answer a request asks for, filled with what was posted; None where it asks for none."""
    return form_for(schema)(posted or None) if schema else None


def answer_of(form: InputForm | None) -> Json:
    """Read the answer. Raises Unfit for what can't be read; the verb checks it against the schema."""
    if form is None:
        return None
    if not form.is_valid():
        raise Unfit(complaints(form), "answer")
    return form.value()


def complaints(form: forms.Form) -> str:
    """Say what is wrong with a form, in one line."""
    named = (
        (form.fields[name].label or name if name in form.fields else "", said) for name, said in form.errors.items()
    )
    return "; ".join(f"{name}: {said[0]}" if name else str(said[0]) for name, said in named)
