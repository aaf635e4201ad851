"""The numbers of figure M1: what all have under each mechanism, and how prices spread."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ...scenarios.compare import Comparison
from ...scenarios.result import Result
from .frames import steady

ALL = "all"
GAINS = {"surplus": "buyers", "profit": "sellers", "margin": "sellers", "platform": "platform"}
MISSES = {
    "late_share": "late", "left_share": "left", "without_share": "did without",
    "unfinished_share": "not ended",
}  # fmt: skip
_STEADY = 0.01
"""Growth of the tasks in the market, as a share of those who came, that is taken for chance."""
QUANTILES = (0.1, 0.9)


def data(comparison: Comparison) -> pd.DataFrame:
    """Return what is drawn, a row per (task, metric, mechanism).

    Columns: task, metric, mechanism, value, low, high, unit; `low` and `high` are the interval
    drawn: the value less and plus half the width of the 95% interval of its paired difference to
    the first mechanism (which has none). The metrics `missed_share` (the sum of `late_share`,
    `left_share`, `without_share` and `unfinished_share`, which is 0 here below 1%) and `price_10%`,
    `price_90%` (quantiles of the prices paid, from the sample of trades) have no interval.
    """
    parts = ("welfare", *GAINS, *MISSES, "price")
    levels = comparison.levels()
    levels = levels[levels["metric"].isin(parts) & levels["value"].notna()]
    key = ["task", "metric", "mechanism"]
    changes = comparison.differences().set_index(key)
    half = (changes["high"] - changes["low"]) / 2
    table = levels[[*key, "value", "unit"]].join(half.rename("half"), on=key)
    chance = (table["metric"] == "unfinished_share") & (table["value"] < _STEADY)
    table.loc[chance, ["value", "half"]] = 0.0, float("nan")
    missed = table[table["metric"].isin(MISSES)]
    missed = missed.groupby(["task", "mechanism"], sort=False)["value"].sum().reset_index()
    missed = missed.assign(metric="missed_share", unit="ratio")
    table = pd.concat([table, missed, _quantiles(comparison)], ignore_index=True)
    table["low"], table["high"] = table["value"] - table["half"], table["value"] + table["half"]
    table = table[[*key, "value", "low", "high", "unit"]]
    table.attrs["units"] = {"value": "see unit", "low": "see unit", "high": "see unit"}
    return table


def _quantiles(comparison: Comparison) -> pd.DataFrame:
    """Return how prices paid spread in each class and over all, from the sample of trades."""
    rows = []
    for name, result in comparison.results.items():
        paid = _paid(result)
        for task in (ALL, *(t.name for t in comparison.first.market.tasks)):
            some = paid if task == ALL else paid[paid["task"] == task]
            if some.empty:
                continue
            values = weighted(some["price"].to_numpy(), some["weight"].to_numpy(), QUANTILES)
            rows += [
                (task, f"price_{q:.0%}", name, value, "USD/task")
                for q, value in zip(QUANTILES, values, strict=True)
            ]
    return pd.DataFrame(rows, columns=["task", "metric", "mechanism", "value", "unit"])


def _paid(result: Result) -> pd.DataFrame:
    """Return class, price and weight of the answers in the sample, after warm-up."""
    trades = steady(result, result.trades, "arrival")
    trades = trades[trades["status"] == "served"]
    shares = result.trades.attrs.get("share", {})
    weight = trades["task"].map(lambda task: 1.0 / shares.get(task, 1.0)).astype(float)
    return pd.DataFrame({"task": trades["task"], "price": trades["price"], "weight": weight})


def weighted(
    values: NDArray[np.float64], weights: NDArray[np.float64], at: tuple[float, ...]
) -> list[float]:
    """Return quantiles of values that stand for so many others each."""
    order = np.argsort(values, kind="stable")
    reached = np.cumsum(weights[order]) / weights.sum()
    places = np.searchsorted(reached, np.array(at) - 1e-12)
    return [float(values[order][min(int(place), len(order) - 1)]) for place in places]
