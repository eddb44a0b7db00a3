"""The files of the repository, as git would commit them, and the Python in them."""

from __future__ import annotations

import ast
import functools
import subprocess
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
NOT_OURS = {".git", ".venv", "var", "__pycache__"}  # where a copy without git keeps what is not committed
PACKAGES = ("orchestration", "designer", "runs", "approvals", "samples", "bench", "tools")


@functools.cache
def files() -> tuple[Path, ...]:
    """List every file that is committed or would be, relative to the root; without git, everything but what we make."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if listed.returncode == 0:
        names = [Path(name) for name in listed.stdout.split("\0") if name]
    else:
        names = [file.relative_to(ROOT) for file in ROOT.rglob("*") if not NOT_OURS & set(file.parts)]
    return tuple(sorted(name for name in names if (ROOT / name).is_file()))


def source(*folders: str) -> Iterator[Path]:
    """List our Python files in these folders (all packages by default), without migrations and tests."""
    wanted = folders or PACKAGES
    for file in files():
        if file.suffix == ".py" and "migrations" not in file.parts and file.as_posix().startswith(wanted):
            yield file


def text(file: Path) -> str:
    return (ROOT / file).read_text(encoding="utf-8", errors="replace")


@functools.cache
def tree(file: Path) -> ast.Module:
    return ast.parse(text(file), filename=str(file))


def imports(file: Path) -> set[str]:
    """Name every module that the file imports, wherever in it, and what it takes (`a.b` for `from a import b`)."""
    names: set[str] = set()
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            names.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module)
            names.update(f"{node.module}.{alias.name}" for alias in node.names)
    return names


def calls(file: Path) -> Iterator[tuple[int, str]]:
    """Give line and dotted name of every call in the file; a call on a call's result keeps the chain of names."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Call):
            yield node.lineno, dotted(node.func)


def dotted(node: ast.expr) -> str:
    match node:
        case ast.Name(id=name):
            return name
        case ast.Attribute(value=value, attr=name):
            return f"{dotted(value)}.{name}"
        case ast.Call(func=function):
            return dotted(function)
        case _:
            return ""
