"""A continuous double auction: traders shout one after the other, and what crosses trades."""

from __future__ import annotations

import math

import numpy as np

from .book import deliver, leave_book
from .commodity import (
    has_unit,
    refresh,
    take_stock,
    worth_of,
)
from .jit import spliced
from .mechanisms.continuous import best_ask, best_bid, trade_price
from .rng import QUOTE, SHOUT, hash2, uniform
from .state import State
from .traders import ZI_U, ZIP, ask_of_rule, bid_of_rule, hear


@spliced
def first_unit(st: State, k: int, now: float) -> int:
    """Return the waiting task of a class that is worth most, of equals the first."""
    best, top = -1, -math.inf
    for b in range(st.clock[0]["book"]):
        i = st.book[b]["task"]
        if st.tasks[i]["kind"] != k:
            continue
        worth = worth_of(st, i, now)
        earlier = best >= 0 and worth == top and (
            st.tasks[i]["time"] < st.tasks[best]["time"]
            or (st.tasks[i]["time"] == st.tasks[best]["time"]
                and st.tasks[i]["id"] < st.tasks[best]["id"])
        )  # fmt: skip
        if best < 0 or worth > top or earlier:
            best, top = i, worth
    st.traders[k]["unit"], st.traders[k]["cost"] = best, top
    return best


@spliced
def _withdraw_orders(st: State, now: float) -> None:
    """Withdraw orders that can no longer be met, and bids that have become too high."""
    classes = len(st.classes)
    for t in range(len(st.traders)):
        trader = st.traders[t]
        if trader["live"] == 0:
            continue
        if t < classes:
            dear = trader["rule"] != ZI_U and worth_of(st, trader["task"], now) < trader["price"]
            trader["live"] = int(not dear)
        elif not has_unit(st, trader["offer"]):
            trader["live"] = 0


@spliced
def _active(st: State, first: int, end: int) -> int:
    """Return how many of some traders have a unit."""
    count = 0
    for t in range(first, end):
        count += st.traders[t]["active"]
    return count


@spliced
def _who_shouts(st: State, key: np.uint64) -> int:
    """Return who shouts: of the traders with a unit, the one with the smallest keyed number."""
    chosen, mine = -1, hash2(key, SHOUT)
    for t in range(len(st.traders)):
        if st.traders[t]["active"] == 1 and (
            chosen < 0 or hash2(mine, st.traders[t]["key"]) < hash2(mine, st.traders[chosen]["key"])
        ):
            chosen = t
    return chosen


@spliced
def _stand(st: State, t: int, quote: float, improves: bool) -> None:
    """Let a quote that found no taker stand: in the full book always, else if it is the best."""
    trader, clock, classes = st.traders[t], st.clock[0], len(st.classes)
    if clock["full"] == 0:
        if not improves:
            return
        first, end = (0, classes) if t < classes else (classes, len(st.traders))
        for other in range(first, end):
            st.traders[other]["live"] = 0
    trader["live"], trader["price"], trader["number"] = 1, quote, clock["session"]
    trader["task"], trader["offer"] = trader["unit"], trader["unit"]
    trader["factor"] = trader["unit_factor"]


@spliced
def _trade(st: State, t: int, bidder: int, asker: int, price: float, now: float) -> None:
    """Carry out a trade that t's quote has made with a standing order.

    Both orders are gone, and the book with them where only the best stand.
    """
    buyer, seller = st.traders[bidder], st.traders[asker]
    i = buyer["unit"] if t == bidder else buyer["task"]
    o = seller["unit"] if t == asker else seller["offer"]
    factor = seller["unit_factor"] if t == asker else seller["factor"]
    for other in range(len(st.traders)):
        if st.clock[0]["full"] == 0 or other in (bidder, asker):
            st.traders[other]["live"] = 0
    leave_book(st, i)
    deliver(st, i, o, price, factor, now)


@spliced
def _know_limits(st: State, t: int, now: float) -> None:
    """Note the limit prices of who shouts, and of those who learn whoever shouts."""
    classes = len(st.classes)
    for other in range(len(st.traders)):
        trader = st.traders[other]
        if trader["active"] == 0 or (other != t and trader["rule"] != ZIP):
            continue
        if other < classes:
            first_unit(st, other, now)
        trader["limit"] = trader["cost"]


@spliced
def shout(st: State, now: float) -> None:
    """Let one trader quote: it trades with the best standing order, or its quote may stand.

    Nobody shouts while one side has nothing to trade.
    """
    clock, classes, everyone = st.clock[0], len(st.classes), len(st.traders)
    key = hash2(clock["market_key"], np.uint64(clock["session"]))
    take_stock(st, key)
    for k in range(classes):
        if st.traders[k]["waiting"] > 0:
            refresh(st, k)
    _withdraw_orders(st, now)
    if _active(st, 0, classes) == 0 or _active(st, classes, everyone) == 0:
        return  # a shout needs somebody to hear it
    t = _who_shouts(st, key)
    _know_limits(st, t, now)
    trader, buys = st.traders[t], t < classes
    u = uniform(hash2(hash2(key, QUOTE), trader["key"]))
    bidder, asker = best_bid(st.traders, 0, classes), best_ask(st.traders, classes, everyone)
    top = st.traders[bidder]["price"] if bidder >= 0 else math.nan
    low = st.traders[asker]["price"] if asker >= 0 else math.nan
    if buys:
        bidder, quote = t, bid_of_rule(trader, trader["cost"], u)
        price, improves = trade_price(quote, low, False), not quote <= top
    else:
        asker, quote = t, ask_of_rule(trader, trader["cost"], u)
        price, improves = trade_price(top, quote, True), not quote >= low
    if math.isnan(quote):
        return
    if math.isnan(price):
        _stand(st, t, quote, improves)
        hear(st.traders, classes, quote, False, buys, not buys, key)
    else:
        _trade(st, t, bidder, asker, price, now)
        hear(st.traders, classes, price, True, buys, not buys, key)
