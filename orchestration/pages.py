"""The platform's pages: API tokens and the audit log."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from orchestration import access, audit, audit_queries, tokens
from orchestration.access import Right
from orchestration.models import Token
from orchestration.web import PageRequest, allowed

AUDIT_PAGE = 100  # events
LEAST_SCOPES = ("runs:read", "runs:start")


def _input() -> forms.TextInput:
    return forms.TextInput({"class": "input"})


class TokenForm(forms.Form):
    """A token to make: by default it can start runs and read them, for 30 days."""

    name = forms.CharField(
        max_length=100, label="Name", help_text="What will use it, so that you can tell later.", widget=_input()
    )
    scopes = forms.MultipleChoiceField(label="It may", widget=forms.CheckboxSelectMultiple({"class": "box"}))
    days = forms.IntegerField(
        label="Days until it expires",
        min_value=1,
        max_value=tokens.MAX_DAYS,
        initial=tokens.DEFAULT_DAYS,
        widget=forms.NumberInput({"class": "input short"}),
    )

    def __init__(self, *args: Any, grantable: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        scopes = self.fields["scopes"]
        assert isinstance(scopes, forms.MultipleChoiceField)
        scopes.choices = [(scope, scope) for scope in grantable]
        scopes.initial = [scope for scope in LEAST_SCOPES if scope in grantable]


class AuditForm(forms.Form):
    """Filters of the audit log, and the place to read on from."""

    verb = forms.CharField(required=False, max_length=64, label="Act")
    actor = forms.CharField(required=False, max_length=150, label="User name")
    before = forms.IntegerField(required=False, min_value=1, max_value=2**63 - 1)


@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
@allowed(Right.VIEW)
def tokens_page(request: PageRequest) -> HttpResponse:
    """List the tokens; POST makes one and shows its secret, once."""
    actor = request.actor
    form = TokenForm(request.POST or None, grantable=tokens.grantable(actor))
    created: Token | None = None
    secret = ""
    if request.method == "POST" and form.is_valid():
        asked = form.cleaned_data
        try:
            created, secret = tokens.create(actor, actor.workspace, asked["name"], asked["scopes"], asked["days"])
            form = TokenForm(grantable=tokens.grantable(actor))
        except tokens.InvalidToken as error:
            form.add_error(None, str(error))
    context: dict[str, Any] = {
        "form": form,
        "created": created,
        "secret": secret,
        "url": settings.BATON_URL,
        "now": timezone.now(),
    }
    context["tokens"] = [(token, tokens.may_revoke(actor, token)) for token in tokens.visible(actor)]
    return render(request, "orchestration/tokens.html", context, status=422 if form.errors else 200)


@require_POST
@allowed(Right.VIEW)
def revoke_token(request: PageRequest, token: int) -> HttpResponse:
    """Revoke a token of one's own, or anybody's as an administrator."""
    found = access.find(request.actor, Token, pk=token)
    tokens.revoke(request.actor, found)
    messages.success(request, f"Revoked {found.name}.")
    return redirect("tokens", workspace=request.actor.workspace.slug)


@require_safe
@allowed(Right.VIEW_AUDIT)
def audit_page(request: PageRequest) -> HttpResponse:
    """Show what was done in the workspace as sentences, newest first."""
    form = AuditForm(request.GET)
    asked = form.cleaned_data if form.is_valid() else {}
    verb, actor, before = asked.get("verb", ""), asked.get("actor", ""), asked.get("before")
    rows = audit_queries.events(request.actor, verb, actor, before, AUDIT_PAGE + 1)
    shown = rows[:AUDIT_PAGE]
    filters = {key: value for key, value in (("verb", verb), ("actor", actor)) if value}
    context = {
        "form": form,
        "events": [(event, audit.sentence(event), hasattr(event, "seal")) for event in shown],
        "newest": before is None,
        "first": f"?{urlencode(filters)}",
        "older": f"?{urlencode({**filters, 'before': shown[-1].pk})}" if len(rows) > AUDIT_PAGE else "",
        "filtered": bool(filters),
        "verbs": sorted(audit.SENTENCES),
    }
    return render(request, "orchestration/audit.html", context, status=200 if form.is_valid() else 422)
