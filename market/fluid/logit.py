"""Choices of (nested) logit buyers, averaged over their values and delay costs.

Buyers stand on lines on which value and delay cost change in proportion, so that every utility is a
line, too. A line is cut into `stretches`, each of which counts as one buyer at its mean.

Most of the work is exponentials, which NumPy takes of many at once: what they are of is filled
first, then what is made of them.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled, inner
from .stretches import point

WEIGHT, VALUE, DELAY, HIGHEST = range(4)
"""Columns of buyers: probability, value, delay cost, and what exponents are set against."""
_FAR, _NEVER = -650.0, 1e-280
"""Exponents are no lower than this, and exponentials below that are none: others are slow."""
_FAINT = 1e-140
"""Probability of a choice below which rivals' prices do not move it: its products are slow."""


@inner
def _fill_row(
    u: NDArray[np.float64], starts: NDArray[np.int64], nest: float, outside: bool,
    out: NDArray[np.float64],
) -> float:  # fmt: skip
    """Fill the exponents of one buyer at utilities u = U/(νμ); return what they are set against."""
    n, extra = len(u), len(u)
    highest = 0.0 if outside else -math.inf
    for o in range(n):
        highest = max(highest, nest * u[o])
    for s in range(len(starts) - 1):
        first, end = starts[s], starts[s + 1]
        if end == first + 1:
            out[first] = max(nest * u[first] - highest, _FAR)
            continue
        top = u[first]
        for o in range(first + 1, end):
            top = max(top, u[o])
        for o in range(first, end):
            out[o] = max(u[o] - top, _FAR)
        out[extra] = max(nest * top - highest, _FAR)
        extra += 1
    out[extra] = max(-highest, _FAR) if outside else _FAR
    return highest


