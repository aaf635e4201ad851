"""Boundaries of phases: where a measure, or a difference of two settings, crosses a level.

Bisection with paired seeds rather than a finer grid: runs go where the sign is in doubt. Every
batch of runs is a sweep in a folder of its own, so that the same call goes on where it stopped.
"""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from ...market.rng import hashed
from ...market.schema.fields import whole
from ...market.schema.market import Market
from ...scenarios.sweep.execute import Pool
from ...scenarios.sweep.job import Measure
from ...scenarios.sweep.lasting import lasting
from ...scenarios.sweep.planned import plan
from ...scenarios.sweep.spec import Design
from ...scenarios.sweep.sweep import carry_out, pool_of
from .crossing import Crossing, Floats, batches_of, cross
from .cube import cube, told

_HALVINGS = 40
"""Most halvings of a range: beyond, a number has no digits left."""


@dataclass(frozen=True, repr=False, eq=False)
class Boundary:
    """Where a response crosses a level: one crossing, or one per value of a second path.

    Attributes:
        points: a row per value of the second path (or one): that path, low, high (the bracket),
            estimate, est_low, est_high, decided, runs, why.
        steps: a row per point that was looked at: the second path, the path, n (replications),
            mean (over the level), se, sign (0: not known), looks.
        along: the path.
        across: the second path; empty if there is none.
        what: the response in words.
        error: chance that a bracket holds no crossing.
        level: that is crossed, in the unit of `steps.attrs["units"]["mean"]`.
        scale: of the path, "linear" or "log".
    """

    points: pd.DataFrame
    steps: pd.DataFrame
    along: str
    across: str
    what: str
    error: float
    level: float = 0.0
    scale: str = "linear"

    def __repr__(self) -> str:
        known = int(self.points["decided"].sum())
        return (f"<Boundary of {self.what} along {self.along}: {known} of {len(self.points)} "
                f"decided, {int(self.points['runs'].sum()):,} runs>")  # fmt: skip


@dataclass(frozen=True)
class _Search:
    """What all batches of a boundary share."""

    market: Market | str | os.PathLike[str]
    along: str
    between: tuple[Mapping[str, Any], Mapping[str, Any]] | None
    constants: Mapping[str, Any]
    cell: tuple[str, str, str]
    level: float
    sizes: list[int]
    seed: int
    folder: Path
    pool: Pool
    width: int
    measure: Measure | None
    timeout: float | str | None
    units: dict[str, str] = field(default_factory=dict)

    def draw(self, x: float, batch: int, fixed: Mapping[str, Any], place: str) -> Floats:
        """Return the response in a batch of replications, less the level."""
        vary: dict[str, list[Any]] = {}
        if self.between is not None:
            first, second = self.between
            vary = {path: [first[path], second[path]] for path in first}
        design = Design(
            name="boundary", levers=vary, together=True, timeout=self.timeout,
            constants={**self.constants, **fixed, self.along: x},
            # Batch b has streams of its own, the same at every point.
            seeds=self.sizes[batch], seed=int(hashed(self.seed, batch)) >> 1,
        )  # fmt: skip
        folder = self.folder / place / f"{x:.12g}-{batch + 1}"
        planned = plan(self.market, design, self.measure)
        found = carry_out(planned, folder, self.pool, self.width)
        at = f"{self.along} = {x:.6g}"
        if found.counts[1]:
            failures = found.failures
            raise ValueError(f"{len(failures)} runs failed at {at}: {failures['reason'].iloc[0]}")
        held = cube(found, *self.cell)
        self.units["unit"] = held.unit
        values = held.values[:, 0, :]
        if np.isnan(values).any():
            raise ValueError(f"not every run at {at} has {held.what}; longer runs may")
        return np.asarray((values[0] - values[1] if self.between else values[0]) - self.level)


