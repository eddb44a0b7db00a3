"""Where things may stand: the walls of the house that import-linter can't see."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.support import tree

RUN_STATE = ("Run", "StepRun", "Attempt", "Event")
RUN_STATE_WRITERS = re.compile(r"runs/(journal|store)\w*\.py")
WRITE_VERBS = {
    "create", "bulk_create", "get_or_create", "update", "update_or_create", "bulk_update", "delete", "save",
    "acreate", "abulk_create", "aget_or_create", "aupdate", "aupdate_or_create", "adelete", "asave",
}  # fmt: skip
RUN_STATE_SQL = re.compile(
    r"(insert\s+into|update|delete\s+from)\s+\"?runs_(run|steprun|attempt|event)\b", re.IGNORECASE
)
SENDERS = {
    "AsyncClient",
    "Client",
    "AsyncHTTPTransport",
    "HTTPTransport",
    "get",
    "post",
    "put",
    "delete",
    "request",
    "stream",
}
HEALTH_CHECK = "orchestration/management/commands/alive.py"  # asks this machine's own web server, nobody else
OTHER_HTTP = {"httpx", "requests", "aiohttp", "urllib.request", "http.client", "urllib3"}
CLOCKS = {
    "datetime.now",
    "datetime.utcnow",
    "datetime.today",
    "date.today",
    "time.time",
    "time.monotonic",
    "timezone.now",
}
CODE_RUNNERS = {"eval", "exec", "compile", "__import__", "pickle", "marshal", "shelve", "dill"}


def found(lines: list[str]) -> str:
    """Show what broke the rule, one place a line."""
    return "\n" + "\n".join(lines)


def matching_calls(files: list[Path], names: set[str]) -> list[str]:
    return [
        f"{file}:{line} {name}"
        for file in files
        for line, name in tree.calls(file)
        if any(name == wanted or name.endswith(f".{wanted}") for wanted in names)
    ]


def test_only_the_journal_and_the_store_write_run_state() -> None:
    others = [file for file in tree.source() if not RUN_STATE_WRITERS.fullmatch(file.as_posix())]

    by_orm = [
        f"{file}:{line} {name}"
        for file in others
        for line, name in tree.calls(file)
        if name.split(".")[0] in RUN_STATE and name.split(".")[-1] in WRITE_VERBS
    ]
    by_sql = [f"{file}: {match[0]}" for file in others for match in RUN_STATE_SQL.finditer(tree.text(file))]

    assert not by_orm + by_sql, found(by_orm + by_sql)


def test_only_the_egress_client_sends_http() -> None:
    others = [
        file for file in tree.source("orchestration", "designer", "runs", "approvals") if file.name != "egress.py"
    ]

    sent = matching_calls(others, {f"httpx2.{name}" for name in SENDERS})
    imported = [
        f"{file} imports {name}"
        for file in others
        if file.as_posix() != HEALTH_CHECK
        for name in sorted(tree.imports(file) & OTHER_HTTP)
    ]

    assert not sent + imported, found(sent + imported)


def test_only_the_egress_client_reveals_a_secret() -> None:
    others = [file for file in tree.source() if file.name != "egress.py"]

    revealed = [
        f"{file}:{line} {name}" for file in others for line, name in tree.calls(file) if name.split(".")[-1] == "reveal"
    ]

    assert not revealed, found(revealed)


def test_only_one_module_knows_the_cel_library() -> None:
    users = [
        str(file) for file in tree.source() if any(name.startswith("cel_expr_python") for name in tree.imports(file))
    ]

    assert len(users) <= 1, found(users)
    assert all(user.startswith("orchestration/core/") for user in users)


def test_only_the_guard_gives_permits() -> None:
    others = [file for file in tree.source() if file.as_posix() != "runs/guard.py"]

    given = [f"{file}:{line}" for file in others for line, name in tree.calls(file) if name.split(".")[-1] == "Permit"]

    assert not given, found(given)


def test_no_signal_carries_domain_logic() -> None:
    users = [
        f"{file} imports {name}"
        for file in tree.source("orchestration", "designer", "runs", "approvals")
        for name in tree.imports(file)
        if name in ("django.dispatch", "django.db.models.signals", "celery.signals")
    ]

    assert not users, found(users)


def test_the_core_and_the_kinds_have_no_clock() -> None:
    read = matching_calls(list(tree.source("orchestration/core", "orchestration/kinds")), CLOCKS)

    assert not read, found(read)


def test_no_code_is_run_from_text_or_pickles() -> None:
    run = [
        f"{file}:{line} {name}"
        for file in tree.source()
        for line, name in tree.calls(file)
        if name.split(".")[0] in CODE_RUNNERS
    ]

    assert not run, found(run)


def test_no_page_or_command_imports_the_model_library_at_start() -> None:
    importers = [
        f"{file}:{node.lineno}"
        for file in tree.source("orchestration", "designer", "runs", "approvals")
        for node in runtime_imports(tree.tree(file))
        if module_of(node).split(".")[0] in ("pydantic_ai", "mcp", "openai", "anthropic", "google")
    ]

    assert not importers, found(importers)


def runtime_imports(module: ast.Module) -> list[ast.Import | ast.ImportFrom]:
    """List the imports that run when the module is loaded: neither in a function nor for type checkers alone."""
    listed: list[ast.Import | ast.ImportFrom] = []
    waiting: list[ast.stmt] = list(module.body)
    while waiting:
        node = waiting.pop()
        if isinstance(node, ast.Import | ast.ImportFrom):
            listed.append(node)
        elif isinstance(node, ast.If) and tree.dotted(node.test).endswith("TYPE_CHECKING"):
            waiting.extend(node.orelse)
        elif isinstance(node, ast.If | ast.Try | ast.ClassDef | ast.With):
            waiting.extend(child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt))
    return listed


def module_of(node: ast.Import | ast.ImportFrom) -> str:
    return node.names[0].name if isinstance(node, ast.Import) else node.module or ""


def test_files_and_functions_stay_small() -> None:
    long_files = [
        f"{file}: {lines} lines"
        for file in tree.files()
        if file.suffix in (".py", ".js", ".html") and not {"vendor", "migrations", "tests"} & set(file.parts)
        if (lines := tree.text(file).count("\n")) > 400
    ]
    long_functions = [
        f"{file}:{node.lineno} {node.name}: {size} lines"
        for file in tree.source()
        for node in ast.walk(tree.tree(file))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (size := (node.end_lineno or node.lineno) - node.lineno + 1) > 50
    ]

    assert not long_files + long_functions, found(long_files + long_functions)


def test_templates_hold_no_style_and_no_script_of_their_own() -> None:
    own = re.compile(
        r"<style\b|\sstyle\s*=|\son[a-z]+\s*=\s*[\"']|javascript:|<script\b(?![^>]*\bsrc=)(?![^>]*application/json)",
        re.IGNORECASE,
    )

    inline = [
        f"{file}:{tree.text(file)[: match.start()].count(chr(10)) + 1} {match[0].strip()}"
        for file in tree.files()
        if file.suffix in (".html", ".svg")
        and "tests" not in file.parts
        and file.parts[0] in ("templates", "designer", "runs", "approvals", "orchestration")
        for match in own.finditer(tree.text(file))
    ]

    assert not inline, found(inline)
