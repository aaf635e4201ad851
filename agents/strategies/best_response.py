"""Best response: the price that earns most if rivals' stay as they are.

The seller knows the market's fluid model (`market.fluid`): who comes, what offers are worth to
buyers, how delays follow loads. It solves for its own best price of the whole range (Cournot 1838;
Edgeworth 1925 for where that goes round in circles). Where such play comes to rest no seller gains
by another price: that is the equilibrium which `walras equilibrium` solves for directly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from ...market.fluid.closed import come_round
from ...market.fluid.respond import best_price
from ...market.fluid.setting import Setting, setting_of
from ...market.fluid.solve import Selection, solve
from ...market.schema.fields import Number, Spec
from ...market.schema.fields import field as described
from ...market.schema.market import Market
from .view import Decision, Me, Rival


class BestResponse(Spec):
    """Set the price that the fluid market says is best against rivals' present prices.

    Example:
        >>> BestResponse(inertia=0.5).inertia
        0.5
    """

    strategy: ClassVar[str] = "best_response"
    inertia: Number = described(
        0.0, doc="share of the way (in the logarithm of price) that is not gone at once",
        unit="ratio", ge=0, lt=1,
    )  # fmt: skip

    def in_market(self, market: Market, seller: str) -> Responding:
        """Return the strategy of one seller of a market, with what it knows of it."""
        return Responding(self, Knowledge.of(market, seller))

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> Decision:
        """Leave prices as they are: outside a market there is nothing to respond to."""
        return Decision(me.prices)


@dataclass
class Knowledge:
    """What a seller knows of the market: its fluid model, and where it last stood."""

    setting: Setting
    index: int
    last: Selection | None = field(default=None)

    @classmethod
    def of(cls, market: Market, seller: str) -> Knowledge:
        """Return what a seller of a market knows."""
        setting = come_round(setting_of(market)).at_mean()
        return cls(setting, [s.name for s in market.sellers].index(seller))

    def levers(self, me: Me, rivals: Sequence[Rival]) -> NDArray[np.float64]:
        """Return the lever of every offer: own and rivals' as posted now, others as in the spec."""
        out = self.setting.levers.copy()
        prices = {me.name: me.prices, **{rival.name: rival.prices for rival in rivals}}
        for o, offer in enumerate(self.setting.market.offers):
            seller, effort = offer.split("/", 1)
            out[o] = prices.get(seller, {}).get(effort, out[o])
        return out


@dataclass
class Responding:
    """A seller that answers its rivals with its best price."""

    spec: BestResponse
    knows: Knowledge

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> Decision:
        """Return the best price, approached as far as inertia lets it."""
        knows, st = self.knows, self.knows.setting
        levers = knows.levers(me, rivals)
        own = st.seller_of == knows.index
        charges = st.charges(levers)
        knows.last = solve(st, charges, knows.last)
        mine = st.owner_of == st.owner_of[knows.index]
        best = best_price(st, charges, levers, own, mine, me.unit_cost, knows.last)
        now = float(levers[own][0])
        if now <= 0.0 or best <= 0.0:
            return Decision(best)
        return Decision(best * (now / best) ** self.spec.inertia)
