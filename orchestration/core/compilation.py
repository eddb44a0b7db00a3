"""Compile one expression: resolve its names, write typed slots over them, let the engine check the rest."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestration.core import cel, guards, names, tokens
from orchestration.core.errors import ExpressionError
from orchestration.core.evaluation import WANTS, Binding, Expression, Presence

_TYPE_WORDS = frozenset(
    {"bool", "int", "uint", "double", "string", "bytes", "list", "map", "null_type", "type"}
)  # names of types, as in `type(x) == string`
_VARIABLE = re.compile(r"[a-z_][A-Za-z0-9_]*")


class Compiler:
    """One compilation: names are resolved and slots written over them, at the same columns."""

    def __init__(
        self, known: Mapping[str, names.Schema], roots: frozenset[str], source: str, wants: str | None
    ) -> None:
        if wants is not None and wants not in WANTS:
            raise ValueError(f"unknown type wanted: {wants}")
        guards.check_length(source)
        self.known, self.roots, self.source, self.wants = known, roots, source, wants
        self.tokens = list(tokens.scan(source))
        self.calls = tokens.calls(self.tokens)
        self.bindings: dict[str, Binding] = {}
        self.presences: dict[tuple[str, ...], Presence] = {}
        self.used: dict[str, int] = {}  # slots taken of each letter
        self.placed: list[tuple[int, str]] = []
        self.text = list(source)

    def compile(self) -> Expression:
        self._check_quotes()
        self._check_variables()
        found = [chain for chain in tokens.chains(self.tokens) if not self._is_local(chain)]
        for chain in found:
            self._place(chain)
        form = guards.shape(self.source, self.tokens, self.calls, self.placed)
        bare = len(found) == 1 and not self.presences and len(self.tokens) == found[0].last - found[0].first + 1
        if bare and self.bindings:
            return self._bare(found[0], form)
        program = cel.compile_slots("".join(self.text))
        self._check_type(program.gives)
        return self._expression(program, form)

    def _expression(self, program: cel.Program | None, form: guards.Shape, rest: tuple[str, ...] = ()) -> Expression:
        presences = tuple(self.presences.values())
        referred = frozenset(self.bindings) | {flag.name for flag in presences}
        bindings = tuple(self.bindings.values())
        return Expression(self.source, referred, self.wants, program, bindings, presences, form, rest)

    def _bare(self, chain: tokens.Chain, form: guards.Shape) -> Expression:
        found = names.resolve(self.known, chain.parts)
        if not found.rest:
            self._check_type(cel.type_name(names.letter(found.schema, found.root)))
        return self._expression(None, form, found.rest)

    def _check_quotes(self) -> None:
        for index, token in enumerate(self.tokens):
            if token.kind == "mark" and token.text in "'\"`":
                raise self._error("this quote is not closed.", index)

    def _check_variables(self) -> None:
        for call in self.calls:
            name = call.variable
            if name is None:
                continue
            if not _VARIABLE.fullmatch(name):
                raise self._error(f"start the loop's variable '{name}' with a small letter.", call.first + 1)
            if name in self.roots:
                raise self._error(f"'{name}' is a name already: give the loop's variable another.", call.first + 1)

    def _is_local(self, chain: tokens.Chain) -> bool:
        """Say whether the chain starts with a loop's variable, or is the name of a type."""
        root = chain.parts[0]
        if root in _TYPE_WORDS and root not in self.roots and len(chain.parts) == 1:
            return True
        return any(call.variable == root and call.first < chain.first < call.last for call in self.calls)

    def _place(self, chain: tokens.Chain) -> None:
        if chain.rooted:
            raise self._error("a name can't start with a dot.", chain.first - 1)
        try:
            found = names.resolve(self.known, chain.parts)
        except names.UnknownName as error:
            raise self._error(str(error), chain.first + 2 * error.part) from error
        self.placed.append((chain.first, found.name))
        presence = self._presence_end(chain)
        if presence is not None:
            self._write(self._presence_slot(found), chain.first - 2, presence)
            return
        count = len(chain.parts) - len(found.rest)
        self._write(self._binding_slot(found), chain.first, chain.first + 2 * (count - 1))

    def _presence_end(self, chain: tokens.Chain) -> int | None:
        """Give the index of the bracket that closes `has(chain)`, where that is what is written."""
        around = [token.text for token in self.tokens[max(chain.first - 2, 0) : chain.first]]
        after = chain.last + 1
        if around != ["has", "("] or after >= len(self.tokens) or self.tokens[after].text != ")":
            return None
        member = chain.first > 2 and self.tokens[chain.first - 3].text == "."
        return None if member or len(chain.parts) == 1 else after

    def _binding_slot(self, found: names.Resolved) -> str:
        if found.name not in self.bindings:
            letter = names.letter(found.schema, found.root)
            convert = guards.moment if letter == "T" else names.converter(found.schema, found.root)
            slot = self._slot(letter)
            self.bindings[found.name] = Binding(found.name, slot, convert, letter == "A")
        return self.bindings[found.name].slot

    def _presence_slot(self, found: names.Resolved) -> str:
        key = (found.name, *found.rest)
        if key not in self.presences:
            nullable = names.allows_null(found.schema, found.root)
            self.presences[key] = Presence(found.name, self._slot("B"), found.rest, nullable)
        return self.presences[key].slot

    def _slot(self, letter: str) -> str:
        index = self.used.get(letter, 0)
        if index >= cel.SLOTS:
            raise ExpressionError(f"the expression refers to too many names (at most {cel.SLOTS} of one type).")
        self.used[letter] = index + 1
        return f"{letter}{index}"

    def _write(self, slot: str, first: int, last: int) -> None:
        """Write a slot over the tokens, spaces after it, so that the columns of the rest stay."""
        start, end = self.tokens[first].start, self.tokens[last].end
        kept = "".join("\n" if mark == "\n" else " " for mark in self.source[start + len(slot) : end])
        self.text[start:end] = [*slot, *kept] if len(slot) <= end - start else [slot, *[""] * (end - start - 1)]

    def _check_type(self, gives: str) -> None:
        if self.wants is None or gives in ("dyn", *WANTS[self.wants][0].split()):
            return
        if self.wants in ("timestamp", "duration") and gives == "string":
            return  # RFC 3339 text; the answer is checked
        raise self._error(f"this must give {WANTS[self.wants][1]}, but it gives {cel.word(gives)}.", 0)

    def _error(self, message: str, index: int) -> ExpressionError:
        offset = self.tokens[min(index, len(self.tokens) - 1)].start if self.tokens else 0
        return ExpressionError(message, *tokens.place(self.source, offset))
