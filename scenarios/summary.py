"""The summary of a run: means after warm-up, each with its standard error.

Queueing output is autocorrelated, so errors never come from σ/√N: they come from replications
when there are several, else from batch means over the epochs of the one run.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ..market.schema.market import Market
from .estimates import Estimate, batch_means, replications
from .tables import COUNTS, MONEY, OUTSIDE, STANDING, SUMS

ALL = "all"
BACKLOG = 0.05
"""Share of those who came that had not ended, above which it is said."""
_UNITS = {
    "share": "ratio", "miss_rate": "ratio", "accuracy": "ratio", "wait": "s", "sojourn": "s",
    "price": "USD/task", "surplus": "USD/h", "profit": "USD/h", "margin": "USD/h",
    "revenue": "USD/h", "welfare": "USD/h", "commission": "USD/h", "thinking": "tokens/task",
    "utilisation": "ratio", "waiting": "tasks", "running": "tasks", "fixed": "USD/h",
    "advertising": "USD/h", "platform": "USD/h", "search": "USD/h",
}  # fmt: skip
_TOTALS = ("arrived", "served", "balked", "reneged", "failed")
_Cube = dict[str, NDArray[np.float64]]
Ratio = tuple[NDArray[np.float64], NDArray[np.float64]]
"""Sums and counts, [rep, epoch] each."""


def warmup_epochs(market: Market, edges: NDArray[np.float64]) -> int:
    """Return how many epochs the warm-up takes, rounded up."""
    return int(np.searchsorted(edges, market.run.warmup - 1e-9 * market.epoch))


def summarise(
    market: Market, epochs: pd.DataFrame, sellers: pd.DataFrame, prices: pd.DataFrame, reps: int
) -> pd.DataFrame:
    """Return one row per (task, offer, metric): value, se, unit, n (batches or replications).

    `epochs`, `sellers` and `prices` are the tables of a `Result`. Loads and profits of a seller
    stand under its name in the column `offer`. Counts are per replication; of a single one they are
    what happened and have no error. Ratios are of totals over all replications.
    """
    length, first, hours = _steady(market, sellers)
    cube, fixed = _measured(market, epochs, sellers, reps)
    rows: list[tuple[Any, ...]] = []
    tasks, offers = [t.name for t in market.tasks], [*market.offers, OUTSIDE]
    arrived = _came(cube)
    standing = _unfinished(market, epochs, reps) if "open" in epochs else None
    for k, task in [*enumerate(tasks), (None, ALL)]:
        if standing is not None:
            left = standing.sum(axis=1) if k is None else standing[:, k]
            _count(rows, task, ALL, "unfinished", left)
        of_task = {n: v.sum(axis=2) if k is None else v[:, :, k] for n, v in cube.items()}
        came = arrived.sum(axis=2) if k is None else arrived[:, :, k]
        for o, offer in [*enumerate(offers), (None, ALL)]:
            cell = {n: v.sum(axis=2) if o is None else v[:, :, o] for n, v in of_task.items()}
            some = ("assigned", "served", "reneged", "failed", "fee", "open")
            if not any(cell[n].any() for n in some):
                continue
            balked = of_task["assigned"][:, :, -1]
            whole = fixed if k is None and o is None else None
            _rows(rows, task, offer, cell, came, balked, hours, o == len(offers) - 1, whole)
    _seller_rows(rows, market, sellers, reps, length, first, hours)
    _price_rows(rows, market, prices, reps, length, first, hours)
    columns = ["task", "offer", "metric", "value", "se", "unit", "n"]
    return pd.DataFrame(rows, columns=columns)


def class_ratios(
    market: Market, epochs: pd.DataFrame, sellers: pd.DataFrame, reps: int
) -> dict[tuple[str, str], Ratio]:
    """Return what the means of each class, and of all, are ratios of: by (task, metric).

    Sums and counts, [rep, epoch] each, after warm-up, over all offers. Beside the metrics of
    `summarise`: what share of those who came was served (`served_share`), late among them
    (`late_share`), left or failed (`left_share`) and did without (`without_share`); by how much
    the tasks in the market grew (`unfinished_share`, below 0 if they became fewer).
    """
    hours = _steady(market, sellers)[2]
    cube, fixed = _measured(market, epochs, sellers, reps)
    arrived = _came(cube)
    found: dict[tuple[str, str], Ratio] = {}
    for k, task in [*enumerate(t.name for t in market.tasks), (None, ALL)]:
        of_task = {n: v.sum(axis=2) if k is None else v[:, :, k] for n, v in cube.items()}
        came = arrived.sum(axis=2) if k is None else arrived[:, :, k]
        cell = {n: v.sum(axis=2) for n, v in of_task.items()}
        ratios = _ratios(cell, came, hours, fixed if k is None else None)
        ratios |= {
            "served_share": (cell["served"], came), "late_share": (cell["late"], came),
            "left_share": (cell["reneged"] + cell["failed"], came),
            "without_share": (of_task["assigned"][:, :, -1], came),
        }  # fmt: skip
        if "open" in epochs:
            ratios["unfinished_share"] = (cell["open"], came)
        found |= {(task, name): ratio for name, ratio in ratios.items()}
    return found


def _came(cube: _Cube) -> NDArray[np.float64]:
    """Return how many tasks came, [rep, epoch, task]: given to an offer, or without one yet."""
    return np.asarray(cube["assigned"].sum(axis=3) + cube["open"][..., -1])


def _unfinished(market: Market, epochs: pd.DataFrame, reps: int) -> NDArray[np.float64]:
    """Return how many tasks had come and not ended when the run did, [rep, task]."""
    found = np.zeros((reps, len(market.tasks)))
    place = {t.name: k for k, t in enumerate(market.tasks)}
    tasks = epochs["task"].map(place).to_numpy(dtype=np.int64)
    np.add.at(found, (epochs["rep"].to_numpy(), tasks), epochs["open"].to_numpy())
    return found


def unit_of(metric: str) -> str:
    """Return the unit of a metric of `class_ratios`."""
    return _UNITS.get(metric, "ratio")


def _steady(market: Market, sellers: pd.DataFrame) -> tuple[int, int, NDArray[np.float64]]:
    """Return how many epochs a run has, the first after its warm-up, and the hours of those."""
    edges = np.unique(sellers["start"].to_numpy())
    first = warmup_epochs(market, edges)
    return len(edges), first, (np.diff(np.append(edges, market.run.until)) / 3600)[first:]


def _measured(
    market: Market, epochs: pd.DataFrame, sellers: pd.DataFrame, reps: int
) -> tuple[_Cube, NDArray[np.float64]]:
    """Return the counts and sums after warm-up, and the fixed costs [rep, epoch]."""
    length, first, _ = _steady(market, sellers)
    cube = {n: v[:, first:] for n, v in _cube(market, epochs, reps, length).items()}
    fixed = sellers.groupby(["rep", "epoch"])["fixed"].sum().to_numpy(dtype=np.float64)
    return cube, fixed.reshape(reps, length)[:, first:]


def leaders(summary: pd.DataFrame, count: int = 3) -> pd.DataFrame:
    """Return the most chosen offers of each class, a row each: share, price, times and the like."""
    metrics = ["share", "price", "wait", "sojourn", "miss_rate", "accuracy"]
    rows = summary[summary["metric"].isin(metrics) & (summary["task"] != ALL)]
    table = rows.pivot(index=["task", "offer"], columns="metric", values="value")
    table = table.reindex(columns=metrics).drop(ALL, level="offer")
    order = list(dict.fromkeys(rows["task"]))
    table = table.sort_values("share", ascending=False, kind="stable")
    table = table.sort_index(level="task", key=lambda t: t.map(order.index), sort_remaining=False)
    return table.groupby(level="task", sort=False).head(count)


def _cube(market: Market, epochs: pd.DataFrame, reps: int, length: int) -> _Cube:
    """Return dense arrays [rep, epoch, task, offer] of the table's counts and sums."""
    shape = (reps, length, len(market.tasks), len(market.offers) + 1)
    task = {t.name: k for k, t in enumerate(market.tasks)}
    offer = {name: o for o, name in enumerate([*market.offers, OUTSIDE])}
    where = (
        epochs["rep"].to_numpy(), epochs["epoch"].to_numpy(),
        epochs["task"].map(task).to_numpy(dtype=np.int64),
        epochs["offer"].map(offer).to_numpy(dtype=np.int64),
    )  # fmt: skip
    cube: _Cube = {}
    for name in (*COUNTS, *SUMS, *MONEY, *STANDING):
        cube[name] = np.zeros(shape)
        if name not in epochs:  # written before there was such a column
            continue
        cube[name][where] = epochs[name].to_numpy()
    return cube


