"""manage.py token USERNAME, or manage.py token revoke PREFIX"""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from orchestration import tokens
from orchestration.access import SCOPES
from orchestration.models import Token, User, Workspace


class Command(BaseCommand):
    help = (
        "Make an API token and print its secret, alone, on standard output."
        " `token revoke PREFIX` revokes one. Deciding approvals and administering must be asked for by --scopes."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("username", help="whose token it is, or the word revoke")
        parser.add_argument("prefix", nargs="?", help="with revoke: the eight characters after bat_")
        parser.add_argument("--scopes", default=",".join(tokens.DEFAULT_SCOPES), help=f"of {', '.join(SCOPES)}")
        parser.add_argument("--days", type=int, default=tokens.DEFAULT_DAYS, help="days until it expires")
        parser.add_argument("--workspace", help="slug; needed where the person is in several")
        parser.add_argument("--name", default="command line")

    def handle(self, *args: Any, **options: Any) -> None:
        if options["username"] == "revoke":
            if not options["prefix"]:
                raise CommandError("Say which token: token revoke PREFIX, the eight characters after bat_.")
            self.revoke(options["prefix"])
        elif options["prefix"]:
            raise CommandError(f"Unexpected word {options['prefix']}: token USERNAME, or token revoke PREFIX.")
        else:
            self.create(options)

    def create(self, options: dict[str, Any]) -> None:
        user = User.objects.filter(username=options["username"]).first()
        if user is None:
            raise CommandError(f"There is no user {options['username']}.")
        scopes = [scope.strip() for scope in options["scopes"].split(",") if scope.strip()]
        workspace = _workspace(user, options["workspace"])
        try:
            token, secret = tokens.create(user, workspace, options["name"], scopes, options["days"])
        except tokens.InvalidToken as error:
            raise CommandError(str(error)) from error
        self.stderr.write(
            f"Token {token.prefix} of {user.username} in {workspace.slug}: {', '.join(token.scopes)};"
            f" expires {token.expires_at:%Y-%m-%d}. It is shown only now."
        )
        self.stdout.write(secret)

    def revoke(self, prefix: str) -> None:
        found = list(Token.objects.filter(prefix=prefix))
        if not found:
            raise CommandError(f"There is no token {prefix}.")
        for token in found:
            tokens.revoke(None, token)
            self.stderr.write(f"Revoked {token}.")


def _workspace(user: User, slug: str | None) -> Workspace:
    """Take the named workspace, or the only one the person is in: there is no default to fall into."""
    mine = Workspace.objects.filter(memberships__user=user).distinct().order_by("slug")
    if slug is None and mine.count() != 1:
        slugs = ", ".join(workspace.slug for workspace in mine) or "none"
        raise CommandError(f"Say which workspace with --workspace. {user.username} is in: {slugs}.")
    workspace = mine.filter(slug=slug).first() if slug else mine.first()
    if workspace is None:
        raise CommandError(f"{user.username} is not in a workspace {slug}.")
    return workspace
