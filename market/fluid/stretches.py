"""Where the lines of values on which logit buyers stand are cut into stretches.

Each stretch counts as one buyer at its mean: short ones where choices turn over, long ones where
nothing changes.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled, inner

ALIVE = 10.0
"""Lag, in units of the scale μ, at which an offer no longer counts when a line is cut."""
TURN = 0.5
"""By how much the logarithm of the odds of two offers may change over a stretch."""
NEVER = 700.0
"""Lag, in units of μ, beyond which the odds of a choice have no place among numbers."""
DEPTH = 64
"""Places of the stack of `fill_cuts`."""


@inner
def point(sums: NDArray[np.float64], low: int, high: int) -> tuple[float, float, float]:
    """Return probability, mean value and mean delay cost of the points from `low` to `high`."""
    weight = sums[0, high] - sums[0, low]
    return weight, (sums[1, high] - sums[1, low]) / weight, (sums[2, high] - sums[2, low]) / weight


@inner
def _turns(
    gain: NDArray[np.float64], time: NDArray[np.float64], base: NDArray[np.float64],
    sums: NDArray[np.float64], low: int, high: int, scale: float, nest: float, outside: bool,
    most: float,
) -> bool:  # fmt: skip
    """Return whether choices turn over by more than `most` between the ends of a stretch.

    An offer counts unless one that is best at an end is ahead of it at both, and so all along.
    """
    _, v0, c0 = point(sums, low, low + 1)
    _, v1, c1 = point(sums, high - 1, high)
    first, last, top0, top1 = -1, -1, -math.inf, -math.inf
    if outside:
        top0, top1 = 0.0, 0.0
    for o in range(len(gain)):
        u0 = v0 * gain[o] - c0 * time[o] - base[o]
        u1 = v1 * gain[o] - c1 * time[o] - base[o]
        if u0 > top0:
            first, top0 = o, u0
        if u1 > top1:
            last, top1 = o, u1
    rival0, rival1 = 0.0, 0.0  # the best at one end, at the other
    if first >= 0:
        rival1 = v1 * gain[first] - c1 * time[first] - base[first]
    if last >= 0:
        rival0 = v0 * gain[last] - c0 * time[last] - base[last]
    lag, least, largest = ALIVE * scale, math.inf, -math.inf
    for o in range(-1, len(gain)):
        u0, u1 = 0.0, 0.0
        if o >= 0:
            u0 = v0 * gain[o] - c0 * time[o] - base[o]
            u1 = v1 * gain[o] - c1 * time[o] - base[o]
        elif not outside:
            continue
        if (top0 - u0 > lag and rival1 - u1 > lag) or (rival0 - u0 > lag and top1 - u1 > lag):
            continue
        least, largest = min(least, u1 - u0), max(largest, u1 - u0)
    return largest - least > most * nest * scale


@compiled
def fill_reach(
    gain: NDArray[np.float64], time: NDArray[np.float64], base: NDArray[np.float64],
    sums: NDArray[np.float64], scale: float, outside: bool, reach: NDArray[np.bool_],
) -> None:  # fmt: skip
    """Fill which offers are chosen by some of D kinds of buyers, to the last digit that there is.

    Others are behind by `NEVER` at both ends of each line, and so all along it: behind the best at
    an end or behind doing without.

    Args:
        gain: of each offer per USD of value, shape [D, n].
        time: to the answer, s, shape [D, n].
        base: what else it costs, USD, shape [D, n].
        sums: the lines, shape [R, 3, points + 1]; see `Money.sums`.
        scale: μ, USD.
        outside: whether doing without is a choice.
        reach: filled, shape [n].
    """
    n, last, lag = gain.shape[1], sums.shape[2] - 1, NEVER * scale
    reach[:] = False
    for r in range(len(sums)):
        _, v0, c0 = point(sums[r], 0, 1)
        _, v1, c1 = point(sums[r], last - 1, last)
        for d in range(len(gain)):
            best0, best1, top0, top1 = -1, -1, -math.inf, -math.inf
            for o in range(n):
                u0 = v0 * gain[d, o] - c0 * time[d, o] - base[d, o]
                u1 = v1 * gain[d, o] - c1 * time[d, o] - base[d, o]
                if u0 > top0:
                    best0, top0 = o, u0
                if u1 > top1:
                    best1, top1 = o, u1
            far0 = v1 * gain[d, best0] - c1 * time[d, best0] - base[d, best0]
            far1 = v0 * gain[d, best1] - c0 * time[d, best1] - base[d, best1]
            for o in range(n):
                u0 = v0 * gain[d, o] - c0 * time[d, o] - base[d, o]
                u1 = v1 * gain[d, o] - c1 * time[d, o] - base[d, o]
                never = (top0 - u0 > lag and far0 - u1 > lag) or (
                    far1 - u0 > lag and top1 - u1 > lag
                )
                if not (never or (outside and u0 < -lag and u1 < -lag)):
                    reach[o] = True


@compiled
def fill_cuts(
    gain: NDArray[np.float64], time: NDArray[np.float64], base: NDArray[np.float64],
    sums: NDArray[np.float64], strata: int, scale: float, nest: float, outside: bool,
    stack: NDArray[np.int64], out: NDArray[np.int64],
) -> int:  # fmt: skip
    """Cut a line of points into stretches over which choices hardly change; return how many cuts.

    Args:
        gain: of each offer per USD of value, shape [n].
        time: to the answer, s, shape [n].
        base: what else it costs, USD, shape [n].
        sums: the line, shape [3, points + 1]; see `Money.sums`.
        strata: equal numbers of points to start from.
        scale: μ, USD.
        nest: ν.
        outside: whether doing without is a choice.
        stack: shape [DEPTH, 2].
        out: filled with the ends of stretches, 0 first; shape [points + 1].
    """
    points, count = sums.shape[1] - 1, 0
    out[0] = 0
    for stratum in range(strata):
        stack[0, 0], stack[0, 1] = stratum * points // strata, (stratum + 1) * points // strata
        depth = 1
        while depth > 0:
            depth -= 1
            low, high = stack[depth, 0], stack[depth, 1]
            if high - low > 1 and _turns(
                gain, time, base, sums, low, high, scale, nest, outside, TURN
            ):
                middle = (low + high) // 2
                stack[depth, 0], stack[depth, 1] = middle, high
                stack[depth + 1, 0], stack[depth + 1, 1] = low, middle
                depth += 2
            else:
                count += 1
                out[count] = high
    return count + 1


@compiled
def well_cut(
    gain: NDArray[np.float64], time: NDArray[np.float64], base: NDArray[np.float64],
    sums: NDArray[np.float64], cuts: NDArray[np.int64], scale: float, nest: float, outside: bool,
) -> bool:  # fmt: skip
    """Return whether cuts that were made for other utilities still do, within a factor of 2."""
    for i in range(len(cuts) - 1):
        low, high = cuts[i], cuts[i + 1]
        if high - low > 1 and _turns(
            gain, time, base, sums, low, high, scale, nest, outside, 2.0 * TURN
        ):
            return False
    return True
