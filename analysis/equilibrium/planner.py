"""The planner: who should serve what, knowing what buyers know.

It maximises the fluid market's surplus, tastes and congestion included,

  W(f) = Σ f·(worth − delay cost − cost) + tastes,

over flows of every kind of task, without knowing a task's difficulty. At its optimum every buyer
chooses as if charged the cost of serving and the harm done to others by one more task,

  toll_jo = −Σ_i H_si · ∂y_si/∂f_jo,  H_si = Σ over tasks of the seller of ∂utility/∂y_si,

which is how it is found: as the selection equilibrium under prices at cost and such tolls (Pigou
1920; Mendelson & Whang 1990 for queues with priorities).

Such a point is the optimum where surplus is concave: delays convex in the load and one delay cost
(Bell & Stidham 1983). With several it can be a saddle or one optimum of many (`tilts`). So where
waits matter tolls are tilted, the iteration goes on from wherever welfare is higher, and it starts
from the market's own flows, too, if there is a market. What is returned is the best of the points
found, never below that market; that there is no better one is not proven.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...market.fluid.flows import Flows
from ...market.fluid.queues import limit
from ...market.fluid.response import Response
from ...market.fluid.selection import fading, select
from ...market.fluid.setting import Charges, Setting
from ...market.fluid.solve import Selection, slopes_of, solve
from .anderson import fixed_point
from .game import Floats
from .tilts import higher, may_differ, tilted, welfare_of

TOLERANCE = 1e-6
"""Largest change of a toll, relative to the largest, that is left."""
_STEPS = 12
"""Steps uphill before that."""
_CLIMBS = 8
"""Times that the iteration starts anew from a higher welfare, at most."""


@dataclass(frozen=True)
class Plan:
    """What the planner would do.

    Attributes:
        selection: its flows, delays and welfare.
        converged: whether tolls and flows are each other's consequence.
        residual: largest change of a toll, relative to the largest, that is left.
        iterations: of the tolls.
    """

    selection: Selection
    converged: bool
    residual: float
    iterations: int

    @property
    def welfare(self) -> float:
        """Welfare, USD/s."""
        return self.selection.welfare


def at_cost(setting: Setting, **changes: Any) -> Charges:
    """Return charges at marginal cost, to buyers who know all that is to be known about offers."""
    plain: dict[str, Any] = {
        "ask": setting.cost, "slope": np.zeros_like(setting.cost), "right": setting.right,
        "refunds": False, "everything": True, "trusting": False,
    }  # fmt: skip
    return setting.charges(None, **{**plain, **changes})


def harm(setting: Setting, charges: Charges, flows: Flows) -> Floats:
    """Return what one more task of each kind at each offer costs all others, USD, shape [J, O].

    By what is so, whatever buyers are told or charged: true accuracy, cost of serving.
    """
    social = at_cost(
        setting, listed=charges.listed, slots=charges.slots, everything=charges.everything
    )
    seen = Selection(setting, social, np.ones(1), (flows,))
    slopes, response = slopes_of(seen, 0), seen.responses[0]
    value, delay = np.zeros(flows.flow.shape), np.zeros(flows.flow.shape)
    for j, choice in enumerate(flows.choices):
        on = flows.on_show[j]
        value[j, on] = response.arrivals[j] * choice.value
        delay[j, on] = response.arrivals[j] * choice.delay
    plain = response.quoted(np.zeros_like(flows.expected))
    lost = []
    for change in slopes.expected:
        moved = response.quoted(change)
        effect = (
            value * (moved.gain - plain.gain) - delay * (moved.time - plain.time)
            - flows.flow * (moved.base - plain.base)
        )  # fmt: skip
        lost.append(-seen.by_seller((effect * flows.on_show).sum(axis=0)))
    out = np.zeros(flows.flow.size)
    for by_state, cause, at in zip(np.array(lost).T, slopes.cause, slopes.at, strict=True):
        out[at] = by_state @ cause
    return np.maximum(out.reshape(flows.flow.shape), 0.0) * flows.on_show


def plan(setting: Setting, charges: Charges | None = None, market: Selection | None = None) -> Plan:
    """Return the planner's market: the best that is found.

    Args:
        setting: the market.
        charges: what buyers are charged beside tolls: marginal cost, as is so when absent.
        market: an equilibrium that the planner must not fall short of.

    Example:
        >>> from walras.market.fluid.setting import setting_of
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.distributions import Exponential
        >>> from walras.market.schema.market import Market, Quotes
        >>> from walras.market.schema.supply import Seller
        >>> task = TaskClass(
        ...     "t",
        ...     arrivals=Poisson(1.5),
        ...     output_tokens=Exponential(mean=1.0),
        ...     value=10.0,
        ...     delay_cost=1.0,
        ...     outside_option=False,
        ... )
        >>> two = [Seller("fast", accuracy=1.0, speed=2.0), Seller("slow", accuracy=1.0)]
        >>> market = Market(tasks=[task], sellers=two, quotes=Quotes(latency="average"))
        >>> plan(setting_of(market)).selection.flow.round(4).tolist()
        [[1.1213, 0.3787]]
    """
    charges = at_cost(setting) if charges is None else charges
    found = levied(setting, charges, best=True)
    if market is None or not higher(market.welfare, found.welfare):
        return found
    if _congestible(setting, charges):
        nearby = levied(setting, charges, market, best=True)
        found = max(found, nearby, key=lambda p: p.welfare)
    if higher(market.welfare, found.welfare):
        return replace(found, selection=market, converged=False)
    return found


def levied(
    setting: Setting, charges: Charges, start: Selection | None = None, *, tolled: bool = True,
    best: bool = False,
) -> Plan:  # fmt: skip
    """Return a market under charges in which tolls are levied beside them.

    Args:
        setting: the market.
        charges: what buyers are charged beside tolls.
        start: a market to start from.
        tolled: whether tolls are levied at all.
        best: whether to look for higher welfare elsewhere.
    """
    if not tolled or not _congestible(setting, charges):
        free = solve(setting, charges)
        return Plan(free, free.converged, 0.0, 0)
    parts: list[Flows] = []
    worst, taken = 0.0, 0
    for i, (_, rates) in enumerate(setting.moments):
        begin, toll = (parts[-1], parts[-1].toll) if parts else (None, None)
        if start is not None:
            begin, toll = start.moments[i], _as_tolls(start, i, charges)
        found, residual, steps = _tolled(setting, charges, rates, begin, toll)
        for _ in range(_CLIMBS if best and may_differ(setting, charges, found) else 0):
            climbed = _climbed(setting, charges, found)
            if climbed is None:
                break
            found, residual, steps = climbed[0], climbed[1], steps + climbed[2]
        parts.append(found)
        worst, taken = max(worst, residual), taken + steps
    weights = np.array([weight for weight, _ in setting.moments])
    selection = Selection(setting, charges, weights, tuple(parts))
    return Plan(selection, selection.converged and worst <= TOLERANCE, worst, taken)


def _climbed(setting: Setting, charges: Charges, flows: Flows) -> tuple[Flows, float, int] | None:
    """Return flows of a higher welfare that tilted tolls lead to, as `_tolled` does, or None."""
    faint = [*fading(setting, charges, flows.rates), None][-2:][0]
    tried = tilted(setting, charges, flows, faint)
    ends = [_uphill(setting, charges, other, faint) for other in tried] or [flows]
    begin = max(ends, key=lambda end: welfare_of(setting, charges, end))
    if not higher(welfare_of(setting, charges, begin), welfare_of(setting, charges, flows)):
        return None
    found, residual, steps = _tolled(setting, charges, flows.rates, begin, begin.toll)
    if higher(welfare_of(setting, charges, begin), welfare_of(setting, charges, found)):
        return begin, math.inf, steps
    return found, residual, steps


def _uphill(setting: Setting, charges: Charges, flows: Flows, faint: float | None) -> Flows:
    """Return flows some steps of tolls towards the harm they do, of which each adds welfare.

    The iteration to the fixed point alone may go back over the valley.
    """
    most, part = welfare_of(setting, charges, flows), 0.5
    for _ in range(_STEPS):
        toll = flows.toll + part * (harm(setting, charges, flows) - flows.toll)
        found = select(setting, charges, flows.rates, flows, toll, faint=faint)
        welfare = welfare_of(setting, charges, found) if found.converged else -math.inf
        if higher(welfare, most):
            flows, most = found, welfare
        else:
            part *= 0.3
            if part < 0.02:
                break
    return flows


def _as_tolls(market: Selection, i: int, charges: Charges) -> Floats:
    """Return the tolls beside `charges` at which offers cost what they do in a market, [J, O]."""
    response, flows = market.responses[i], market.moments[i]
    st, expected = market.setting, flows.expected
    paid = response.paid(expected, market.charges.right[st.class_of])
    plain = Response(st, charges, flows.rates).paid(expected, charges.right[st.class_of])
    return np.asarray((paid + flows.toll - plain) * flows.on_show)


def _congestible(setting: Setting, charges: Charges) -> bool:
    """Whether any seller's delays depend on its load."""
    sellers = setting.state.sellers
    limits = [
        limit(float(s["kappa"]), float(c)) for s, c in zip(sellers, charges.slots, strict=True)
    ]
    return bool(np.isfinite(limits).any())


