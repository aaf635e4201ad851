"""Second-score auction: the best score wins and is paid what makes it equal the score to beat.

Che (1993): sellers bid, the buyer scores each bid by its expected utility. One bid per owner,
its best offer; the score to beat is that of the best other owner, the reserve or the outside
option. Without capacity limits bidding one's cost is dominant, as in a Vickrey auction. A seller
that can keep nothing of any price (always late and refunded in full) makes no bid.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled


@compiled
def score_to_beat(
    score: NDArray[np.float64], shown: NDArray[np.int64], count: int, outside: float,
    winner: int, offers: Any,
) -> float:  # fmt: skip
    """Return the best score among other owners' offers, at least `outside`.

    `score[j]` is that of the offer `shown[j]`, for j below `count`; `winner` is the offer that won.
    """
    beat = outside
    owner = offers[winner]["owner"]
    for j in range(count):
        if score[j] > beat and offers[shown[j]]["owner"] != owner:
            beat = score[j]
    return beat


@compiled
def payment(bid: float, score: float, beat: float, billed: float) -> float:
    """Return the winner's price: bid + (score − score to beat) / billed share.

    `billed` is the expected share of the price that is really paid (Pr(served) net of refunds),
    so that the winner's score at this price equals the score to beat.

    Example:
        >>> payment(2.0, 5.0, 3.5, 1.0)
        3.5
    """
    if billed <= 0.0:
        return bid
    return bid + (score - beat) / billed
