"""What a sweep gave: its design, its results and its failures, read from its folder."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from ..result import rows_of
from . import store


@dataclass(frozen=True, repr=False, eq=False)
class Sweep:
    """A sweep's folder. Frames carry their units as a run's do.

    Attributes:
        folder: where it is.
        manifest: what it is of: `name`, `scenario`, `total` runs, `paths` with their roles
            ("lever", "uncertainty"), `seeds`, `versions`, `command`.
    """

    folder: Path
    manifest: dict[str, Any]

    def __repr__(self) -> str:
        done, failed = self.counts
        return (f'<Sweep "{self.manifest["name"]}": {done:,} of {self.manifest["total"]:,} runs, '
                f"{failed:,} failed, in {self.folder}>")  # fmt: skip

    @classmethod
    def load(cls, folder: str | Path) -> Sweep:
        """Open a sweep's folder.

        Raises:
            SweepFolderError: it holds no sweep, or one of another format.
        """
        return cls(Path(folder), store.manifest_of(Path(folder)))

    @cached_property
    def counts(self) -> tuple[int, int]:
        """How many runs have ended, and how many of these have failed."""
        pieces = list(store.held(self.folder))
        done = {run for piece in pieces for run in piece.runs}
        return len(done), len(store.failures(pieces))

    @property
    def paths(self) -> list[str]:
        """What varies, by dotted path: levers, then uncertainties."""
        return list(self.manifest["paths"])

    @cached_property
    def design(self) -> pd.DataFrame:
        """A row per run: run, point, rep, seed and a column for each path that varies."""
        return _frame(rows_of(self.folder / "design.parquet"))

    @cached_property
    def results(self) -> pd.DataFrame:
        """A row per run and measure: run, point, rep, the paths, task, offer, metric, value, se.

        Of runs that have not failed, once all have ended.
        """
        rows = _frame(rows_of(self.folder / "results.parquet"))
        found = rows.merge(self.design.drop(columns="seed"), on="run", how="left")
        columns = ["run", "point", "rep", *self.paths]
        return found[[*columns, *(c for c in rows.columns if c != "run")]]

    def measure(self, metric: str, task: str = "all", offer: str = "all") -> pd.DataFrame:
        """Return one measure of all runs: run, point, rep, the paths and value, with its unit.

        Raises:
            KeyError: no run has such a measure.
        """
        names = {"task": task, "offer": offer, "metric": metric}
        table = rows_of(self.folder / "results.parquet", ["run", *names, "value", "unit"])
        for column, name in names.items():
            table = table.filter(pc.equal(table[column].cast(pa.string()), name))
        if not len(table):
            raise KeyError(f'no run has "{metric}" of task "{task}" and offer "{offer}"')
        rows = _frame(table.select(["run", "value"]))
        found = self.design.drop(columns="seed").merge(rows, on="run")
        found.attrs["units"] = {"value": str(table["unit"][0])}
        return found

    @cached_property
    def failures(self) -> pd.DataFrame:
        """A row per failed run: run, point, rep, seed, kind, reason, command."""
        return _frame(rows_of(self.folder / "failures.parquet"))

    def values(self, point: int) -> dict[str, Any]:
        """Return the values of the paths at a point."""
        row = self.design[self.design["point"] == point].iloc[0]
        return {path: _value(row[path]) for path in self.paths}


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(use_threads=False)
    return frame


def _value(told: Any) -> Any:
    """Return a value of a design's table: texts hold JSON."""
    return json.loads(told) if isinstance(told, str) else told
