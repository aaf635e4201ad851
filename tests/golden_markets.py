"""Small markets whose first tasks are told in words, one text per mechanism in `tests/golden`.

A text is what `walras.follow` says of a market: read it as a worked example of the mechanism.
`python -m tests.golden_markets` writes the texts anew; look at what has changed before it is kept.

To add a mechanism, add an entry to `MARKETS`: the common market under it, or one of its own.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import walras as w

FOLDER = Path(__file__).parent / "golden"


def market(mechanism: Any, **bidding: Any) -> w.Market:
    """Return three owners, one with two efforts, a slot each: soon there are queues to wait in.

    `bidding` are fields of all sellers: what only auctions use.
    """
    task = w.TaskClass(
        "report", w.Poisson(0.35), input_tokens=w.Uniform(100, 300),
        output_tokens=w.LogNormal(200, cv=0.5), value=w.LogNormal(0.6, cv=0.8), loss=0.1,
        delay_cost=0.002, deadline=20, choice=w.Logit(0.02), patience=10,
    )  # fmt: skip
    quick = w.Seller(
        "quick", accuracy=0.75, speed=120, slots=1, price=w.per_task(0.04), cost=w.per_task(0.015),
    )  # fmt: skip
    good = w.Seller(
        "good", ability={"general": w.Ability(theta=1.6, beta=0.5)}, speed=60, slots=1,
        effort={"low": 0, "high": 400}, price=w.per_mtok(20, 400), cost=w.per_mtok(8, 150),
        refund_late=0.5,
    )  # fmt: skip
    sound = w.Seller(
        "sound", accuracy=0.92, speed=45, slots=1, price=w.per_task(0.11), cost=w.per_task(0.05),
        promise=12, penalty=0.02,
    )  # fmt: skip
    sellers = [seller.model_copy(update=bidding) for seller in (quick, good, sound)]
    return w.Market(
        [task], sellers, run=w.Run(until=600.0), platform=w.Platform(commission=0.1),
        mechanism=mechanism,
    )  # fmt: skip


CALLED: dict[str, Any] = {"bid_time": 0.5, "cost_factor": w.Uniform(0.5, 1.5)}
"""Bids take half a second to make; each owner's cost of a task is its own secret."""
SHADED = w.Shading(bidders=3)


def contracts() -> w.Market:
    """Return the common market with three customers and two contracts at its best seller."""
    common = market("posted_price")
    task = common.tasks[0].model_copy(update={"customers": 3, "usage": w.LogNormal(1, cv=1)})
    quick, good, sound = common.sellers
    good = good.model_copy(update={"contracts": {
        "plus": w.Contract(fee=0.1, quota=2000.0, rate=0.8),
        "batch": w.Contract(rate=0.7, within="10 s"),
    }})  # fmt: skip
    platform = w.Platform(commission=0.1, contract_period=120.0)
    return w.Market([task], [quick, good, sound], run=w.Run(until=600.0), platform=platform)


def listing() -> w.Market:
    """Return the common market with sold positions, claims beside ratings, and looks that cost.

    Three of four offers are shown; the quick seller bids most for its place and claims too much.
    """
    common = market("posted_price")
    task = common.tasks[0].model_copy(update={"consideration": 3})
    bids = {"quick": 0.012, "sound": 0.006, "good": 0.004}
    sellers = [s.model_copy(update={"sponsor": bids[s.name]}) for s in common.sellers]
    sellers[0] = sellers[0].model_copy(update={"claimed": 0.85})
    platform = w.Platform(commission=0.1, ranking="sponsored", search_cost=0.001, rating_prior=4)
    return w.Market(
        [task], sellers, run=w.Run(until=600.0), platform=platform,
        quotes=w.Quotes(accuracy="rated"),
    )  # fmt: skip


HAGGLING = w.Concession(buyer=w.Tactic(beta=2.0, rounds=6), seller=w.Tactic(rounds=6))

MARKETS: dict[str, w.Market] = {
    "posted_price": market("posted_price"),
    "first_price": market(w.Procurement("first_price", bid=SHADED, reserve=0.1), **CALLED),
    "vickrey": market(w.Procurement("vickrey", reserve=0.1), **CALLED),
    "first_score": market(w.ScoringAuction("first_score", bid=SHADED), **CALLED),
    "second_score": market(w.ScoringAuction("second_score", reserve=0.05)),
    "k_double": market("k_double", **CALLED),
    "call_market": market(w.CallMarket(period=2.0, least_accuracy=0.8), **CALLED),
    "contracts": contracts(),
    "listing": listing(),
    "rubinstein": market(w.Negotiation(round_time=0.3)),
    "concession": market(w.Negotiation(bargaining=HAGGLING, round_time=0.3, first="seller")),
    "continuous": market(w.ContinuousAuction(shouts=2.0, buyers="zip", sellers="zip"), **CALLED),
}
TASKS = 8


@cache
def told(name: str) -> str:
    """Return the text of one mechanism."""
    return w.follow(MARKETS[name], TASKS, seed=1)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for name in MARKETS:
        (FOLDER / f"{name}.txt").write_text(told(name), encoding="utf-8")
