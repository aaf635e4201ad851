"""Take out of texts what tells of the machine they were written on: absolute paths."""

from __future__ import annotations

import re
import shlex
import tempfile
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ...scenarios.result import rows_of

TEXTS = (".json", ".toml", ".html", ".txt", ".csv", ".svg", ".md")


def bare_command(command: str) -> str:
    """Return a command with names of files in place of absolute paths.

    Example:
        >>> bare_command("walras run /some/where/my.toml --set tasks.a.arrivals.file=/x/t.csv")
        'walras run my.toml --set tasks.a.arrivals.file=t.csv'
    """
    return shlex.join(_bare(word) for word in _words(command))


class Scrubber:
    """Shortens the paths of this machine, and those of some commands, wherever they stand.

    Args:
        folder: of results; where it lies is nobody's business.
        commands: whose absolute paths are shortened to names of files.
    """

    def __init__(self, folder: Path, commands: Iterable[str]) -> None:
        words = [path for command in commands for word in _words(command)
                 if (path := word.rpartition("=")[2]).startswith("/")]  # fmt: skip
        swaps = {path: Path(path).name for path in words if Path(path).name}
        roots = [Path.home(), Path.cwd(), folder.resolve().parent, Path(tempfile.gettempdir())]
        for root in roots:
            if len(root.parts) > 1:
                swaps.setdefault(f"{root}/", "")
                swaps.setdefault(str(root), ".")
        longest = sorted(swaps.items(), key=lambda swap: -len(swap[0]))
        self._swaps = [(_place(path), name) for path, name in longest]

    def text(self, text: str) -> str:
        """Return a text without paths of this machine."""
        for path, name in self._swaps:
            text = path.sub(lambda _, name=name: name, text)  # type: ignore[misc]
        return text

    def file(self, name: str, content: bytes) -> bytes:
        """Return the bytes of a file without them; those of tables and pictures as they are."""
        if Path(name).suffix not in TEXTS:
            return content
        try:
            return self.text(content.decode("utf-8")).encode()
        except UnicodeDecodeError:
            return content

    def failures(self, content: bytes) -> bytes:
        """Return a sweep's table of failures without them: its commands name its folder."""
        table = rows_of(pa.BufferReader(content))
        for name in ("reason", "command"):
            texts = [self.text(text) for text in table[name].to_pylist()]
            at = table.column_names.index(name)
            table = table.set_column(at, table.schema.field(name), pa.array(texts, pa.string()))
        out = pa.BufferOutputStream()
        pq.write_table(table, out, compression="zstd")
        return bytes(out.getvalue())


def _place(path: str) -> re.Pattern[str]:
    """Return what finds a path where it is one, and no part of another or of a program."""
    after = "" if path.endswith("/") else r"(?![\w.-])"
    return re.compile(rf"(?:(?<=file://)|(?<![\w.~/-])){re.escape(path)}{after}")


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def _bare(word: str) -> str:
    name, sign, value = word.rpartition("=")
    return f"{name}{sign}{Path(value).name}" if value.startswith("/") else word