def _estimate(sums: NDArray[np.float64], counts: NDArray[np.float64]) -> Estimate:
    """Return a ratio with its error; arrays [rep, epoch]."""
    if sums.shape[0] == 1:
        return batch_means(sums[0], counts[0])
    return replications(sums.sum(axis=1), counts.sum(axis=1))


def _count(
    rows: list[tuple[Any, ...]], task: str, offer: str, name: str, counts: NDArray[np.float64]
) -> None:
    """Append a number of tasks per replication; of a single one it is what happened."""
    e = replications(counts, np.ones(len(counts)))
    rows.append((task, offer, name, e.mean, e.se, "tasks", e.n))


def _rows(
    rows: list[tuple[Any, ...]], task: str, offer: str, c: _Cube, came: NDArray[np.float64],
    balked: NDArray[np.float64], hours: NDArray[np.float64], outside: bool,
    fixed: NDArray[np.float64] | None,
) -> None:  # fmt: skip
    """Append the metrics of one cell; `fixed` are the fixed costs, given for the whole market."""
    ratios = {"share": (c["assigned"], came)} | _ratios(c, came, hours, fixed)
    if outside:
        ratios = {n: v for n, v in ratios.items() if n in ("share", "search", "surplus", "welfare")}
    if offer == ALL:
        ratios.pop("share")
        counts = {
            "arrived": came, "served": c["served"], "reneged": c["reneged"],
            "failed": c["failed"], "balked": balked,
        }  # fmt: skip
    else:
        counts = {"served": c["served"], "reneged": c["reneged"], "failed": c["failed"]}
    for name in _TOTALS:
        if name in counts and not (outside and name != "arrived"):
            _count(rows, task, offer, name, counts[name].sum(axis=1))
    for name, (sums, below) in ratios.items():
        e = _estimate(sums, below)
        rows.append((task, offer, name, e.mean, e.se, _UNITS[name], e.n))


