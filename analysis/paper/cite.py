"""BibTeX: of the software, and of what the parts of it that a scenario uses name as their sources.

Only what is known is written: an entry of which the code notes author and year has no title.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from ...agents import catalogue
from ...market.schema.market import Market
from ..report_tables import sources
from .odd import PROTOCOL
from .parts import literature
from .prose import Work

YEAR = "2026"
"""Of the licence."""
TITLE = "walras: a simulator of markets for AI agents"
_TEX = {"&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_", "\\": r"\textbackslash{}",
        "{": r"\{", "}": r"\}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}  # fmt: skip


def bibtex(version: str, market: Market | None = None) -> str:
    """Return entries of the software and, with a market, of the works behind what it uses.

    Example:
        >>> print(bibtex("0.1.0"))
        @software{walras,
          author = {{walras contributors}},
          title = {{walras: a simulator of markets for AI agents}},
          year = {2026},
          version = {0.1.0},
          license = {MIT}
        }
    """
    entries = [_entry("software", "walras", {
        "author": "{walras contributors}", "title": f"{{{TITLE}}}", "year": YEAR,
        "version": _tex(version), "license": "MIT",
    })]  # fmt: skip
    if market is not None:
        entries += [_of_work(work) for work in [*literature(market), PROTOCOL]]
        entries += _data(market)
    return "\n\n".join(entries)


def _of_work(work: Work) -> str:
    fields = {"author": _authors(work.authors), "year": work.year}
    if work.title:
        fields |= {"title": f"{{{_tex(work.title)}}}", "note": _tex(work.rest.removesuffix("."))}
    return _entry("misc", work.key, {k: v for k, v in fields.items() if v})


def _authors(names: str) -> str:
    """Return authors as BibTeX parts them.

    Example:
        >>> _authors("Maskin & Tirole"), _authors("Binmore, K., Shaked, A., Sutton, J.")
        ('Maskin and Tirole', 'Binmore, K. and Shaked, A. and Sutton, J.')
    """
    names, et_al = re.subn(r",? et al\.$", "", names)
    initials = re.findall(r"[^,.&]+?, (?:[^\W\d_a-z]\.[ -]?)+", names.replace(" and ", " "))
    people = [p.strip() for p in (initials or re.split(r", | & | and ", names))]
    return " and ".join([*map(_tex, people), *(["others"] if et_al else [])])


def _data(market: Market) -> list[str]:
    """Return entries of the sources of the catalogue's figures, and of recorded demand."""
    found = []
    for table in sources(market)[:1]:
        about = catalogue.load(market.catalogue)
        found = [
            _entry("misc", f"{about.name}-{_key(key)}", {"title": f"{{{_tex(text)}}}"})
            for key, text in table.rows
        ]
    for task in market.tasks:
        origin = getattr(task.arrivals, "get_from", "")
        if origin:
            fields = {"title": f"{{Recorded arrivals of {_tex(task.name)}}}",
                      "howpublished": _tex(origin)}  # fmt: skip
            found.append(_entry("misc", f"arrivals-{_key(task.name)}", fields))
    return found


def _entry(kind: str, key: str, fields: Mapping[str, str]) -> str:
    lines = ",\n".join(f"  {name} = {{{value}}}" for name, value in fields.items())
    return f"@{kind}{{{key},\n{lines}\n}}"


def _key(text: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")


def _tex(text: str) -> str:
    return "".join(_TEX.get(letter, letter) for letter in text)
