"""Where things stand in a TOML text: the line of every key, and how deep the nesting goes.

A light reader beside the real parser. It only has to be right about texts that parse; on others
it gives up early and the parser says what is wrong.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from ..market.schema.entries import Path, Step

MAX_DEPTH = 32
"""Deepest nesting of tables and lists that a scenario may have."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"(?:[ \t]|#[^\n]*)*")
_GAP = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_SCALAR = re.compile(r"[^,\]\}\n#]*")
_STRING = re.compile(
    r'"""(?:\\.|[^\\])*?"{3,5}|' + r"'''.*?'{3,5}|" + r'"(?:\\.|[^"\\\n])*"|' + r"'[^'\n]*'",
    re.DOTALL,
)  # fmt: skip


class TooDeepError(ValueError):
    """Nesting beyond `MAX_DEPTH`; `line` says where."""

    def __init__(self, line: int) -> None:
        super().__init__(f"nested more than {MAX_DEPTH} levels deep")
        self.line = line


class _GiveUpError(Exception):
    """The text is not what this reader understands."""


@dataclass
class _Reader:
    text: str
    at: int = 0
    lines: dict[Path, int] = field(default_factory=dict)
    last: dict[Path, int] = field(default_factory=dict)  # lists of tables: index of the last
    _counted: int = 0
    _line: int = 1

    def line(self) -> int:
        """Return the line of the place reached, counting on from the last question."""
        self._line += self.text.count("\n", self._counted, self.at)
        self._counted = self.at
        return self._line

    def skip(self, pattern: re.Pattern[str]) -> str:
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _GiveUpError
        self.at = found.end()
        return found[0]

    def take(self, mark: str) -> bool:
        if self.text.startswith(mark, self.at):
            self.at += len(mark)
            return True
        return False

    def key(self) -> Path:
        """Read a dotted key."""
        parts: list[Step] = []
        while True:
            self.skip(_BLANK)
            quoted = self.text[self.at : self.at + 1] in ("'", '"')
            part = self.skip(_STRING if quoted else _BARE)
            parts.append(part[1:-1] if quoted else part)
            if len(parts) > MAX_DEPTH:
                raise TooDeepError(self.line())
            self.skip(_BLANK)
            if not self.take("."):
                return tuple(parts)

    def note(self, path: Path, start: int) -> None:
        """Remember the line of a place and of the tables around it."""
        if len(path) > MAX_DEPTH:
            raise TooDeepError(self.line())
        line = self.line()
        for end in range(start, len(path) + 1):
            self.lines.setdefault(path[:end], line)

    def header(self) -> Path:
        """Read `[table]` or `[[table]]` and return its path, indices included."""
        double = self.take("[[")
        if not double:
            self.take("[")
        path: Path = ()
        key = self.key()
        for i, part in enumerate(key):
            path = (*path, part)
            if double and i == len(key) - 1:
                self.last[path] = self.last.get(path, -1) + 1
            if path in self.last:
                path = (*path, self.last[path])
        if not self.take("]]" if double else "]"):
            raise _GiveUpError
        self.note(path, 1)
        return path

    def pair(self, table: Path) -> None:
        """Read `key = value`."""
        path = table + self.key()
        self.note(path, len(table) + 1)
        if not self.take("="):
            raise _GiveUpError
        self.value(path)

    def value(self, path: Path) -> None:
        """Pass over a value, noting the keys inside."""
        self.skip(_BLANK)
        if len(path) > MAX_DEPTH:
            raise TooDeepError(self.line())
        if self.take("{"):
            self.inside(path, "}")
        elif self.take("["):
            self.inside(path, "]")
        elif self.text[self.at : self.at + 1] in ("'", '"'):
            self.skip(_STRING)
        else:
            self.skip(_SCALAR)

    def inside(self, path: Path, end: str) -> None:
        """Pass over the rest of an inline table or a list."""
        index = 0
        while True:
            self.skip(_GAP)
            if self.take(end):
                return
            if end == "]":
                self.lines.setdefault((*path, index), self.line())
                self.value((*path, index))
            else:
                self.pair(path)
            index += 1
            self.skip(_GAP)
            if not self.take(",") and not self.text.startswith(end, self.at):
                raise _GiveUpError


def find_lines(text: str) -> dict[Path, int]:
    r"""Map each place of a TOML text to the line where it is first written.

    Args:
        text: the whole file.

    Returns:
        Lines, from 1, by path; a path holds keys and indices, as in `("tasks", 0, "deadline")`.

    Raises:
        TooDeepError: the nesting exceeds `MAX_DEPTH`.

    Example:
        >>> find_lines("[[tasks]]\nvalue = {mean = 2.0}\n")[("tasks", 0, "value", "mean")]
        2
    """
    reader = _Reader(text)
    table: Path = ()
    try:
        while True:
            reader.skip(_GAP)
            if reader.at >= len(text):
                break
            if text[reader.at] == "[":
                table = reader.header()
            else:
                reader.pair(table)
    except _GiveUpError:
        pass
    return reader.lines
