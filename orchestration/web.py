"""What every page stands on: who acts in which workspace, who may, and what the frame around a page shows."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache, wraps
from typing import Any, cast

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.module_loading import import_string
from django_htmx.http import HttpResponseClientRedirect, trigger_client_event

from orchestration import access, tokens
from orchestration.access import Actor, Missing, Right
from orchestration.api_errors import for_status
from orchestration.models import User, Workspace

View = Callable[..., HttpResponse]

# The only views that answer people who are not signed in. Functions, never paths: a path can be spelt in many ways.
PUBLIC_VIEWS = (
    "orchestration.health.healthz",
    "orchestration.health.readyz",
    "orchestration.sign_in.sign_in",
    "orchestration.sign_in.sign_out",
    "orchestration.api_docs.problems_page",
)
# Views that a token opens as well as a session, in place of a sign-in.
TOKEN_VIEWS = ("orchestration.api_docs.document", "orchestration.api_docs.page")
API_NAMESPACE = "api"  # of the resolved operation, not of the path: operations authenticate by token themselves


class PageRequest(HttpRequest):
    """A request of a page under /w/<workspace>/ after ActorMiddleware: for type annotations of views."""

    actor: Actor
    htmx: Any


class ActorMiddleware:
    """Let nobody in by default, and give each page of a workspace its actor."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        request.actor = None  # type: ignore[attr-defined]
        response = self.get_response(request)
        if _is_operation(request):
            return for_status(response)
        return _with_page(request, response) if response.status_code == 405 else response

    def process_view(
        self, request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]
    ) -> HttpResponse | None:
        if _is_operation(request):
            return _as_get(request, view, args, kwargs) if request.method == "HEAD" else None
        if view in views_named(PUBLIC_VIEWS):
            return None
        if view in views_named(TOKEN_VIEWS) and authenticated_by_token(request):
            return None
        if not request.user.is_authenticated:
            return ask_to_sign_in(request)
        if "workspace" in kwargs:
            request.actor = actor_of(request.user, kwargs.pop("workspace"))  # type: ignore[attr-defined]
            if not hasattr(view, "right"):
                raise PermissionDenied("This page does not say which right it needs, so nobody may open it.")
        return None


@cache
def views_named(names: tuple[str, ...]) -> frozenset[View]:
    """Resolve dotted names to the functions themselves."""
    return frozenset(import_string(name) for name in names)


def authenticated_by_token(request: HttpRequest) -> bool:
    """Tell whether the request carries a valid API token."""
    scheme, _, secret = request.headers.get("Authorization", "").partition(" ")
    return scheme.lower() == "bearer" and tokens.authenticate(secret) is not None


def ask_to_sign_in(request: HttpRequest) -> HttpResponse:
    """Send the person to the sign-in page and back; a fragment takes the whole window there."""
    if is_fragment(request):
        return HttpResponseClientRedirect(redirect_to_login(request.htmx.current_url_abs_path or "/").url)  # type: ignore[attr-defined]
    return redirect_to_login(request.get_full_path())


def actor_of(user: User, slug: str) -> Actor:
    """Find the person's actor in a workspace; a stranger's workspace is as missing as one that does not exist."""
    workspace = Workspace.objects.filter(slug=slug, memberships__user=user).first()
    if workspace is None:
        raise Missing("Nothing here by that name.")
    return Actor(user=user, workspace=workspace)


def allowed(right: Right) -> Callable[[View], View]:
    """Let a view be opened only by those who hold the right; the view remembers it for the matrix test."""

    def decorate(view: View) -> View:
        @wraps(view)
        def checked(request: PageRequest, *args: Any, **kwargs: Any) -> HttpResponse:
            access.require(request.actor, right)
            return view(request, *args, **kwargs)

        checked.right = right  # type: ignore[attr-defined]
        return checked

    return decorate


def is_fragment(request: HttpRequest) -> bool:
    """Tell whether htmx asks for a part of a page (a boosted link or a restored page is a whole one)."""
    htmx: Any = getattr(request, "htmx", None)
    return bool(htmx) and not htmx.boosted and not htmx.history_restore_request


def toast(response: HttpResponse, text: str) -> HttpResponse:
    """Show a short note about the result of the person's own act."""
    return trigger_client_event(response, "toast", {"text": text})


def conflict(request: HttpRequest, message: str) -> HttpResponse:
    """Answer that something changed meanwhile and nothing was done."""
    template = "errors/_409.html" if is_fragment(request) else "errors/409.html"
    return render(request, template, {"message": message}, status=409)


def frame(request: HttpRequest) -> dict[str, Any]:
    """Give the base templates the actor: whose page it is and what they may open."""
    return {"actor": getattr(request, "actor", None)}


def root(request: HttpRequest) -> HttpResponse:
    """Go to the home of the person's first workspace."""
    workspace = Workspace.objects.filter(memberships__user=cast(User, request.user)).order_by("slug").first()
    if workspace is None:
        raise PermissionDenied("You are not a member of any workspace yet.")
    return redirect("home", workspace=workspace.slug)


def _with_page(request: HttpRequest, refused: HttpResponse) -> HttpResponse:
    """Say on a page that an address only takes forms: somebody opened it from a bookmark or a restored tab."""
    page = render(request, "errors/405.html", status=405)
    page["Allow"] = refused["Allow"]
    return page


def _as_get(request: HttpRequest, view: View, args: tuple[Any, ...], kwargs: dict[str, Any]) -> HttpResponse:
    """Answer HEAD as GET is answered; the server leaves the body out. ninja itself knows only the declared methods."""
    request.method = "GET"
    try:
        return view(request, *args, **kwargs)
    finally:
        request.method = "HEAD"


def _is_operation(request: HttpRequest) -> bool:
    match = request.resolver_match
    return bool(match and match.namespaces[:1] == [API_NAMESPACE])