def _ratios(
    c: _Cube, came: NDArray[np.float64], hours: NDArray[np.float64],
    fixed: NDArray[np.float64] | None,
) -> dict[str, Ratio]:  # fmt: skip
    """Return the sums and counts that the metrics of one cell are ratios of."""
    time = np.broadcast_to(hours, came.shape)
    ended = c["served"] + c["reneged"] + c["failed"]
    net = c["paid"] - c["refund"] - c["penalty"] + c["fee"]
    delay_cost = c["delay_cost"] + c["accrued"]  # of those still waiting, too, as it comes
    surplus = c["value"] - c["loss"] - delay_cost + c["taste"] - c["search"] - net
    margin = net - c["commission"] - c["advertising"] - c["cost"]
    ratios: dict[str, Ratio] = {
        "miss_rate": (c["late"] + c["reneged"] + c["failed"], ended),
        "accuracy": (c["right"], c["served"]), "wait": (c["wait"], c["served"]),
        "sojourn": (c["sojourn"], c["served"]), "price": (c["paid"], c["served"]),
        "thinking": (c["thinking"], c["served"]),
        "revenue": (net - c["commission"], time),
        "margin": (margin, time), "commission": (c["commission"], time),
        "advertising": (c["advertising"], time), "search": (c["search"], time),
        "platform": (c["commission"] + c["advertising"], time),
        "surplus": (surplus, time), "welfare": (surplus + net - c["cost"], time),
    }  # fmt: skip
    if fixed is not None:
        ratios["profit"] = (margin - fixed, time)
        ratios["welfare"] = (surplus + net - c["cost"] - fixed, time)
    return ratios


def _seller_rows(
    rows: list[tuple[Any, ...]], market: Market, sellers: pd.DataFrame, reps: int, length: int,
    first: int, hours: NDArray[np.float64],
) -> None:  # fmt: skip
    """Append time averages of each seller's load, and its money per hour."""
    shape = (reps, length, len(market.sellers))
    ordered = sellers.sort_values(["rep", "epoch"], kind="stable")
    for metric in ("utilisation", "running", "waiting", "revenue", "fixed", "profit"):
        values = ordered[metric].to_numpy(dtype=np.float64).reshape(shape)[:, first:]
        for s, seller in enumerate(market.sellers):
            if np.isnan(values[:, :, s]).all():
                continue
            summed = metric in ("revenue", "fixed", "profit")
            rate = values[:, :, s] if summed else values[:, :, s] * hours
            e = _estimate(rate, np.broadcast_to(hours, rate.shape))
            rows.append((ALL, seller.name, metric, e.mean, e.se, _UNITS[metric], e.n))


def _price_rows(
    rows: list[tuple[Any, ...]], market: Market, prices: pd.DataFrame, reps: int, length: int,
    first: int, hours: NDArray[np.float64],
) -> None:  # fmt: skip
    """Append the time average of what each offer posted, in the unit of its seller's lever."""
    ordered = prices.sort_values(["rep", "epoch"], kind="stable")
    posted = ordered["mean_price"].to_numpy(dtype=np.float64).reshape(reps, length, -1)[:, first:]
    units = ordered["price_unit"].to_numpy()[: len(market.offers)]
    for o, (offer, unit) in enumerate(zip(market.offers, units, strict=True)):
        e = _estimate(posted[:, :, o] * hours, np.broadcast_to(hours, posted.shape[:2]))
        rows.append((ALL, offer, "posted_price", e.mean, e.se, unit, e.n))
