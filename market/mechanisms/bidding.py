"""How sellers bid for a task: from the price that just covers its cost to the bid that is made."""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..jit import compiled, inner
from ..state import PROMISED

COST, PRICE, MARKUP, EQUILIBRIUM, OPPORTUNITY = range(5)
"""Bidding rules, as in `schema.bidding`."""
RIVAL_NODES = 16
"""Points at which the best rival's cost factor is taken."""


@compiled
def least_price(cell: Any, seller: Any, cost: float, slot: float, commission: float) -> float:
    """Return the price that just covers what a seller expects, USD: its truthful bid.

    Expected cost (with `slot`, what a slot taken is worth to it) and penalty over the share of the
    price that it expects to keep, by the law it knows: a promise binds the seller, it does not
    convince it. Infinite where it expects to keep nothing: no price covers its cost, and it stays
    out.
    """
    served, kept, billed = cell["served"], cell["kept"], cell["billed"]
    if seller["quote"] == PROMISED:
        served, kept, billed = cell["own_served"], cell["own_kept"], cell["own_billed"]
    share = billed * (1.0 - commission)
    if share <= 0.0:
        return math.inf
    return ((cost + slot) * served + seller["penalty"] * (served - kept)) / share


@inner
def marked_up(least: float, rate: float) -> float:
    """Return the bid of a seller with a fixed mark-up: least · (1 + rate)."""
    return least * (1.0 + rate)


def shadow_prices(slots: int, load: float) -> NDArray[np.float64]:
    """Return B(c, a)/B(n, a) for n = 0..c slots taken, shape [c + 1]: the share of a margin lost.

    The cost of one more taken slot in M/M/c/c, per unit of margin of the tasks that come (Ott &
    Krishnan 1992, Annals of Operations Research 35; B is Erlang's loss formula with
    B(n + 1) = a·B(n)/(n + 1 + a·B(n))). It rises with n to 1, where the next one is lost.

    Example:
        >>> shadow_prices(2, 1.0).tolist()
        [0.2, 0.4, 1.0]
    """
    if math.isinf(load):
        return np.ones(slots + 1)
    out = np.ones(slots + 1)
    blocked = 1.0
    for n in range(slots):
        rise = load / (n + 1 + load * blocked)  # B(n + 1)/B(n)
        out[n] = rise
        blocked *= rise
    return np.asarray(np.cumprod(out[::-1])[::-1])


@cache
def rival_nodes(bidders: int) -> NDArray[np.float64]:
    """Return where the smallest of the rivals' cost factors lies, shape [2, RIVAL_NODES].

    Given that all n − 1 rivals' factors are above one's own, at quantile u, the smallest has
    quantile 1 − (1 − u)·x with x of density (n − 1)·x^(n − 2) on (0, 1): Gauss–Jacobi points of
    x^(1/3), close together where the law's tail begins, and weights.

    Example:
        >>> points, weights = rival_nodes(4)
        >>> round(float(weights @ points), 12)  # mean of the largest of three uniform draws
        0.75
    """
    points, weights = special.roots_jacobi(RIVAL_NODES, 0.0, 3.0 * bidders - 4.0)
    return np.array([((1.0 + points) / 2.0) ** 3, weights / weights.sum()])
