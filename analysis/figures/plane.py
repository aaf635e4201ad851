"""The plane of deadlines and stakes: where tasks lie on it, its cells, its axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.random import default_rng
from numpy.typing import NDArray

from ...scenarios.result import Result
from .frames import seller_of, steady

Floats = NDArray[np.float64]
CELL = 0.25
"""Side of a cell, in decades, both ways."""
LEAST = 2
"""Tasks from which on a cell is drawn."""
_MOST = 100_000  # trades that are read
_LONE = 12  # rows of one class on a stake of its own that are spread over their cell


@dataclass(frozen=True)
class Plane:
    """Tasks on the plane, in decades (log10 of s and USD).

    Attributes:
        tasks: one row per task with task, offer, seller, x, y (where it is drawn), left, right
            and low (the sides of its tile, `CELL` high), value and deadline.
        none: x of the column of tasks without deadline; NaN if all have one.
        x, y: where the tiles begin and end, shape [2] ([0] without any), that column left out.
    """

    tasks: pd.DataFrame
    none: float
    x: Floats
    y: Floats


def lay_out(trades: pd.DataFrame) -> Plane:
    """Place tasks on the plane; those of one class that share a deadline fill a tile around it.

    Without that, a class with a fixed deadline (or a fixed value) would be a hair line. The tile
    is centred, so that its ends are not taken for a range.

    Example:
        >>> rows = pd.DataFrame(
        ...     {
        ...         "task": ["a", "a"],
        ...         "offer": ["s/e", "outside"],
        ...         "value": [1.0, 2.0],
        ...         "deadline": [10.0, 10.0],
        ...     }
        ... )
        >>> lay_out(rows).x.tolist()
        [0.875, 1.125]
    """
    tasks = trades.loc[trades["value"] > 0, ["task", "offer", "value", "deadline"]].copy()
    tasks["deadline"] = tasks["deadline"].where(tasks["deadline"] > 0)
    tasks["seller"] = seller_of(tasks["offer"])
    tasks["x"], tasks["y"] = np.log10(tasks["deadline"]), np.log10(tasks["value"])
    tasks["left"], tasks["low"] = _low(tasks, "x", "deadline"), _low(tasks, "y", "value")
    trimmed = _trimmed(tasks["left"], tasks["x"])
    x, y = _edges(*trimmed), _edges(tasks["low"], tasks["low"] + CELL)
    none = float(x[1] + 2 * CELL) if len(x) else 0.0
    spread = default_rng(0).random((2, len(tasks)))  # fixed: the same drawing again
    for axis, low, jitter in zip(("x", "y"), ("left", "low"), spread, strict=True):
        spots = tasks.groupby("task")[axis].transform("nunique")
        inside = tasks[low] + CELL * (0.05 + 0.9 * jitter)
        tasks[axis] = tasks[axis].where(spots > _LONE, inside)
    column = none + CELL * 2 * (spread[0] - 0.5)
    tasks["x"] = tasks["x"].where(tasks["deadline"].notna(), column)
    tasks["left"], tasks["right"] = trimmed
    some = tasks["deadline"].isna().any()
    return Plane(tasks.reset_index(drop=True), none if some else math.nan, x, y)


def _low(tasks: pd.DataFrame, axis: str, what: str) -> pd.Series:
    """Return where each task's tile starts: on the grid, or centred on what its class shares."""
    where = tasks[axis]
    grid = (where / CELL + 1e-9).map(math.floor, na_action="ignore") * CELL
    alone = tasks.groupby("task")[what].transform("nunique") == 1
    return grid.where(~alone, where - CELL / 2).round(9)


def _trimmed(low: pd.Series, where: pd.Series) -> tuple[pd.Series, pd.Series]:
    """Return both sides of each task's tile; one without a neighbour ends where its tasks end.

    Otherwise a tile would promise tasks beyond the longest deadline. What would become a sliver
    joins its neighbour.
    """
    first, last, ends = _outer(low, where)
    starts = ends.index.to_series()
    thin_left = first & ~last & (starts + CELL - ends["min"] < CELL / 3)
    thin_right = last & ~first & (ends["max"] - starts < CELL / 3)
    low = low.map((starts + CELL * thin_left - CELL * thin_right).round(9))
    first, last, ends = _outer(low, where)
    starts, shared = ends.index.to_series(), ends["min"] == ends["max"]
    left = ends["min"].where(first & ~shared, starts)
    right = ends["max"].where(last & ~shared, starts + CELL)
    return low.map(left), low.map(right)


def _outer(low: pd.Series, where: pd.Series) -> tuple[pd.Series, pd.Series, pd.DataFrame]:
    """Tell which tiles have none to the left and none to the right, and where tasks end in each."""
    ends = where.groupby(low).agg(["min", "max"])
    starts = ends.index.to_series()
    before, after = (starts - CELL).round(9).isin(starts), (starts + CELL).round(9).isin(starts)
    return ~before, ~after, ends


def _edges(lows: pd.Series, highs: pd.Series) -> Floats:
    some = lows.notna().any()
    return np.array([lows.min(), highs.max()]) if some else np.array([])


def cells(plane: Plane, *, least: int = LEAST) -> pd.DataFrame:
    """Return one row per cell with at least `least` tasks: who wins it and by what share.

    Columns: x0, x1, y0, y1 (decades), offer, seller, share, tasks.
    """
    t = plane.tasks
    none = t["deadline"].isna()
    where = pd.DataFrame({
        "x0": t["left"].where(~none, plane.none - CELL),
        "x1": t["right"].where(~none, plane.none + CELL), "y0": t["low"], "offer": t["offer"],
    })  # fmt: skip
    sides = ["x0", "x1", "y0"]
    counts = where.groupby([*sides, "offer"]).size().rename("n").reset_index()
    counts["tasks"] = counts.groupby(sides)["n"].transform("sum")
    counts = counts.sort_values([*sides, "n", "offer"], kind="stable")
    best = counts.groupby(sides).tail(1)
    best = best[best["tasks"] >= least].reset_index(drop=True)
    return pd.DataFrame({
        "x0": best["x0"], "x1": best["x1"], "y0": best["y0"], "y1": best["y0"] + CELL,
        "offer": best["offer"], "seller": seller_of(best["offer"]),
        "share": best["n"] / best["tasks"], "tasks": best["tasks"],
    })  # fmt: skip


def valued_trades(result: Result) -> pd.DataFrame:
    """Return trades after warm-up whose task has a value, at most some 100,000 of them.

    None if all have the same value and deadline: they are a point and make no plane.
    """
    trades = result.trades
    step = len(trades) // _MOST + 1  # a map needs no millions of dots
    trades = steady(result, trades.iloc[::step], "arrival")
    trades = trades[trades["value"] > 0]
    return trades if len(trades[["value", "deadline"]].drop_duplicates()) > 1 else trades[:0]
