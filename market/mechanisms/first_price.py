"""First-price procurement: the lowest acceptable bid wins and is paid what it asked.

A bid is acceptable if it is at most the reserve and leaves the buyer at least its outside option.
Bidders alike ask in equilibrium what the best rival is expected to ask, given that it asks more
(Krishna 2010, proposition 2.2, for procurement): β(θ) = E[min(least(T), reserve) | T > θ].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled, inner
from ..rng import hash2


@inner
def acceptable(score: float, bid: float, outside: float, reserve: float) -> bool:
    """Return whether a buyer can accept a bid: at most the reserve, no worse than doing without."""
    return score >= outside and score > -np.inf and bid <= reserve


@compiled
def lowest(
    bids: NDArray[np.float64], score: NDArray[np.float64], shown: NDArray[np.int64], count: int,
    outside: float, reserve: float, id_: np.uint64, offers: Any,
) -> int:  # fmt: skip
    """Return the place in `shown` of the lowest acceptable bid, or −1 if there is none.

    `bids[j]` is what the offer `shown[j]` asks, USD, `score[j]` what it is worth at that price.
    Equal bids are settled by a coin of the task's own.
    """
    winner = -1
    for j in range(count):
        if not acceptable(score[j], bids[j], outside, reserve):
            continue
        if winner < 0 or bids[j] < bids[winner]:
            winner = j
        elif bids[j] == bids[winner]:
            mine = hash2(id_, offers[shown[j]]["tie_key"])
            if mine > hash2(id_, offers[shown[winner]]["tie_key"]):
                winner = j
    return winner
