"""Scenario files to markets: read, change, complete, check; all errors at once."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from ..market.schema.entries import Path
from ..market.schema.errors import (
    BadInputError,
    Problem,
    did_you_mean,
    errors_in,
    ordered,
    plain,
    shown,
)
from ..market.schema.faults import Source, from_validation
from ..market.schema.market import Market
from ..market.schema.wording import NAME_PATTERN
from . import library
from .checks import check_contents, impossible_values
from .expand import expand
from .lines import TooDeepError, find_lines
from .lint import lint
from .overrides import Override, apply, parse
from .schema import ROOT
from .traces import check_traces, locate

MAX_BYTES = 1_000_000
"""Largest scenario file."""
_MOST_SYNTAX_ERRORS = 20
_KEY = re.compile(r"""\s*([A-Za-z0-9_."'-]+)\s*=""")


@dataclass(frozen=True)
class Loaded:
    """A scenario that was read.

    Attributes:
        market: the market, files located; None if there are errors.
        problems: errors and warnings, in the order of the file.
        given: the file's text.
        file: the file's name as shown.
        spec: the market as the file states it; `market` differs in the paths of traces only.
    """

    market: Market | None
    problems: list[Problem] = field(default_factory=list)
    given: str = ""
    file: str = ""
    spec: Market | None = None

    def require(self) -> Market:
        """Return the market; raise BadInputError with all errors if there is none."""
        if self.market is None:
            raise BadInputError(errors_in(self.problems))
        return self.market


def load(target: str | os.PathLike[str], overrides: str | Sequence[str] = ()) -> Market:
    """Read a scenario by name or file.

    Args:
        target: a name of the library, as `walras list` shows them, or a TOML file.
        overrides: changes such as `["run.until=2 h", "sellers.deep.price.output=3"]`, or one.

    Returns:
        The market.

    Raises:
        BadInputError: all errors at once.
    """
    return read(target, [overrides] if isinstance(overrides, str) else overrides).require()


def market_of(market: Market | str | os.PathLike[str]) -> Market:
    """Return a market as it is, or that of a scenario's name or file.

    Raises:
        BadInputError: there is no such scenario, or it has errors.
        TypeError: it is neither.
    """
    if isinstance(market, (str, os.PathLike)):
        return load(market)
    if not isinstance(market, Market):
        raise TypeError(f"market is {shown(market)}; give a Market, or a scenario's name or file")
    return market


def read(target: str | os.PathLike[str], overrides: Sequence[str] = ()) -> Loaded:
    """Read a scenario by name or file and return it with all errors and warnings."""
    try:
        path = _find(os.fspath(target))
        text = _text(path)
    except BadInputError as error:
        return Loaded(None, error.problems, file=str(target))
    found = check(text, file=str(target), base=path.parent, overrides=overrides, name=path.stem)
    return Loaded(found.market, found.problems, text, str(target), found.spec)


def data_of_file(target: str | os.PathLike[str]) -> tuple[dict[str, Any], str, FilePath]:
    """Return what a scenario's file holds, as data and as text, and where it is.

    Raises:
        BadInputError: there is none, or its text is not TOML.
    """
    path = _find(os.fspath(target))
    text = _text(path)
    try:
        find_lines(text)
    except TooDeepError as error:
        raise BadInputError([
            Problem("W114", str(error), file=str(target), line=error.line)
        ]) from None  # fmt: skip
    data, problems = _parse(text, str(target))
    if data is None or problems:
        raise BadInputError(problems)
    return data, text, path


def check(
    text: str, *, file: str = "", base: FilePath | None = None, overrides: Sequence[str] = (),
    name: str = "",
) -> Loaded:  # fmt: skip
    """Turn the text of a scenario into a market, or say all that is wrong with it.

    Args:
        text: TOML.
        file: name to show in messages.
        base: folder from which traces are found; they are not looked for when absent.
        overrides: changes such as `"run.until=2 h"`.
        name: name of the scenario if the text gives none.

    Example:
        >>> [p.code for p in check("tasks = 3").problems]
        ['W104', 'W102']
    """
    try:
        lines = find_lines(text)
    except TooDeepError as error:
        return Loaded(None, [Problem("W114", str(error), file=file, line=error.line)])
    data, problems = _parse(text, file)
    broken = bool(problems)
    if data is None:
        return Loaded(None, problems)
    changes = _changes(overrides, problems)
    return _checked(Source(data, file, lines), changes, base, name, problems, broken=broken)


def changed(
    data: Mapping[str, Any], changes: Sequence[Override], *, file: str = "",
    base: FilePath | None = None, name: str = "",
) -> Loaded:  # fmt: skip
    """Turn a scenario's data with some changes into a market, or say all that is wrong.

    Args:
        data: what a file holds, or `toml.data_of` a market; stays as it is.
        changes: each of one place.
        file: name to show in messages.
        base: folder from which traces are found; they are not looked for when absent.
        name: name of the scenario if the data give none.

    Example:
        >>> data = {
        ...     "tasks": [
        ...         {"name": "chat", "arrivals": {"kind": "poisson", "rate": 1.0}, "value": 1}
        ...     ],
        ...     "sellers": [{"name": "one", "accuracy": 1.0}],
        ... }
        >>> found = changed(data, [Override("", "sellers.one.slots", 3)])
        >>> found.require().sellers[0].slots
        3.0
    """
    return _checked(Source(_copied(data), file), changes, base, name, [])


def _copied(value: Any) -> Any:
    """Return plain data that may be changed; what is no table or list stays the same object."""
    if isinstance(value, Mapping):
        return {k: _copied(v) for k, v in value.items()}
    return [_copied(v) for v in value] if isinstance(value, (list, tuple)) else value


def _checked(
    source: Source, changes: Sequence[Override], base: FilePath | None, name: str,
    problems: list[Problem], *, broken: bool = False,
) -> Loaded:  # fmt: skip
    """Apply changes, expand, validate; `broken` tells that lines could not be read."""
    if name and re.match(NAME_PATTERN, name):
        source.data.setdefault("name", name)
    early = [change for change in changes if change.dotted.startswith("catalogue")]
    problems += _apply(early, source)
    problems += expand(source)
    problems += _apply([change for change in changes if change not in early], source)
    market, faults = _validate(source)
    # A line that could not be read may have held what now seems to be missing.
    problems += [p for p in faults if not (broken and p.code in ("W104", "W106"))]
    if base is not None:
        problems += check_traces(source, base)
    if errors_in(problems) or market is None:
        return Loaded(None, ordered(problems))
    located = market if base is None else locate(market, base)
    return Loaded(located, ordered(problems + lint(market, source)), spec=market)


# --- reading -----------------------------------------------------------------------------------


def _find(target: str) -> FilePath:
    known = library.path_of(target)
    if known is not None:
        return known
    path = FilePath(target)
    hint = did_you_mean(target, library.names())
    if path.suffix != ".toml" and len(path.parts) < 2 and (hint or "\0" in target):
        raise _unreadable(target, f"no scenario is called `{plain(target)}`", hint)
    what = "is no file"
    try:
        if path.is_file():
            return path
        what = "is a folder" if path.is_dir() else what
    except (OSError, ValueError):
        pass  # a name no file can have
    hint = hint or "`walras list` shows the scenarios that come with walras"
    raise _unreadable(target, f"`{plain(target)}` {what}", hint)


def _text(path: FilePath) -> str:
    try:
        with path.open("rb") as stream:
            raw = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise _unreadable(str(path), f"cannot be read: {error.strerror}") from None
    if len(raw) > MAX_BYTES:
        raise BadInputError([
            Problem("W114", f"larger than {MAX_BYTES:,} bytes", file=str(path), field="file")
        ])  # fmt: skip
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise BadInputError([
            Problem("W100", "not UTF-8 text", file=str(path), line=line, field="file")
        ]) from None  # fmt: skip


def _unreadable(file: str, message: str, hint: str = "") -> BadInputError:
    return BadInputError([Problem("W100", message, file=file, field="file", hint=hint)])


def _parse(text: str, file: str) -> tuple[dict[str, Any] | None, list[Problem]]:
    """Parse TOML; a line that is wrong is reported, blanked and passed over."""
    problems: list[Problem] = []
    rows = text.splitlines(keepends=True)
    while True:
        try:
            return tomllib.loads("".join(rows)), problems
        except (ValueError, RecursionError) as error:
            line, message = _syntax(error, rows)
            problems.append(Problem("W107", message, file=file, line=line))
            row = rows[line - 1].strip() if line and line <= len(rows) else ""
            if not row or row.startswith("[") or len(problems) >= _MOST_SYNTAX_ERRORS:
                return None, problems
            rows[line - 1] = "\n"  # type: ignore[operator]


def _syntax(error: Exception, rows: Sequence[str]) -> tuple[int | None, str]:
    text = str(error)
    if isinstance(error, RecursionError):
        return None, "nested too deep"
    if "integer string conversion" in text:
        long = [i for i, row in enumerate(rows, 1) if re.search(r"[0-9_]{4000}", row)]
        return (long[0] if long else None), "a number of thousands of digits"
    found = re.search(r" \(at (?:line (\d+), column (\d+)|end of document)\)$", text)
    if found is None:
        return None, plain(text)
    said = plain(text[: found.start()])
    message = f"{said[:1].lower()}{said[1:]}"
    if found[1] is None:
        return len(rows), message
    key = _KEY.match(rows[int(found[1]) - 1]) if "overwrite" in message else None
    if key is not None:
        return int(found[1]), f"`{plain(key[1])}` is given twice"
    return int(found[1]), f"{message} (column {found[2]})"


def _changes(overrides: Sequence[str], problems: list[Problem]) -> list[Override]:
    changes = []
    for text in overrides:
        try:
            changes.append(parse(text))
        except BadInputError as error:
            problems += error.problems
    return changes


def _apply(changes: Sequence[Override], source: Source) -> list[Problem]:
    problems = []
    for change in changes:
        try:
            source.overrides[apply(source.data, change)] = change.option
        except BadInputError as error:
            problems += error.problems
    return problems


# --- checking ----------------------------------------------------------------------------------


def _validate(source: Source) -> tuple[Market | None, list[Problem]]:
    """Return the market, if it is one, and all that is wrong; one problem for each place."""
    found: dict[Path, list[Problem]] = {}
    for path, problem in impossible_values(source):
        found.setdefault(path, []).append(problem)
    barred = set(found)
    for path, problem in check_contents(source):
        found.setdefault(path, []).append(problem)
    market = None
    try:
        market = Market.model_validate(source.data)
    except ValidationError as error:
        for path, problem in from_validation(error, source, ROOT):
            within = any(path[:n] in barred for n in range(len(path) + 1))
            if not within and not (found and not path) and path not in found:
                found[path] = [problem]
    return market, [problem for listed in found.values() for problem in listed]
