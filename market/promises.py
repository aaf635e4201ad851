"""Promised latencies: what buyers make of one, and which one a seller bids."""

from __future__ import annotations

import math
from typing import Any

from .bids import least_at
from .jit import inner, spliced
from .quotes import expect
from .rules import (
    HARD,
    expected_refund,
    lateness,
)
from .state import (
    State,
)  # fmt: skip
from .worth import bill, score_of

PROMISES = 9
"""Promises that a seller tries, from half to eight times what it expects to take."""


@inner
def believe(cell: Any, kind: Any, promise: float, deadline: float) -> None:
    """Take a time to the answer for certain."""
    delta = lateness(kind["late_rule"], kind["late_parameter"], promise - deadline)
    cell["served"], cell["delta"], cell["kept"] = 1.0, delta, 1.0
    cell["used"] = 1.0 if delta > 0.0 else 0.0
    cell["timely"] = 1.0 if promise <= deadline else 0.0
    cell["time"] = promise


@spliced
def take_promise(
    st: State, k: int, o: int, deadline: float, patience: float, law: Any, promise: float
) -> None:  # fmt: skip
    """Take a promise for the latency; in an auction the seller itself knows better."""
    cell, kind, seller = st.cells[k, o], st.classes[k], st.sellers[st.offers[o]["seller"]]
    cell["promise"] = promise
    if st.clock[0]["sealed"] == 1:
        served, _, _, timely, _, kept = expect(
            cell["chance"], cell["wait"], cell["shape"], seller["outside"], cell["rate"], patience,
            deadline, HARD, 0.0, promise, law, st.rows, st.nodes[k, o], st.waits, st.ahead[0], 0.0,
        )  # fmt: skip
        cell["own_served"], cell["own_kept"] = served, kept
        cell["own_billed"] = served - expected_refund(
            served, timely, cell["accuracy"], seller["refund_late"], seller["refund_wrong"]
        )
    believe(cell, kind, promise, deadline)
    bill(cell, seller, 0.0)


@inner
def choose_promise(
    st: State, k: int, o: int, deadline: float, patience: float, law: Any
) -> None:  # fmt: skip
    """Let a seller promise what scores best at the price that just covers its cost and penalty.

    It tries the time left to the deadline and `PROMISES` times around what it expects to take, a
    factor √2 apart, for a buyer of the class's mean value and delay cost (Che 1993: whatever is
    bid beside the price is what maximises score less cost, whichever price the rule then makes).
    """
    cell, kind, seller = st.cells[k, o], st.classes[k], st.sellers[st.offers[o]["seller"]]
    usual = seller["outside"] + cell["chance"] * cell["wait"] + law["mean"] / cell["rate"]
    chosen, top = usual, -math.inf
    for step in range(-1, PROMISES):
        promise = deadline if step < 0 else usual * 2.0 ** (0.5 * step - 1.0)
        if promise == math.inf or promise <= 0.0:
            continue
        take_promise(st, k, o, deadline, patience, law, promise)
        ask = least_at(st, k, o, cell["cost"], seller["factor"])
        score = score_of(st, k, o, ask, kind["mean_value"], kind["mean_delay"])
        if score > top:
            chosen, top = promise, score
    take_promise(st, k, o, deadline, patience, law, chosen)
