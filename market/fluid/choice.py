"""How buyers of a kind choose among offers, and how that changes with what offers are worth.

Utility is a line in a buyer's value v and delay cost c: U_o = v·gain_o − c·time_o − base_o.
Tastes of logit buyers, nested by seller, give (Anderson, de Palma & Thisse 1992; McFadden 1978)

  P_o = e^{U_o/νμ} / Σ_{p of the seller} e^{U_p/νμ} · e^{I_s} / Σ_t e^{I_t},
  I_s = ν·ln Σ_{o of s} e^{U_o/νμ},  surplus = μ·ln Σ_t e^{I_t},

doing without being a nest of its own with I = 0, and tastes having mean zero. Buyers without
tastes: `envelope`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .logit import DEPTH, SCRATCH, fill_choices, fill_cuts, well_cut
from .money import Money
from .population import Floats


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


@dataclass(frozen=True)
class Cuts:
    """How the lines of the buyers of D kinds are cut into stretches: `logit.fill_cuts`.

    Attributes:
        at: ends of stretches, kind by kind, line by line.
        ends: where those of a kind and line end, shape [D·R].
    """

    at: NDArray[np.int64]
    ends: NDArray[np.int64]


def even_cuts(money: Money, kinds: int) -> Cuts:
    """Return cuts into the strata of the laws, for any number of kinds."""
    lines, points = len(money.sums), money.sums.shape[2] - 1
    each = np.arange(money.strata + 1) * points // money.strata
    return Cuts(np.tile(each, kinds * lines), len(each) * np.arange(1, kinds * lines + 1))


def cut(
    gain: Floats, time: Floats, base: Floats, money: Money, scale: float, nest: float, outside: bool
) -> Cuts:
    """Return cuts as fine as the choices of D kinds at these utilities ask for.

    Arguments are those of `logit_choices`.
    """
    lines, points = len(money.sums), money.sums.shape[2] - 1
    if points == money.strata:
        return even_cuts(money, len(gain))
    stack, out = np.empty((DEPTH, 2), np.int64), np.empty(points + 1, np.int64)
    found, ends = [], []
    for each in zip(gain, time, base, strict=True):
        for r in range(lines):
            count = fill_cuts(
                *each, money.sums[r], money.strata, scale, nest, outside, stack, out
            )  # fmt: skip
            found.append(out[:count].copy())
            ends.append(count)
    return Cuts(np.concatenate(found), np.cumsum(ends))


def still_fine(
    gain: Floats, time: Floats, base: Floats, money: Money, scale: float, nest: float,
    outside: bool, cuts: Cuts,
) -> bool:  # fmt: skip
    """Return whether cuts made at other utilities of the same kinds will do at these."""
    lines = len(money.sums)
    if money.sums.shape[2] - 1 == money.strata:
        return True
    each = np.split(cuts.at, cuts.ends[:-1])
    return all(
        well_cut(
            gain[i // lines], time[i // lines], base[i // lines],
            money.sums[i % lines], part, scale, nest, outside,
        ) for i, part in enumerate(each)
    )  # fmt: skip


def logit_choices(
    gain: Floats, time: Floats, base: Floats, money: Money, nests: NDArray[np.int64], scale: float,
    nest: float, outside: bool, moves: bool, cuts: Cuts | None = None,
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
        cuts: how lines are cut; as these utilities ask for when absent.

    Example:
        >>> one = Money.of_one(1.0, 0.0)
        >>> at = np.array([[0.5, 0.5]]), np.zeros((1, 2)), np.zeros((1, 2))
        >>> found = logit_choices(*at, one, np.arange(2), 0.5, 1.0, False, False)[0]
        >>> found.share.tolist(), round(found.surplus, 6)
        ([0.5, 0.5, 0.0], 0.846574)
    """
    kinds, n = gain.shape
    gain, time, base = (np.ascontiguousarray(x) for x in (gain, time, base))
    if cuts is None:
        cuts = cut(gain, time, base, money, scale, nest, outside)
    share, surplus = np.zeros((kinds, n + 1)), np.zeros(kinds)
    value, delay = np.zeros((kinds, n)), np.zeros((kinds, n))
    slopes = np.zeros((3, kinds, n, n) if moves else (3, kinds, 0, 0))
    fill_choices(
        gain, time, base, money.sums, cuts.at, cuts.ends,
        np.cumsum(np.diff(nests, prepend=nests[:1]) != 0), scale, nest, outside, share, value,
        delay, surplus, slopes, np.empty((SCRATCH, n)),
    )  # fmt: skip
    return [
        Choices(share[d], value[d], delay[d], float(surplus[d]), slopes[:, d] if moves else None)
        for d in range(kinds)
    ]


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
    share[..., own] = ((w * chosen / total)[:, :, None, :] @ grown)[:, :, 0, :]
    if others.any():
        left = (w * (1.0 - chosen)).swapaxes(0, 1) @ (within / rest[..., None])  # [D, P, others]
        share[..., others] = left.swapaxes(0, 1)
    return share
