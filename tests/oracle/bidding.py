"""How sellers bid, written from the model: what they know, and what they make of it."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from scipy.special import ndtri, roots_jacobi

NODES = 16
"""Points at which the best rival is looked at."""
STEPS = 9
"""Promises that a seller tries beside the deadline, a factor √2 apart."""


def upper(law: Any, tail: float) -> float:
    """Return what a law of the spec exceeds with probability `tail`."""
    if law.kind == "constant":
        return float(law.value)
    if law.kind == "uniform":
        return float(law.high - (law.high - law.low) * tail)
    if law.kind == "exponential":
        return float(-law.mean * math.log(tail))
    if law.kind == "lognormal":
        spread = math.log1p(law.cv**2)
        return float(math.exp(math.log(law.mean) - spread / 2 - math.sqrt(spread) * ndtri(tail)))
    return float(np.interp(1.0 - tail, law.probabilities, law.values))


@cache
def best_rival(bidders: int) -> list[tuple[float, float]]:
    """Return (share of one's own tail, weight) of the smallest factor of the rivals above it."""
    points, weights = roots_jacobi(NODES, 0.0, 3.0 * bidders - 4.0)
    shares = ((1 + points) / 2) ** 3
    return list(zip(shares.tolist(), (weights / weights.sum()).tolist(), strict=True))


def announced(before: float, linear: float, quadratic: float) -> float:
    """Return what a buyer announces of a worth before price: never less for more."""
    if before <= 0.0:
        return before
    top = -linear / (2.0 * quadratic) if quadratic < 0.0 else math.inf
    return linear * min(before, top) + quadratic * min(before, top) ** 2


@cache
def blocked(slots: int, load: float) -> float:
    """Return Erlang's loss probability of so many slots."""
    loss = 1.0
    for n in range(1, slots + 1):
        loss = load * loss / (n + load * loss)
    return loss


def slot_cost(rule: Any, slots: float, taken: int) -> float:
    """Return what one more taken slot costs in sales lost, USD."""
    if rule.kind != "opportunity" or math.isinf(slots):
        return 0.0
    if math.isinf(rule.load):
        return float(rule.margin)
    whole, part = blocked(int(slots), rule.load), blocked(min(taken, int(slots)), rule.load)
    return float(rule.margin * whole / part)
