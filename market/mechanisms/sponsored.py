"""Sponsored positions: sellers bid per sale for their place, and pay the bid of the next.

The generalised second-price auction (Edelman, Ostrovsky & Schwarz 2007; Varian 2007), per sale
instead of per click: sellers stand in descending order of bids, and the one in position j pays
the bid of the one in position j + 1 for each task it sells; the last pays nothing. A seller has
one position, however many offers it lists.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray


def next_bids(order: NDArray[np.int64], bids: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return what a sale costs each seller, USD: the bid of the next seller in the order.

    Args:
        order: sellers of the offers on the market in the order shown; repeated where a seller has
            several.
        bids: bid of each seller, [sellers].

    Example:
        >>> next_bids(np.array([2, 0, 2, 1]), np.array([3.0, 1.0, 5.0])).tolist()
        [1.0, 0.0, 3.0]
    """
    fees = np.zeros(len(bids))
    positions = list(dict.fromkeys(order.tolist()))
    for seller, following in pairwise(positions):
        fees[seller] = bids[following]
    return fees
