"""Call market: bids and asks are collected and crossed at one price for all.

With bids sorted downwards, b(1) ≥ b(2) ≥ …, asks upwards, s(1) ≤ s(2) ≤ …, and Q the largest
number with b(Q) ≥ s(Q), the Q best of each side trade at p = k·upper + (1 − k)·lower, where

    lower = max(s(Q), b(Q+1)),  upper = min(b(Q), s(Q+1))

bounds the prices at which demand meets supply (Rustichini, Satterthwaite & Williams 1994,
Econometrica 62). k = 1 and high bids make the price the lowest rejected ask.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled, inner


@inner
def bid_before(book: Any, a: int, b: int) -> bool:
    """Return whether bid a goes before bid b: higher, then of the task that came first, then id."""
    if book[a]["bid"] != book[b]["bid"]:
        return book[a]["bid"] > book[b]["bid"]
    if book[a]["time"] != book[b]["time"]:
        return book[a]["time"] < book[b]["time"]
    return book[a]["id"] < book[b]["id"]


@inner
def ask_before(sales: Any, a: int, b: int) -> bool:
    """Return whether ask a goes before ask b: lower, then by a coin of the session."""
    if sales[a]["ask"] != sales[b]["ask"]:
        return sales[a]["ask"] < sales[b]["ask"]
    return sales[a]["coin"] < sales[b]["coin"]


@inner
def _sink_bid(book: Any, order: NDArray[np.int64], place: int, size: int) -> None:
    while True:
        child = 2 * place + 1
        if child >= size:
            return
        if child + 1 < size and bid_before(book, order[child], order[child + 1]):
            child += 1
        if bid_before(book, order[child], order[place]):
            return
        order[place], order[child] = order[child], order[place]
        place = child


@compiled
def rank_bids(book: Any, order: NDArray[np.int64], size: int) -> None:
    """Sort the first `size` entries of `order`, places in the book, best bid first (heapsort)."""
    for place in range(size // 2 - 1, -1, -1):
        _sink_bid(book, order, place, size)
    for end in range(size - 1, 0, -1):
        order[0], order[end] = order[end], order[0]
        _sink_bid(book, order, 0, end)


@compiled
def rank_asks(sales: Any, order: NDArray[np.int64], size: int) -> None:
    """Sort the first `size` entries of `order`, places in `sales`, lowest ask first (insertion)."""
    for j in range(1, size):
        mine, place = order[j], j
        while place > 0 and ask_before(sales, mine, order[place - 1]):
            order[place] = order[place - 1]
            place -= 1
        order[place] = mine


@compiled
def cross(
    book: Any, bid_order: NDArray[np.int64], bids: int,
    sales: Any, sale_order: NDArray[np.int64], asks: int,
) -> tuple[int, float, float]:  # fmt: skip
    """Return (units traded, lower, upper): Q and the ends of the interval of clearing prices.

    `bids` ranked bids for one unit each meet `asks` ranked asks for `units` each. Without a trade
    lower is the best bid and upper the best ask (−∞ and ∞ where there is none).
    """
    traded, j, used = 0, 0, 0.0
    last_bid, last_ask = math.inf, -math.inf
    while traded < bids and j < asks:
        bid, ask = book[bid_order[traded]]["bid"], sales[sale_order[j]]["ask"]
        if bid < ask:
            break
        last_bid, last_ask = bid, ask
        traded += 1
        used += 1.0
        if used >= sales[sale_order[j]]["units"]:
            j, used = j + 1, 0.0
    next_bid = book[bid_order[traded]]["bid"] if traded < bids else -math.inf
    next_ask = sales[sale_order[j]]["ask"] if j < asks else math.inf
    if traded == 0:
        return 0, next_bid, next_ask
    return traded, max(last_ask, next_bid), min(last_bid, next_ask)
