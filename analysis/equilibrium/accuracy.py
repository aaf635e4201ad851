"""How far the fluid market is off: its solution beside replications of the event market.

Both are asked for the same five figures of a market as it is posted. Errors are relative, fluid
over events less one, with the standard error that replications give (independent streams, each
measured after the warm-up that a certificate's runs have).
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

from ...market.fluid.closed import come_round
from ...market.fluid.setting import setting_of
from ...market.fluid.solve import Selection, solve
from ...market.schema.arrivals import Diurnal
from ...market.schema.market import Market
from ...scenarios.estimates import Estimate
from ...scenarios.run import run
from ...scenarios.tables import OUTSIDE
from ..certificate.runs import at_rest
from ..certificate.settling import pilot, warm_up

MEASURES = {
    "share": "share of its class",
    "sojourn": "time to the answer (s)",
    "miss_rate": "late or left",
    "profit": "profit (USD/h)",
    "surplus": "buyers' surplus (USD/h)",
}
"""What is compared: shares, times and lateness by class and offer, profit by seller, surplus by
class."""
_RARE = 0.01
"""Share of a class below which an offer is not compared."""
_HOUR = 3600.0
_COLUMNS = ["measure", "task", "offer", "fluid", "events", "se", "low", "high", "error", "error_se"]


def compare(market: Market, *, tasks: int = 50_000, reps: int = 8, seed: int = 0) -> pd.DataFrame:
    """Return what the fluid market says of a market beside what its events give.

    Args:
        market: posted prices; strategies and events are left out.
        tasks: that come in each replication after its warm-up, about; whole days where demand
            follows the clock.
        reps: replications, 2 or more.
        seed: of all randomness.

    Returns:
        One row per measure (`MEASURES`), task and offer: fluid, events, se, low and high (of
        events; the 95% interval), error (relative) and error_se. `attrs["approximate"]` says why
        the fluid market is not exact; empty where it is. F13 draws it: `figures.theory.draw`.

    Example:
        >>> from .accuracy_cases import cases
        >>> found = compare(cases()["exact"], tasks=2000, reps=2)
        >>> found["measure"].unique().tolist()
        ['share', 'sojourn', 'miss_rate', 'profit', 'surplus']
    """
    market = at_rest(market)
    setting = come_round(setting_of(market))
    fluid = solve(setting)
    begin, end = _window(market, tasks, seed)
    clock = market.run.model_copy(update={"warmup": begin, "until": end, "epoch": begin})
    market = market.model_copy(update={"run": clock})  # few epochs: they cost more than their tasks
    result = run(market, reps=reps, record="summary", seed=seed)
    events = result.summary().set_index(["metric", "task", "offer"])[["value", "se"]]
    told = pd.Series(_told(fluid), name="fluid")
    told.index.names = ["metric", "task", "offer"]
    rows = events.join(told, how="inner").reindex(told.index).dropna().reset_index()
    rows = rows.rename(columns={"metric": "measure", "value": "events"})
    rows["error"] = rows["fluid"] / rows["events"] - 1.0
    rows["error_se"] = (rows["se"] * rows["fluid"] / rows["events"] ** 2).abs()
    ends = [
        Estimate(mean, se, reps, reps - 1).interval()
        for mean, se in zip(rows["events"], rows["se"], strict=True)
    ]
    rows["low"], rows["high"] = np.transpose(ends)
    rows.attrs["approximate"] = setting.approximate
    return rows[_COLUMNS]


def _window(market: Market, tasks: int, seed: int) -> tuple[float, float]:
    """Return when measuring begins and ends, s."""
    begin = warm_up(market, pilot(market, seed + 1).relaxation)
    length = tasks / sum(market.arrival_rate(task) for task in market.tasks)
    days = [t.arrivals.period for t in market.tasks if isinstance(t.arrivals, Diurnal)]
    if days:
        length = max(days) * math.ceil(length / max(days))
    return begin, begin + length


def _told(fluid: Selection) -> dict[tuple[str, str, str], float]:
    """Return what the fluid market says, by measure, task and offer."""
    market, found = fluid.setting.market, {}
    for k, task in enumerate(market.tasks):
        for o, offer in enumerate([*market.offers, OUTSIDE]):
            share = float(fluid.share[k, o])
            if share < _RARE:
                continue
            found["share", task.name, offer] = share
            if offer != OUTSIDE:
                found["sojourn", task.name, offer] = float(fluid.answer_time[k, o])
                if np.isfinite(fluid.setting.deadline[fluid.setting.class_of == k]).any():
                    found["miss_rate", task.name, offer] = 1.0 - float(fluid.on_time[k, o])
        found["surplus", task.name, "all"] = _HOUR * float(fluid.surplus[k])
    for s, seller in enumerate(market.sellers):
        found["profit", "all", seller.name] = _HOUR * float(fluid.profit[s])
    order = list(MEASURES)
    return dict(sorted(found.items(), key=lambda item: order.index(item[0][0])))


def largest(table: pd.DataFrame) -> pd.DataFrame:
    """Return the row with the largest error of each measure, by measure."""
    at = table["error"].abs().groupby(table["measure"], sort=False).idxmax()
    return table.loc[at].set_index("measure")
