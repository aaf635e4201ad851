"""What each offer asks of a mean task of each class, and the order in which offers are shown."""

from __future__ import annotations

import numpy as np

from . import rules
from .outlook import note_change
from .state import POSTED_PRICE, SECOND_SCORE, State


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
    bids_cost = clock["mechanism"] == SECOND_SCORE and clock["bid_cost"] == 1
    for k in range(len(st.classes)):
        cells = st.cells[k]
        serving = np.flatnonzero(cells["serves"])
        merit = -cells["claim"] if by == "accuracy" else cells["cost" if bids_cost else "ask"]
        order = serving  # all shown: offers of a seller side by side share one taste draw
        if st.classes[k]["consider"] > 0 and by != "random":
            order = serving[np.lexsort((st.offers["tie_key"][serving], merit[serving]))]
        st.menu[k, : len(order)] = order
        st.classes[k]["offers"] = len(order)
