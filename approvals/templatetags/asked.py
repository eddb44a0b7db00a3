"""How text that people decide by is written into a page."""

from __future__ import annotations

from django import template
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from approvals import visible as characters

register = template.Library()


@register.filter
def visible(text: object) -> SafeString:
    """Write a text with each hidden character as its code point, kept from turning the text around it."""
    return format_html("<bdi>{}</bdi>", format_html_join("", "{}", ((_piece(piece),) for piece in _pieces(text))))


@register.filter
def spelled(text: object) -> str:
    """Give the text plainly, hidden characters by code point: for titles and attributes."""
    return characters.spelled(str(text))


def _pieces(text: object) -> list[characters.Piece]:
    return list(characters.pieces(str(text)))


def _piece(piece: characters.Piece) -> SafeString | str:
    if not piece.code:
        return piece.text
    return format_html('<span class="cp" title="{}">{}</span>', piece.name, piece.code)
