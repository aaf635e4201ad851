"""One measure of a sweep as a cube: settings of levers × points of the sample × replications."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ...scenarios.result import rows_of
from ...scenarios.schema import entry_at
from ...scenarios.sweep.swept import Sweep

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Cube:
    """A measure of all runs.

    Attributes:
        values: shape [settings, points of the sample, replications]; nan where a run failed or
            has no such measure.
        settings: a row per setting, a column per lever.
        sample: a row per point of the sample, a column per uncertainty; one row if there is none.
        unit: of the measure.
        what: the measure in words.
    """

    values: Floats
    settings: pd.DataFrame
    sample: pd.DataFrame
    unit: str
    what: str

    @property
    def seeds(self) -> int:
        """Number of replications."""
        return int(self.values.shape[2])

    @cached_property
    def labels(self) -> list[str]:
        """Each setting in words: what differs between settings, by the ends of the paths.

        Of levers that move together the first alone is told.
        """
        varied = leading(self.settings)
        names = short_paths(varied)
        return [
            ", ".join(f"{names[c]} {told(row[c])}" for c in varied) or "all runs"
            for _, row in self.settings.iterrows()
        ]

    def find(self, where: Mapping[str, Any]) -> list[int]:
        """Return the settings in which levers have given values.

        Raises:
            ValueError: a path is no lever, or no setting has such a value.
        """
        kept = np.ones(len(self.settings), dtype=bool)
        for path, value in where.items():
            if path not in self.settings:
                raise ValueError(f'"{path}" is no lever; levers are {listed(self.settings)}')
            column = self.settings[path]
            same = np.array([_same(held, value) for held in column])
            if not same.any():
                tried = ", ".join(dict.fromkeys(told(v) for v in column))
                raise ValueError(f'"{path}" is never {told(value)}; it is {tried}')
            kept &= same
        if not kept.any():
            raise ValueError(f"no setting has {listed(where)} so together")
        return [int(i) for i in np.flatnonzero(kept)]


def cube(sweep: Sweep, metric: str, task: str = "all", offer: str = "all") -> Cube:
    """Return one measure of a sweep whose runs have all ended, read once.

    Raises:
        KeyError: no run has such a measure.
        ValueError: runs are left to do.
    """
    if not (sweep.folder / "results.parquet").is_file():
        done, total = sweep.counts[0], sweep.manifest["total"]
        raise ValueError(f"{done:,} of {total:,} runs are done; repeat the command of the sweep")
    kept: dict[tuple[str, str, str], Cube] = sweep.__dict__.setdefault("_cubes", {})
    cell = (metric, task, offer)
    if cell not in kept:
        kept[cell] = _read(sweep, *cell)
    return kept[cell]


def _read(sweep: Sweep, metric: str, task: str, offer: str) -> Cube:
    design, rows = sweep.design, sweep.measure(metric, task, offer)
    points, seeds = int(sweep.manifest["points"]), int(sweep.manifest["seeds"])
    flat = np.full(points * seeds, np.nan)
    if metric == "share":  # of an offer that nobody chose no row is kept
        flat[_chosen_from(sweep, task)] = 0.0
    flat[rows["run"].to_numpy()] = rows["value"].to_numpy(np.float64)
    roles = sweep.manifest["paths"]
    levers = [path for path, role in roles.items() if role == "lever"]
    spans = [path for path, role in roles.items() if role == "uncertainty"]
    size = sample_size(sweep)
    first = design[design["rep"] == 0].sort_values("point")
    cell = "" if (task, offer) == ("all", "all") else f" of {task}, {offer}"
    return Cube(
        values=flat.reshape(points // size, size, seeds),
        settings=_values(first[levers].iloc[::size]), sample=_values(first[spans].iloc[:size]),
        unit=str(rows.attrs["units"]["value"]), what=f"{metric}{cell}",
    )  # fmt: skip


def _chosen_from(sweep: Sweep, task: str) -> NDArray[np.int64]:
    """Return the runs in which a class had shares at all: whoever has none of them has 0."""
    rows = rows_of(sweep.folder / "results.parquet", ["run", "task", "metric"])
    for column, name in (("metric", "share"), ("task", task)):
        rows = rows.filter(pc.equal(rows[column].cast(pa.string()), name))
    return np.unique(rows["run"].to_numpy())


def leading(settings: pd.DataFrame) -> list[str]:
    """Return the levers that vary, without those that only move together with an earlier one.

    Example:
        >>> leading(pd.DataFrame({"a": [1, 2, 3], "b": [2, 4, 6], "c": [1, 1, 2], "d": [0, 0, 0]}))
        ['a', 'c']
    """
    kept: list[str] = []
    for name in (str(c) for c in settings if settings[c].nunique() > 1):
        pairs = [len(settings[[other, name]].drop_duplicates()) for other in kept]
        sizes = [max(settings[other].nunique(), settings[name].nunique()) for other in kept]
        alike = [settings[other].nunique() == settings[name].nunique() for other in kept]
        if not any(p == n and s for p, n, s in zip(pairs, sizes, alike, strict=True)):
            kept.append(name)
    return kept


def sample_size(sweep: Sweep) -> int:
    """Return how many points of uncertainties each setting of levers has."""
    sample, dimensions = sweep.manifest["sample"], len(sweep.manifest["spans"])
    if sample is None:
        return 1
    size = int(sample["size"])
    if sample["kind"] == "saltelli":
        return size * (2 * dimensions + 2 if sample["second_order"] else dimensions + 2)
    return size * (dimensions + 1) if sample["kind"] == "morris" else size


def _values(rows: pd.DataFrame) -> pd.DataFrame:
    """Return rows with texts, which hold JSON, as short text: numbers stay numbers."""
    rows = rows.reset_index(drop=True)
    for column in rows.select_dtypes(exclude="number"):
        rows[column] = [told(value) for value in rows[column]]
    return rows


def told(value: Any) -> str:
    """Return a lever's value in short: of a mechanism its kind and settings, a function's name.

    Example:
        >>> told('"vickrey"'), told('{"kind": "vickrey", "reserve": 1.5}'), told(0.25)
        ('vickrey', 'vickrey reserve=1.5', '0.25')
        >>> told('"function mine.dearer 0a1b"')
        'dearer'
    """
    if isinstance(value, str):
        with suppress(ValueError):
            value = json.loads(value)
    if isinstance(value, str):
        return value.split()[1].rpartition(".")[2] if value.startswith("function ") else value
    if isinstance(value, Mapping):
        rest = [f"{k}={told(v)}" for k, v in value.items() if k != "kind"]
        return " ".join([told(value["kind"]), *rest] if "kind" in value else rest)
    if callable(value):
        return str(getattr(value, "__name__", type(value).__name__))
    if isinstance(value, (list, tuple)):
        return ", ".join(map(told, value))
    if isinstance(value, (bool, np.bool_)):
        return str(bool(value)).lower()
    return f"{value:.6g}" if isinstance(value, (int, float, np.number)) else str(value)


def _same(held: Any, value: Any) -> bool:
    if isinstance(held, (int, float, np.number)) and isinstance(value, (int, float)):
        return bool(held == value)
    return told(held) == told(value)


def short_paths(paths: list[str]) -> dict[str, str]:
    """Return paths without the kind of table that they begin with, where that tells them apart.

    Example:
        >>> list(short_paths(["sellers.one.slots", "tasks.chat.value", "mechanism"]).values())
        ['one.slots', 'chat.value', 'mechanism']
    """
    ends = {path: path.partition(".")[2] if path.count(".") > 1 else path for path in paths}
    short = list(ends.values())
    return {path: end if short.count(end) == 1 else path for path, end in ends.items()}


def unit_of(path: str) -> str:
    """Return the unit of a field by its dotted path; empty where it has none, or more than one.

    Example:
        >>> (
        ...     unit_of("tasks.chat.deadline"),
        ...     unit_of("sellers.o1.5.price.output"),
        ...     unit_of("mechanism"),
        ... )
        ('seconds', 'USD per million tokens', '')
    """
    head, *rest = path.split(".")
    if head not in ("tasks", "sellers"):
        found = entry_at((head, *rest))
        return found.unit_in_words if found is not None else ""
    for start in range(1, len(rest)):  # names may hold dots
        found = entry_at((head, 0, *rest[start:]))
        if found is not None:
            return found.unit_in_words
    return ""


def listed(names: Any) -> str:
    """Return names in a row, or "none"."""
    return ", ".join(f'"{name}"' for name in names) or "none"
