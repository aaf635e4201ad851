"""The schema of a scenario file, which is that of a market."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ..market.schema.entries import Entry, Step, below, descend
from ..market.schema.market import Market

ROOT = Entry(path=(), types=(Market,))


def entry_at(path: Sequence[Step], data: Any = None) -> Entry | None:
    """Return what the schema says of a place in a file's data, or None if there is none.

    Example:
        >>> entry = entry_at(("tasks", 0, "deadline"))
        >>> entry.unit, entry.lasts
        ('s', True)
    """
    return descend(ROOT, path, data)


def every_entry() -> Iterator[tuple[str, Entry]]:
    """Yield every field: its dotted path with kinds (`tasks.lateness.linear.grace`) and its entry.

    The entry's own path leaves kinds out.
    """
    return below(ROOT)
