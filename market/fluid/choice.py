"""How buyers of a kind choose among offers, and how that changes with what offers are worth.

Utility is a line in a buyer's value v and delay cost c: U_o = v·gain_o − c·time_o − base_o.
Tastes of logit buyers, nested by seller, give (Anderson, de Palma & Thisse 1992; McFadden 1978)

  P_o = e^{U_o/νμ} / Σ_{p of the seller} e^{U_p/νμ} · e^{I_s} / Σ_t e^{I_t},
  I_s = ν·ln Σ_{o of s} e^{U_o/νμ},  surplus = μ·ln Σ_t e^{I_t},

doing without being a nest of its own with I = 0, and tastes having mean zero. Argmax buyers differ
along v (or c) only, and the offers that they take follow each other on the upper envelope of lines.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .population import Floats, Money, below


@dataclass(frozen=True)
class Choices:
    """What the buyers of one kind choose; n offers, then doing without.

    Attributes:
        share: probability of each choice, shape [n + 1].
        value: mean of v·1{offer chosen}, USD, shape [n].
        delay: mean of c·1{offer chosen}, USD/s, shape [n].
        surplus: expected utility of the choice, tastes included, USD.
        moves: ∂share_o/∂U_p and the means of v and c over who moves, shape [3, n, n]; None if it
            was not asked for.
    """

    share: Floats
    value: Floats
    delay: Floats
    surplus: float
    moves: Floats | None = None


def logit_choices(
    gain: Floats, time: Floats, base: Floats, money: Money, nests: NDArray[np.int64], scale: float,
    nest: float, outside: bool, moves: bool,
) -> list[Choices]:  # fmt: skip
    """Return the choices of (nested) logit buyers of D kinds with one law of value and delay cost.

    Args:
        gain: of each offer per USD of value, shape [D, n].
        time: to the answer, s, shape [D, n].
        base: what else it costs, USD, shape [D, n].
        money: the buyers' values and delay costs.
        nests: seller of each offer, shape [n], those of one seller side by side.
        scale: μ, USD.
        nest: ν.
        outside: whether doing without is a choice.
        moves: whether derivatives are wanted.

    Example:
        >>> one = Money(np.ones(1), np.zeros(1), np.ones(1))
        >>> at = np.array([[0.5, 0.5]]), np.zeros((1, 2)), np.zeros((1, 2))
        >>> found = logit_choices(*at, one, np.arange(2), 0.5, 1.0, False, False)[0]
        >>> found.share.tolist(), round(found.surplus, 6)
        ([0.5, 0.5, 0.0], 0.846574)
    """
    v, c, w = money.value[:, None], money.delay[:, None], money.weights
    utility = v * gain[:, None, :] - c * time[:, None, :] - base[:, None, :]
    first = np.diff(nests, prepend=-1) != 0
    starts, owner = np.flatnonzero(first), np.cumsum(first) - 1
    scaled = utility / (nest * scale)
    top = np.maximum.reduceat(scaled, starts, axis=2)
    grown = np.exp(scaled - top[..., owner])
    total = np.add.reduceat(grown, starts, axis=2)
    inclusive = nest * (top + np.log(total))
    floor = 0.0 if outside else -math.inf
    highest = np.maximum(inclusive.max(axis=2), floor)
    nested = np.exp(inclusive - highest[..., None])
    without = np.exp(floor - highest) if outside else np.zeros(highest.shape)
    sum_ = nested.sum(axis=2) + without
    within = grown / total[..., owner]
    chosen = within * (nested / sum_[..., None])[..., owner]
    surplus = (scale * (highest + np.log(sum_))) @ w
    share = np.concatenate([w @ chosen, ((without / sum_) @ w)[:, None]], axis=1)
    value, delay = (w * money.value) @ chosen, (w * money.delay) @ chosen
    slopes = None
    if moves:
        slopes = np.empty((3, *gain.shape, gain.shape[1]))
        same = nests[:, None] == nests[None, :]
        across = chosen if nest == 1.0 else within
        for i, by in enumerate((w, w * money.value, w * money.delay)):
            weighted = (by[:, None] * chosen).transpose(0, 2, 1)
            slopes[i] = -(weighted @ chosen)
            if nest < 1.0:
                slopes[i] -= (1.0 / nest - 1.0) * np.where(same, weighted @ across, 0.0)
            diagonal = np.arange(gain.shape[1])
            slopes[i][:, diagonal, diagonal] += weighted.sum(axis=2) / nest
        slopes /= scale
    return [
        Choices(share[d], value[d], delay[d], float(surplus[d]),
                None if slopes is None else slopes[:, d])
        for d in range(len(gain))
    ]  # fmt: skip


def moved_shares(
    gain: Floats, time: Floats, base: Floats, money: Money, nests: NDArray[np.int64], scale: float,
    nest: float, outside: bool, own: NDArray[np.bool_], more: Floats,
) -> Floats:  # fmt: skip
    """Return the shares of all offers as one seller's prices move, shape [P, D, n].

    Arguments are those of `logit_choices`; other nests enter by one sum, so that prices are quick
    to try.

    Args:
        gain: see `logit_choices`.
        time: see `logit_choices`.
        base: see `logit_choices`.
        money: see `logit_choices`.
        nests: see `logit_choices`.
        scale: see `logit_choices`.
        nest: see `logit_choices`.
        outside: see `logit_choices`.
        own: the offers of the one nest in which prices move, shape [n].
        more: what each of them costs more, USD, shape [P, D, n of own].
    """
    v, c, w = money.value[:, None], money.delay[:, None], money.weights
    scaled = (v * gain[:, None, :] - c * time[:, None, :] - base[:, None, :]) / (nest * scale)
    mine = scaled[None, ..., own] - more[:, :, None, :] / (nest * scale)  # [P, D, M, own]
    top = mine.max(axis=3, keepdims=True)
    grown = np.exp(mine - top)
    total = grown.sum(axis=3)
    inclusive = nest * (top[..., 0] + np.log(total))
    others = ~own
    rest = np.zeros(scaled.shape[:2])
    reference = np.zeros(scaled.shape[:2]) if outside else np.full(scaled.shape[:2], -math.inf)
    within = np.zeros((*scaled.shape[:2], int(others.sum())))
    if others.any():
        theirs = scaled[..., others]
        first = np.diff(nests[others], prepend=-1) != 0
        starts, owner = np.flatnonzero(first), np.cumsum(first) - 1
        tops = np.maximum.reduceat(theirs, starts, axis=2)
        parts = np.exp(theirs - tops[..., owner])
        sums = np.add.reduceat(parts, starts, axis=2)
        each = nest * (tops + np.log(sums))
        reference = np.maximum(reference, each.max(axis=2))
        weight = np.exp(each - reference[..., None])
        rest = weight.sum(axis=2)
        within = parts / sums[..., owner] * weight[..., owner]
    if outside:
        rest = rest + np.exp(-reference)
    with np.errstate(over="ignore", divide="ignore"):
        gap = inclusive - reference - np.log(rest)
        chosen = 1.0 / (1.0 + np.exp(-gap))  # of the one nest
    share = np.empty((*more.shape[:2], gain.shape[1]))
    share[..., own] = np.einsum("m,pdm,pdmo->pdo", w, chosen / total, grown, optimize=True)
    if others.any():
        left = within / rest[..., None]
        share[..., others] = np.einsum("m,pdm,dmo->pdo", w, 1.0 - chosen, left, optimize=True)
    return share


def envelope_choices(
    gain: Floats, time: Floats, base: Floats, money: Money, outside: bool, moves: bool
) -> Choices:
    """Return the choices of argmax buyers who differ along the one law of `money.along`.

    The envelope of n lines a_o + b_o·x is convex: the buyers of an offer are an interval of x, and
    who is at its end moves when utility does: ∂share/∂U = density / difference of the slopes
    (Shaked & Sutton 1982, Mussa & Rosen 1978 are this with b the quality).
    """
    v, c = money.value, money.delay
    if money.along == "value":
        per = float(c[0] / v[0]) if money.shared and v[0] > 0.0 else 0.0
        b, a = gain - per * time, -base - (0.0 if per else float(c[0])) * time
    else:
        per = 0.0
        b, a = -time, float(v[0]) * gain - base
    n = len(gain)
    lines_a, lines_b = (np.append(a, 0.0), np.append(b, 0.0)) if outside else (a, b)
    order, ends = _envelope(lines_a, lines_b)
    share, first = np.zeros(n + 1), np.zeros(n + 1)
    slopes = np.zeros((3, n, n))
    surplus = 0.0
    mass, moment = 0.0, 0.0
    for place, o in enumerate(order):
        end = ends[place]
        upto, part, density = below(money.law, end)
        share[o], first[o] = upto - mass, part - moment
        surplus += lines_a[o] * share[o] + lines_b[o] * first[o]
        if moves and place + 1 < len(order) and density > 0.0:
            p = order[place + 1]
            rate = density / (lines_b[p] - lines_b[o])
            at_v = end if money.along == "value" else float(v[0])
            at_c = per * end if per else (end if money.along == "delay" else float(c[0]))
            for x, y in ((o, p), (p, o)):
                for q, sign in ((x, 1.0), (y, -1.0)):
                    if x < n and q < n:
                        slopes[:, x, q] += sign * rate * np.array([1.0, at_v, at_c])
        mass, moment = upto, part
    if money.along == "value":
        value = first[:n]
        delay = per * first[:n] if per else float(c[0]) * share[:n]
    else:
        value, delay = float(v[0]) * share[:n], first[:n]
    return Choices(share, value, delay, surplus, slopes if moves else None)


def _envelope(a: Floats, b: Floats) -> tuple[list[int], list[float]]:
    """Return the lines a + b·x on the upper envelope over x ≥ 0, in order, and where each ends."""
    order: list[int] = []
    ends: list[float] = []
    x = 0.0
    here = int(np.lexsort((b, a))[-1])
    while True:
        order.append(here)
        steeper = np.flatnonzero(b > b[here])
        if not len(steeper):
            ends.append(math.inf)
            return order, ends
        meets = (a[here] - a[steeper]) / (b[steeper] - b[here])
        x = max(float(meets.min()), x)
        ends.append(x)
        nearest = steeper[meets <= meets.min() + 1e-15 * abs(meets.min())]
        here = int(nearest[np.argmax(b[nearest])])
