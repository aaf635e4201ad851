"""What each seller bids for a task: its cost as it alone knows it, and its bidding rule."""

from __future__ import annotations

import math

import numpy as np

from .jit import compiled, spliced
from .mechanisms.bidding import (
    MARKUP,
    OPPORTUNITY,
    PRICE,
    RIVAL_NODES,
    least_price,
    marked_up,
)
from .rng import hash2, uniform
from .sampling import CONSTANT, upper_quantile
from .state import State


@spliced
def cost_tail(st: State, s: int, id_: np.uint64) -> float:
    """Return the probability of a higher cost factor than a seller's own for a task.

    It is keyed by (task, owner): an owner's sellers share it, and adding a seller changes none.
    """
    return uniform(hash2(id_, st.sellers[s]["cost_key"]))


@spliced
def factor_for(st: State, s: int, id_: np.uint64) -> float:
    """Return what the cost of a task is multiplied by at a seller."""
    law = st.factors[s]
    if law["kind"] == CONSTANT:
        return law["a"]
    return upper_quantile(law, st.tables, cost_tail(st, s, id_))


@spliced
def slot_cost(st: State, s: int) -> float:
    """Return what taking one more slot is expected to cost a seller in sales lost, USD."""
    seller = st.sellers[s]
    if seller["bid_rule"] != OPPORTUNITY or math.isinf(seller["slots"]):
        return 0.0
    taken = min(float(seller["running"] + seller["waiting"]), seller["slots"])
    return seller["bid_rate"] * st.shadow[s, int(taken)]


@spliced
def least_at(st: State, k: int, o: int, cost: float, factor: float) -> float:
    """Return the price that just covers a cost factor, a slot and advertising, USD."""
    s = st.seller_of[o]
    return least_price(
        st.cells[k, o], st.sellers[s], cost * factor, slot_cost(st, s) + st.cells[k, o]["fee"],
        st.clock[0]["commission"],
    )  # fmt: skip


@compiled
def rival_price(st: State, k: int, o: int, cost: float, tail: float, limit: float) -> float:
    """Return E[min(least(T), limit) | T > θ], θ exceeded with probability `tail`, USD."""
    s = st.seller_of[o]
    total = 0.0
    for m in range(RIVAL_NODES):
        factor = upper_quantile(st.factors[s], st.tables, tail * st.rivals[s, 0, m])
        price = least_at(st, k, o, cost, factor)
        total += st.rivals[s, 1, m] * min(price, limit)
    return total


@spliced
def bid_of(st: State, k: int, o: int, ask: float, cost: float, factor: float) -> float:
    """Return what an offer bids, USD; infinite where it makes no bid.

    `ask` is its posted price, `cost` its marginal cost but for the factor. Equilibrium bids of
    first-price formats are shaded when all that the call asks for is known (`auction`).
    """
    seller = st.sellers[st.seller_of[o]]
    rule = seller["bid_rule"]
    if rule == PRICE:
        return ask
    least = least_at(st, k, o, cost, factor)
    if least == math.inf:
        return least
    return marked_up(least, seller["bid_rate"]) if rule == MARKUP else least
