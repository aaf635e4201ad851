"""The book of tasks that wait for a trade, and what a trade does: the task joins its seller."""

from __future__ import annotations

import math

from .bids import factor_for
from .choice import posted_for, tariff, taste_for, work_of
from .commodity import (
    MTOK,
    billed_tokens,
    gain_from,
    refresh,
)
from .heaps import schedule, withdraw
from .jit import compiled, spliced
from .outlook import is_open
from .rules import HARD
from .rules import LINEAR as GRACE
from .service import join
from .state import BOOKED, RENEGE, State


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
