"""What the documentation of code says, as Markdown, and the literature that it names."""

from __future__ import annotations

import inspect
import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass

from ...market.schema.errors import plain

_SECTION = re.compile(r"(Example|Examples|Args|Attributes|Returns|Raises|Yields|Sources?):\s*")
_SURNAME = r"(?:(?:de|van|von) )?[A-ZÀ-Ž][\w’-]+"
_MENTION = re.compile(
    rf"({_SURNAME}(?:, {_SURNAME})*(?:,? (?:&|and) {_SURNAME})?(?: et al\.)?) "
    r"\(?((?:1[6-9]|20)[0-9]{2})\b"
)
_FULL = re.compile(rf"{_SURNAME}, [A-ZÀ-Ž]\.")
_DATED = re.compile(r"(.+?) \(([0-9]{4})\)\. (.+)", re.DOTALL)
_NOBODY = {
    "January", "February", "March", "April", "May", "June", "July", "August", "September",
    "October", "November", "December", "In", "Since", "Of", "By", "Until", "Azure",
}  # fmt: skip
"""What stands before a year and wrote nothing."""


@dataclass(frozen=True, order=True)
class Work:
    """Something that was written.

    Attributes:
        authors: as cited, such as "Maskin & Tirole", or with initials where `title` is known.
        year: when.
        title: of the article or book; empty where only authors and year are noted.
        rest: where it appeared.
    """

    authors: str
    year: str
    title: str = ""
    rest: str = ""

    @property
    def key(self) -> str:
        """First author and year in small letters.

        Example:
            >>> Work("de Palma & Thisse", "1992").key
            'de-palma-1992'
        """
        first = re.split(r",| & | and | et al", self.authors)[0]
        bare = unicodedata.normalize("NFKD", first.lower()).encode("ascii", "ignore").decode()
        return f"{re.sub('[^a-z]+', '-', bare).strip('-')}-{self.year}"

    @property
    def cited(self) -> str:
        """As it stands in a list of references."""
        parts = [f"{self.authors} ({self.year})", self.title, self.rest.removesuffix(".")]
        return ". ".join(part for part in parts if part) + "."


def inline(text: str, longest: int = 1000) -> str:
    r"""Return a text of a scenario that Markdown prints as it is, on one line.

    Example:
        >>> print(inline("a|b <i>"))
        a\|b \<i>
    """
    told = plain(" ".join(text.split()), longest)
    for sign in ("\\", "|", "<", "`", "*", "_", "["):
        told = told.replace(sign, f"\\{sign}")
    return told


def markdown(of: object) -> str:
    """Return the documentation of a module, class or function; "" if it has none.

    Without examples, arguments and sources. What is indented, formulas above all, becomes a block.

    Example:
        >>> def double(x):
        ...     '''Return twice x.
        ...
        ...       y = 2·x
        ...
        ...     Args:
        ...         x: any number.
        ...     '''
        >>> print(markdown(double))
        Return twice x.
        <BLANKLINE>
            y = 2·x
    """
    parts = [_part(part) for part in _paragraphs(_kept(_lines(of)))]
    return "\n\n".join(part for part in parts if part)


def works(texts: Iterable[object]) -> list[Work]:
    """Return the literature that texts, or the documentation of code, name, by author.

    Example:
        >>> works(["Search after Weitzman (1979); as in Maskin & Tirole 1988, part II."])
        [Work(authors='Maskin & Tirole', year='1988', ...), Work(authors='Weitzman', ...)]
    """
    full: dict[str, Work] = {}
    named: dict[str, Work] = {}
    for of in texts:
        lines = _lines(of)
        for work in _listed(lines):
            full[work.key] = work
        for found in _MENTION.finditer(" ".join(" ".join(lines).split())):
            first = found[1].split(",")[0].split(" ")[0]
            if first not in _NOBODY:
                work = Work(found[1], found[2])
                named.setdefault(work.key, work)
    return sorted((named | full).values(), key=lambda w: (w.key, w))


def _lines(of: object) -> list[str]:
    if isinstance(of, str):
        return inspect.cleandoc(of).splitlines()
    own = of.__doc__ if inspect.ismodule(of) or inspect.isroutine(of) else vars(of).get("__doc__")
    return inspect.cleandoc(own or "").splitlines()


def _kept(lines: list[str]) -> list[str]:
    """Return lines outside of the sections that are about calling the code."""
    kept, inside = [], False
    for line in lines:
        if _SECTION.fullmatch(line):
            inside = True
        elif inside and line and not line.startswith(" "):
            inside = False
        if not inside and not line.lstrip().startswith(">>>"):
            kept.append(line)
    return kept


def _paragraphs(lines: list[str]) -> list[list[str]]:
    parts: list[list[str]] = [[]]
    for line in lines:
        if line.strip():
            parts[-1].append(line.rstrip())
        elif parts[-1]:
            parts.append([])
    return [part for part in parts if part]


def _part(lines: list[str]) -> str:
    """Return a paragraph as it is, and what is indented from its start as a block."""
    if all(line.startswith("  ") for line in lines):
        shift = min(len(line) - len(line.lstrip()) for line in lines)
        return "\n".join(f"    {line[shift:]}" for line in lines)
    return "\n".join(lines)


def _listed(lines: list[str]) -> list[Work]:
    """Return the works of a section `Sources`."""
    entries: list[str] = []
    inside = False
    for line in lines:
        if re.fullmatch(r"Sources?:\s*", line):
            inside = True
        elif inside and line.startswith(" "):
            text = line.strip()
            if _FULL.match(text) or not entries:
                entries.append(text)
            else:
                entries[-1] += f" {text}"
        elif line.strip():
            inside = False
    return [work for entry in entries if (work := _work(entry))]


def _work(entry: str) -> Work | None:
    dated = _DATED.fullmatch(entry)
    if dated is None:
        return None
    title, _, rest = dated[3].partition(". ")
    return Work(dated[1], dated[2], title.rstrip("."), rest)
