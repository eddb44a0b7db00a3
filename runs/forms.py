"""The start form of a workflow, made from the JSON Schema of its input.

Each property becomes one field. Optional ones that are left empty stay absent: an empty text is not the same as none.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import date
from typing import Any, cast

from django import forms
from django.forms.fields import InvalidJSONInput

from orchestration import json_bodies
from orchestration.core.definition import Json

LONG_TEXT = 200  # longer texts get a large field
LONG_NAMES = ("body", "text", "description", "message", "content", "diff", "notes")
Schema = Mapping[str, Any]


class InputForm(forms.Form):
    """A form whose fields are the properties of `schema`; `value()` gives the input they make."""

    schema: Schema = {}
    use_required_attribute = False  # the server says what is missing, at the field and in words
    prefix = "input"  # keeps a property called csrfmiddlewaretoken apart from the token

    def value(self) -> dict[str, Json]:
        """Build the input from cleaned data; empty optional fields are left out."""
        required = set(self.schema.get("required", ()))
        return {
            name: _plain(self.cleaned_data[name])
            for name in self.fields
            if name in required or not _is_empty(self.cleaned_data.get(name))
        }

    def refuse(self, place: str, reason: str) -> None:
        """Show a refusal of the value as a whole at the field it is about (a dotted place), else above the form."""
        field = place.removeprefix("input.").split(".")[0].split("[")[0]
        self.add_error(field if field in self.fields else None, reason)


def form_for(schema: Schema) -> type[InputForm]:
    """Make the form class for an input schema of type object."""
    fields = {name: field_for(name, prop, required) for name, prop, required in properties_of(schema)}
    form: Any = type("StartForm", (InputForm,), {"schema": schema})
    form.base_fields = fields  # not as attributes: a property may be called `schema` or `clean`
    return cast(type[InputForm], form)


def properties_of(schema: Schema) -> list[tuple[str, Schema, bool]]:
    """List the properties with whether they are required: those first, in the order the schema requires them.

    The stored form of a definition sorts keys, so the order they were written in is known only from `required`.
    """
    required = list(schema.get("required", ()))
    properties = schema.get("properties", {})
    names = [name for name in required if name in properties] + [name for name in properties if name not in required]
    found = ((name, properties[name]) for name in dict.fromkeys(names))
    return [(name, prop if isinstance(prop, Mapping) else {}, name in required) for name, prop in found]


def field_for(name: str, prop: Schema, required: bool) -> forms.Field:
    """Make the field of one property."""
    common = {
        "label": prop.get("title") or name.replace("_", " ").capitalize(),
        "help_text": prop.get("description", ""),
        "required": required,
        "initial": prop.get("default"),
    }
    if "enum" in prop:
        return _choice(prop["enum"], common)
    kind = prop.get("type")
    if isinstance(kind, list):  # ["string", "null"]: absent stands for null
        kind = next((one for one in kind if one != "null"), None)
    make = MAKERS.get(str(kind), _any_json)
    return make(name, prop, common)


def _text(name: str, prop: Schema, common: dict[str, Any]) -> forms.Field:
    if prop.get("format") == "date":
        return forms.DateField(widget=_input(forms.DateInput, type="date", css="input short"), **common)
    if prop.get("format") == "date-time":
        widget = _input(forms.DateTimeInput, type="datetime-local", css="input short")
        return forms.DateTimeField(widget=widget, **{**common, "help_text": _with(common["help_text"], "In UTC.")})
    is_long = prop.get("maxLength", 0) > LONG_TEXT or prop.get("x-widget") == "textarea" or name in LONG_NAMES
    widget = _input(forms.Textarea, rows=4) if is_long else _input(forms.TextInput)
    limits: dict[str, Any] = {"min_length": prop.get("minLength"), "max_length": prop.get("maxLength")}
    return forms.CharField(widget=widget, strip=False, **limits, **common)


def _whole(name: str, prop: Schema, common: dict[str, Any]) -> forms.Field:
    low, high = _bounds(prop, 1)
    return forms.IntegerField(
        widget=_input(forms.NumberInput, css="input short"), min_value=low, max_value=high, **common
    )


def _number(name: str, prop: Schema, common: dict[str, Any]) -> forms.Field:
    low, high = _bounds(prop, 0)
    widget = _input(forms.NumberInput, css="input short", step="any")
    return forms.FloatField(widget=widget, min_value=low, max_value=high, **common)


def _yes_no(name: str, prop: Schema, common: dict[str, Any]) -> forms.Field:
    """A required boolean is a box, ticked or not; an optional one can also stay unsaid."""
    if common["required"]:
        box = forms.CheckboxInput(attrs={"class": "box"})
        return forms.BooleanField(widget=box, **{**common, "required": False})
    said = [("", "not said"), ("true", "yes"), ("false", "no")]
    select = forms.Select(attrs={"class": "input short"}, choices=said)
    initial = {True: "true", False: "false"}.get(common["initial"], "")
    return forms.TypedChoiceField(
        choices=said, coerce=lambda text: text == "true", empty_value=None, widget=select,
        **{**common, "initial": initial},
    )  # fmt: skip


def _choice(values: list[Json], common: dict[str, Any]) -> forms.Field:
    """A select that gives back the enum's own value: 1 stays a number."""
    by_text = {value if isinstance(value, str) else json.dumps(value): value for value in values}
    choices = [(text, text) for text in by_text]
    if not common["required"] or common["initial"] is None:
        choices = [("", "choose" if common["required"] else "not said"), *choices]
    select = forms.Select(attrs={"class": "input short"})
    return forms.TypedChoiceField(
        choices=choices, coerce=lambda text: by_text[text], empty_value=None, widget=select, **common
    )


