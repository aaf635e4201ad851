"""Double auctions at work: tasks meet asks at once, wait for a call, or stand in a book.

The clearing rules are in `mechanisms`, the quotes in `traders`, worth and cost in `commodity`.
A task that trades joins the winning offer's queue; one whose bid waits in the book leaves it when
its patience is over, or when no answer could be worth anything any more.
"""

from __future__ import annotations

import math

import numpy as np

from .bids import factor_for
from .book import deliver, leave_book
from .commodity import (
    cheaper,
    free_slots,
    has_unit,
    refresh,
    take_stock,
    worth_of,
)
from .jit import spliced
from .mechanisms.call_market import cross, rank_asks, rank_bids
from .mechanisms.k_double import between, k_price
from .rng import QUOTE, hash2, uniform
from .shouts import shout
from .state import CALL_MARKET, State
from .traders import ask_of_rule, bid_of_rule, hear

# --- k-double auction --------------------------------------------------------------------------


@spliced
def meet(st: State, i: int, now: float) -> bool:
    """Let a buyer meet all owners' asks, each for its cheapest free unit; return if it trades."""
    task, classes = st.tasks[i], len(st.classes)
    k, id_ = task["kind"], task["id"]
    refresh(st, k)
    take_stock(st, id_)
    mine, worth = hash2(id_, QUOTE), worth_of(st, i, now)
    buyer = st.traders[k]
    bid = bid_of_rule(buyer, worth, uniform(mine))
    buyer["active"], buyer["limit"] = 1, worth
    winner, lowest, second = -1, math.inf, math.inf
    for t in range(classes, len(st.traders)):
        seller = st.traders[t]
        if seller["active"] == 0:
            continue
        seller["limit"] = seller["cost"]
        ask = ask_of_rule(seller, seller["cost"], uniform(hash2(mine, seller["key"])))
        if math.isnan(ask):
            continue
        coin = winner >= 0 and hash2(id_, seller["key"]) > hash2(id_, st.traders[winner]["key"])
        if ask < lowest or (ask == lowest and coin):
            winner, lowest, second = t, ask, lowest
        elif ask < second:
            second = ask
    price = k_price(bid, lowest, second, st.clock[0]["k"])
    _hear_call(st, price, bid, lowest, id_)
    if math.isnan(price):
        return False
    deliver(st, i, st.traders[winner]["unit"], price, st.traders[winner]["unit_factor"], now)
    return True


@spliced
def _hear_call(st: State, price: float, bid: float, ask: float, key: np.uint64) -> None:
    """Let ZIP traders learn from sealed quotes: the price, or the best ones that did not meet."""
    classes = len(st.classes)
    if not math.isnan(price):
        hear(st.traders, classes, price, True, True, True, key)
        return
    if not math.isnan(bid) and bid > -math.inf:
        hear(st.traders, classes, bid, False, True, False, key)
    if ask < math.inf:
        hear(st.traders, classes, ask, False, False, True, key)


# --- call market -------------------------------------------------------------------------------


@spliced
def crowded(st: State) -> bool:
    """Return whether the rows of slots might not hold all that could start in a session."""
    if st.clock[0]["mechanism"] != CALL_MARKET:
        return False
    for s in range(len(st.sellers)):
        more = min(free_slots(st, s), float(st.clock[0]["book"]))
        if st.sellers[s]["running"] + more + 2.0 > st.run.shape[1]:
            return True
    return False


@spliced
def _collect_asks(st: State, key: np.uint64) -> int:
    """Fill `st.sales`: every seller asks one price for its free units; return how many do."""
    count, classes = 0, len(st.classes)
    for s in range(len(st.sellers)):
        first, best, cost = st.sellers[s]["first"], -1, 0.0
        for o in range(first, first + st.sellers[s]["offers"]):
            if has_unit(st, o) and cheaper(st, o, st.offers[o]["unit_cost"], best, cost):
                best, cost = o, st.offers[o]["unit_cost"]
        if best < 0:
            continue
        trader, sale = st.traders[classes + st.offers[best]["owner"]], st.sales[count]
        mine = hash2(hash2(key, QUOTE), st.offers[best]["tie_key"])
        factor = factor_for(st, s, key)
        ask = ask_of_rule(trader, cost * factor, uniform(mine))
        if math.isnan(ask):
            continue
        sale["offer"], sale["ask"], sale["factor"], sale["coin"] = best, ask, factor, mine
        sale["units"], st.sale_order[count] = free_slots(st, s), count
        count += 1
    return count


@spliced
def _collect_bids(st: State, now: float) -> int:
    """Let every waiting task bid; return how many do."""
    count, clock = 0, st.clock[0]
    for k in range(len(st.classes)):
        if st.traders[k]["waiting"] > 0:
            refresh(st, k)
            st.traders[k]["limit"] = math.nan
    for b in range(clock["book"]):
        entry = st.book[b]
        trader = st.traders[st.tasks[entry["task"]]["kind"]]
        worth = worth_of(st, entry["task"], now)
        mine = hash2(hash2(entry["id"], QUOTE), np.uint64(clock["session"]))
        entry["bid"] = bid_of_rule(trader, worth, uniform(mine))
        if not trader["limit"] >= worth:
            trader["limit"] = worth
        if not math.isnan(entry["bid"]):
            st.bid_order[count] = b
            count += 1
    return count


@spliced
def hold_call(st: State, now: float) -> None:
    """Cross the bids that wait with what sellers ask for their free units, at one price."""
    clock = st.clock[0]
    if clock["book"] == 0:
        return
    key = hash2(clock["market_key"], np.uint64(clock["session"]))
    take_stock(st, key)
    for t in range(len(st.classes), len(st.traders)):
        if st.traders[t]["active"] == 1:
            st.traders[t]["limit"] = st.traders[t]["cost"]
    asks, bids = _collect_asks(st, key), _collect_bids(st, now)
    rank_asks(st.sales, st.sale_order, asks)
    rank_bids(st.book, st.bid_order, bids)
    traded, lower, upper = cross(st.book, st.bid_order, bids, st.sales, st.sale_order, asks)
    price = between(lower, upper, clock["k"]) if traded > 0 else math.nan
    # Places in the book move as tasks leave it: note who trades first.
    for j in range(traded):
        st.bid_order[j] = st.book[st.bid_order[j]]["task"]
    place, used = 0, 0.0
    for j in range(traded):
        sale = st.sales[st.sale_order[place]]
        i = st.bid_order[j]
        leave_book(st, i)
        deliver(st, i, sale["offer"], price, sale["factor"], now)
        used += 1.0
        if used >= sale["units"]:
            place, used = place + 1, 0.0
    _hear_call(st, price, lower, upper, key)


@spliced
def hold_session(st: State, now: float) -> None:
    """Hold the session that is due, and set the time of the next."""
    clock = st.clock[0]
    if clock["mechanism"] == CALL_MARKET:
        hold_call(st, now)
    else:
        shout(st, now)
    clock["session"] += 1
    clock["session_at"] = clock["session"] * clock["step"]
