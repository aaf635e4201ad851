"""k-double auction: one price somewhere between what the buyer bids and what the seller asks.

Chatterjee & Samuelson (1983, Operations Research 31): buyer and seller name sealed prices b and s
for one unit; if b ≥ s they trade at k·b + (1 − k)·s. With n sellers the price lies in the interval
of prices that clear the market of one buyer: from the lowest ask to the bid or the second-lowest
ask, whichever is less (Rustichini, Satterthwaite & Williams 1994, Econometrica 62).
"""

from __future__ import annotations

import math

from ..jit import compiled


@compiled
def between(lower: float, upper: float, k: float) -> float:
    """Return the price k·upper + (1 − k)·lower, never outside the interval by rounding.

    Example:
        >>> between(1.0, 2.0, 0.25), between(1.0, math.inf, 0.0)
        (1.25, 1.0)
    """
    if k == 0.0:
        return lower
    if k == 1.0:
        return upper
    price = k * upper + (1.0 - k) * lower
    return min(max(price, lower), upper)


@compiled
def k_price(bid: float, lowest: float, second: float, k: float) -> float:
    """Return the price of a trade between a buyer and the seller who asks least, or NaN for none.

    Args:
        bid: the buyer's price, any unit; NaN if it makes none.
        lowest: the lowest ask; infinite if nobody asks.
        second: the lowest ask of the other sellers; infinite if there is no other.
        k: 1 gives the seller all the interval, 0 the buyer.

    Example:
        >>> (
        ...     k_price(0.8, 0.5, math.inf, 0.5),
        ...     k_price(0.8, 0.5, 0.6, 0.5),
        ...     k_price(0.4, 0.5, 0.6, 0.5),
        ... )
        (0.65, 0.55, nan)
    """
    if math.isnan(bid) or bid < lowest:
        return math.nan
    return between(lowest, min(bid, second), k)
