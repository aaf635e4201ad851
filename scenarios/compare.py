"""One demand, several mechanisms: the same buyers with the same tastes meet each of them.

Every draw is keyed by what it is for (seed, class, arrival), never by what happened before, so
runs of one seed under different mechanisms see the same tasks, sizes, values and tastes. What
they differ in is the mechanism's doing, and their paired differences have small errors (common
random numbers: Law 2015, section 11.2).
"""

from __future__ import annotations

import hashlib
import html
import json
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..market.schema.market import Market
from .estimates import (
    Estimate,
    batch_means,
    holm,
    paired_batches,
    paired_replications,
    replications,
)
from .load import market_of
from .result import Result, file_digest, read_table, write_table
from .run import Progress, run
from .summary import ALL, Ratio, class_ratios, unit_of
from .variants import Mechanisms, kinds, variants, wrong_label

METRICS = (
    "welfare", "surplus", "profit", "margin", "platform", "miss_rate", "served_share",
    "late_share", "left_share", "without_share", "unfinished_share",
    "accuracy", "price", "sojourn", "wait", "thinking",
)  # fmt: skip
"""What is compared, in order. `profit` is all sellers', fixed costs off; a class has `margin`."""
_TABLES = {"comparison": "differences", "levels": "levels"}


def compare(
    market: Market | str | os.PathLike[str], mechanisms: Mechanisms, *,
    until: float | str | None = None, seed: int = 0, reps: int = 1,
    warmup: float | str | None = None, record: str = "epochs",
    progress: Progress | None = None, base: str | Path = ".",
) -> Comparison:  # fmt: skip
    """Simulate one market under several mechanisms, with the same demand, tastes and answers.

    Args:
        market: the spec, or a scenario's name or file as `load` takes them.
        mechanisms: names ("second_score"), specs (`ScoringAuction(reserve=0.1)`) or Python
            functions; or a table of them by labels of one's own, such as
            `{"low": ScoringAuction(reserve=0), "high": ScoringAuction(reserve=0.1)}`. Differences
            are to the first. A name takes the settings of the market's own mechanism that mean the
            same in it, and its defaults otherwise: see `variants`.
        until: as for `run`, and the same for all, as what follows.
        seed: as for `run`; it gives every mechanism the same demand.
        reps: as for `run`; differences are paired replication by replication.
        warmup: as for `run`.
        record: as for `run`.
        progress: called with (simulated seconds done, in all, tasks so far), over all runs.
        base: as for `run`.

    Raises:
        BadInputError: the market or a mechanism cannot be used: all that is wrong at once.
        TypeError: something is no market, or no mechanism.
        ValueError: another argument is out of range.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Rates, Seller
        >>> ask = TaskClass("chat", Poisson(1.0), value=1.0)
        >>> sellers = [Seller(n, accuracy=1.0, price=Rates(task=0.3)) for n in ("one", "two")]
        >>> both = compare(Market([ask], sellers), ["posted_price", "second_score"], until="2 min")
        >>> prices = both.levels().query("metric == 'price' and task == 'all'")
        >>> prices["value"].round(2).tolist()  # the auction drives the price to cost, which is 0
        [0.3, 0.0]
    """
    market = market_of(market)
    results: dict[str, Result] = {}
    markets = variants(market, mechanisms)
    tasks = 0
    for i, (name, under) in enumerate(markets.items()):
        told = None if progress is None else _part(progress, i, len(markets), tasks)
        results[name] = run(
            under, until=until, seed=seed, reps=reps, warmup=warmup, record=record, progress=told,
            base=base,
        )  # fmt: skip
        tasks += int(results[name].manifest["tasks"])
    return Comparison(results)


def _part(progress: Progress, i: int, runs: int, before: int) -> Progress:
    """Return the progress of the i-th of several runs as progress of them all."""

    def told(done: float, until: float, tasks: int) -> None:
        progress(i * until + done, runs * until, before + tasks)

    return told


