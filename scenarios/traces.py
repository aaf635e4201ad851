"""Recorded traces that a scenario replays: where they are, and whether their columns fit."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

from ..market.schema.arrivals import Replay
from ..market.schema.errors import Problem, plain, shown
from ..market.schema.faults import Source
from ..market.schema.market import Market
from ..market.trace import read_trace
from .schema import entry_at

_COLUMNS = Replay.model_fields["columns"].default
_HEADER_BYTES = 65536


def find(file: str, base: FilePath) -> FilePath | None:
    """Return where a trace is: beside the scenario, or in the folder that WALRAS_DATA names."""
    places = [base / file]
    folder = os.environ.get("WALRAS_DATA")
    if folder:
        places += [FilePath(folder) / file, FilePath(folder) / FilePath(file).name]
    for place in places:
        try:
            if place.is_file():
                return place.resolve()
        except (OSError, ValueError):
            continue  # a name no file can have
    return None


def locate(market: Market, base: FilePath) -> Market:
    """Return the market with the paths of its traces made absolute."""
    tasks = []
    for task in market.tasks:
        arrivals = task.arrivals
        if isinstance(arrivals, Replay) and arrivals.file is not None:
            file = str(find(arrivals.file, base) or arrivals.file)
            arrivals = arrivals.model_copy(update={"file": file})
        tasks.append(task.model_copy(update={"arrivals": arrivals}))
    return market.model_copy(update={"tasks": tuple(tasks)})


def check_traces(source: Source, base: FilePath) -> Iterator[Problem]:
    """Yield what is wrong with the traces that the tasks of a scenario replay."""
    tasks = source.data.get("tasks")
    for i, task in enumerate(tasks if isinstance(tasks, list) else []):
        arrivals = task.get("arrivals") if isinstance(task, dict) else None
        if not isinstance(arrivals, dict) or arrivals.get("kind") != "replay":
            continue
        file, names = arrivals.get("file"), arrivals.get("columns", _COLUMNS)
        if isinstance(file, str) and _are_texts(names):
            yield from _check(source, i, file, names, base)


def _are_texts(names: Any) -> bool:
    return (
        isinstance(names, (list, tuple))
        and len(names) == 3
        and all(isinstance(n, str) for n in names)
    )


def _check(
    source: Source, index: int, file: str, needed: Sequence[str], base: FilePath
) -> Iterator[Problem]:
    path = ("tasks", index, "arrivals", "file")
    place = find(file, base)
    wanted = f"a CSV file with the columns {', '.join(plain(n) for n in needed)}"
    if place is None:
        origin = source.at(("tasks", index, "arrivals", "get_from"))
        get_from = (
            f"get it from {plain(origin, 200)}; " if isinstance(origin, str) and origin else ""
        )
        hint = f"{get_from}it is {wanted}, beside the scenario or in the folder WALRAS_DATA names"
        entry = entry_at(path, source.data)
        yield source.problem("W110", path, f"{shown(file)} is not there", entry, hint)
        return
    try:
        with place.open("rb") as stream:
            first = stream.read(_HEADER_BYTES).decode("utf-8-sig", "replace").splitlines()[:1]
        header = next(csv.reader(first), [])
        missing = [name for name in needed if name not in header]
        if not missing:
            read_trace(place, needed)
    except OSError as error:
        yield source.problem("W110", path, f"{shown(file)} cannot be read: {error.strerror}")
        return
    except (ValueError, csv.Error) as error:
        yield source.problem("W111", path, f": {plain(str(error), 200)}")
        return
    if missing:
        path = ("tasks", index, "arrivals", "columns")
        yield source.problem(
            "W111", path, f": {shown(file)} has no column {', '.join(plain(n) for n in missing)}",
            entry_at(path, source.data),
            f"its columns are {', '.join(plain(n) for n in header[:12])}",
        )  # fmt: skip
