"""How many selection equilibria there are at given prices.

Where delay costs buyers what it lasts, or buyers are of one class, and all wait alike at a seller,
there is one. Take two, and the seller whose wait differs most: where it is longer, that seller is
worse than everything else by more for every class, so that less work comes to it than where it is
shorter, and its wait cannot be longer. (Daganzo & Sheffi 1977 have the case of costs that derive
from a potential.) Priorities, and deadlines of several classes, are outside that argument.
Consideration lists go by prices, accuracy and ratings that have come to be true, which flows do not
move. What can make several is a gain by delay: refunds and penalties for late answers that are
worth more than the time. The search looks for them in any case.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...market.fluid.setting import Charges, Setting
from ...market.fluid.solve import Selection, slopes_of, solve

SAME = 1e-6
"""Difference of shares up to which two equilibria are one."""


@dataclass(frozen=True)
class FoundSelection:
    """A selection equilibrium, and what leads to it.

    Attributes:
        selection: shares and delays.
        starts: starts that lead to it.
        growth: largest real part of the eigenvalues of buyers' answer to what flows make of delays,
            over the moments of demand. Below 1, flows that are adjusted little by little come back.
    """

    selection: Selection
    starts: int
    growth: float

    @property
    def stable(self) -> bool:
        """Whether flows come back after a small push."""
        return self.growth < 1.0


def selections(
    setting: Setting, charges: Charges | None = None, starts: int = 16, *, seed: int = 0
) -> tuple[FoundSelection, ...]:
    """Return the selection equilibria that random flows lead to, those most lead to first.

    Args:
        setting: the market.
        charges: prices and what else buyers go by; as the spec has them when absent.
        starts: how many; one more is the solver's own.
        seed: of the draws: the shares of each kind's buyers are uniform on the simplex.

    Example:
        >>> from walras.market.fluid.setting import setting_of
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", Poisson(1.0), value=1.0, delay_cost=0.1, choice=Logit(0.1))
        >>> two = [Seller(n, accuracy=1.0, price={"task": 0.3}) for n in "ab"]
        >>> [(f.starts, f.stable) for f in selections(setting_of(Market([ask], two)), starts=4)]
        [(5, True)]
    """
    plain = solve(setting, charges)
    rng = np.random.default_rng(seed)
    found: list[Selection] = []
    counts: list[int] = []
    for number in range(starts + 1):
        at = plain if number == 0 else solve(setting, charges, _scattered(plain, rng))
        if not at.converged:
            continue
        near = [i for i, f in enumerate(found) if np.abs(f.share - at.share).max() <= SAME]
        if near:
            counts[near[0]] += 1
        else:
            found.append(at)
            counts.append(1)
    order = np.argsort(-np.array(counts), kind="stable")
    return tuple(FoundSelection(found[i], counts[i], _growth(found[i])) for i in order)


def _scattered(plain: Selection, rng: np.random.Generator) -> Selection:
    """Return the equilibrium's flows thrown anew, for a start."""
    moments = []
    for moment in plain.moments:
        flow, outside = np.zeros_like(moment.flow), plain.setting.state.classes["outside"] == 1
        for j, on in enumerate(moment.on_show):
            k = plain.setting.class_of[j]
            if on.any():
                share = rng.dirichlet(np.ones(on.sum() + int(outside[k])))
                flow[j, on] = moment.rates[k] * plain.setting.part[j] * share[: on.sum()]
        moments.append(replace(moment, flow=flow))
    return replace(plain, moments=tuple(moments))


def _growth(selection: Selection) -> float:
    """Return the largest real part of the eigenvalues of A·B, by those of B·A, which is small."""
    most = -np.inf
    for i in range(len(selection.moments)):
        slopes = slopes_of(selection, i)
        most = max(most, float(np.linalg.eigvals(slopes.follow(slopes.answer)).real.max()))
    return most
