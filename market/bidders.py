"""What the spec says of how sellers bid, as the arrays that the kernel reads."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from .mechanisms.bidding import (
    rival_nodes,
    shadow_prices,
)  # fmt: skip
from .schema.auctions import SealedBids, bidding_of, sealed
from .schema.bidding import OpportunityCost
from .schema.distributions import Constant
from .schema.market import Market


def private_costs(market: Market) -> bool:
    """Return whether bids differ between tasks of a class, since costs are drawn for each."""
    auction = sealed(market.mechanism)
    return auction is not None and any(
        not isinstance(s.cost_factor, Constant) and bidding_of(auction, s).kind != "price"
        for s in market.sellers
    )


def rivals_of(auction: SealedBids | None, market: Market) -> NDArray[np.float64]:
    """Return where each seller expects the best rival's cost factor, shape [S, 2, RIVAL_NODES]."""
    rules = [bidding_of(auction, s) if auction else None for s in market.sellers]
    return np.array([rival_nodes(getattr(rule, "bidders", 2)) for rule in rules])


def shadow_table(market: Market, slots: Sequence[float]) -> NDArray[np.float64]:
    """Return what share of a margin one more taken slot costs each seller, shape [S, slots + 1]."""
    auction = sealed(market.mechanism)
    rows = [np.zeros(1)] * len(slots)
    for s, (seller, count) in enumerate(zip(market.sellers, slots, strict=True)):
        rule = bidding_of(auction, seller) if auction else None
        if isinstance(rule, OpportunityCost) and not math.isinf(count):
            rows[s] = shadow_prices(int(count), rule.load)
    table = np.zeros((len(rows), max(map(len, rows))))
    for s, row in enumerate(rows):
        table[s, : len(row)] = row
    return table
