"""Random small markets with a platform: sponsored or rated listings, and costly search."""

from __future__ import annotations

from typing import Any

import numpy as np

from walras.market.schema.demand import Logit
from walras.market.schema.market import Market

from .scenarios import maybe, near, pick, random_auction, random_market

_FIRST = 50_000  # other seeds than those of the markets without


def random_listing(seed: int, *, grid: bool) -> Market:
    """Return a random market in which a rating, a position or a look matters."""
    rng = np.random.default_rng([seed, int(grid), 77])
    search = maybe(rng, 0.5)
    base = random_auction if not search and maybe(rng, 0.4) else random_market
    market = base(_FIRST + seed, grid=grid)
    platform: dict[str, Any] = {
        "commission": market.platform.commission,
        "ranking": pick(rng, "rating", "sponsored", "sponsored", "price", "random"),
        "rating_prior": pick(rng, 0.0, 1.0, 5.5),
        "rerank_every": pick(rng, 0.5, 2.0, 7.3),
        "search_cost": pick(rng, 0.01, 0.05, 0.3) if search else 0.0,
    }
    tasks = []
    for task in market.tasks:
        change: dict[str, Any] = {}
        if maybe(rng, 0.7):
            change["consideration"] = int(rng.integers(1, 4))
        if search and isinstance(task.choice, Logit):
            change["choice"] = {"kind": "logit", "scale": task.choice.scale}
        tasks.append(task.model_copy(update=change))
    bids = [0.0, 0.0, near(rng, 0.02), near(rng, 0.05)]
    sellers = []
    for seller in market.sellers:
        change = {"sponsor": pick(rng, *bids)}
        if maybe(rng, 0.5):
            change["claimed"] = 0.97
        sellers.append(seller.model_copy(update=change))
    accuracy = pick(rng, "rated", "rated", market.quotes.accuracy)
    return market.model_copy(update={
        "tasks": tasks, "sellers": sellers, "platform": platform,
        "mechanism": {"kind": "posted_price"} if search else market.mechanism,
        "quotes": market.quotes.model_copy(update={"accuracy": accuracy}),
    })  # fmt: skip
