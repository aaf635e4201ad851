"""First-score auction: the best score wins and is paid what it bid (Che 1993).

With equilibrium bids a seller leaves the buyer what it expects of the best rival, of sellers alike,
given that it wins: score bid = E[max(k(T), floor) | T > θ], where k(θ) is the best score that costs
of factor θ allow and T the smallest factor of the rivals (Che 1993, theorem 1: quality is that of
the second-score auction, and only the price is shaded).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled, inner


@compiled
def announced(before: float, linear: float, quadratic: float) -> float:
    """Return the announced score before price, USD: linear · W + quadratic · W², W itself below 0.

    It never falls in W: beyond the top of a parabola that opens downwards it stays there.

    Example:
        >>> announced(0.5, 0.5, 0.25), announced(-9.0, 0.5, 0.25), announced(9.0, 1.0, -0.5)
        (0.3125, -9.0, 0.5)
    """
    if before <= 0.0:
        return before
    if quadratic < 0.0:
        before = min(before, -0.5 * linear / quadratic)
    return linear * before + quadratic * before * before


@inner
def best_of_owner(
    score: NDArray[np.float64], shown: NDArray[np.int64], count: int, j: int, offers: Any
) -> bool:
    """Return whether place j is the first of the best-scoring ones of its owner."""
    owner = offers[shown[j]]["owner"]
    for i in range(count):
        if offers[shown[i]]["owner"] == owner and (
            score[i] > score[j] or (score[i] == score[j] and i < j)
        ):
            return False
    return score[j] > -math.inf
