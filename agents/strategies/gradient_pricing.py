"""Gradient pricing: small steps uphill in one's own profit.

Each period the logarithm of price moves by rate · p·(dπ/dp)/π, at most by `largest`: the gradient
play of Shapiro (1989) and Mazumdar, Ratliff & Sastry (2020), which finds stationary points and,
where several owners climb at once, may circle around them. The derivative is that of the fluid
market, delays having followed (`market.fluid.gradient`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from ...market.fluid.gradient import gradient
from ...market.fluid.solve import solve
from ...market.schema.fields import Number, Spec, field
from ...market.schema.market import Market
from .best_response import Knowledge
from .view import Decision, Me, Rival


class GradientPricing(Spec):
    """Move the price a little in the direction in which profit rises.

    Example:
        >>> GradientPricing(rate=0.1).largest
        0.1
    """

    strategy: ClassVar[str] = "gradient_pricing"
    rate: Number = field(
        0.1, doc="change of the logarithm of price per unit of the elasticity of profit",
        unit="ratio", gt=0, le=10,
    )  # fmt: skip
    largest: Number = field(
        0.1, doc="largest change of the logarithm of price in one period", unit="ratio", gt=0, le=2
    )

    def in_market(self, market: Market, seller: str) -> Climbing:
        """Return the strategy of one seller of a market, with what it knows of it."""
        return Climbing(self, Knowledge.of(market, seller))

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> Decision:
        """Leave prices as they are: outside a market there is no slope."""
        return Decision(me.prices)


@dataclass
class Climbing:
    """A seller that climbs its own profit."""

    spec: GradientPricing
    knows: Knowledge

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> Decision:
        """Return the price one step uphill."""
        knows, st = self.knows, self.knows.setting
        levers = knows.levers(me, rivals)
        own = st.seller_of == knows.index
        knows.last = solve(st, st.charges(levers), knows.last)
        mine = st.owner_of == st.owner_of[knows.index]
        slope = float(gradient(knows.last, np.where(own, 0, -1)).profit[mine, 0].sum())
        now = float(levers[own][0])
        # Of the profit before fixed cost, or of revenue where a price below cost earns nothing.
        earned = float((knows.last.revenue - knows.last.cost)[knows.index])
        scale = max(earned, 0.01 * float(knows.last.revenue[knows.index]), 1e-300)
        step = min(max(self.spec.rate * now * slope / scale, -self.spec.largest), self.spec.largest)
        return Decision(max(now * math.exp(step), 1e-12))
