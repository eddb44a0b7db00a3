"""The ASGI application that web servers load."""

from __future__ import annotations

import os

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.settings")
django_application = get_asgi_application()

from orchestration.body_limit import BodyLimit  # noqa: E402 - needs the settings

application = BodyLimit(django_application)
