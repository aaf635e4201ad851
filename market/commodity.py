"""The commodity of a double auction, tokens of a quality tier: who has units, what each is worth.

A unit is the service of one task. Offers of the tier are alike to the market: a buyer takes
whichever it gets, so a unit is worth to it what it is worth at the offer it would like least.
"""

from __future__ import annotations

import math

import numpy as np

from .bids import factor_for
from .choice import outside_taste, taste_for, told_work
from .jit import compiled, inner, spliced
from .outlook import by_law, catch_up, is_open
from .rules import expected_utility
from .state import State

MTOK = 1e6


# --- supply ------------------------------------------------------------------------------------


@spliced
def free_slots(st: State, s: int) -> float:
    """Return how many tasks a seller could start at once: its units on sale."""
    seller = st.sellers[s]
    return seller["slots"] - seller["running"] - seller["waiting"]


@spliced
def has_unit(st: State, o: int) -> bool:
    """Return whether an offer could deliver a unit of the commodity now."""
    return st.offers[o]["tier"] == 1 and is_open(st, o) and free_slots(st, st.seller_of[o]) >= 1.0


@spliced
def cheaper(st: State, o: int, cost: float, other: int, other_cost: float) -> bool:
    """Return whether offer o goes before another of its owner: by cost, then by a fixed key."""
    if other < 0 or cost != other_cost:
        return other < 0 or cost < other_cost
    return st.offers[o]["tie_key"] < st.offers[other]["tie_key"]


@inner
def take_stock(st: State, key: np.uint64) -> None:
    """Note which traders have a unit, and each owner's cheapest with its cost (USD/Mtok).

    Cost factors are drawn by `key`, which is the task's or the session's.
    """
    classes = len(st.classes)
    for t in range(len(st.traders)):
        trader = st.traders[t]
        trader["active"] = int(t < classes and trader["waiting"] > 0)
        trader["unit"] = -1
    for o in range(len(st.offers)):
        if not has_unit(st, o):
            continue
        trader = st.traders[classes + st.offers[o]["owner"]]
        factor = factor_for(st, st.seller_of[o], key)
        cost = st.offers[o]["unit_cost"] * factor
        if cheaper(st, o, cost, trader["unit"], trader["cost"]):
            trader["active"], trader["unit"] = 1, o
            trader["cost"], trader["unit_factor"] = cost, factor


# --- demand ------------------------------------------------------------------------------------


@compiled
def refresh(st: State, k: int) -> None:
    """Bring a class's quotes up to date."""
    catch_up(st, k)


@spliced
def expect_from_now(st: State, k: int, o: int, i: int, now: float) -> None:
    """Make sure that the cell holds what the buyer of a task that has waited expects of an offer.

    What it has waited comes off its deadline and its patience. Where that changes nothing, and all
    of the class are alike, the class's own quote serves.
    """
    task, kind, told = st.tasks[i], st.classes[k], st.clock[0]["exact_price"] == 1
    gone = now - task["time"]
    stays = math.isinf(task["patience"]) or st.cells[k, o]["chance"] == 0.0
    later = gone > 0.0 and not (math.isinf(task["deadline"]) and stays)
    if later or kind["known"] == 0 or task["own"] == 1:
        law = told_work(st, o, i) if told else st.works[k, o]
        patience = max(task["patience"] - gone, 0.0)
        by_law(st, k, o, task["deadline"] - gone, patience, False, law)
        st.stamp[k, o], kind["seen"] = -1, 0  # the next task asks for the class's quote
    elif st.stamp[k, o] < 0:
        refresh(st, k)


@inner
def gain_from(st: State, k: int, o: int, i: int, now: float) -> float:
    """Return the expected utility of an offer before its price, taste included, USD.

    What waiting has cost is lost either way and left out.
    """
    task, seller = st.tasks[i], st.sellers[st.seller_of[o]]
    expect_from_now(st, k, o, i, now)
    cell = st.cells[k, o]
    fine = seller["penalty"] * (cell["served"] - cell["kept"])
    gain = expected_utility(
        task["value"], st.classes[k]["loss"], task["delay_cost"], cell["accuracy"], cell["delta"],
        cell["used"], cell["time"], -fine,
    )  # fmt: skip
    return gain + taste_for(st, k, o, task["id"])


@spliced
def billed_tokens(st: State, k: int, o: int, i: int) -> float:
    """Return the tokens that the buyer expects to pay for in the end; after `gain_from`."""
    cell, task = st.cells[k, o], st.tasks[i]
    tokens = st.classes[k]["quantity"]
    if st.clock[0]["exact_price"] == 1:
        tokens = task["input"] + task["output"]
    return tokens * cell["billed"] + cell["slope"] * cell["tilt"]


@compiled
def to_twelve_digits(x: float) -> float:
    """Return a number rounded to 40 binary digits: worths that differ by rounding are equal.

    Example:
        >>> to_twelve_digits(0.1 + 0.2) == to_twelve_digits(0.3)
        True
    """
    if x == 0.0 or math.isinf(x):
        return x
    mantissa, exponent = math.frexp(x)
    return math.ldexp(math.floor(mantissa * 2.0**40 + 0.5) * 2.0**-40, exponent)


@inner
def worth_of(st: State, i: int, now: float) -> float:
    """Return the highest price at which a task gains by whichever offer delivers, USD/Mtok.

    min over offers that could deliver now of (expected utility before price + taste − taste for
    doing without) / (tokens expected to be paid for); −∞ if there is none. The caller has caught
    up with the class's quotes.
    """
    k = st.tasks[i]["kind"]
    kind = st.classes[k]
    without = outside_taste(st, k, st.tasks[i]["id"]) if kind["outside"] == 1 else 0.0
    worth = math.inf
    for j in range(kind["offers"]):
        o = st.menu[k, j]
        if not has_unit(st, o):
            continue
        gain = gain_from(st, k, o, i, now) - without
        tokens = billed_tokens(st, k, o, i)
        if tokens > 0.0:
            worth = min(worth, MTOK * gain / tokens)
        elif gain < 0.0:
            return -math.inf
    return to_twelve_digits(worth) if worth < math.inf else -math.inf
