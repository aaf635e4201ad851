"""Continuous double auction: whoever meets a standing order trades with it, at its price.

Orders have priority by price, then by time (Gode & Sunder 1993, Journal of Political Economy 101;
Cliff 1997, HP Laboratories report 97-91). Every trader has one order at most.
"""

from __future__ import annotations

import math
from typing import Any

from ..jit import compiled, inner


@inner
def best_order(traders: Any, first: int, end: int, sign: float) -> int:
    """Return whose order has the largest sign · price, of equals the oldest; −1 if none stands."""
    best = -1
    for t in range(first, end):
        if traders[t]["live"] == 0:
            continue
        if best < 0 or sign * traders[t]["price"] > sign * traders[best]["price"] or (
            traders[t]["price"] == traders[best]["price"]
            and traders[t]["number"] < traders[best]["number"]
        ):  # fmt: skip
            best = t
    return best


@compiled
def best_bid(traders: Any, first: int, end: int) -> int:
    """Return who of `traders[first:end]` has the best standing bid; or −1."""
    return best_order(traders, first, end, 1.0)


@compiled
def best_ask(traders: Any, first: int, end: int) -> int:
    """Return who of `traders[first:end]` has the best standing ask; or −1."""
    return best_order(traders, first, end, -1.0)


@compiled
def trade_price(bid: float, ask: float, bid_stood: bool) -> float:
    """Return the price of a trade, that of the order which stood; NaN if bid and ask don't meet.

    Example:
        >>> trade_price(5.0, 3.0, True), trade_price(5.0, 3.0, False), trade_price(2.0, 3.0, True)
        (5.0, 3.0, nan)
    """
    if math.isnan(bid) or math.isnan(ask) or bid < ask:
        return math.nan
    return bid if bid_stood else ask
