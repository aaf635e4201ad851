"""Which offer buyers choose in every state of all queues at once, by the kernel's utilities.

A seller's queue is an axis of the lattice of states. What a buyer expects of an offer depends on
that one queue, so utilities are vectors along an axis, and shares are functions of all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...seen import FACTS, see
from ...state import State
from .draws import below_and_sum

Floats = NDArray[np.float64]
Table = tuple[Floats, Floats]
"""What is seen of an offer: utility [levels, J] and facts [levels, J, FACTS], as `seen.see`."""


@dataclass(frozen=True)
class Buyers:
    """The buyers of one class: who they are, what they consider, how they choose.

    Attributes:
        kind: number of the class.
        rate: arrivals, tasks/s.
        offers: numbers of the offers they consider.
        axes: the seller of each of these offers, its axis of the lattice.
        scale: scale of tastes, USD; 0 for argmax.
        nest: nesting parameter of tastes.
        outside: whether they may do without.
        draws: value (USD), delay cost (USD/s), deadline (s), shape [J, 3].
        weights: of these draws, shape [J]; where a law is given, of no use.
        law: the law of the one quantity that is drawn by argmax buyers, else None.
        error: by how much twice the draws would change a share.
    """

    kind: int
    rate: float
    offers: list[int]
    axes: list[int]
    scale: float
    nest: float
    outside: bool
    draws: Floats
    weights: Floats
    law: Any = None
    error: float = 0.0


def what_is_seen(st: State, buyers: Buyers, place: int, levels: int) -> Table:
    """Return (utility [levels, J], facts [levels, J, FACTS]) of an offer behind 0, 1, ... tasks."""
    utility = np.zeros((levels, len(buyers.draws)))
    facts = np.zeros((*utility.shape, FACTS))
    see(st, buyers.kind, buyers.offers[place], 0, buyers.draws, utility, facts)
    return utility, facts


def choices(buyers: Buyers, seen: list[Floats], axes: int) -> Iterator[tuple[list[Floats], Floats]]:
    """Yield for each draw j (weight · shares of the offers, weight · expected best utility).

    Both have the shape of the lattice of states, or one that broadcasts to it. Sums over j of
    f(draw j) · share are expectations of f over buyers: of any f for logit buyers, of linear f for
    argmax buyers of whom one quantity is drawn. The best utility includes tastes, whose mean is 0.

    Args:
        buyers: who chooses.
        seen: utility of each offer, shape [levels of its seller, J], USD.
        axes: how many axes the lattice has.
    """
    tables = []
    for table, axis in zip(seen, buyers.axes, strict=True):
        shape = [1] * axes
        shape[axis] = len(table)
        tables.append([np.ascontiguousarray(column).reshape(shape) for column in table.T])
    columns = [list(column) for column in zip(*tables, strict=True)]
    if not columns:  # nothing on sale
        columns = [[] for _ in buyers.weights]
    if buyers.law is not None:
        yield from _on_a_line(buyers, columns)
        return
    for weight, utilities in zip(buyers.weights.tolist(), columns, strict=True):
        shares, best = _shares(buyers, utilities)
        yield [weight * share for share in shares], weight * best


def _shares(buyers: Buyers, utilities: list[Floats]) -> tuple[list[Floats], Floats]:
    if not utilities:
        return [], np.zeros(1)
    if buyers.scale > 0.0:
        return _logit(buyers, utilities)
    return _argmax(buyers, utilities)


def _logit(buyers: Buyers, utilities: list[Floats]) -> tuple[list[Floats], Floats]:
    """Nested logit (McFadden 1978): P(s) ∝ (Σ_o e^(U_o/μν))^ν, P(o|s) ∝ e^(U_o/μν); e⁰ outside.

    The expected best utility is μ·ln of the sum of the former.
    """
    inner = buyers.scale * buyers.nest
    nests: dict[int, list[Floats]] = {}
    for axis, utility in zip(buyers.axes, utilities, strict=True):
        nests.setdefault(axis, []).append(utility / inner)
    inside = {axis: np.logaddexp.reduce(np.stack(own)) for axis, own in nests.items()}
    top: Any = 0.0 if buyers.outside else -np.inf
    for value in inside.values():
        top = np.maximum(top, buyers.nest * value)
    parts = {axis: np.exp(buyers.nest * value - top) for axis, value in inside.items()}
    total: Any = np.exp(-top) if buyers.outside else 0.0
    for part in parts.values():
        total = total + part
    shares = [
        parts[axis] / total * np.exp(utility / inner - inside[axis])
        for axis, utility in zip(buyers.axes, utilities, strict=True)
    ]  # fmt: skip
    return shares, buyers.scale * (top + np.log(total))


def _argmax(buyers: Buyers, utilities: list[Floats]) -> tuple[list[Floats], Floats]:
    """The best offer, ties between offers by a fair coin; one as good as doing without is taken."""
    best = utilities[0]
    for utility in utilities[1:]:
        best = np.maximum(best, utility)
    wins = [np.equal(utility, best) for utility in utilities]
    number = np.zeros(best.shape)
    for win in wins:
        number = number + win
    taken = 1.0 / number
    if buyers.outside:
        taken, best = np.where(best >= 0.0, taken, 0.0), np.maximum(best, 0.0)
    return [win * taken for win in wins], best


def _on_a_line(
    buyers: Buyers, columns: list[list[Floats]]
) -> Iterator[tuple[list[Floats], Floats]]:
    """Argmax buyers whose utilities are lines a + b·x in what is drawn: each best on an interval.

    With x₀ = 0 and x₁ the mean of x, shares E[1 − x/x₁] and E[x/x₁] over the interval make
    sums over the two draws exact for functions that are linear in x.
    """
    mean = buyers.law.mean
    a = columns[0]
    b = [(high - low) / mean for low, high in zip(*columns, strict=True)]
    first, second, none = [], [], np.zeros(1)
    for o in range(len(a)):
        low: Any = np.zeros(1)
        high: Any = np.full(1, np.inf)
        alike: Any = np.ones(1)
        rivals = [(a[r], b[r], False) for r in range(len(a)) if r != o]
        if buyers.outside:
            rivals.append((none, none, True))
        for a_r, b_r, outside in rivals:
            ahead, steeper = a_r - a[o], b[o] - b_r
            with np.errstate(divide="ignore", invalid="ignore"):
                cross = ahead / steeper
            low = np.where(steeper > 0.0, np.maximum(low, cross), low)
            high = np.where(steeper < 0.0, np.minimum(high, cross), high)
            level = steeper == 0.0
            high = np.where(level & (ahead > 0.0), 0.0, high)
            if not outside:
                alike = alike + (level & (ahead == 0.0))
        high = np.maximum(high, low)
        (p0, s0), (p1, s1) = below_and_sum(buyers.law, low), below_and_sum(buyers.law, high)
        share, part = (p1 - p0) / alike, (s1 - s0) / alike / mean
        first.append(share - part)
        second.append(part)
    yield first, none
    yield second, none
