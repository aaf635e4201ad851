"""The plane of deadlines and stakes: where tasks lie on it, its cells, its axes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...scenarios.result import Result
from .frames import (
    seller_of,
    steady,
)

Floats = NDArray[np.float64]
CELL = 0.25
"""Side of a cell, in decades, both ways."""
_MOST = 100_000  # trades that are read
_LONE = 12  # rows of one class on a stake of its own that are spread over their cell
_R2 = (0.7548776662466927, 0.5698402909980532)  # low-discrepancy steps, Roberts 2018


@dataclass(frozen=True)
class Plane:
    """Tasks on the plane, in decades (log10 of s and USD).

    Attributes:
        tasks: one row per task with task, offer, seller, x, y (where it is drawn), left (where
            its cell starts), value and deadline.
        none: x of the column of tasks without deadline; NaN if all have one.
        x, y: where the cells begin and end, shape [2] ([0] without any), that column left out.
    """

    tasks: pd.DataFrame
    none: float
    x: Floats
    y: Floats


def lay_out(trades: pd.DataFrame) -> Plane:
    """Place tasks on the plane; those of one class that share a deadline fill a tile around it.

    Without that, a class with a fixed deadline (or a fixed value) would be a hair line. The tile
    is centred on the deadline, so that its ends are not taken for a range of deadlines.

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
    tasks["left"] = _low(tasks["x"])
    alone = tasks.groupby("task")["deadline"].transform("nunique") == 1
    tasks["left"] = tasks["left"].where(~alone, tasks["x"] - CELL / 2)
    x, y = _edges(tasks["left"]), _edges(_low(tasks["y"]))
    none = math.nan
    if tasks["deadline"].isna().any():
        none = float(x[-1] + 2 * CELL) if len(x) else 0.0
    turn = np.arange(len(tasks))
    for axis, step, low in zip(("x", "y"), _R2, (tasks["left"], _low(tasks["y"])), strict=True):
        spots = tasks.groupby("task")[axis].transform("nunique")
        jitter = 0.05 + 0.9 * ((turn + 1) * step % 1.0)
        tasks[axis] = tasks[axis].where(spots > _LONE, low + CELL * jitter)
    column = none + CELL * 2 * (turn * _R2[0] % 1.0 - 0.5)
    tasks["x"] = tasks["x"].where(tasks["deadline"].notna(), column)
    return Plane(tasks.reset_index(drop=True), none, x, y)


def _low(where: pd.Series) -> pd.Series:
    """Return where the cell of the grid starts that a place lies in."""
    return (where / CELL + 1e-9).map(math.floor, na_action="ignore") * CELL


def _edges(lows: pd.Series) -> Floats:
    lows = lows.dropna()
    return np.array([lows.min(), lows.max() + CELL]) if len(lows) else np.array([])


def cells(plane: Plane, *, least: int = 2) -> pd.DataFrame:
    """Return one row per cell with at least `least` tasks: who wins it and by what share.

    Columns: x0, x1, y0, y1 (decades), offer, seller, share, tasks.
    """
    t = plane.tasks
    none = t["deadline"].isna()
    column = t["left"].round(9).where(~none, np.inf)
    where = pd.DataFrame({"column": column, "row": np.floor(t["y"] / CELL), "offer": t["offer"]})
    counts = where.groupby(["column", "row", "offer"]).size().rename("n").reset_index()
    counts["tasks"] = counts.groupby(["column", "row"])["n"].transform("sum")
    counts = counts.sort_values(["column", "row", "n", "offer"], kind="stable")
    best = counts.groupby(["column", "row"]).tail(1)
    best = best[best["tasks"] >= least].reset_index(drop=True)
    x0 = best["column"].where(np.isfinite(best["column"]), plane.none - CELL)
    width = np.where(np.isfinite(best["column"]), CELL, 2 * CELL)
    return pd.DataFrame({
        "x0": x0, "x1": x0 + width, "y0": best["row"] * CELL, "y1": (best["row"] + 1) * CELL,
        "offer": best["offer"], "seller": seller_of(best["offer"]),
        "share": best["n"] / best["tasks"], "tasks": best["tasks"],
    })  # fmt: skip


def valued_trades(result: Result) -> pd.DataFrame:
    """Return trades after warm-up whose task has a value, at most some 100,000 of them."""
    trades = result.trades
    step = len(trades) // _MOST + 1  # a map needs no millions of dots
    trades = steady(result, trades.iloc[::step], "arrival")
    return trades[trades["value"] > 0]
