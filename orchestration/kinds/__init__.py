"""The kinds of steps, all named here. Adding one is a file and a line."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module

from orchestration.core.errors import WorkflowError
from orchestration.kinds.approval import Approval
from orchestration.kinds.base import Kind
from orchestration.kinds.branch import Branch
from orchestration.kinds.end import End
from orchestration.kinds.model import ModelStep
from orchestration.kinds.rules import Rules
from orchestration.kinds.set import Set
from orchestration.kinds.start import Start
from orchestration.kinds.tool import ToolStep
from orchestration.kinds.wait import Wait

KINDS: dict[str, Kind] = {
    kind.name: kind for kind in (Start(), ModelStep(), ToolStep(), Rules(), Branch(), Set(), Approval(), Wait(), End())
}


class UnknownKind(WorkflowError):
    """There is no kind of step by this name."""


def get(name: str) -> Kind:
    """Give a kind by its name. Raises UnknownKind."""
    try:
        return KINDS[name]
    except KeyError:
        raise UnknownKind(f"There is no kind `{name}`. Kinds: {', '.join(KINDS)}.") from None


def extend(extra: Mapping[str, str]) -> None:
    """Add kinds by name -> dotted class, for benches and tests. Raises ValueError for a name that is taken.

    Adding the same class again changes nothing.
    """
    for name, dotted in extra.items():
        module, _, attribute = dotted.rpartition(".")
        made = getattr(import_module(module), attribute)()
        if name in KINDS and type(KINDS[name]) is not type(made):
            raise ValueError(f"the kind `{name}` is there already: {type(KINDS[name]).__name__}")
        KINDS[name] = made
