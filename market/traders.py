"""What traders quote in a double auction, given a limit price: what a unit is worth, or costs.

Truthful and linear quotes, zero intelligence unconstrained and constrained (Gode & Sunder 1993,
Journal of Political Economy 101) and zero-intelligence-plus, which learns a margin from every
shout (Cliff 1997, HP Laboratories report 97-91). Prices are USD per million tokens.
"""

from __future__ import annotations

import math
from typing import Any

from .jit import compiled, inner
from .rng import ADAPT, hash2, uniform

TRUTHFUL, LINEAR, ZI_U, ZI_C, ZIP = range(5)
"""Quoting rules, as in `schema.trading`."""
RELATIVE = 0.05
"""Largest relative step of a ZIP trader's target price (Cliff 1997)."""


@compiled
def bid_of_rule(trader: Any, worth: float, u: float) -> float:
    """Return what a buyer bids for a unit of this worth, NaN for nothing; u is uniform on (0, 1).

    No bid is below 0, and none but ZI-U's above the worth.
    """
    rule = trader["rule"]
    if rule == ZI_U:
        return trader["a"] + (trader["b"] - trader["a"]) * u
    if worth < 0.0:
        return math.nan
    if rule == LINEAR:
        return max(min(trader["a"] * worth + trader["b"], worth), 0.0)
    if rule == ZI_C:
        top = min(worth, trader["b"])
        return trader["a"] + (top - trader["a"]) * u if top >= trader["a"] else math.nan
    if rule == ZIP:
        return worth * (1.0 + trader["margin"])
    return worth


@compiled
def ask_of_rule(trader: Any, cost: float, u: float) -> float:
    """Return what a seller asks for a unit of this cost, NaN for nothing; u is uniform on (0, 1).

    No ask but ZI-U's is below the cost.
    """
    rule = trader["rule"]
    if rule == ZI_U:
        return trader["a"] + (trader["b"] - trader["a"]) * u
    if math.isinf(cost):
        return math.nan
    if rule == LINEAR:
        return max(trader["a"] * cost + trader["b"], cost)
    if rule == ZI_C:
        low = max(cost, trader["a"])
        return low + (trader["b"] - low) * u if low <= trader["b"] else math.nan
    if rule == ZIP:
        return cost * (1.0 + trader["margin"])
    return cost


# --- zero-intelligence-plus --------------------------------------------------------------------


@compiled
def aim(price: float, up: bool, step: float, u: float, v: float) -> float:
    """Return the target of a ZIP trader who heard a price: τ = R·q + A, a little beyond it.

    R is uniform on [1, 1.05] and A on [0, step] if it wants a higher price, else R on [0.95, 1]
    and A on [−step, 0]; u and v are uniform on (0, 1).

    Example:
        >>> round(aim(100.0, True, 0.5, 0.5, 1.0), 9)
        103.0
    """
    if up:
        return (1.0 + RELATIVE * u) * price + step * v
    return (1.0 - RELATIVE * u) * price - step * v


@compiled
def learn(trader: Any, target: float, buys: bool) -> None:
    """Move a ZIP trader's margin towards a target price (Widrow–Hoff with momentum).

    With p = λ(1 + μ): Δ = β(τ − p), Γ ← γΓ + (1 − γ)Δ, μ ← (p + Γ)/λ − 1. A buyer's margin stays
    in [−1, 0], a seller's is 0 or more.
    """
    limit = trader["limit"]
    price = limit * (1.0 + trader["margin"])
    change = trader["rate"] * (target - price)
    trader["momentum"] = trader["inertia"] * trader["momentum"] + (1.0 - trader["inertia"]) * change
    margin = (price + trader["momentum"]) / limit - 1.0
    trader["margin"] = min(max(margin, -1.0), 0.0) if buys else max(margin, 0.0)


@inner
def wants(
    price: float, heard: float, accepted: bool, was_bid: bool, was_ask: bool, buys: bool,
    active: bool,
) -> int:  # fmt: skip
    """Return whether a ZIP trader wants a higher price (1), a lower (−1) or no other (0).

    It would quote `price` and has heard of a shout at `heard`, a bid or an ask (after a call of
    both), that was `accepted` or not. Whoever would have dealt at a worse price than the one heard
    wants a better one. Whoever has a unit and would not have dealt, or would have been outdone by
    a shout on its own side that found no taker, makes do with less (Cliff 1997, section 4).
    """
    if buys:
        if accepted and price >= heard:
            return -1
        losing = was_ask if accepted else was_bid
        return 1 if active and losing and price <= heard else 0
    if accepted and price <= heard:
        return 1
    losing = was_bid if accepted else was_ask
    return -1 if active and losing and price >= heard else 0


@compiled
def hear(
    traders: Any, classes: int, heard: float, accepted: bool, was_bid: bool, was_ask: bool, key: Any
) -> None:
    """Let every ZIP trader learn from a shout; the first `classes` traders buy."""
    for t in range(len(traders)):
        trader = traders[t]
        if trader["rule"] != ZIP or not trader["limit"] > 0.0:
            continue
        buys = t < classes
        price = trader["limit"] * (1.0 + trader["margin"])
        where = wants(price, heard, accepted, was_bid, was_ask, buys, trader["active"] == 1)
        if where == 0:
            continue
        mine = hash2(hash2(key, ADAPT), trader["key"])
        u, v = uniform(mine), uniform(hash2(mine, ADAPT))
        learn(trader, aim(heard, where > 0, trader["a"], u, v), buys)
