"""From the planner's welfare to the market's: what each friction costs.

A friction is a way in which the market differs from the planner's:

- mark-up: offers of a class cost their buyers more than serving them, on average;
- mis-selection: they do so by different amounts, refunds included, which draws buyers to think too
  little or too much and to the wrong seller;
- congestion: nobody pays for the delay he causes others;
- search: buyers consider only what they are shown;
- information: they go by claims and promises instead of what is so.

With any set of frictions present there is a selection equilibrium and its welfare, V(set). The cost
of a friction depends on which others are there; its average over all orders in which they may come
is Shapley's (1953) value, and the parts add up to the gap:

  φ_i = Σ over sets without i of |set|!(n − |set| − 1)!/n! · (V(set) − V(set with i)).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ...market.fluid.queues import limit
from ...market.fluid.setting import Charges, Setting
from ...market.fluid.solve import Selection
from .game import Floats
from .planner import Plan, at_cost, levied, plan
from .tilts import higher

FRICTIONS = ("mark-up", "mis-selection", "congestion", "search", "information")


@dataclass(frozen=True)
class Gap:
    """The planner's welfare less the market's, and its parts, USD/s.

    Attributes:
        planner: the planner's welfare.
        market: the market's.
        parts: the cost of each friction that there is, by name; they add up to the gap.
        welfare: V of each set of frictions, for whoever wants other averages.
        converged: whether all of those markets were solved.
    """

    planner: float
    market: float
    parts: dict[str, float]
    welfare: dict[frozenset[str], float]
    converged: bool

    @property
    def price_of_anarchy(self) -> float:
        """Planner's welfare over the market's; infinite if the latter is not above 0."""
        return self.planner / self.market if self.market > 0 else math.inf


def frictions_of(selection: Selection) -> list[str]:
    """Return which frictions a market has."""
    st, charges = selection.setting, selection.charges
    sellers, listed = st.state.sellers, st.serves & charges.listed
    rising = [
        limit(float(s["kappa"]), float(c)) for s, c in zip(sellers, charges.slots, strict=True)
    ]
    few = any(
        (listed[j] & ~m.on_show[j]).any() or _hides(st, j) for m in selection.moments
        for j in range(len(listed))
    )  # fmt: skip
    told = bool(st.promised.any()) or bool((charges.right != st.right)[_served(st)].any())
    there = {
        "mark-up": True, "mis-selection": len(st.seller_of) > 1 or charges.refunds,
        "congestion": bool(np.isfinite(rising).any()), "search": few, "information": told,
    }  # fmt: skip
    return [name for name in FRICTIONS if there[name]]


def _served(setting: Setting) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    return np.asarray(setting.state.cells["serves"] == 1)


def _hides(setting: Setting, j: int) -> bool:
    return bool((_served(setting)[setting.class_of[j]] & ~setting.serves[j]).any())


def decompose(selection: Selection, planned: Plan | None = None) -> Gap:
    """Split the gap between a market and the planner's.

    Args:
        selection: the market's selection equilibrium.
        planned: the planner's, if it is known already.

    The planner is never below the market. Tolls of other sets are looked for from the planner's on.
    """
    names = frictions_of(selection)
    markup, spread = _markups(selection)
    welfare: dict[frozenset[str], float] = {}
    converged, start = selection.converged, None
    for present in _subsets(names):
        if present == frozenset(names):
            welfare[present] = selection.welfare
            continue
        charges = _charges(selection, present, markup, spread)
        if present:
            tolled = "congestion" in names and "congestion" not in present
            found = levied(selection.setting, charges, start, tolled=tolled)
        elif planned is None or higher(selection.welfare, planned.welfare):
            found = plan(selection.setting, charges, selection)
            start = found.selection
        else:
            found, start = planned, planned.selection
        converged &= found.converged
        welfare[present] = found.welfare
    welfare[frozenset()] = max(welfare[frozenset()], selection.welfare)  # to the last digit
    return Gap(welfare[frozenset()], selection.welfare, shapley(names, welfare), welfare, converged)


def shapley(names: list[str], value: dict[frozenset[str], float]) -> dict[str, float]:
    """Return by how much each name lowers the value, averaged over all orders.

    Example:
        >>> value = {
        ...     frozenset(): 4.0,
        ...     frozenset("a"): 3.0,
        ...     frozenset("b"): 2.0,
        ...     frozenset("ab"): 0.0,
        ... }
        >>> shapley(["a", "b"], value)
        {'a': 1.5, 'b': 2.5}
    """
    n = len(names)
    parts = {}
    for name in names:
        total = 0.0
        for others in _subsets([other for other in names if other != name]):
            weight = math.factorial(len(others)) * math.factorial(n - len(others) - 1)
            total += weight * (value[others] - value[others | {name}])
        parts[name] = total / math.factorial(n)
    return parts


def _subsets(names: list[str]) -> Iterator[frozenset[str]]:
    for size in range(len(names) + 1):
        yield from map(frozenset, combinations(names, size))


def _markups(selection: Selection) -> tuple[Floats, Floats]:
    """Return (mean mark-up of each class [K, 1], how offers differ from it [K, O]), USD a task.

    A mark-up is what is expected to be paid, net of refunds, over the cost of serving, for a task
    that is served; the mean is over the class's tasks as the market allots them.
    """
    st = selection.setting
    served = np.nan_to_num(selection.served, nan=1.0)
    served = np.where(served > 0.0, served, 1.0)
    paid = selection.paid / served
    over = np.where(_served(st), paid - st.cost, 0.0)
    flow = selection.flow
    total = flow.sum(axis=1, keepdims=True)
    mean = np.divide((flow * over).sum(axis=1, keepdims=True), total, out=np.zeros_like(total),
                     where=total > 0.0)  # fmt: skip
    return mean, np.where(_served(st), over - mean, 0.0)


def _charges(
    selection: Selection, present: frozenset[str], markup: Floats, spread: Floats
) -> Charges:
    """Return what buyers are charged and go by where only these frictions are present."""
    st, market = selection.setting, selection.charges
    uninformed = "information" in present
    changes = {
        "listed": market.listed, "slots": market.slots,
        "everything": "search" not in present and market.everything is False,
        "right": market.right if uninformed else st.right, "trusting": uninformed,
    }  # fmt: skip
    if {"mark-up", "mis-selection"} <= present:
        return at_cost(st, **changes, ask=market.ask, slope=market.slope, refunds=market.refunds)
    ask = st.cost.copy()
    if "mark-up" in present:
        ask = ask + markup
    if "mis-selection" in present:
        ask = ask + spread
    return at_cost(st, **changes, ask=ask)
