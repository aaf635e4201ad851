"""The parameter table of a scenario: what every field is set to, and what the schema says of it."""

from __future__ import annotations

from typing import Any

from ...market.schema.market import Market
from ...scenarios.explain import explained
from ...scenarios.schema import entry_at
from ..report_tables import as_text, leaves

_LISTS = ("tasks", "sellers", "events")
_MOST = 12
HEAD = ("field", "value", "unit", "default", "range", "meaning", "source")

Row = tuple[str, ...]


def parameters(market: Market) -> dict[str, list[Row]]:
    """Return rows by part of the market, with the columns of `HEAD`.

    What all task classes or all sellers have alike stands once; otherwise each value is told with
    the name of who has it.

    Example:
        >>> from ...scenarios.load import load
        >>> dict((row[0], row[1:4]) for row in parameters(load("mm1"))["run"])["until"]
        ('1052632', 'seconds', '3600')
    """
    data = market.model_dump()
    values: dict[tuple[str, str], dict[str, Any]] = {}
    entries: dict[tuple[str, str], Any] = {}
    for leaf, value in leaves(data):
        path, entry = leaf, entry_at(leaf, data)
        if path[-1] == "kind" and len(path) > 1:  # of one of several tables: what may stand there
            path, entry = path[:-1], entry_at(path[:-1]) or entry
        if entry is None or (path[-1] == "name" and len(path) in (1, 3)):  # of whom, not what
            continue
        part, place, who = _place(path, data)
        values.setdefault((part, place), {})[who] = value
        entries[part, place] = entry
    rows: dict[str, list[Row]] = {}
    for (part, place), held in values.items():
        said = explained(place, entries[part, place])
        told = _shared(held, _named(part, data))
        row = (place, told, said.unit, said.default, said.allowed, said.meaning, said.source)
        rows.setdefault(part, []).append(row)
    return rows


def _place(path: tuple[str | int, ...], data: Any) -> tuple[str, str, str]:
    """Return of which part a field is, where in it, and of whom in a list."""
    first, rest = str(path[0]), path[1:]
    if not rest:
        return "market", first, ""
    if first not in _LISTS:
        return first, ".".join(map(str, rest)), ""
    return first, ".".join(map(str, rest[1:])), _who(first, int(rest[0]), data)


def _who(part: str, i: int, data: Any) -> str:
    item = data[part][i]
    return str(item.get("name") or f"{i + 1} ({item.get('kind')})")


def _named(part: str, data: Any) -> list[str]:
    if part not in _LISTS:
        return [""]
    return [_who(part, i, data) for i in range(len(data[part]))]


def _shared(held: dict[str, Any], everybody: list[str]) -> str:
    """Return a value that all have, or who has which."""
    by: dict[str, list[str]] = {}
    for who, value in held.items():
        by.setdefault(as_text(value), []).append(who)
    if len(by) == 1 and len(held) == len(everybody):
        return next(iter(by))
    parts = [f"{value} ({_list(who)})" for value, who in by.items()]
    return "; ".join(parts)


def _list(names: list[str]) -> str:
    more = len(names) - _MOST
    return ", ".join(names[:_MOST]) + (f" and {more} more" if more > 0 else "")
