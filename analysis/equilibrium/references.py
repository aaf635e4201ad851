"""What a run's prices are set beside: those nobody would leave alone, those all would agree on.

Solved in the fluid market for the sellers who move their prices, all others as posted. Only what is
quick is solved, by the size of the market and not by the clock, so that a run has the same figures
on every machine.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...market.schema.errors import BadInputError
from ...market.schema.market import Market
from .game import Game, game_of
from .pricing import PricePoint, price_equilibrium

LEVERS, CELLS = 4, 250
"""Most prices that move, and most offers times kinds of buyers, for which this is quick."""


@dataclass(frozen=True)
class References:
    """Prices of a market with which those of a run are compared.

    Attributes:
        game: the pricing game of the sellers who move their prices.
        nash: prices from which nobody gains by another; None where none were found.
        joint: prices at which the sum of all profits is largest; None where none were found, or
            there is one owner only.
    """

    game: Game
    nash: PricePoint | None
    joint: PricePoint | None


def references(market: Market) -> References | None:
    """Return the reference prices of a market, None where they are not quickly solved.

    That is where nobody has a pricing strategy or over `LEVERS` sellers do, where sellers or prices
    change by schedule, where there are over `CELLS` offers times kinds of buyers, and where the
    fluid market has no rule for what the market does.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> moves = {"name": "best_response"}
        >>> two = [
        ...     Seller(
        ...         n,
        ...         accuracy=1.0,
        ...         slots="unlimited",
        ...         price={"task": 1.5},
        ...         cost={"task": 1},
        ...         pricing=moves,
        ...         reprice_every=60,
        ...     )
        ...     for n in "ab"
        ... ]
        >>> seen = references(Market(tasks=[ask], sellers=two))
        >>> seen.nash.prices.round(6).tolist(), bool((seen.joint.prices > seen.nash.prices).all())
        ([1.472927, 1.472927], True)
    """
    moving = [s.name for s in market.sellers if s.pricing is not None and s.price.lever > 0.0]
    scheduled = market.events or any(s.enters > 0 for s in market.sellers)
    if scheduled or not 1 <= len(moving) <= LEVERS:
        return None
    fixed = [s.name for s in market.sellers if s.name not in moving]
    try:
        game = game_of(market, fixed=fixed)
    except BadInputError:
        return None
    if len(game.setting.class_of) * len(market.offers) > CELLS:
        return None
    joint = None
    if len({game.player[g] for g in range(len(game.levers))}) > 1:
        joint = _solved(game_of(market, fixed=fixed, joint=True))
    return References(game, _solved(game), joint)


def _solved(game: Game) -> PricePoint | None:
    point = price_equilibrium(game)
    return point if point.converged else None
