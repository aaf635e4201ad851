"""From what a buyer expects of an offer to what it is worth at a price."""

from __future__ import annotations

import math
from typing import Any

from .jit import compiled, inner, spliced
from .mechanisms.first_score import announced
from .rules import (
    expected_refund,
    expected_share,
    expected_utility,
)
from .state import (
    State,
)  # fmt: skip


@inner
def bill(cell: Any, seller: Any, early: float) -> None:
    """Work out the share of the price that is expected to be paid, net of refunds.

    Refunds for lateness go to large tasks more than to small: `early` is the work of those on
    time beyond their share of it, and only their share of its price is not given back (`tilt`).
    """
    right, late, wrong = cell["accuracy"], seller["refund_late"], seller["refund_wrong"]
    cell["billed"] = cell["served"] - expected_refund(
        cell["served"], cell["timely"], right, late, wrong
    )
    more = expected_share(right, True, late, wrong) - expected_share(right, False, late, wrong)
    cell["tilt"] = more * early


@compiled
def worth(
    cell: Any, seller: Any, ask: float, value: float, loss: float, delay_cost: float
) -> float:
    """Return the expected utility of an offer at a given ask, USD, taste apart."""
    if ask == math.inf:
        return -math.inf  # no bid
    paid = ask * cell["billed"] + cell["slope"] * cell["tilt"]
    paid -= seller["penalty"] * (cell["served"] - cell["kept"])
    return expected_utility(
        value, loss, delay_cost, cell["accuracy"], cell["delta"], cell["used"], cell["time"], paid
    )


@inner
def announces_truth(clock: Any) -> bool:
    """Return whether buyers score offers by what they are worth to them."""
    return clock["linear"] == 1.0 and clock["quadratic"] == 0.0


@spliced
def score_of(st: State, k: int, o: int, ask: float, value: float, delay_cost: float) -> float:
    """Return what an offer scores at an ask, taste apart: its expected utility, USD.

    In a scoring auction with a score of its own, what the buyer has announced.
    """
    cell, seller, clock = st.cells[k, o], st.sellers[st.offers[o]["seller"]], st.clock[0]
    loss = st.classes[k]["loss"]
    if announces_truth(clock) or ask == math.inf:
        return worth(cell, seller, ask, value, loss, delay_cost)
    before = worth(cell, seller, 0.0, value, loss, delay_cost)
    return announced(before, clock["linear"], clock["quadratic"]) - ask * cell["billed"]
