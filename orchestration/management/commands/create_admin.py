"""manage.py create_admin"""

from __future__ import annotations

import os
import secrets
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from orchestration import audit, members
from orchestration.models import Role, User, Workspace

USERNAME = "admin"
ROLES = ("administrator", "approver")  # so that one person alone can try everything, approvals included


class Command(BaseCommand):
    help = (
        "Create the first administrator, admin, and the workspace main, where there is no user yet."
        " The password is BATON_ADMIN_PASSWORD, or one that is made and printed once."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        given = os.environ.get("BATON_ADMIN_PASSWORD", "")
        with transaction.atomic():
            if User.objects.exists():
                self.stderr.write("There are users already: nothing to do.")
                return
            password = given or secrets.token_urlsafe(12)
            self.create(password)
        self.stdout.write(f"Sign in as {USERNAME} with the password " + ("you set." if given else password))

    def create(self, password: str) -> None:
        user = User(username=USERNAME)
        try:
            validate_password(password, user)
        except ValidationError as error:
            raise CommandError(f"BATON_ADMIN_PASSWORD: {' '.join(error.messages)}") from error
        user.set_password(password)
        user.save()
        workspace = Workspace.objects.filter(slug="main").first() or members.create_workspace("main", "Main")
        audit.record(None, "person.created", user, workspace=workspace)
        for role in Role.objects.filter(workspace=workspace, slug__in=ROLES):
            members.add(None, user, role)
