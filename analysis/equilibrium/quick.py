"""Whether best responses are quickly followed: known by the market and not by the clock.

A report then has the same figures on every machine.
"""

from __future__ import annotations

import numpy as np

from ...market.fluid.respond import crowded, ranked_by_price
from ...market.fluid.solve import Selection
from .game import Game


def slow(game: Game, selection: Selection) -> str:
    """Say why delays must follow at every price an owner tries; empty where they may be held.

    That is where the platform ranks by price, and where some owner's rivals have little room
    for all the work that is done: a crowd then comes to it at any price (`respond`).

    Args:
        game: owners and levers.
        selection: shares and delays where prices are tried.

    Example:
        >>> from walras.analysis.equilibrium.game import game_of
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.distributions import Exponential
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> def two(rate):
        ...     ask = TaskClass(
        ...         "t",
        ...         arrivals=Poisson(rate),
        ...         output_tokens=Exponential(mean=1.0),
        ...         value=2.0,
        ...         outside_option=False,
        ...         choice=Logit(0.25),
        ...     )
        ...     each = {"accuracy": 1.0, "speed": 1.0, "slots": 1, "price": {"task": 1.0}}
        ...     game = game_of(Market(tasks=[ask], sellers=[Seller(n, **each) for n in "ab"]))
        ...     return slow(game, game.solve(game.posted))
        >>> two(0.8), two(1.0)
        ('', "a's rivals cannot serve all")
    """
    st = game.setting
    if ranked_by_price(st):
        return "the platform ranks by price"
    for w in np.unique(game.player):
        if crowded(st, st.owner_of == w, selection):
            return f"{st.owners[w]}'s rivals cannot serve all"
    return ""


__all__ = ["slow"]
