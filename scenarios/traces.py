"""Recorded traces that a scenario replays: where they are, and whether their columns fit."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterator, Sequence
from pathlib import Path as FilePath
from typing import Any

from ..market.schema.arrivals import Replay
from ..market.schema.errors import BadInputError, Problem, plain, shown
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
    """Return the market with the paths of its traces made absolute.

    Raises:
        BadInputError: traces that are not there or cannot be read, all at once.
    """
    tasks, problems = [], []
    for task in market.tasks:
        arrivals = task.arrivals
        if isinstance(arrivals, Replay) and arrivals.file is not None:
            place = find(arrivals.file, base)
            if place is None or not os.access(place, os.R_OK):
                what = "is not there" if place is None else "cannot be read"
                problems.append(Problem(
                    "W110", f'task "{task.name}": arrivals.file {shown(arrivals.file)} {what}',
                    field=f"tasks.{task.name}.arrivals.file",
                    hint=_remedy(arrivals.get_from, arrivals.columns, f"in {base.resolve()}"),
                ))  # fmt: skip
            arrivals = arrivals.model_copy(update={"file": str(place)})
        tasks.append(task.model_copy(update={"arrivals": arrivals}))
    if problems:
        raise BadInputError(problems)
    return market.model_copy(update={"tasks": tasks})


def _remedy(origin: object, columns: Sequence[str], beside: str) -> str:
    """Say where a trace is got from, what it is, and where to put it."""
    source = f"get it from {plain(origin, 200)}; " if isinstance(origin, str) and origin else ""
    wanted = f"a CSV file with the columns {', '.join(plain(n) for n in columns)}"
    return f"{source}it is {wanted}, {beside} or in the folder WALRAS_DATA names"


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
    if place is None:
        origin = source.at(("tasks", index, "arrivals", "get_from"))
        hint = _remedy(origin, needed, "beside the scenario")
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