@compiled
def fill_exponents(
    gain: NDArray[np.float64], time: NDArray[np.float64], base: NDArray[np.float64],
    sums: NDArray[np.float64], cuts: NDArray[np.int64], ends: NDArray[np.int64],
    starts: NDArray[np.int64], scale: float, nest: float, outside: bool,
    u: NDArray[np.float64], out: NDArray[np.float64], buyers: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill what exponentials are to be taken of: D kinds of buyers, n offers, M stretches in all.

    Args:
        gain: of each offer per USD of value, shape [D, n].
        time: to the answer, s, shape [D, n].
        base: what else it costs, USD, shape [D, n].
        sums: the buyers as points on R lines, `Money.sums`, shape [R, 3, points + 1].
        cuts: ends of stretches, those of one kind and line after those of the one before.
        ends: where they end, shape [D·R].
        starts: the first offer of each nest, those of one nest side by side, and n at last.
        scale: μ, USD.
        nest: ν.
        outside: whether doing without is a choice.
        u: scratch, shape [n].
        out: filled, shape [M, n + nests of several offers + 1]: of offers within their nest or, if
            alone there, among nests; of nests by their best offer; and of doing without.
        buyers: filled, shape [M, 4].
    """
    n, lines, per = gain.shape[1], len(sums), 1.0 / (nest * scale)
    begin, m = 0, 0
    for d in range(len(gain)):
        for r in range(lines):
            end = ends[d * lines + r]
            for i in range(begin, end - 1):
                weight, v, c = point(sums[r], cuts[i], cuts[i + 1])
                for o in range(n):
                    u[o] = (v * gain[d, o] - c * time[d, o] - base[d, o]) * per
                highest = _fill_row(u, starts, nest, outside, out[m])
                buyers[m, WEIGHT], buyers[m, VALUE], buyers[m, DELAY] = weight, v, c
                buyers[m, HIGHEST] = highest
                m += 1
            begin = end


@inner
def _choose(
    exp: NDArray[np.float64], starts: NDArray[np.int64], nest: float,
    chosen: NDArray[np.float64], within: NDArray[np.float64],
) -> float:  # fmt: skip
    """Fill Pr(offer) and Pr(offer | nest) from one buyer's exponentials; return their sum, Σ e^I.

    The inclusive value of several is I = ν·(top + ln Σ e^(u − top)).
    """
    extra, total = len(chosen), exp[-1]
    for s in range(len(starts) - 1):
        first, end = starts[s], starts[s + 1]
        if end == first + 1:
            chosen[first] = exp[first]
            total += exp[first]
            continue
        sum_ = 0.0
        for o in range(first, end):
            sum_ += exp[o]
        whole = exp[extra] * (math.sqrt(sum_) if nest == 0.5 else sum_**nest)
        extra += 1
        total += whole
        for o in range(first, end):
            within[o] = exp[o] / sum_
            chosen[o] = within[o] * whole
    for o in range(len(chosen)):
        chosen[o] = chosen[o] / total if chosen[o] > _NEVER else 0.0
    return total


@inner
def _add_shared(
    own: NDArray[np.float64], d: int, chosen: NDArray[np.float64], weight: float, v: float,
    c: float, within: NDArray[np.float64], starts: NDArray[np.int64], same: float,
) -> None:  # fmt: skip
    """Take weight·Pr(o)·(1/ν − 1)·Pr(p | s) from `own` for offers o and p of nests of several."""
    for s in range(len(starts) - 1):
        first, end = starts[s], starts[s + 1]
        if end == first + 1:
            continue
        for o in range(first, end):
            for p in range(first, end):
                less = same * weight * chosen[o] * within[p]
                own[0, d, o, p] -= less
                own[1, d, o, p] -= less * v
                own[2, d, o, p] -= less * c


@inner
def _add_whole(
    own: NDArray[np.float64], d: int, share: NDArray[np.float64], value: NDArray[np.float64],
    delay: NDArray[np.float64], starts: NDArray[np.int64], nest: float,
) -> None:  # fmt: skip
    """Add Pr(o)/ν to `own` for every offer o, less (1/ν − 1)·Pr(o) where it is its whole nest."""
    for s in range(len(starts) - 1):
        first, end = starts[s], starts[s + 1]
        times = 1.0 if end == first + 1 else 1.0 / nest
        for o in range(first, end):
            own[0, d, o, o] += times * share[o]
            own[1, d, o, o] += times * value[o]
            own[2, d, o, o] += times * delay[o]


@compiled
def fill_choices(
    exp: NDArray[np.float64], buyers: NDArray[np.float64], ends: NDArray[np.int64],
    starts: NDArray[np.int64], scale: float, nest: float,
    share: NDArray[np.float64], value: NDArray[np.float64], delay: NDArray[np.float64],
    surplus: NDArray[np.float64], own: NDArray[np.float64], chosen: NDArray[np.float64],
    scratch: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill the choices of D kinds of buyers among n offers; what is summed up must be zeros.

    Args:
        exp: exponentials of what `fill_exponents` fills.
        buyers: as it fills them, shape [M, 4].
        ends: where the buyers of each kind end, shape [D].
        starts: see `fill_exponents`.
        scale: μ, USD.
        nest: ν.
        share: probability of each choice, doing without last, shape [D, n + 1].
        value: mean of v·1{offer chosen}, shape [D, n].
        delay: mean of c·1{offer chosen}, shape [D, n].
        surplus: expected utility of the choice, shape [D].
        own: the part of ∂share/∂U that is due to the offer's own nest, times μ, and the means of v
            and c over who moves, shape [3, D, n, n], or with n of 0 if it is not wanted.
        chosen: then Pr(offer) of each buyer, 0 where it is faint, shape [M, n].
        scratch: shape [2, n].
    """
    n, moves, same = share.shape[1] - 1, own.shape[2] > 0, 1.0 / nest - 1.0
    row, within = scratch[0], scratch[1]
    begin = 0
    for d in range(len(share)):
        for m in range(begin, ends[d]):
            weight, v, c = buyers[m, WEIGHT], buyers[m, VALUE], buyers[m, DELAY]
            total = _choose(exp[m], starts, nest, row, within)
            for o in range(n):
                x = weight * row[o]
                share[d, o] += x
                value[d, o] += x * v
                delay[d, o] += x * c
            share[d, n] += weight * exp[m, -1] / total if exp[m, -1] > _NEVER else 0.0
            surplus[d] += weight * scale * (buyers[m, HIGHEST] + math.log(total))
            if moves:
                for o in range(n):
                    chosen[m, o] = row[o] if row[o] > _FAINT else 0.0
                _add_shared(own, d, row, weight, v, c, within, starts, same)
        begin = ends[d]
        if moves:
            _add_whole(own, d, share[d], value[d], delay[d], starts, nest)
