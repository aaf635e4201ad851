"""Vickrey procurement: the lowest acceptable bid wins and is paid the highest that would have won.

That is the lowest acceptable bid of another owner, the reserve, or the price at which the buyer
would do without, whichever is least: none depends on the winner's own bid, so that bidding one's
cost is dominant (Vickrey 1961; Myerson 1981 for reserves). The winner is `first_price.lowest`.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled
from .first_price import acceptable


@compiled
def runner_up(
    bids: NDArray[np.float64], score: NDArray[np.float64], shown: NDArray[np.int64], count: int,
    outside: float, reserve: float, winner: int, offers: Any,
) -> float:  # fmt: skip
    """Return the lowest acceptable bid of another owner than the winner's, infinite without one."""
    least = math.inf
    owner = offers[shown[winner]]["owner"]
    for j in range(count):
        if (
            bids[j] < least
            and offers[shown[j]]["owner"] != owner
            and acceptable(score[j], bids[j], outside, reserve)
        ):
            least = bids[j]
    return least


@compiled
def ceiling(bid: float, score: float, outside: float, billed: float) -> float:
    """Return the price at which a buyer would rather do without: bid + (score − outside)/billed.

    `score` is its utility at the bid; infinite for captive buyers and where no price is paid.
    """
    if outside == -math.inf or billed <= 0.0:
        return math.inf
    return bid + (score - outside) / billed


@compiled
def critical_price(
    bid: float, score: float, billed: float, outside: float, rival: float, reserve: float
) -> float:
    """Return the highest price at which the winner would still have won; its bid if none is.

    `billed` is the share of the price that the buyer expects to pay.

    Example:
        >>> critical_price(0.25, 0.75, 1.0, 0.0, 0.5, math.inf)
        0.5
        >>> critical_price(0.25, 0.75, 1.0, 0.0, math.inf, math.inf)
        1.0
    """
    price = min(rival, reserve, ceiling(bid, score, outside, billed))
    return bid if math.isinf(price) else max(price, bid)
