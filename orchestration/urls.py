"""Every address of Baton. Apps are named by dotted string only."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

from orchestration import api_docs, health, pages, sign_in, web
from orchestration.api import api

handler400 = "orchestration.error_pages.bad_request"
handler403 = "orchestration.error_pages.forbidden"
handler404 = "orchestration.error_pages.not_found"
handler500 = "orchestration.error_pages.server_error"

urlpatterns: list[URLPattern | URLResolver] = [
    path("", web.root, name="root"),
    path("healthz", health.healthz, name="healthz"),
    path("readyz", health.readyz, name="readyz"),
    path("sign-in/", sign_in.sign_in, name="sign-in"),
    path("sign-out/", sign_in.sign_out, name="sign-out"),
    path("docs/problems", api_docs.problems_page, name="problems"),
    path("api/v1/docs", api_docs.page, name="api-docs"),
    path("api/v1/openapi.json", api_docs.document, name="api-document"),
    path("api/v1/", api.urls),
    path("w/<slug:workspace>/tokens/", pages.tokens_page, name="tokens"),
    path("w/<slug:workspace>/tokens/<int:token>/revocation/", pages.revoke_token, name="revoke-token"),
    path("w/<slug:workspace>/audit/", pages.audit_page, name="audit"),
    *(path("w/<slug:workspace>/", include(f"{app}.urls")) for app in ("designer", "runs", "approvals")),
]
