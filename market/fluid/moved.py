"""Shares of logit buyers as one seller's prices move: other nests enter by one sum.

Buyers are taken at few points, so that many prices are quick to try.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..jit import compiled, inner

_FAR = 700.0
"""Lag of a nest, in logarithms, beyond which nobody chooses it, to the last digit."""


@inner
def _inclusive(
    u: NDArray[np.float64], first: int, end: int, nest: float, within: NDArray[np.float64]
) -> float:
    """Fill Pr(offer | nest) of the offers from `first` to `end`; return ν·ln Σ e^u."""
    if end == first + 1:
        within[first] = 1.0
        return nest * u[first]
    top, total = u[first], 0.0
    for o in range(first + 1, end):
        top = max(top, u[o])
    for o in range(first, end):
        within[o] = math.exp(u[o] - top)
        total += within[o]
    for o in range(first, end):
        within[o] /= total
    return nest * (top + math.log(total))


@inner
def _fill_others(
    u: NDArray[np.float64], starts: NDArray[np.int64], moved: int, nest: float, outside: bool,
    within: NDArray[np.float64], tops: NDArray[np.float64],
) -> float:  # fmt: skip
    """Fill Pr(offer | all but one nest) of the others' offers; return ln Σ e^I of them."""
    highest = 0.0 if outside else -math.inf
    for s in range(len(starts) - 1):
        if s != moved:
            tops[s] = _inclusive(u, starts[s], starts[s + 1], nest, within)
            highest = max(highest, tops[s])
    total = math.exp(-highest) if outside else 0.0
    for s in range(len(starts) - 1):
        if s != moved:
            tops[s] = math.exp(tops[s] - highest)
            total += tops[s]
    if total == 0.0:
        return -math.inf
    for s in range(len(starts) - 1):
        if s != moved:
            for o in range(starts[s], starts[s + 1]):
                within[o] *= tops[s] / total
    return highest + math.log(total)


@compiled
def fill_rest(
    gain: NDArray[np.float64], time: NDArray[np.float64], base: NDArray[np.float64],
    value: NDArray[np.float64], delay: NDArray[np.float64], starts: NDArray[np.int64],
    scale: float, nest: float, outside: bool, moved: int, tops: NDArray[np.float64],
    u: NDArray[np.float64], within: NDArray[np.float64], rest: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill what does not change as the prices of one nest move, for D kinds of buyers.

    Args:
        gain: of each offer per USD of value, shape [D, n].
        time: to the answer, s, shape [D, n].
        base: what else it costs, USD, shape [D, n].
        value: of the buyers, USD, shape [M].
        delay: their delay costs, USD/s, shape [M].
        starts: the first offer of each nest, those of one nest side by side, and n at last.
        scale: μ, USD.
        nest: ν.
        outside: whether doing without is a choice.
        moved: the nest in which prices move.
        tops: scratch, shape [n].
        u: filled with utilities over νμ, shape [D, M, n].
        within: filled with Pr(offer | not the nest) of other offers, shape [D, M, n].
        rest: filled with ln Σ e^I of all other nests and of doing without, shape [D, M].
    """
    per = 1.0 / (nest * scale)
    for d in range(len(gain)):
        for m in range(len(value)):
            at = u[d, m]
            for o in range(len(at)):
                at[o] = (value[m] * gain[d, o] - delay[m] * time[d, o] - base[d, o]) * per
            rest[d, m] = _fill_others(at, starts, moved, nest, outside, within[d, m], tops)


@compiled
def fill_moved(
    u: NDArray[np.float64], others: NDArray[np.float64], rest: NDArray[np.float64],
    weights: NDArray[np.float64], first: int, end: int, scale: float, nest: float,
    more: NDArray[np.float64], wanted: NDArray[np.int64], scratch: NDArray[np.float64],
    share: NDArray[np.float64],
) -> None:  # fmt: skip
    """Fill the shares of some offers, for D kinds of buyers at P prices of one nest.

    Args:
        u: as `fill_rest` fills it, shape [D, M, n].
        others: as it fills `within`, shape [D, M, n].
        rest: as it fills it, shape [D, M].
        weights: probabilities of the buyers, shape [M].
        first: first offer of the nest.
        end: the offer after its last.
        scale: μ, USD.
        nest: ν.
        more: what its offers cost more, USD, shape [P, D, end − first].
        wanted: the offers whose shares are filled.
        scratch: shape [2, n].
        share: filled, shape [P, D, n]; must be zeros.
    """
    per, tried, within = 1.0 / (nest * scale), scratch[0], scratch[1]
    for p in range(len(more)):
        for d in range(len(u)):
            for m in range(len(weights)):
                for o in range(first, end):
                    tried[o] = u[d, m, o] - more[p, d, o - first] * per
                ahead = _inclusive(tried, first, end, nest, within) - rest[d, m]
                chosen = 1.0 / (1.0 + math.exp(-ahead)) if ahead > -_FAR else 0.0
                for o in wanted:
                    if first <= o < end:
                        share[p, d, o] += weights[m] * chosen * within[o]
                    else:
                        share[p, d, o] += weights[m] * (1.0 - chosen) * others[d, m, o]
