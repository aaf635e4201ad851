"""Taste shocks of (nested) logit buyers: mean zero, keyed by task and offer.

Plain logit adds μ·(G − γ) to each utility, G standard Gumbel. With nesting parameter ν < 1,
ε = μ·(ν·G_offer + ν·ln S_seller − γ), S positive ν-stable; then ε is μ·Gumbel for every offer,
and offers of one seller are correlated. Kanter (1975) writes ν·ln S = h(U) + (1 − ν)·G' with
U uniform, G' Gumbel and

  h(u) = ν·ln sin(νπu) − ln sin(πu) + (1 − ν)·ln sin((1 − ν)πu).

Both laws are read from tables of quantiles, exact where a table would be too coarse (the tails).
"""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray

from .jit import compiled
from .rng import hash2, uniform

EULER = 0.5772156649015329
BINS = 16384
_EDGE = 64
"""Bins at either end that are computed instead of read; elsewhere the error is below 4e-5."""
_U1, _U2 = np.uint64(1), np.uint64(2)


@compiled
def gumbel_quantile(u: float) -> float:
    """Return the standard Gumbel quantile −ln(−ln u)."""
    return -math.log(-math.log(u))


@compiled
def stable_part(u: float, nest: float) -> float:
    """Return Kanter's h(u) for nesting parameter ν = nest < 1."""
    turn = math.pi * u
    return (
        nest * math.log(math.sin(nest * turn))
        - math.log(math.sin(turn))
        + (1.0 - nest) * math.log(math.sin((1.0 - nest) * turn))
    )


@cache
def gumbel_table() -> NDArray[np.float64]:
    """Return Gumbel quantiles at k/BINS, shape [BINS + 1]; the two ends are never read."""
    return np.array([gumbel_quantile(min(max(k, 0.5), BINS - 0.5) / BINS) for k in range(BINS + 1)])


@cache
def stable_table(nest: float) -> NDArray[np.float64]:
    """Return Kanter's h at k/BINS, shape [BINS + 1]; zeros when the nest is 1."""
    if nest >= 1.0:
        return np.zeros(BINS + 1)
    return np.array(
        [stable_part(min(max(k, 0.5), BINS - 0.5) / BINS, nest) for k in range(BINS + 1)]
    )


@compiled
def gumbel(bits: np.uint64, table: NDArray[np.float64]) -> float:
    """Return a standard Gumbel draw for 64 random bits."""
    x = uniform(bits) * BINS
    bin_ = int(x)
    if bin_ < _EDGE or bin_ >= BINS - _EDGE:
        return gumbel_quantile(x / BINS)
    low = table[bin_]
    return low + (table[bin_ + 1] - low) * (x - bin_)


@compiled
def seller_taste(
    key: np.uint64, nest: float, stable: NDArray[np.float64], table: NDArray[np.float64]
) -> float:
    """Return ν·ln S, the part of the taste that all offers of a seller share."""
    x = uniform(hash2(key, _U1)) * BINS
    bin_ = int(x)
    if bin_ < _EDGE or bin_ >= BINS - _EDGE:
        part = stable_part(x / BINS, nest)
    else:
        part = stable[bin_] + (stable[bin_ + 1] - stable[bin_]) * (x - bin_)
    return part + (1.0 - nest) * gumbel(hash2(key, _U2), table)
