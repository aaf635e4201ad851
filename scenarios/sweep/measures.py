"""What is kept of each run of a sweep: means after warm-up, in a hundredth of a summary's time."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..compare import cells_of, level
from ..result import Result
from ..summary import ALL, class_ratios, unit_of
from ..tables import OUTSIDE

Row = tuple[str, str, str, float, float, str]
"""task, offer, metric, value, standard error (nan: unknown), unit."""
_LOADS = ("utilisation", "running", "waiting")
_MONEY = ("revenue", "profit")


def measures(result: Result) -> list[Row]:
    """Return means of classes with their errors; shares and prices of offers, loads of sellers.

    All are over every epoch after warm-up, so that parts add up. (A summary leaves out the first
    few where epochs don't make whole batches; here only errors are those of batches.)

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> from walras.scenarios.run import run
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> result = run(Market([ask], [Seller("one", accuracy=1.0)]), until="2 min")
        >>> [row[3] for row in measures(result) if row[:3] == ("chat", "one/default", "share")]
        [1.0]
    """
    market = result.market
    rows: list[Row] = []
    ratios = class_ratios(market, result.epochs, result.sellers, result.reps)
    for task, metric in cells_of(ratios):
        sums, counts = ratios[task, metric]
        whole = float(counts.sum())
        mean = float(sums.sum()) / whole if whole else math.nan
        rows.append((task, ALL, metric, mean, level((sums, counts)).se, unit_of(metric)))
    warm = market.run.warmup - 1e-9 * market.epoch
    epochs, sellers, prices = (
        frame[frame["start"] >= warm] for frame in (result.epochs, result.sellers, result.prices)
    )
    return [*rows, *_shares(epochs), *_loads(sellers, result), *_prices(prices, result)]


def _shares(epochs: Any) -> list[Row]:
    """Return each offer's share of each class's tasks, and that of doing without."""
    got = epochs.groupby(["task", "offer"], sort=False)["assigned"].sum()
    whole = epochs["assigned"] + epochs["open"].where(epochs["offer"] == OUTSIDE, 0)
    came = whole.groupby(epochs["task"], sort=False).sum()
    return [
        (str(task), str(offer), "share", float(count / came[task]), math.nan, "ratio")
        for (task, offer), count in got.items()
        if came[task] > 0 and (count > 0 or offer == OUTSIDE)
    ]


def _weights(frame: Any, result: Result) -> Any:
    """Return the length of each row's epoch, s."""
    run = result.market.run
    return np.minimum(result.market.epoch, run.until - frame["start"])


def _loads(sellers: Any, result: Result) -> list[Row]:
    """Return time averages of sellers' loads, and their money per hour."""
    length = _weights(sellers, result)
    names = [*_LOADS, *_MONEY]
    scaled = sellers[names].mul(length, axis=0)
    scaled[list(_MONEY)] = sellers[list(_MONEY)] * 3600.0
    total = scaled.groupby(sellers["seller"], sort=False).sum(min_count=1)
    total = total.div(length.groupby(sellers["seller"], sort=False).sum(), axis=0)
    units = dict.fromkeys(_LOADS, "tasks") | dict.fromkeys(_MONEY, "USD/h")
    units["utilisation"] = "ratio"
    return [
        (ALL, str(seller), name, float(row[name]), math.nan, units[name])
        for seller, row in total.iterrows() for name in names if not math.isnan(row[name])
    ]  # fmt: skip


def _prices(prices: Any, result: Result) -> list[Row]:
    """Return the time average of what each offer posted, in the unit of its seller's lever."""
    length = _weights(prices, result)
    by = prices["offer"]
    mean = (prices["mean_price"] * length).groupby(by, sort=False).sum()
    mean /= length.groupby(by, sort=False).sum()
    units = prices.groupby("offer", sort=False)["price_unit"].first()
    return [
        (ALL, str(offer), "posted_price", float(value), math.nan, str(units[offer]))
        for offer, value in mean.items()
    ]  # fmt: skip
