"""How buyers of a kind choose among offers, and how that changes with what offers are worth.

Utility is a line in a buyer's value v and delay cost c: U_o = v·gain_o − c·time_o − base_o.
Tastes of logit buyers, nested by seller, give (Anderson, de Palma & Thisse 1992; McFadden 1978)

  P_o = e^{U_o/νμ} / Σ_{p of the seller} e^{U_p/νμ} · e^{I_s} / Σ_t e^{I_t},
  I_s = ν·ln Σ_{o of s} e^{U_o/νμ},  surplus = μ·ln Σ_t e^{I_t},

doing without being a nest of its own with I = 0, and tastes having mean zero. Buyers without
tastes: `envelope`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .logit import fill_choices, fill_exponents
from .money import Money
from .moved import fill_moved, fill_rest
from .population import Floats
from .stretches import DEPTH, fill_cuts, fill_reach, well_cut


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
    """How the lines of the buyers of D kinds are cut into stretches: `stretches.fill_cuts`.

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
    gain, time, base = (np.ascontiguousarray(x) for x in (gain, time, base))
    if cuts is None:
        cuts = cut(gain, time, base, money, scale, nest, outside)
    reach = np.empty(len(nests), np.bool_)
    fill_reach(gain, time, base, money.sums, scale, outside, reach)
    whole = bool(reach.all() or not reach.any())
    if not whole:
        gain, time, base = (np.ascontiguousarray(x[:, reach]) for x in (gain, time, base))
        nests = nests[reach]
    found = _chosen(gain, time, base, nests, money, scale, nest, outside, moves, cuts)
    return found if whole else [_spread(one, reach) for one in found]


def _spread(found: Choices, reach: NDArray[np.bool_]) -> Choices:
    """Return choices among some offers as choices among all, the others being chosen by nobody."""
    n, at = len(reach), np.flatnonzero(reach)
    share, value, delay = np.zeros(n + 1), np.zeros(n), np.zeros(n)
    share[at], share[n] = found.share[:-1], found.share[-1]
    value[at], delay[at] = found.value, found.delay
    moves = None
    if found.moves is not None:
        moves = np.zeros((3, n, n))
        moves[:, at[:, None], at] = found.moves
    return Choices(share, value, delay, found.surplus, moves)


def _chosen(
    gain: Floats, time: Floats, base: Floats, nests: NDArray[np.int64], money: Money, scale: float,
    nest: float, outside: bool, moves: bool, cuts: Cuts,
) -> list[Choices]:  # fmt: skip
    """Return what `logit_choices` does of offers that are chosen by some."""
    kinds, n = gain.shape
    starts, lines, count = _starts(nests), len(money.sums), len(cuts.at) - len(cuts.ends)
    ends = (cuts.ends - np.arange(1, len(cuts.ends) + 1))[lines - 1 :: lines]
    several = int((np.diff(starts) > 1).sum())
    exp, buyers = np.empty((count, n + several + 1)), np.empty((count, 4))
    fill_exponents(
        gain, time, base, money.sums, cuts.at, cuts.ends, starts, scale, nest, outside,
        np.empty(n), exp, buyers,
    )  # fmt: skip
    np.exp(exp, out=exp)
    share, surplus = np.zeros((kinds, n + 1)), np.zeros(kinds)
    value, delay = np.zeros((kinds, n)), np.zeros((kinds, n))
    own = np.zeros((3, kinds, n, n) if moves else (3, kinds, 0, 0))
    chosen = np.empty((count * moves, n))
    fill_choices(
        exp, buyers, ends, starts, scale, nest, share, value, delay, surplus, own, chosen,
        np.empty((2, n)),
    )  # fmt: skip
    slopes: Any = _slopes(own, chosen, buyers, ends, scale) if moves else [None] * kinds
    return [
        Choices(share[d], value[d], delay[d], float(surplus[d]), slopes[d]) for d in range(kinds)
    ]


def _slopes(
    own: Floats, chosen: Floats, buyers: Floats, ends: NDArray[np.int64], scale: float
) -> list[Floats]:
    """Return ∂share/∂U and its means of v and c of D kinds, each [3, n, n].

      ∂Pr(o)/∂U_p = Pr(o)·(δ_op/ν − Pr(p) − (1/ν − 1)·Pr(p | s))/μ,

    summed over buyers; the middle term is a product of matrices. The arguments are what
    `fill_choices` fills, the buyers, and where those of each kind end.
    """
    found, begin, n = [], 0, chosen.shape[1]
    weights = buyers[:, :1] * buyers[:, :3]
    weights[:, :1] = buyers[:, :1]
    for d, end in enumerate(ends):
        row = chosen[begin:end]
        taken = (weights[begin:end, :, None] * row[:, None, :]).reshape(-1, 3 * n)
        both = (row.T @ taken).reshape(n, 3, n).swapaxes(0, 1)
        found.append((own[:, d] - both) / scale)
        begin = end
    return found


def _starts(nests: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return the first offer of each nest, those of one side by side, and how many there are."""
    edges = np.flatnonzero(nests[1:] != nests[:-1]) + 1
    return np.concatenate([[0], edges, [len(nests)]])


def moving_shares(
    gain: Floats, time: Floats, base: Floats, money: Money, nests: NDArray[np.int64], scale: float,
    nest: float, outside: bool, own: NDArray[np.bool_], counts: NDArray[np.bool_],
) -> Callable[[Floats], Floats]:  # fmt: skip
    """Return the shares of the offers that count as a function of what one seller's cost more.

    Arguments are those of `logit_choices`. The function takes what each offer of the one nest costs
    more, USD, shape [P, D, n of own], and returns shares [P, D, n]; of other offers nothing.

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
        counts: which offers' shares are wanted, shape [n].
    """
    starts, n, wanted = _starts(nests), gain.shape[1], np.flatnonzero(counts)
    first, end = int(np.flatnonzero(own)[0]), int(np.flatnonzero(own)[-1]) + 1
    u, others = np.empty((2, len(gain), len(money.weights), n))
    rest = np.empty(u.shape[:2])
    fill_rest(
        gain, time, base, money.value, money.delay, starts, scale, nest, outside,
        int(np.searchsorted(starts, first)), np.empty(n), u, others, rest,
    )  # fmt: skip

    def shares(more: Floats) -> Floats:
        share = np.zeros((*more.shape[:2], n))
        fill_moved(
            u, others, rest, money.weights, first, end, scale, nest, np.ascontiguousarray(more),
            wanted, np.empty((2, n)), share,
        )  # fmt: skip
        return share

    return shares
