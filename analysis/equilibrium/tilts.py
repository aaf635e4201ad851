"""Tolls that sort kinds of tasks among sellers: where else the planner's optimum may be.

The cost of delays, Σ λ_k·c_k·W(Σ λ), is convex in all flows together if there is one delay cost c
(Bell & Stidham 1983) and is not if there are several: for two kinds in one M/M/1 queue its second
derivatives have the determinant −(c₁ − c₂)²·W'², below 0. Then a symmetric point can be a saddle,
from which welfare rises as kinds part, urgent ones to one seller and patient ones to another.

A tilt moves tolls along a direction d_jo = a_j·b_s: a the delay cost of a kind, b a seller's rank
by congestion, each centred, or 1. What is tried moves them by ±`SIZES` of the largest toll.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ...market.fluid.flows import Flows
from ...market.fluid.selection import select
from ...market.fluid.setting import Charges, Setting
from ...market.fluid.solve import Selection
from .game import Floats

SIZES = (0.05, 0.5)
"""Sizes of tilts, in shares of the largest toll."""
MATTERS = 1e-3
"""Share of welfare below which what tolls raise is no reason to look for other optima.

Where delays are convex in the load, tolls raise no less than all waiting costs, and so no less than
sorting can save."""
RISE = 1e-9
"""Relative rise of welfare that is one."""


def welfare_of(setting: Setting, charges: Charges, flows: Flows) -> float:
    """Return the welfare of one moment, USD/s."""
    return Selection(setting, charges, np.ones(1), (flows,)).welfare


def higher(welfare: float, before: float) -> bool:
    """Return whether welfare is higher by more than digits can tell."""
    return welfare > before + RISE * max(abs(before), abs(welfare))


def may_differ(setting: Setting, charges: Charges, flows: Flows) -> bool:
    """Return whether there may be other optima that are worth the look."""
    comes = (flows.rates[setting.class_of] * setting.part) > 0.0
    money = [setting.money[k] for k in np.unique(setting.class_of[comes])]
    costs = np.concatenate([m.delay for m in money]) if money else np.zeros(1)
    late = bool(np.isfinite(setting.deadline[comes]).any())
    if not late and np.ptp(costs) <= 1e-12 * costs.max() and not any(m.along for m in money):
        return False
    raised = float((flows.flow * flows.toll).sum())
    return raised > MATTERS * abs(welfare_of(setting, charges, flows))


def _centred(x: Floats) -> Floats:
    x = x - x.mean()
    most = float(np.abs(x).max(initial=0.0))
    return x / most if most > 0.0 else x


def directions(setting: Setting, flows: Flows) -> Iterator[Floats]:
    """Yield directions of tolls that sort kinds, shape [J, O], the largest entry 1."""
    cost = np.array([m.weights @ m.delay for m in setting.money])[setting.class_of]
    burden = np.zeros(len(setting.market.sellers))
    np.add.at(burden, setting.seller_of, (flows.flow * flows.toll).sum(axis=0))
    rank = np.empty(len(burden))
    rank[np.argsort(-burden.round(9), kind="stable")] = np.arange(len(burden), dtype=np.float64)
    kinds, sellers = _centred(cost)[:, None], _centred(rank)[None, setting.seller_of]
    for pattern in (kinds * sellers, np.ones_like(kinds) * sellers, kinds * np.ones_like(sellers)):
        if pattern.any():
            yield pattern
            yield -pattern


def tilted(
    setting: Setting, charges: Charges, flows: Flows, faint: float | None
) -> Iterator[Flows]:
    """Yield flows under tilted tolls from which there may be a way up to a higher welfare.

    Small tilts tell a saddle from an optimum, and count if welfare rises by them; large ones lead
    beyond a valley.
    """
    before, size = welfare_of(setting, charges, flows), float(flows.toll.max(initial=0.0))
    for direction in directions(setting, flows):
        for part in SIZES:
            toll = (flows.toll + part * size * direction) * flows.on_show
            found = select(setting, charges, flows.rates, flows, toll, faint=faint)
            if not found.converged:
                continue
            if part == SIZES[-1] or higher(welfare_of(setting, charges, found), before):
                yield found
