"""manage.py workflows validate|push|list: workflow files from the command line and from CI."""

from __future__ import annotations

from argparse import ArgumentParser
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import transaction

from designer import checking, publishing, queries
from designer.checking import Finding
from designer.publishing import PushResult
from designer.refusals import Refusal
from orchestration.access import Actor, Forbidden
from orchestration.core.errors import InvalidDefinition, InvalidDocument
from orchestration.core.problems import Problem
from orchestration.models import User, Workspace

PROBLEMS, UNUSABLE = 1, 2  # exit codes; 0 is success


@dataclass(frozen=True)
class File:
    """A file as it was read: its name as it was given, and its text."""

    name: str
    text: str


class Command(BaseCommand):
    help = (
        "Validate workflow files, publish them, or list the workflows. Exit codes: 0 done, 1 the files have problems"
        " (one a line), 2 a file or a name can't be used. With several files it is all of them or none."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        acts = parser.add_subparsers(dest="act", required=True, metavar="validate|push|list")
        validate = acts.add_parser("validate", help="judge files with the workspace's tools and models; change nothing")
        push = acts.add_parser("push", help="publish files and make them live")
        listing = acts.add_parser("list", help="list the workflows and their live versions")
        for act in (validate, push):
            act.add_argument("files", nargs="+", metavar="FILE", help="YAML or JSON")
        for act in (validate, push, listing):
            act.add_argument("--workspace", default="main", help="slug of the workspace (main)")
        push.add_argument("--slug", help="name in addresses; the file's name without its ending unless given")
        push.add_argument("--note", default="", help="what changed, for the list of versions")
        push.add_argument("--as", dest="username", metavar="USERNAME", help="who publishes; the system unless given")

    def handle(self, *args: Any, **options: Any) -> None:
        workspace = _workspace(options["workspace"])
        match options["act"]:
            case "list":
                self.show_list(workspace)
            case "validate":
                self.validate(workspace, _read(options["files"]))
            case "push":
                self.push(workspace, _read(options["files"]), options)

    def show_list(self, workspace: Workspace) -> None:
        for workflow in queries.workflows(workspace):
            live = f"v{workflow.live.number}" if workflow.live else "-"
            off = "" if workflow.enabled else "  disabled"
            self.stdout.write(f"{workflow.slug}  {live}  {workflow.name}{off}")

    def validate(self, workspace: Workspace, files: list[File]) -> None:
        bad = 0
        for file in files:
            found = checking.findings(workspace.pk, file.text)
            self._show(file, found)
            bad += any(finding.problem.severity == "error" for finding in found)
        if bad:
            raise CommandError(_count(bad, "file") + " can't be published.", returncode=PROBLEMS)
        self.stdout.write(f"{_count(len(files), 'file')} checked, no errors.")

    def push(self, workspace: Workspace, files: list[File], options: dict[str, Any]) -> None:
        if options["slug"] and len(files) > 1:
            raise CommandError("--slug names one workflow: push one file with it.", returncode=UNUSABLE)
        actor = _actor(workspace, options["username"])
        wrong = False
        pushed: list[PushResult] = []
        with transaction.atomic():
            for file in files:
                result = self._push(actor, workspace, file, options)
                wrong |= result is None
                pushed += [result] if result else []
            if wrong:
                transaction.set_rollback(True)
        if wrong:
            raise CommandError("Nothing was published.", returncode=PROBLEMS)
        for result in pushed:
            self.stdout.write(_said(result))

    def _push(
        self, actor: Actor | None, workspace: Workspace, file: File, options: dict[str, Any]
    ) -> PushResult | None:
        """Push one file; None where it has errors, which are shown."""
        slug = options["slug"] or Path(file.name).stem
        try:
            result = publishing.push(actor, workspace, file.text, slug=slug, note=options["note"])
        except InvalidDefinition as error:
            self._show(file, checking.located(file.text, error.problems))
            return None
        except (Refusal, Forbidden) as refusal:
            raise CommandError(f"{file.name}: {refusal}", returncode=UNUSABLE) from refusal
        self._show(file, checking.located(file.text, result.problems))
        return result

    def _show(self, file: File, found: list[Finding]) -> None:
        for finding in found:
            place = f"{file.name}:{finding.place.line}:{finding.place.column}"
            self.stdout.write(f"{place} {described(finding.problem)}")


def described(problem: Problem) -> str:
    """Write a problem on one line: `step.field: message (fix)`."""
    where = ".".join(filter(None, (problem.step, problem.field))) or "document"
    fix = f" ({problem.fix})" if problem.fix else ""
    warning = "warning: " if problem.severity == "warning" else ""
    return " ".join(f"{where}: {warning}{problem.message}{fix}".split())


def _said(result: PushResult) -> str:
    what = "published" if result.added else "unchanged, made live"
    return f"{result.workflow.slug} v{result.version.number} {what}"


def _read(names: list[str]) -> list[File]:
    """Read all files before anything is judged. Raises CommandError for what is no text file."""
    files = []
    for name in names:
        try:
            files.append(File(name, checking.decode(Path(name).read_bytes())))
        except OSError as error:
            raise CommandError(f"{name}: {error.strerror}.", returncode=UNUSABLE) from error
        except InvalidDocument as error:
            raise CommandError(f"{name}:{error.line}:{error.column} {error}", returncode=UNUSABLE) from error
    return files


def _workspace(slug: str) -> Workspace:
    found = Workspace.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(Workspace.objects.order_by("slug").values_list("slug", flat=True)) or "none"
        raise CommandError(f"There is no workspace {slug}; there is: {known}.", returncode=UNUSABLE)
    return found


def _actor(workspace: Workspace, username: str | None) -> Actor | None:
    if username is None:
        return None
    user = User.objects.filter(username=username).first()
    if user is None:
        raise CommandError(f"There is no user {username}.", returncode=UNUSABLE)
    return Actor(user=user, workspace=workspace)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
