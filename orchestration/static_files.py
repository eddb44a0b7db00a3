"""Static files, answered before Django: no session, no database, no thread."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from servestatic import ServeStaticASGI


class StaticFiles(ServeStaticASGI):  # type: ignore[misc]  # servestatic has no types
    def __init__(self, application: Any) -> None:
        """Serve the folder `static` as it is at the start; everything else goes on to the application."""
        super().__init__(
            application, root=settings.BASE_DIR / "static", prefix=settings.STATIC_URL, allow_all_origins=False,
            add_headers_function=_add_headers,
        )  # fmt: skip


def _add_headers(headers: Any, _path: str, _url: str) -> None:
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
