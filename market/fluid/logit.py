"""Choices of (nested) logit buyers, averaged over their values and delay costs.

Buyers stand on lines on which value and delay cost change in proportion, so that every utility is a
line, too. A line is cut into stretches, each of which counts as one buyer at its mean: short ones
where choices turn over, long ones where nothing changes.
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
SCRATCH = 5
"""Rows of scratch that `fill_choices` wants."""
DEPTH = 64
"""Places of the stack of `fill_cuts`."""


@inner
def _point(sums: NDArray[np.float64], low: int, high: int) -> tuple[float, float, float]:
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
    _, v0, c0 = _point(sums, low, low + 1)
    _, v1, c1 = _point(sums, high - 1, high)
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


@inner
def _choose(
    u: NDArray[np.float64], nests: NDArray[np.int64], nest: float, outside: bool,
    chosen: NDArray[np.float64], within: NDArray[np.float64], tops: NDArray[np.float64],
    totals: NDArray[np.float64],
) -> tuple[float, float]:  # fmt: skip
    """Fill Pr(offer) and Pr(offer | nest) at utilities u = U/(νμ); return (Pr(without), ln Σ e^I).

    Nests are numbered side by side from 0; `tops` and `totals` are scratch of one place for each.
    """
    last = -1
    for o in range(len(u)):
        s = nests[o]
        if s != last:
            tops[s], last = u[o], s
        elif u[o] > tops[s]:
            tops[s] = u[o]
    for s in range(last + 1):
        totals[s] = 0.0
    for o in range(len(u)):
        within[o] = math.exp(u[o] - tops[nests[o]])
        totals[nests[o]] += within[o]
    highest = 0.0 if outside else -math.inf
    for s in range(last + 1):
        tops[s] = nest * (tops[s] + math.log(totals[s]))  # the inclusive value I
        highest = max(highest, tops[s])
    without = math.exp(-highest) if outside else 0.0
    total = without
    for s in range(last + 1):
        tops[s] = math.exp(tops[s] - highest)
        total += tops[s]
    for o in range(len(u)):
        within[o] /= totals[nests[o]]
        chosen[o] = within[o] * tops[nests[o]] / total
    return without / total, highest + math.log(total)


@inner
def _add_slopes(
    plain: NDArray[np.float64], by_value: NDArray[np.float64], by_delay: NDArray[np.float64],
    weight: float, value: float, delay: float, chosen: NDArray[np.float64],
    within: NDArray[np.float64], nests: NDArray[np.int64], scale: float, nest: float,
    row: NDArray[np.float64],
) -> None:  # fmt: skip
    """Add ∂Pr(o)/∂U_p = Pr(o)·(δ_op/ν − Pr(p) − (1/ν − 1)·Pr(p | s))/μ, as often as weighted.

    For p ≤ o only: the rest is the same turned over. `row` is scratch.
    """
    first = 0
    for o in range(len(chosen)):
        if nests[o] != nests[first]:
            first = o
        x = weight * chosen[o] / scale
        if x == 0.0:
            continue
        for p in range(o + 1):
            row[p] = -x * chosen[p]
        for p in range(first, o + 1):
            row[p] -= x * (1.0 / nest - 1.0) * within[p]
        row[o] += x / nest
        at, at_value, at_delay = plain[o], by_value[o], by_delay[o]
        for p in range(o + 1):
            at[p] += row[p]
            at_value[p] += row[p] * value
            at_delay[p] += row[p] * delay


@compiled
def fill_choices(
    gain: NDArray[np.float64], time: NDArray[np.float64], base: NDArray[np.float64],
    sums: NDArray[np.float64], cuts: NDArray[np.int64], ends: NDArray[np.int64],
    nests: NDArray[np.int64], scale: float, nest: float, outside: bool,
    share: NDArray[np.float64], value: NDArray[np.float64], delay: NDArray[np.float64],
    surplus: NDArray[np.float64], slopes: NDArray[np.float64], scratch: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill the choices of D kinds of buyers among n offers; all that is filled must be zeros.

    Args:
        gain: of each offer per USD of value, shape [D, n].
        time: to the answer, s, shape [D, n].
        base: what else it costs, USD, shape [D, n].
        sums: the buyers as points on R lines, `Money.sums`, shape [R, 3, points + 1].
        cuts: ends of stretches, those of one kind and line after those of the one before.
        ends: where they end, shape [D·R].
        nests: of the offers, numbered from 0 side by side, shape [n].
        scale: μ, USD.
        nest: ν.
        outside: whether doing without is a choice.
        share: probability of each choice, doing without last, shape [D, n + 1].
        value: mean of v·1{offer chosen}, shape [D, n].
        delay: mean of c·1{offer chosen}, shape [D, n].
        surplus: expected utility of the choice, shape [D].
        slopes: ∂share/∂U and the means of v and c over who moves, shape [3, D, n, n], or with n of
            0 if they are not wanted.
        scratch: shape [SCRATCH, n].
    """
    n, lines = gain.shape[1], len(sums)
    u, chosen, within = scratch[0], scratch[1], scratch[2]
    begin = 0
    for d in range(len(gain)):
        for r in range(lines):
            end = ends[d * lines + r]
            for i in range(begin, end - 1):
                weight, v, c = _point(sums[r], cuts[i], cuts[i + 1])
                for o in range(n):
                    u[o] = (v * gain[d, o] - c * time[d, o] - base[d, o]) / (nest * scale)
                without, log = _choose(
                    u, nests, nest, outside, chosen, within, scratch[3], scratch[4]
                )
                for o in range(n):
                    share[d, o] += weight * chosen[o]
                    value[d, o] += weight * v * chosen[o]
                    delay[d, o] += weight * c * chosen[o]
                share[d, n] += weight * without
                surplus[d] += weight * scale * log
                if slopes.shape[2] > 0:
                    _add_slopes(
                        slopes[0, d], slopes[1, d], slopes[2, d], weight, v, c, chosen, within,
                        nests, scale, nest, scratch[3],
                    )  # fmt: skip
            begin = end
        for part in slopes[:, d] if slopes.shape[2] > 0 else slopes[:0, d]:
            for o in range(n):
                for p in range(o):
                    part[p, o] = part[o, p]