@dataclass(frozen=True, repr=False, eq=False)
class Comparison:
    """Runs of one market and seed under several mechanisms.

    Attributes:
        results: a `Result` per mechanism, in the order given; differences are to the first.
        command: the command that makes it again; empty if none is known.
        kept: (differences, levels) as they were written, where the runs hold no epochs.
    """

    results: dict[str, Result]
    command: str = ""
    kept: tuple[pd.DataFrame, pd.DataFrame] | None = None

    def __repr__(self) -> str:
        first = self.first
        names = ", ".join(self.results)
        return (f'<Comparison of "{first.market.name}": {names}; seed {first.seed}, '
                f"{first.reps} replication{'s' if first.reps != 1 else ''}>")  # fmt: skip

    def _repr_html_(self) -> str:
        """Return what a notebook shows: the same line, and the means of all tasks side by side."""
        rows = self.levels()
        table = rows[rows["task"] == ALL].pivot(index="metric", columns="mechanism", values="value")
        table = table.reindex(index=[m for m in METRICS if m in table.index], columns=self.names)
        return f"<p>{html.escape(repr(self))}</p>{table.to_html(float_format='{:.3g}'.format)}"

    @property
    def names(self) -> list[str]:
        """The mechanisms, in the order given."""
        return list(self.results)

    @property
    def first(self) -> Result:
        """The run that the others are compared with."""
        return next(iter(self.results.values()))

    @property
    def manifest(self) -> dict[str, Any]:
        """What was compared, and with which command."""
        first = self.first
        digests = {name: result.digest for name, result in self.results.items()}
        told = hashlib.blake2b(json.dumps(digests).encode(), digest_size=16).hexdigest()
        return {
            "scenario": first.market.name, "mechanisms": self.names, "seed": first.seed,
            "reps": first.reps, "record": first.record, "command": self.command, "digest": told,
            "digests": digests, "versions": first.manifest["versions"],
        }  # fmt: skip

    @cached_property
    def _ratios(self) -> dict[str, dict[tuple[str, str], Ratio]]:
        return {
            name: class_ratios(r.market, r.epochs, r.sellers, r.reps)
            for name, r in self.results.items()
        }  # fmt: skip

    def levels(self) -> pd.DataFrame:
        """Return the means of each mechanism: mechanism, task, offer, metric, value, se, low, high.

        Then unit and n. `low` and `high` are the ends of 95% intervals; `task` is a class or
        "all", `offer` is "all".
        """
        if self.kept is not None:
            return self.kept[1]
        rows = [
            (name, task, ALL, metric, e.mean, e.se, *e.interval(), unit_of(metric), e.n)
            for name, ratios in self._ratios.items()
            for task, metric in cells_of(ratios)
            for e in [level(ratios[task, metric])]
        ]
        columns = ["mechanism", "task", "offer", "metric", "value", "se", "low", "high", "unit",
                   "n"]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def differences(self) -> pd.DataFrame:
        """Return paired differences to the first mechanism, a row per (task, metric, mechanism).

        Columns: task, offer, metric, mechanism, baseline, difference, se, low, high (95%), p
        (two-sided, for this difference alone: see `estimates.holm` for several), n, unit. Errors
        are paired by replication where there are several, else by batches of epochs.
        """
        if self.kept is not None:
            return self.kept[0]
        baseline, *others = self.names
        base = self._ratios[baseline]
        rows = [
            (task, ALL, metric, name, baseline, e.mean, e.se, *e.interval(), e.p_value(), e.n,
             unit_of(metric))
            for task, metric in cells_of(base)
            for name in others
            for e in [_difference(self._ratios[name][task, metric], base[task, metric])]
        ]  # fmt: skip
        columns = ["task", "offer", "metric", "mechanism", "baseline", "difference", "se", "low",
                   "high", "p", "n", "unit"]  # fmt: skip
        return pd.DataFrame(rows, columns=columns)

    def save(self, folder: str | Path) -> Path:
        """Write a folder: a run folder per mechanism, comparison.parquet, levels.parquet, manifest.

        Raises:
            OSError: the folder cannot be written.
            ValueError: a mechanism is a Python function, which a file cannot hold, or its label
                is no name of a folder.
        """
        folder = Path(folder)
        wrong = [problem for name in self.names for problem in wrong_label(name, "")]
        if wrong:
            raise ValueError(f"{wrong[0].message}; {wrong[0].hint}")
        for name, result in self.results.items():
            result.save(folder / name)
        self.save_tables(folder)
        return folder

    def save_tables(self, folder: Path) -> None:
        """Write what `save` writes beside the run folders."""
        files = {}
        for file, table in _TABLES.items():
            write_table(getattr(self, table)(), folder / f"{file}.parquet")
            files[f"{file}.parquet"] = file_digest(folder / f"{file}.parquet")
        manifest = {**self.manifest, "files": files}
        manifest["command"] = manifest["command"] or self._repeats(folder)
        (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", "utf-8")

    def _repeats(self, folder: Path) -> str:
        """Return the command that repeats it from one of its own files; empty if none does."""
        markets = {name: result.market for name, result in self.results.items()}
        if not set(markets) <= set(kinds()):
            return ""  # labels are of Python's making
        for name, result in self.results.items():
            if variants(result.market, self.names) == markets:
                alone = result.with_command("").command_from(folder / name / "resolved.toml")
                each = shlex.quote(",".join(self.names))
                return f"{alone} --mechanism {each}" if alone else ""
        return ""

    @classmethod
    def load(cls, folder: str | Path) -> Comparison:
        """Read a folder that `save` or `walras run --mechanism` wrote.

        Raises:
            OSError: a file is missing.
            ValueError: it is no comparison, or a file is not what was written.
        """
        folder = Path(folder)
        manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
        if "mechanisms" not in manifest:
            raise ValueError(f"{folder} holds no comparison; is it a single run?")
        for name, digest in manifest["files"].items():
            if file_digest(folder / name) != digest:
                raise ValueError(f"{folder / name} is not the file that was written")
        results = {name: Result.load(folder / name) for name in manifest["mechanisms"]}
        differences, levels = (read_table(folder / f"{file}.parquet") for file in _TABLES)
        return cls(results, command=manifest["command"], kept=(differences, levels))


def cells_of(ratios: Mapping[tuple[str, str], Ratio]) -> list[tuple[str, str]]:
    """Return the (task, metric) that are compared, all tasks first."""
    tasks = dict.fromkeys([ALL, *(task for task, _ in ratios)])
    return [
        (task, metric) for task in tasks for metric in METRICS
        if (task, metric) in ratios and not (task == ALL and metric == "margin")
    ]  # fmt: skip


def level(ratio: Ratio) -> Estimate:
    """Return a ratio [rep, epoch] with its error, from batches or replications."""
    sums, counts = ratio
    if len(sums) == 1:
        return batch_means(sums[0], counts[0])
    return replications(sums.sum(axis=1), counts.sum(axis=1))


def _difference(ratio: Ratio, base: Ratio) -> Estimate:
    """Return the difference of two ratios [rep, epoch] with its paired error."""
    if len(ratio[0]) == 1:
        return paired_batches(*(part[0] for part in (*ratio, *base)))
    return paired_replications(*(part.sum(axis=1) for part in (*ratio, *base)))


SHOWN = (
    "welfare", "surplus", "profit", "platform", "miss_rate", "served_share", "price", "sojourn",
)  # fmt: skip
"""The metrics of all tasks that the card and the report set side by side."""


def significant(differences: pd.DataFrame, level: float = 0.05) -> NDArray[np.bool_]:
    """Return which of the differences shown together are real, at most `level` wrong about any.

    Holm's correction for as many as there are rows; what has no known error is none of them.
    """
    return np.nan_to_num(holm(differences["p"].to_numpy()), nan=1.0) <= level
