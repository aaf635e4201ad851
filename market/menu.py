"""What each offer asks of a mean task of each class, how offers are ranked, how long calls take."""

from __future__ import annotations

import math

import numpy as np

from . import rules
from .mechanisms.bidding import PRICE
from .outlook import note_change
from .state import CALLING, POSTED_PRICE, State


def set_asks(st: State, o: int) -> None:
    """Work out anew what offer o costs and is expected to cost a mean task of each class, USD."""
    offer, clock = st.offers[o], st.clock[0]
    # Only where a mean task's price stands for the price by tokens does its slope matter.
    sloped = clock["mechanism"] == POSTED_PRICE and clock["exact_price"] == 0
    st.alone[:, o] = np.nan
    for cell in st.cells[:, o]:
        ins, billed = cell["tokens_in"], cell["billed_out"]
        for what, side in (("ask", "price"), ("cost", "cost")):
            cell[what] = rules.price_of(
                offer[f"{side}_task"], offer[f"{side}_in"], offer[f"{side}_out"], ins, billed
            )
        if sloped:
            cell["slope"] = (
                offer["price_in"] * cell["in_per_work"] + offer["price_out"] * cell["out_per_work"]
            )
    note_change(st, int(offer["seller"]))


def set_menu(st: State, by: str) -> None:
    """Order each class's menu as the platform ranks it: cheapest or most accurate first."""
    clock = st.clock[0]
    sellers = st.sellers[st.seller_of]
    bids_cost = (clock["sealed"] == 1) & (sellers["bid_rule"] != PRICE)
    for k in range(len(st.classes)):
        cells = st.cells[k]
        serving = np.flatnonzero(cells["serves"])
        asks = np.where(bids_cost, cells["cost"] * sellers["factor"], cells["ask"])
        merit = -cells["claim"] if by == "accuracy" else asks
        order = serving  # all shown: offers of a seller side by side share one taste draw
        if st.classes[k]["consider"] > 0 and by != "random":
            order = serving[np.lexsort((st.offers["tie_key"][serving], merit[serving]))]
        st.menu[k, : len(order)] = order
        st.classes[k]["offers"] = len(order)


def set_calls(st: State) -> None:
    """Work out how long a call for bids takes each class, with the sellers now on the market.

    A bid is there after the seller's network round trip and the time it takes to make one. The call
    ends with the last of them, or at its deadline, for which a buyer waits if any seller is late:
    such a seller is `silent`. Whoever has been called goes by its own time.
    """
    clock, sellers = st.clock[0], st.sellers
    if not clock["sealed"]:
        return
    sellers["silent"] = sellers["answer"] > clock["call"]
    on_sale = (sellers["listed"] == 1) & (sellers["down"] == 0)
    for k, kind in enumerate(st.classes):
        serving = np.unique(st.seller_of[st.cells[k]["serves"] == 1])
        times = [float(sellers[s]["answer"]) for s in serving if on_sale[s]]
        call = min(max(times, default=0.0), float(clock["call"]))
        if call == kind["call"]:
            continue
        kind["call"] = call
        st.cells[k]["reach"], st.alone[k] = 0.0, math.nan
        st.tasks["own"][(st.tasks["state"] == CALLING) & (st.tasks["kind"] == k)] = 1
    for s in range(len(sellers)):
        note_change(st, s)
