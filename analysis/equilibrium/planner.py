"""The planner: who should serve what, knowing what buyers know.

It maximises the fluid market's surplus, tastes and congestion included,

  W(f) = Σ f·(worth − delay cost − cost) + tastes,

over flows of every kind of task, without knowing a task's difficulty. At its optimum every buyer
chooses as if charged the cost of serving and the harm done to others by one more task,

  toll_jo = −Σ_i H_si · ∂y_si/∂f_jo,  H_si = Σ over tasks of the seller of ∂utility/∂y_si,

which is how it is found: as the selection equilibrium under prices at cost and such tolls (Pigou
1920; Mendelson & Whang 1990 for queues with priorities). Where delays rise with load, surplus is
concave and there is one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...market.fluid.queues import limit
from ...market.fluid.selection import Flows, fading, select
from ...market.fluid.setting import Charges, Setting
from ...market.fluid.solve import Selection, slopes_of, solve
from .anderson import fixed_point
from .game import Floats

TOLERANCE = 1e-6
"""Largest change of a toll, relative to the largest, that is left."""


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


def plan(setting: Setting, charges: Charges | None = None, *, tolled: bool = True) -> Plan:
    """Return the planner's market, or a market under other charges in which tolls are levied.

    Args:
        setting: the market.
        charges: what buyers are charged beside tolls; marginal cost when absent.
        tolled: whether tolls are levied at all.

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
    if not tolled or not _congestible(setting, charges):
        found = solve(setting, charges)
        return Plan(found, found.converged, 0.0, 0)
    parts: list[Flows] = []
    worst, taken = 0.0, 0
    for _, rates in setting.moments:
        flows, residual, steps = _tolled(setting, charges, rates, parts[-1] if parts else None)
        parts.append(flows)
        worst, taken = max(worst, residual), taken + steps
    weights = np.array([weight for weight, _ in setting.moments])
    found = Selection(setting, charges, weights, tuple(parts))
    return Plan(found, found.converged and worst <= TOLERANCE, worst, taken)


def _congestible(setting: Setting, charges: Charges) -> bool:
    """Whether any seller's delays depend on its load."""
    sellers = setting.state.sellers
    limits = [
        limit(float(s["kappa"]), float(c)) for s, c in zip(sellers, charges.slots, strict=True)
    ]
    return bool(np.isfinite(limits).any())


def _tolled(
    setting: Setting, charges: Charges, rates: Floats, start: Flows | None
) -> tuple[Flows, float, int]:
    """Return the flows of one moment under tolls that are the harm they do."""
    tastes: list[float | None] = [*fading(setting, charges, rates)] or [None]
    if start is not None:
        tastes = tastes[-1:]
    flows = select(setting, charges, rates, start, faint=tastes[0])
    toll = harm(setting, charges, flows) if start is None else start.toll
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
