"""The ASGI application that web servers load."""

from __future__ import annotations

import os

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.settings")
django.setup(set_prefix=False)

from orchestration.body_limit import BodyLimit  # noqa: E402 - needs the settings
from orchestration.handler import ThreadedHandler  # noqa: E402
from orchestration.static_files import StaticFiles  # noqa: E402

application = StaticFiles(BodyLimit(ThreadedHandler()))