def boundary(
    market: Market | str | os.PathLike[str], along: str, low: float, high: float, *, metric: str,
    task: str = "all", offer: str = "all", threshold: float = 0.0,
    between: tuple[Mapping[str, Any], Mapping[str, Any]] | None = None,
    across: Mapping[str, Sequence[Any]] | None = None,
    scale: Literal["linear", "log"] = "linear", tolerance: float | None = None, seeds: int = 8,
    most: int = 64, error: float = 0.05, constants: Mapping[str, Any] | None = None, seed: int = 0,
    measure: Measure | None = None, timeout: float | str | None = None,
    out: str | Path = "boundary", jobs: int | None = None, executor: Executor | None = None,
) -> Boundary:  # fmt: skip
    """Find where a measure, or the difference of two settings, crosses a level along a path.

    Both ends are looked at first, then the middle of what is left, again and again. At each point
    runs are added, as many as there are each time, until the sign is known or `most` are spent.
    The chance of a wrong bracket is shared by all looks that there may be (Bonferroni), one-sided
    Student's t each: with normal means, a bracket holds a crossing with a chance of at least
    1 - error. Where `most` runs do not tell a sign, the bracket stays as wide as it must, and says
    so. The estimate is where a line through the bracket's points crosses, each topped up to as many
    runs; its 95% interval is Fieller's, of replications.

    Args:
        market: the spec, or a scenario's name or file.
        along: path of a number that moves.
        low: its least value.
        high: its greatest value.
        metric: such as "sojourn" or "welfare".
        task: a class, or "all".
        offer: an offer, a seller, or "all".
        threshold: the level, in the measure's unit.
        between: two settings: values of the same paths; the response is then the first's measure
            less the second's, run by run with the same streams.
        across: values of a second path: a crossing is looked for at each, at `error` each.
        scale: whether points lie half way in the value or in its logarithm.
        tolerance: width of a bracket to stop at, in the unit of `along` (a ratio above 1 if the
            scale is "log"); a 64th of the range when absent.
        seeds: replications of the first batch.
        most: replications at a point.
        error: chance that a bracket holds no crossing.
        constants: changes that hold in every run.
        seed: that all others are made from.
        measure: what else is measured of a run's `Result`, to be named by `metric`.
        timeout: of a run.
        out: folder; its sweeps are kept, and not done again.
        jobs: worker processes; as many as there are cores when absent.
        executor: runs jobs instead; it is not shut down.

    Raises:
        BadInputError: the scenario or a value has errors.
        KeyError: no run has such a measure.
        SweepFolderError: the folder holds something else.
        ValueError: an argument is out of range, or runs failed.

    Example:
        >>> import tempfile
        >>> from concurrent.futures import ThreadPoolExecutor
        >>> from walras.analysis.sweeps.example import small_market
        >>> with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(1) as threads:
        ...     found = boundary(
        ...         small_market(),
        ...         "sellers.one.price.task",
        ...         0.8,
        ...         1.6,
        ...         metric="price",
        ...         task="chat",
        ...         threshold=1.2,
        ...         tolerance=0.4,
        ...         executor=threads,
        ...         out=folder,
        ...     )
        >>> found.points["runs"].item() >= 16
        True
    """
    span = _Range(low, high, scale == "log")
    if span.log and low <= 0.0:
        raise ValueError(f'low is {low:g}; with scale = "log" it must be above 0')
    width = 1.0 / 64 if tolerance is None else span.share(tolerance)
    _check(span, width, error, seeds, most, between, across)
    path, values = next(iter((across or {"": [None]}).items()))
    pool, workers = pool_of(executor, jobs, None)
    with lasting(pool) as kept:
        search = _Search(
            market, along, between, constants or {}, (metric, task, offer), threshold,
            batches_of(seeds, most), seed, Path(out), kept, workers, measure, timeout,
        )  # fmt: skip
        found = [
            _crossing(search, span, width, error, {path: value} if path else {}, place)
            for place, value in enumerate(values)
        ]
    return _told(search, span, path, list(values), found, error)


