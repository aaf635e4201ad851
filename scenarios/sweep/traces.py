"""Recorded traces that the runs of a sweep replay: what they hold tells sweeps apart."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..traces import find
from .job import Base
from .spec import Design


def contents(base: Base, design: Design) -> dict[str, str]:
    """Return the digest of each trace by its name; of one that is not there, nothing.

    Example:
        >>> data = {"tasks": [{"arrivals": {"kind": "replay", "file": "none.csv"}}]}
        >>> contents(Base(data), Design())
        {'none.csv': ''}
    """
    changed = [*design.constants.items(), *((p, v) for p, vs in design.levers.items() for v in vs)]
    names = {*_named("", base.data), *(n for path, v in changed for n in _named(path, v))}
    return {name: _digest(find(name, Path(base.folder))) for name in sorted(names)}


def places(base: Base) -> dict[str, str]:
    """Return where the scenario's own traces are, absolute, by dotted path."""
    found = {}
    for number, task in enumerate(base.data.get("tasks", ()), start=1):
        for name in _named("", task.get("arrivals")):
            if (place := find(name, Path(base.folder))) is not None:
                found[f"tasks.{number}.arrivals.file"] = str(place)
    return found


def _named(path: str, value: Any) -> Iterator[str]:
    """Yield the files that a value at a path names."""
    if isinstance(value, str):
        if path == "file" or path.endswith(".file"):
            yield value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _named(f"{path}.{key}", inner)
    elif isinstance(value, (list, tuple)):
        for inner in value:
            yield from _named(path, inner)


def _digest(place: Path | None) -> str:
    if place is None:
        return ""
    with place.open("rb") as file:
        return hashlib.file_digest(file, "blake2b").hexdigest()[:32]
