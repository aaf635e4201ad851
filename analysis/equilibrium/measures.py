"""What a market is like at some prices: who gains, how concentrated, how used, who would go where.

All of the fluid market. USD are by the hour; f_ko are the tasks a second that class k gives to
offer o, p_o = Σ_k f_ko/Σ f, q_s the tasks a second of seller s.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

from ...market.fluid.expectations import SERVED, TIMELY
from ...market.fluid.gradient import gradient
from ...market.fluid.solve import Selection
from .game import Floats
from .response import thinks

HOUR = 3600.0


def measures(selection: Selection) -> dict[str, float]:
    """Return the measures of one market; what is a ratio of nothing is nan.

    - surplus, profit, platform, USD/h: of buyers (tastes included), of sellers after fixed cost,
      of the platform; they add up to welfare;
    - hhi: Σ (share of each owner in what sellers are left of payments)²; lerner: 1 − cost/those,
      the mean of sellers' indices (Lerner 1934) weighted by them;
    - dispersion: coefficient of variation of what tasks of one class pay, averaged over tasks;
    - diversity: e^(−Σ p_o·ln p_o), the number of equally used offers that would be as diverse
      (Hill 1973, of order 1), from 1 to the number of offers;
    - utilisation: work done over all that could be, at sellers who can do only so much;
    - miss_rate: share of tasks given to an offer that are served late or never;
    - reasoning: share of them that is given to offers that think before they answer.

    Example:
        >>> from walras.market.fluid.setting import setting_of
        >>> from walras.market.fluid.solve import solve
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> shop = {"accuracy": 1.0, "slots": "unlimited", "cost": {"task": 1}}
        >>> two = [Seller(n, price={"task": 1.6}, **shop) for n in "ab"]
        >>> found = measures(solve(setting_of(Market(tasks=[ask], sellers=two))))
        >>> [round(found[name], 6) for name in ("hhi", "lerner", "diversity", "miss_rate")]
        [0.5, 0.375, 2.0, 0.0]
    """
    paid = np.zeros(len(selection.setting.owners))
    np.add.at(paid, selection.setting.owner_of, np.maximum(selection.revenue, 0.0))
    total, flow = float(paid.sum()), selection.flow
    thinking = flow[:, thinks(selection.setting.market)]
    return {
        "welfare": selection.welfare * HOUR, "surplus": float(selection.surplus.sum()) * HOUR,
        "profit": float(selection.profit.sum()) * HOUR, "platform": selection.platform * HOUR,
        "hhi": _over(float(np.square(paid).sum()), total * total),
        "lerner": _over(total - float(selection.cost.sum()), total),
        "dispersion": _dispersion(selection), "diversity": _diversity(flow.sum(axis=0)),
        "utilisation": _utilisation(selection), "miss_rate": _missed(selection),
        "reasoning": _over(float(thinking.sum()), float(flow.sum())),
    }  # fmt: skip


def diversion(selection: Selection) -> pd.DataFrame:
    """Return where the tasks go that a seller loses by a dearer price: one row a pair of sellers.

    Diversion ratios (Shapiro 1996), once delays have followed:

      D_ij = −(∂q_j/∂p_i)/(∂q_i/∂p_i);  Σ_j D_ij = 1 with those who then do without.

    Of a logit without queues or classes, D_ij = q_j/(Λ − q_i) with Λ tasks a second in all.

    Columns: seller, to (a seller, or "outside"), diversion (ratio). A seller that no price moves
    has nan.
    """
    names = [seller.name for seller in selection.setting.market.sellers]
    flow = gradient(selection, selection.setting.seller_of).flow.sum(axis=0)  # [O, S]
    moved = selection.by_seller(flow.T)  # of each price, what each seller gets more, [S, S]
    own = np.diagonal(moved)[:, None]
    ratio = np.divide(-moved, own, out=np.full(moved.shape, np.nan), where=own < 0.0)
    outside = -ratio.sum(axis=1)  # its own entry is −1
    table = pd.DataFrame([
        {"seller": name, "to": to, "diversion": share}
        for i, name in enumerate(names)
        for to, share in zip([*names, "outside"], [*ratio[i], outside[i]], strict=True)
        if to != name
    ], columns=["seller", "to", "diversion"])  # fmt: skip
    table.attrs["units"] = {"diversion": "ratio"}
    return table


def _over(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0.0 else float("nan")


def _dispersion(selection: Selection) -> float:
    flow, paid = selection.flow, selection.paid
    served = flow.sum(axis=1)
    some = served > 0.0
    weight, price = flow[some] / served[some, None], paid[some]
    mean = (weight * price).sum(axis=1)
    spread = np.sqrt((weight * np.square(price - mean[:, None])).sum(axis=1))
    ratio = np.divide(spread, mean, out=np.zeros_like(mean), where=mean > 0.0)
    return float(ratio @ served[some] / served.sum()) if some.any() else float("nan")


def _diversity(flow: Floats) -> float:
    if not flow.sum() > 0.0:
        return float("nan")
    share = flow[flow > 0.0] / flow.sum()
    return float(np.exp(-(share * np.log(share)).sum()))


def _utilisation(selection: Selection) -> float:
    done, most = 0.0, 0.0
    parts = zip(selection.weights, selection.responses, selection.moments, strict=True)
    for weight, response, flows in parts:
        limited = np.isfinite(response.limits)
        work = (flows.flow * flows.expected[..., SERVED] * response.work).sum(axis=0)
        done += weight * float(selection.by_seller(work)[limited].sum())
        most += weight * float(response.limits[limited].sum())
    return _over(done, most)


def _missed(selection: Selection) -> float:
    timely, given = 0.0, 0.0
    for weight, flows in zip(selection.weights, selection.moments, strict=True):
        timely += weight * float((flows.flow * flows.expected[..., TIMELY]).sum())
        given += weight * float(flows.flow.sum())
    return _over(given - timely, given)
