"""The inbox and the page of a request. Opening any of them changes nothing; only the POST of a decision does."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_safe

from approvals import forms, queries, signing_in_anew
from approvals.deciding import decide
from approvals.detail import detail_of
from approvals.models import Decision, Request
from approvals.refusals import Refusal, Unfit
from orchestration.access import Right
from orchestration.web import PageRequest, allowed, is_fragment

SAID = {
    Decision.Verdict.APPROVE: "Approved",
    Decision.Verdict.REJECT: "Rejected",
    Decision.Verdict.HAPPENED: "Recorded as happened",
    Decision.Verdict.TRY_AGAIN: "Will be tried again",
    Decision.Verdict.SKIP: "Skipped",
}


@allowed(Right.VIEW)
@require_safe
def inbox(request: PageRequest) -> HttpResponse:
    """Show the list and, on a wide screen, its first request."""
    tab = _tab(request)
    listing = queries.inbox(request.actor, tab, request.GET.get("cursor"))
    first = queries.find(request.actor, listing.rows[0].id) if listing.rows else None
    context = {"listing": listing, "tab": tab, "is_list": True} | _tabs(request)
    return render(request, "approvals/inbox.html", context | (_detail(request, first) if first else {}))


@allowed(Right.VIEW)
@require_safe
def approval(request: PageRequest, approval: UUID) -> HttpResponse:
    """Show one request beside the list it came from."""
    return _page(request, queries.find(request.actor, approval))


@allowed(Right.DECIDE_APPROVAL)
@require_http_methods(["GET", "HEAD", "POST"])
def decision(request: PageRequest, approval: UUID) -> HttpResponse:
    """Take a decision, then go on to the next request that waits for this person."""
    asked = queries.find(request.actor, approval)
    if request.method != "POST":  # a refused decision stays at this address: opened again, it is the request's page
        return redirect("approval", workspace=request.actor.workspace.slug, approval=asked.pk)
    form = forms.DecisionForm(request.POST)
    try:
        if not form.is_valid():
            raise Unfit(forms.complaints(form))
        said = form.cleaned_data
        made = decide(
            request.actor,
            asked.pk,
            said["verdict"],
            digest=said["digest"],
            comment=said["comment"],
            answer=_answer(asked, said, request),
            via="page",
            signed_in_anew=_is_signed_in_anew(request, said["password"]),
        )
    except Refusal as refusal:
        return _refused(request, asked.pk, refusal)
    return _go_on(request, made)


def _is_signed_in_anew(request: PageRequest, password: str) -> bool:
    return signing_in_anew.confirm(request, password) if password else signing_in_anew.is_fresh(request)


def _answer(asked: Request, said: dict[str, Any], request: PageRequest) -> Any:
    if said["verdict"] == Decision.Verdict.HAPPENED:
        return said["output"]
    if said["verdict"] == Decision.Verdict.APPROVE:
        return forms.answer_of(forms.answer_form(asked.form, request.POST))
    return None


def _refused(request: PageRequest, approval: UUID, refusal: Refusal) -> HttpResponse:
    """Show the request as it is now, with what was wrong and what the person had typed."""
    if not request.user.is_authenticated:
        return redirect("sign-in")
    said = {"refusal": refusal, "comment": request.POST.get("comment", ""), "output": request.POST.get("output", "")}
    return _page(request, queries.find(request.actor, approval), said, status=refusal.status)


def _go_on(request: PageRequest, made: Decision) -> HttpResponse:
    still_open = Request.objects.filter(pk=made.request_id, state=Request.State.OPEN).exists()
    rest = " Others still have to decide." if still_open else ""
    messages.success(request, f"{SAID[Decision.Verdict(made.verdict)]}.{rest}")
    slug, following = request.actor.workspace.slug, queries.next_mine(request.actor)
    if following is None:
        return redirect("approvals", workspace=slug)
    return redirect("approval", workspace=slug, approval=following.pk)


def _page(request: PageRequest, asked: Request, said: dict[str, Any] | None = None, status: int = 200) -> HttpResponse:
    context = _detail(request, asked) | (said or {})
    if is_fragment(request):
        return render(request, "approvals/_detail.html", context, status=status)
    tab = _tab(request)
    context |= {"listing": queries.inbox(request.actor, tab)} | _tabs(request)
    return render(request, "approvals/inbox.html", context, status=status)


def _detail(request: PageRequest, asked: Request) -> dict[str, Any]:
    return {
        "detail": detail_of(request.actor, asked),
        "answer_form": forms.answer_form(asked.form, request.POST),
        "asks_password": asked.risk == "high" and not signing_in_anew.is_fresh(request),
        "tab": _tab(request),
    }


def _tab(request: PageRequest) -> str:
    tab = request.GET.get("tab", "mine")
    return tab if tab in queries.TABS else "mine"


def _tabs(request: PageRequest) -> dict[str, Any]:
    url = reverse("approvals", kwargs={"workspace": request.actor.workspace.slug})
    mine = queries.count_mine(request.actor)
    labels = {"mine": "Mine", "all": "All open", "decided": "Decided"}
    tabs = [
        {"slug": slug, "label": label, "url": f"{url}?tab={slug}", "count": mine if slug == "mine" else None}
        for slug, label in labels.items()
    ]
    return {"tabs": tabs, "open_approvals": mine}
