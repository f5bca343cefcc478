"""HTML in the making: `element` escapes every text that it is given, so that nothing in a script becomes markup."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


Child = str | Markup


def text(child: Child) -> str:
    """A child as HTML."""
    return child if isinstance(child, Markup) else escape(child)


def element(name: str, *children: Child, **attributes: str) -> Markup:
    """An element with its children; attributes are named as in HTML, but with `class_` for class and `_` for `-`, and
    one without a value ("") is only named."""
    named = ""
    for key, value in attributes.items():
        html_name = key.rstrip("_").replace("_", "-")
        named += f' {html_name}="{escape(value)}"' if value else f" {html_name}"
    return Markup(f"<{name}{named}>{''.join(map(text, children))}</{name}>")


def joined(children: Iterable[Child]) -> Markup:
    """Children next to each other."""
    return Markup("\n".join(map(text, children)))
