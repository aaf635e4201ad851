"""The law of a wait: gamma of any shape, taken as uniform in slices, which keeps its mean."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import special

from .jit import compiled, inner

SLICES = 24
"""Slices of the law of a wait, narrow in probability towards both tails."""
_V = np.linspace(0.0, 1.0, SLICES + 1)
_CUTS = _V * _V * (3.0 - 2.0 * _V)
SHARES = np.diff(_CUTS)
_FINEST, _COARSEST = 12.0, -4.0
_STEPS = 65


@cache
def wait_table() -> NDArray[np.float64]:
    """Return where the slices of gamma laws of mean 1 end, shape [steps of log2 shape, SLICES + 1].

    The last slice has no end; it is given the one that keeps its mean.
    """
    shapes = 2.0 ** np.linspace(_COARSEST, _FINEST, _STEPS)[:, None]
    ends = special.gammaincinv(shapes, _CUTS[None, :-1])
    mass = special.gammainc(shapes + 1.0, np.hstack([ends, np.full((_STEPS, 1), np.inf)]))
    tail = (mass[:, -1:] - mass[:, -2:-1]) / SHARES[-1] * shapes
    ends = np.hstack([ends, 2.0 * tail - ends[:, -1:]])
    means = (SHARES * (ends[:, 1:] + ends[:, :-1]) / 2.0).sum(axis=1, keepdims=True)
    return np.ascontiguousarray(ends / means)


@compiled
def wait_place(shape: float) -> float:
    """Return where a gamma law of this shape stands in the wait table, in rows."""
    return (math.log(shape) / 0.6931471805599453 - _COARSEST) * (_STEPS - 1) / (_FINEST - _COARSEST)


@compiled
def wait_end(table: NDArray[np.float64], place: float, end: int) -> float:
    """Return end number `end` of the slices of a gamma law of mean 1 at `place` of the table.

    Beyond the last row the law is all but constant, and taken as such.
    """
    if place <= 0.0:
        return table[0, end]
    if place >= _STEPS - 1:
        return 1.0 if place > _STEPS else table[_STEPS - 1, end]
    low = int(place)
    return table[low, end] + (table[low + 1, end] - table[low, end]) * (place - low)


@inner
def over_by(low: float, high: float, time: float) -> float:
    """Return the share of a slice of waits, uniform from `low` to `high`, that is over by then."""
    if low > time:
        return 0.0
    return (time - low) / (high - low) if high > time else 1.0


@inner
def stay(
    wait: float, place: float, patience: float, waits: NDArray[np.float64]
) -> tuple[float, float]:
    """Return (Pr(W ≤ patience), E[min(W, patience)]) of a gamma wait W."""
    if patience == math.inf:
        return 1.0, wait
    served, time = 0.0, 0.0
    low = wait * wait_end(waits, place, 0)
    for j in range(SLICES):
        high = wait * wait_end(waits, place, j + 1)
        part = over_by(low, high, patience)
        served += SHARES[j] * part
        time += SHARES[j] * (part * 0.5 * (low + min(high, patience)) + (1.0 - part) * patience)
        low = high
    return served, time
