"""HTML by function calls: whatever is not marked as HTML is escaped."""

from collections.abc import Iterable
from html import escape


class Markup(str):
    """Text that is HTML already and is written as it stands."""

    __slots__ = ()


Child = str | None
Attribute = str | int | float | bool | None


def text(child: Child) -> Markup:
    """Return a child as HTML: escaped, unless it is markup."""
    if child is None:
        return Markup()
    return child if isinstance(child, Markup) else Markup(escape(child))


def join(children: Iterable[Child], between: Child = None) -> Markup:
    """Return the children one after another.

    >>> join(["a < b", Markup("<br>")])
    'a &lt; b<br>'
    """
    return Markup(text(between).join(text(child) for child in children))


def element(name: str, *children: Child, **attributes: Attribute) -> Markup:
    """Return one element; ``class_`` is written ``class``, ``aria_label`` is written ``aria-label``.

    >>> element("p", "1 < 2", class_="note", hidden=True)
    '<p class="note" hidden>1 &lt; 2</p>'
    """
    return Markup(f"<{name}{_attributes(attributes)}>{join(children)}</{name}>")


def plain(label: str, longest: int = 28) -> str:
    """Return a label that Plotly draws as it is: no tags, no templates, not too long.

    >>> plain("<b>%{x}</b>")
    '&lt;b&gt;%&#123;x}&lt;/b&gt;'
    """
    short = label if len(label) <= longest else label[: longest - 1] + "…"
    return escape(short, quote=False).replace("{", "&#123;")


def _attributes(attributes: dict[str, Attribute]) -> str:
    present = {key: value for key, value in attributes.items() if value is not None and value is not False}
    return "".join(_attribute(key.rstrip("_").replace("_", "-"), value) for key, value in present.items())


def _attribute(name: str, value: Attribute) -> str:
    return f" {name}" if value is True else f' {name}="{escape(str(value))}"'
