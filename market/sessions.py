"""Double auctions at work: tasks meet asks at once, wait for a call, or stand in a book.

The clearing rules are in `mechanisms`, the quotes in `traders`, worth and cost in `commodity`.
A task that trades joins the winning offer's queue; one whose bid waits in the book leaves it when
its patience is over, or when no answer could be worth anything any more.
"""

from __future__ import annotations

import math

import numpy as np

from .bids import factor_for
from .choice import posted_for, tariff, taste_for, work_of
from .commodity import (
    MTOK,
    billed_tokens,
    cheaper,
    free_slots,
    gain_from,
    has_unit,
    refresh,
    take_stock,
    worth_of,
)
from .heaps import schedule, withdraw
from .jit import compiled, spliced
from .mechanisms.call_market import cross, rank_asks, rank_bids
from .mechanisms.continuous import best_ask, best_bid, trade_price
from .mechanisms.k_double import between, k_price
from .outlook import is_open
from .rng import QUOTE, SHOUT, hash2, uniform
from .rules import HARD
from .rules import LINEAR as GRACE
from .service import join
from .state import BOOKED, CALL_MARKET, RENEGE, State
from .traders import ZI_U, ZIP, ask_of_rule, bid_of_rule, hear

# --- trades ------------------------------------------------------------------------------------


@compiled
def deliver(st: State, i: int, o: int, price: float, factor: float, now: float) -> None:
    """Give a task to an offer at a price per million tokens and let it join the seller.

    It pays for the tokens it has; at a price of NaN, what the offer posts. Its utility counts what
    waiting has cost so far.
    """
    task = st.tasks[i]
    k = task["kind"]
    refresh(st, k)
    gain = gain_from(st, k, o, i, now)
    if math.isnan(price):
        paid, task["price"] = posted_for(st, k, o, i) * st.cells[k, o]["billed"], tariff(st, o, i)
    else:
        paid = price * billed_tokens(st, k, o, i) / MTOK
        task["price"] = price * (task["input"] + task["output"]) / MTOK
    task["offer"], task["factor"] = o, factor
    task["utility"] = gain - paid - task["delay_cost"] * (now - task["time"])
    task["taste"] = taste_for(st, k, o, task["id"])
    task["joined"], task["promise"] = now, st.sellers[st.seller_of[o]]["promise"]
    task["work"] = work_of(st, o, i)
    task["left"] = task["work"]
    st.stats[k, o]["assigned"] += 1
    join(st, st.seller_of[o], i, now)


# --- the book ----------------------------------------------------------------------------------


@spliced
def last_moment(st: State, i: int) -> float:
    """Return when a waiting bid is given up: patience over, or no answer worth anything."""
    task, kind = st.tasks[i], st.classes[st.tasks[i]["kind"]]
    useful = math.inf
    if kind["late_rule"] == HARD:
        useful = task["deadline"]
    elif kind["late_rule"] == GRACE:
        useful = task["deadline"] + kind["late_parameter"]
    return task["time"] + min(task["patience"], useful)


@spliced
def enter_book(st: State, i: int, now: float) -> None:
    """Let a task's bid wait in the book."""
    task, clock = st.tasks[i], st.clock[0]
    entry = st.book[clock["book"]]
    entry["task"], entry["time"], entry["id"] = i, task["time"], task["id"]
    task["place"], task["state"] = clock["book"], BOOKED
    clock["book"] += 1
    st.traders[task["kind"]]["waiting"] += 1
    last = last_moment(st, i)
    if last < math.inf:
        node = len(st.sellers) + i
        schedule(st.events, st.heap, clock, node, max(last, now), RENEGE, task["id"])


@spliced
def leave_book(st: State, i: int) -> None:
    """Take a task's bid out of the book, and its class's order if it was for this task."""
    task, clock = st.tasks[i], st.clock[0]
    trader, place = st.traders[task["kind"]], task["place"]
    clock["book"] -= 1
    last = st.book[clock["book"]]
    entry = st.book[place]
    entry["task"], entry["time"], entry["id"] = last["task"], last["time"], last["id"]
    st.tasks[entry["task"]]["place"] = place
    trader["waiting"] -= 1
    if trader["live"] == 1 and trader["task"] == i:
        trader["live"] = 0
    withdraw(st.events, st.heap, clock, len(st.sellers) + i)


@spliced
def place_pinned(st: State, i: int, now: float) -> bool:
    """Give a task to the offer that its process has named, at its posted price, if it is open."""
    task = st.tasks[i]
    k, o = task["kind"], task["pinned"]
    refresh(st, k)
    if not is_open(st, o) or st.cells[k, o]["serves"] == 0:
        return False
    deliver(st, i, o, math.nan, factor_for(st, st.seller_of[o], task["id"]), now)
    return True


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


# --- continuous double auction -----------------------------------------------------------------


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