def _crossing(
    search: _Search, span: _Range, tolerance: float, error: float, fixed: Mapping[str, Any],
    place: int,
) -> Crossing:  # fmt: skip
    """Return the crossing at one value of the second path, in shares of the range."""
    sub = f"across-{place + 1}" if fixed else ""
    return cross(
        lambda share, batch: search.draw(span.at(share), batch, fixed, sub), 0.0, 1.0,
        tolerance=tolerance, seeds=search.sizes[0], most=sum(search.sizes), error=error,
        told=lambda share: f"{search.along} = {span.at(share):.6g}",
    )  # fmt: skip


@dataclass(frozen=True)
class _Range:
    """From low to high, in the value or in its logarithm."""

    low: float
    high: float
    log: bool

    def at(self, share: float) -> float:
        """Return the value at a share of the way; the ends are just what was given."""
        if share == 1.0:
            return self.high
        if self.log:
            return float(self.low * (self.high / self.low) ** share)
        return float(self.low + (self.high - self.low) * share)

    def share(self, width: float) -> float:
        """Return a width (a ratio where this is logarithmic) as a share of the range."""
        if self.log:
            return math.log(width) / math.log(self.high / self.low)
        return width / (self.high - self.low)


def _check(
    span: _Range, tolerance: float, error: float, seeds: int, most: int,
    between: tuple[Mapping[str, Any], Mapping[str, Any]] | None,
    across: Mapping[str, Sequence[Any]] | None,
) -> None:  # fmt: skip
    """Refuse what makes no sense."""
    if not (math.isfinite(span.low) and math.isfinite(span.high) and span.low < span.high):
        raise ValueError(f"low is {span.low:g} and high {span.high:g}; low must be below high")
    if not 2.0**-_HALVINGS <= tolerance <= 1.0:
        raise ValueError("tolerance must lie between the range and 2^-40 of it")
    if not 0.0 < error < 1.0:
        raise ValueError(f"error is {error}; it must lie strictly between 0 and 1")
    whole("seeds", seeds, 2, 100_000, "100,000")
    whole("most", most, seeds, 1_000_000, "1,000,000")
    if between is not None and set(between[0]) != set(between[1]):
        raise ValueError("between takes two settings, both with values of the same paths")
    if across is not None and len(across) != 1:
        raise ValueError(f"across has {len(across)} paths; a boundary has one second path")


def _told(
    search: _Search, span: _Range, path: str, values: list[Any], found: list[Crossing],
    error: float,
) -> Boundary:  # fmt: skip
    """Put crossings together, in the path's own values."""
    runs = 2 if search.between else 1
    points, steps = [], []
    for value, crossing in zip(values, found, strict=True):
        of = {path: value if isinstance(value, (int, float)) else told(value)} if path else {}
        ends = {n: getattr(crossing, n) for n in ("low", "high", "estimate", "est_low", "est_high")}
        points.append({
            **of, **{n: span.at(u) if math.isfinite(u) else u for n, u in ends.items()},
            "decided": crossing.decided, "runs": runs * crossing.replications, "why": crossing.why,
        })  # fmt: skip
        for step in crossing.steps:
            n = len(step.values)
            steps.append({
                **of, search.along: span.at(step.x), "n": n, "mean": float(step.values.mean()),
                "se": float(step.values.std(ddof=1)) / math.sqrt(n), "sign": step.sign,
                "looks": step.looks,
            })  # fmt: skip
    metric, task, offer = search.cell
    what = metric if (task, offer) == ("all", "all") else f"{metric} of {task}, {offer}"
    if search.between:
        first, second = (", ".join(map(told, s.values())) for s in search.between)
        what = f"{what}, {first} less {second}"
    tables = (pd.DataFrame(points), pd.DataFrame(steps))
    unit = search.units.get("unit", "")
    tables[0].attrs["units"] = dict.fromkeys(("low", "high", "estimate", "est_low", "est_high"),
                                             "that of the path") | {"runs": "runs"}  # fmt: skip
    tables[1].attrs["units"] = dict.fromkeys(("mean", "se"), unit) | {"n": "replications"}
    return Boundary(
        *tables, along=search.along, across=path, what=what, error=error, level=search.level,
        scale="log" if span.log else "linear",
    )  # fmt: skip