def _list(name: str, prop: Schema, common: dict[str, Any]) -> forms.Field:
    items = prop.get("items", {})
    if isinstance(items, Mapping) and items.get("type") == "string":
        initial = "\n".join(common["initial"]) if isinstance(common["initial"], list) else None
        help_text = _with(common["help_text"], "One in each line.")
        return Lines(widget=_input(forms.Textarea, rows=3), **{**common, "initial": initial, "help_text": help_text})
    return _any_json(name, {**prop, "type": "array"}, common)


def _any_json(name: str, prop: Schema, common: dict[str, Any]) -> forms.Field:
    wanted = {"object": "A JSON object.", "array": "A JSON list."}.get(str(prop.get("type")), "Any JSON value.")
    widget = _input(forms.Textarea, rows=4, css="input mono", spellcheck="false")
    return StrictJson(widget=widget, **{**common, "help_text": _with(common["help_text"], wanted)})


MAKERS: dict[str, Callable[[str, Schema, dict[str, Any]], forms.Field]] = {
    "string": _text, "integer": _whole, "number": _number, "boolean": _yes_no, "array": _list, "object": _any_json,
}  # fmt: skip


class Lines(forms.CharField):
    """A list of texts, one in each line; empty lines are dropped."""

    def clean(self, value: Any) -> Any:
        return [line.strip() for line in (super().clean(value) or "").splitlines() if line.strip()]


class StrictJson(forms.JSONField):
    """JSON as people type it, read as strictly as the API reads it."""

    def to_python(self, value: Any) -> Any:
        if not isinstance(value, str) or not value.strip():
            return super().to_python(value)
        try:
            return json_bodies.parse(value.encode(errors="surrogatepass"))
        except json_bodies.InvalidJson as error:
            raise forms.ValidationError(f"This is not JSON: {error}", code="invalid") from error

    def bound_data(self, data: Any, initial: Any) -> Any:
        """Show again what was typed, whatever it is: it is not read a second time."""
        return InvalidJSONInput(data) if isinstance(data, str) else super().bound_data(data, initial)

    def prepare_value(self, value: Any) -> Any:
        return "" if value is None else super().prepare_value(value)


def _bounds(prop: Schema, step: int) -> tuple[Any, Any]:
    """Give the least and the greatest allowed value; the schema itself judges exclusive bounds of fractions."""
    low, high = prop.get("minimum"), prop.get("maximum")
    if step and low is None and "exclusiveMinimum" in prop:
        low = prop["exclusiveMinimum"] + step
    if step and high is None and "exclusiveMaximum" in prop:
        high = prop["exclusiveMaximum"] - step
    return low, high


def _input(widget: type[forms.Widget], css: str = "input", type: str | None = None, **attrs: Any) -> forms.Widget:
    made = widget(attrs={"class": css, **attrs})
    if type and isinstance(made, forms.DateTimeInput | forms.DateInput):
        made.input_type = type
        made.format = "%Y-%m-%dT%H:%M" if type == "datetime-local" else "%Y-%m-%d"
    return made


def _with(help_text: str, more: str) -> str:
    return f"{help_text} {more}".strip()


def _is_empty(value: Any) -> bool:
    return value is None or value == "" or value == []


def _plain(value: Any) -> Json:
    return value.isoformat() if isinstance(value, date) else value  # a datetime is a date, and aware here
