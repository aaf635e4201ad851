"""How traders of a double auction quote and learn, written from the model."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from .lots import Lots


class Order(NamedTuple):
    """A standing order: its price, the number of the shout, and the task or unit it is for."""

    price: float
    number: int
    what: Any


class Trader:
    """A task class or an owner."""

    def __init__(self, rule: Any, nature: Any, *, buys: bool) -> None:
        """Take its rule, its row of the tables (what a ZIP trader is born with), its side."""
        self.rule, self.buys = rule, buys
        self.margin, self.momentum = float(nature["margin"]), 0.0
        self.rate, self.inertia = float(nature["rate"]), float(nature["inertia"])
        self.limit = math.nan
        self.order: Order | None = None


def offered(trader: Trader, worth: float, u: float) -> float | None:
    """Return what a buyer bids, None for nothing."""
    rule = trader.rule
    if rule.kind == "zi_u":
        return float(rule.low + (rule.high - rule.low) * u)
    if worth < 0.0:
        return None
    if rule.kind == "linear":
        return float(max(min(rule.slope * worth + rule.intercept, worth), 0.0))
    if rule.kind == "zi_c":
        top = min(worth, rule.high)
        return float(rule.low + (top - rule.low) * u) if top >= rule.low else None
    return worth * (1.0 + trader.margin) if rule.kind == "zip" else worth


def asked(trader: Trader, cost: float, u: float) -> float | None:
    """Return what a seller asks, None for nothing."""
    rule = trader.rule
    if rule.kind == "zi_u":
        return float(rule.low + (rule.high - rule.low) * u)
    if rule.kind == "linear":
        return float(max(rule.slope * cost + rule.intercept, cost))
    if rule.kind == "zi_c":
        low = max(cost, rule.low)
        return float(low + (rule.high - low) * u) if low <= rule.high else None
    return cost * (1.0 + trader.margin) if rule.kind == "zip" else cost


def hear(
    traders: list[Trader], lots: Lots, heard: float, accepted: bool, was: tuple[bool, bool],
    active: list[int], key: Any,
) -> None:  # fmt: skip
    """Let ZIP traders learn from a shout; `was` says whether it was a bid, and whether an ask."""
    for t, trader in enumerate(traders):
        if trader.rule.kind != "zip" or not trader.limit > 0.0:
            continue
        price = trader.limit * (1.0 + trader.margin)
        own, others = was if trader.buys else was[::-1]
        eager = price >= heard if trader.buys else price <= heard
        idle = price <= heard if trader.buys else price >= heard
        if accepted and eager:
            higher = not trader.buys
        elif t in active and idle and (others if accepted else own):
            higher = trader.buys
        else:
            continue
        u, v = lots.lesson(key, t)
        sign = 1.0 if higher else -1.0
        target = (1.0 + sign * 0.05 * u) * heard + sign * trader.rule.step * v
        change = trader.rate * (target - price)
        trader.momentum = trader.inertia * trader.momentum + (1.0 - trader.inertia) * change
        margin = (price + trader.momentum) / trader.limit - 1.0
        trader.margin = min(max(margin, -1.0), 0.0) if trader.buys else max(margin, 0.0)
