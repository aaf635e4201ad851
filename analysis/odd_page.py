"""The ODD description as a part of a page: the little Markdown that it is written in, as HTML."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from ..market.schema.market import Market
from .figures.template import printable
from .paper.odd import odd

_CELL = re.compile(r"(?<!\\)\|")
_MARK = re.compile(r"\\(.)|`([^`]*)`")
_PARAMETERS = re.compile(r"### Parameters\n.*?(?=\n### |\n## |\Z)", re.DOTALL)
_ABOVE = "### Parameters\n\nThey stand above, in the section of this name."


def described(market: Market) -> Markup:
    r"""Return the ODD description of a market as HTML, without the parameters that a report shows.

    Example:
        >>> from ..scenarios.load import load
        >>> str(described(load("mm1")))[:45]
        '<h4>1 Purpose and patterns</h4>\n<p>Does the s'
    """
    text = _PARAMETERS.sub(lambda _: _ABOVE, odd(market))
    return html_of(text[max(text.find("\n## "), 0) :])


def html_of(text: str) -> Markup:
    r"""Return headings, paragraphs, lists, tables and blocks of Markdown as HTML.

    Example:
        >>> print(html_of("## A\n\n- b `c`\n- a\\*d <i>"))
        <h4>A</h4>
        <ul><li>b <code>c</code></li><li>a*d &lt;i&gt;</li></ul>
    """
    blocks = (block for block in re.split(r"\n\s*\n", text) if block.strip())
    return Markup("\n").join(_block(block.strip("\n")) for block in blocks)


def _block(text: str) -> Markup:
    lines = text.split("\n")
    if lines[0].startswith("#"):
        level = min(len(lines[0]) - len(lines[0].lstrip("#")) + 2, 6)
        name = _inline(lines[0].lstrip("# "))
        return Markup("<h{0}>{1}</h{0}>").format(level, name)
    if lines[0].startswith("| "):
        return _table(lines)
    if lines[0].startswith("- "):
        items = re.split(r"\n- ", text[2:])
        return _wrapped("ul", Markup().join(_wrapped("li", _inline(item)) for item in items))
    if all(line.startswith("    ") for line in lines):
        return _wrapped("pre", escape("\n".join(printable(line[4:]) for line in lines)))
    return _wrapped("p", _inline(text))


def _table(lines: list[str]) -> Markup:
    rows = []
    for i, line in enumerate(lines):
        if i != 1:  # the rule below the head
            cells = (
                c.strip() for c in _CELL.split(line.strip().removeprefix("|").removesuffix("|"))
            )
            name = "td" if i else "th"
            rows.append(_wrapped("tr", Markup().join(_wrapped(name, _inline(c)) for c in cells)))
    table = Markup('<table class="words">{}</table>').format(Markup().join(rows))
    return Markup('<div class="scroll">{}</div>').format(table)


def _wrapped(tag: str, inside: Markup) -> Markup:
    return Markup("<{0}>{1}</{0}>").format(tag, inside)


def _inline(text: str) -> Markup:
    """Return text on one line, signs as they were before they were escaped, code as code."""
    text, out, last = " ".join(text.split()), Markup(), 0
    for found in _MARK.finditer(text):
        out += escape(printable(text[last : found.start()]))
        last = found.end()
        sign, code = found.groups()
        out += escape(sign) if code is None else _wrapped("code", escape(printable(code)))
    return out + escape(printable(text[last:]))
