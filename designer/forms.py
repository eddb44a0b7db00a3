"""What people may send to the pages of the control plane."""

from __future__ import annotations

from django import forms

from designer.publishing import MAX_NOTE

MAX_SOURCE = 1024 * 1024  # characters


class PushForm(forms.Form):
    """A document to publish. A text area sends CR LF; the document keeps plain line ends."""

    slug = forms.SlugField(
        required=False,
        max_length=100,
        label="Name in addresses",
        help_text="Small letters, digits and -. Made of the workflow's name unless given.",
        widget=forms.TextInput({"class": "input short", "autocomplete": "off"}),
    )
    source = forms.CharField(
        max_length=MAX_SOURCE,
        strip=False,
        label="Document, YAML or JSON",
        widget=forms.Textarea({"class": "input mono", "rows": 24, "spellcheck": "false", "wrap": "off"}),
    )
    note = forms.CharField(
        required=False,
        max_length=MAX_NOTE,
        label="What changed",
        widget=forms.TextInput({"class": "input"}),
    )

    def clean_source(self) -> str:
        source: str = self.cleaned_data["source"]
        return source.replace("\r\n", "\n")


class LiveForm(forms.Form):
    """Which version new runs use."""

    version = forms.IntegerField(min_value=1, max_value=2**31 - 1)


class EnabledForm(forms.Form):
    """Whether it may be used: 1 or 0."""

    enabled = forms.TypedChoiceField(choices=[("1", "on"), ("0", "off")], coerce=lambda value: value == "1")
