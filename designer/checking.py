"""Read a document and judge it with what its workspace offers: the same for designer, API, command and import."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from designer.kinds import kinds
from designer.places import Place, Places
from designer.registry import catalog
from orchestration.core import canonical, documents
from orchestration.core.definition import Definition, Json
from orchestration.core.errors import InvalidDefinition, InvalidDocument, InvalidValue
from orchestration.core.problems import Problem, errors


@dataclass(frozen=True)
class Document:
    """A document without errors, ready to be stored. `body` is its canonical JSON, what `digest` is the SHA-256 of."""

    definition: Definition
    content: dict[str, Json]
    source: str
    body: str
    digest: str
    execution_hash: str
    warnings: tuple[Problem, ...]


@dataclass(frozen=True)
class Finding:
    """A problem with its place in the text."""

    problem: Problem
    place: Place


def check(workspace_id: int, text: str) -> Document:
    """Read and judge a document. Raises InvalidDefinition with all its problems, one if it can't be read at all."""
    definition, problems = documents.load(text, kinds(), catalog(workspace_id))
    if definition is None or errors(problems):
        raise InvalidDefinition(problems)
    content = documents.read(text)
    body = canonical.canonical(content).decode()
    return Document(
        definition=definition,
        content=content,
        source=text,
        body=body,
        digest=canonical.digest(content),
        execution_hash=canonical.execution_hash(content),
        warnings=tuple(problems),
    )


def findings(workspace_id: int, text: str) -> list[Finding]:
    """List all that is wrong with a text, warnings too, in the order of the text."""
    _, problems = documents.load(text, kinds(), catalog(workspace_id))
    return located(text, problems)


def located(text: str, problems: Iterable[Problem]) -> list[Finding]:
    """Find the places of problems in the text they were found in, in its order."""
    places = Places(text)
    found = [Finding(problem, places.of(problem)) for problem in problems]
    return sorted(found, key=lambda finding: (finding.place.line, finding.place.column))


def decode(data: bytes) -> str:
    """Take a text from bytes, UTF-8 with or without its mark. Raises InvalidDocument with the place."""
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        column = error.start - data.rfind(b"\n", 0, error.start)
        raise InvalidDocument("the document is not UTF-8 text.", line, column) from error


def parse(text: str) -> dict[str, Any]:
    """Read a text as it is, whatever it means. Raises InvalidDocument."""
    return documents.read(text)


def write(document: dict[str, Any]) -> str:
    """Write a document as YAML."""
    return documents.to_yaml(document)


def digest(document: dict[str, Any]) -> str | None:
    """Give the digest of a document, None where it holds what canonical JSON can't."""
    try:
        return canonical.digest(document)
    except InvalidValue:
        return None
