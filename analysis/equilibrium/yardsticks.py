"""What a point is set beside: the posted prices and the planner, each solved when it is asked for.

A figure asks for one of them or none, and each takes as long as several steps of the solver.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from ...market.fluid.solve import Selection
from .deviations import Deviation, at_mean, best_deviation
from .game import Game
from .gap import Gap, decompose
from .planner import Plan, plan
from .pricing import PricePoint


@dataclass(frozen=True)
class Yardsticks:
    """What a point is set beside.

    Attributes:
        point: the point.

    Example:
        >>> from walras.analysis.equilibrium.game import game_of
        >>> from walras.analysis.equilibrium.pricing import price_equilibrium
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> two = [
        ...     Seller(n, accuracy=1.0, slots="unlimited", price={"task": 1.5}, cost={"task": 1})
        ...     for n in "ab"
        ... ]
        >>> beside = Yardsticks(price_equilibrium(game_of(Market(tasks=[ask], sellers=two))))
        >>> round(beside.gap.planner, 6) == round(beside.planner.welfare, 6)
        True
    """

    point: PricePoint

    @cached_property
    def posted(self) -> Selection:
        """Shares and delays at the prices posted in the spec."""
        game = self.point.game
        if self.point.iterations == 0 and (self.point.prices == game.posted).all():
            return self.point.selection
        return game.solve(game.posted)

    @cached_property
    def posted_deviation(self) -> Deviation:
        """The best deviation from those, in the fluid market."""
        found, game = self.point.deviation, self.point.game
        if self.posted is self.point.selection and found is not None:
            return found
        return best_deviation(game, game.posted, self.posted)

    @cached_property
    def _at_mean(self) -> tuple[Game, Selection]:
        return at_mean(self.point.game, self.point.prices, self.point.selection)

    @cached_property
    def planner(self) -> Plan:
        """The planner's market, at mean rates of arrival."""
        rough, near = self._at_mean
        return plan(rough.setting, market=near)

    @cached_property
    def gap(self) -> Gap:
        """The planner's welfare less the point's, and its parts, at mean rates of arrival."""
        return decompose(self._at_mean[1], self.planner)


__all__ = ["Yardsticks"]
