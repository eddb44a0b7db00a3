#!/usr/bin/env python
"""Baton's command line."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "orchestration.settings")
    from django.core.exceptions import ImproperlyConfigured
    from django.core.management import execute_from_command_line

    from orchestration import env, preflight

    try:
        if not env.text("DATABASE_URL"):  # before the settings, which would make keys in a folder that is none
            preflight.require_instance(sys.argv[1:], env.data_folder())
        execute_from_command_line(sys.argv)
    except (ImproperlyConfigured, preflight.CannotStart) as error:
        sys.exit(f"baton: {error}")


if __name__ == "__main__":
    main()