def _tolled(
    setting: Setting, charges: Charges, rates: Floats, begin: Flows | None, first: Floats | None
) -> tuple[Flows, float, int]:
    """Return the flows of one moment under tolls that are the harm they do.

    Args:
        setting: the market.
        charges: beside tolls.
        rates: arrivals of each class, tasks/s, shape [K].
        begin: flows to start from.
        first: tolls to start from, USD, shape [J, O].
    """
    tastes: list[float | None] = [*fading(setting, charges, rates)] or [None]
    if begin is not None:
        tastes = tastes[-1:]
    flows = select(setting, charges, rates, begin, first, faint=tastes[0])
    toll = harm(setting, charges, flows) if first is None else first
    residual, taken = math.inf, 0
    for faint in tastes:
        last = [flows]

        def levied(toll: Floats, faint: float | None = faint, last: list[Flows] = last) -> Floats:
            found = select(setting, charges, rates, last[0], _shaped(setting, toll), faint=faint)
            if found.converged:
                last[0] = found
            return harm(setting, charges, found).ravel()

        found, residual, steps = fixed_point(levied, toll.ravel(), tolerance=TOLERANCE)
        toll, taken = _shaped(setting, found), taken + steps
        flows = select(setting, charges, rates, last[0], toll, faint=faint)
    return flows, residual, taken


def _shaped(setting: Setting, toll: Floats) -> Floats:
    return np.maximum(toll, 0.0).reshape(setting.serves.shape)
