"""What each offer asks of a mean task of each class, how offers are ranked, how long calls take."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from . import rules
from .jit import plain
from .mechanisms.bidding import PRICE
from .mechanisms.sponsored import next_bids
from .outlook import note_change
from .state import CALLING, K_DOUBLE, POSTED_PRICE, State


def set_asks(st: State, o: int) -> None:
    """Work out anew what offer o costs and is expected to cost a mean task of each class, USD."""
    offer, clock, verbosity = st.offers[o], st.clock[0], float(st.offers[o]["verbosity"])
    # Only where a mean task's price stands for the price by tokens does its slope matter.
    sloped = clock["mechanism"] == POSTED_PRICE and clock["exact_price"] == 0
    traded = clock["mechanism"] >= K_DOUBLE and clock["exact_price"] == 0
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
        if traded:  # by tokens of the commodity, not by what this offer bills
            cell["slope"] = cell["in_per_work"] + cell["out_per_work"] / verbosity
    plain(note_change)(st, int(offer["seller"]))


def set_menu(st: State, by: str) -> None:
    """Order each class's menu as the platform ranks it, and say what positions cost.

    Cheapest, most accurate by claim, best rated or highest bidder first; the cheaper of equal
    bidders first; all else equal, by a key.
    """
    clock = st.clock[0]
    sellers = st.sellers[st.seller_of]
    bids_cost = (clock["sealed"] == 1) & (sellers["bid_rule"] != PRICE)
    for k in range(len(st.classes)):
        cells = st.cells[k]
        serving = np.flatnonzero(cells["serves"])
        asks = np.where(bids_cost, cells["cost"] * sellers["factor"], cells["ask"])
        bids = sellers["sponsor"] if by == "sponsored" else np.zeros(len(cells))
        merit = {"accuracy": -cells["claim"], "rating": -cells["rating"]}.get(by, asks)
        order = serving  # all shown: offers of a seller side by side share one taste draw
        if st.classes[k]["consider"] > 0 and by != "random":
            keys = (st.offers["tie_key"][serving], merit[serving], -bids[serving])
            order = serving[np.lexsort(keys)]
        st.menu[k, : len(order)] = order
        st.classes[k]["offers"] = len(order)
        if by == "sponsored":
            _set_fees(st, k, order)


def _set_fees(st: State, k: int, order: NDArray[np.int64]) -> None:
    """Set what a sale to class k costs each offer in advertising: nothing where all are shown."""
    of, sellers, cells = st.seller_of, st.sellers, st.cells[k]
    open_ = (sellers["listed"] == 1) & (sellers["down"] == 0) & (sellers["silent"] == 0)
    on_show = order[open_[of[order]] & (st.offers["listed"][order] == 1)]
    fees = np.zeros(len(cells))
    if 0 < st.classes[k]["consider"] < len(on_show):
        fees[on_show] = next_bids(of[on_show], sellers["sponsor"])[of[on_show]]
    for o in np.flatnonzero(fees != cells["fee"]):  # a truthful bid covers the fee, too
        cells[o]["fee"] = fees[o]
        st.alone[k, o] = np.nan
        plain(note_change)(st, int(of[o]))


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
        plain(note_change)(st, s)
