"""Anderson's acceleration of a fixed-point iteration x ← g(x) (Anderson 1965; Walker & Ni 2011)."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def fixed_point(
    g: Callable[[Floats], Floats], start: Floats, *, tolerance: float, most: int = 60,
    memory: int = 6, part: float = 0.5,
) -> tuple[Floats, float, int]:  # fmt: skip
    """Return (x, residual, iterations) with x = g(x), from differences of the last iterates.

    Args:
        g: the map, from and to shape [n].
        start: first x, shape [n].
        tolerance: largest |g(x) − x|, relative to the largest |x|, that ends it.
        most: iterations at most.
        memory: iterates that are remembered.
        part: share of the residual that is mixed in.

    Example:
        >>> x, residual, taken = fixed_point(np.cos, np.ones(1), tolerance=1e-12)
        >>> round(float(x[0]), 9), residual < 1e-12
        (0.739085133, True)
    """
    x = np.asarray(start, dtype=np.float64)
    points: list[Floats] = []
    misses: list[Floats] = []
    best, least = x, np.inf
    for number in range(most + 1):
        miss = g(x) - x
        size = float(np.abs(miss).max(initial=0.0)) / max(float(np.abs(x).max(initial=0.0)), 1e-300)
        if size < least:
            best, least = x, size
        if size <= tolerance or number == most:
            return best, least, number
        if not size <= 1e3 * least:  # it has lost its way: start anew from the best
            points, misses, x = [], [], best
            part *= 0.3
            miss = g(x) - x
            if not np.isfinite(miss).all():
                return best, least, number
        points, misses = [*points[-memory:], x], [*misses[-memory:], miss]
        step = part * miss
        if len(points) > 1:
            apart = np.diff(np.array(misses), axis=0).T
            moved = np.diff(np.array(points), axis=0).T
            weight = np.linalg.lstsq(apart, miss, rcond=1e-10)[0]
            step -= (moved + part * apart) @ weight
        x = x + step
    raise AssertionError("the loop returns")
