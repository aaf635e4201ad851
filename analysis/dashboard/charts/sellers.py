"""Names and colours of a market's offers, the same in all charts and whatever lever moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ....market.schema.market import Market
from ...figures.frames import OUTSIDE_OFFER, effort_ranks, short_names, symbol
from ...figures.template import OUTSIDE, label, palette


@dataclass(frozen=True)
class Sellers:
    """How offers are drawn; those of O offers come first, doing without last.

    Attributes:
        labels: ready for Plotly, length O + 1.
        colours: of their sellers, length O + 1.
        symbols: of their efforts, length O.
        seller: number of each offer's seller, length O.
        names: of sellers, ready for Plotly.
        of: colour of each seller by its name; "" is doing without.
    """

    labels: list[str]
    colours: list[str]
    symbols: list[str]
    seller: list[int]
    names: list[str]
    of: dict[str, str]

    @property
    def hues(self) -> list[str]:
        """Colour of each seller, in the market's order."""
        first = {s: o for o, s in reversed(list(enumerate(self.seller)))}
        return [self.colours[first[s]] for s in range(len(self.names))]


def sellers_of(market: Market, order: Sequence[str]) -> Sellers:
    """Return how a market's offers are drawn.

    Args:
        market: the spec.
        order: names of sellers, those first whose colours should be told apart best.
    """
    of = {**palette([*order, *(s.name for s in market.sellers if s.name not in order)]),
          "": OUTSIDE}  # fmt: skip
    ranks, short = effort_ranks(market), short_names(market)
    which = [s for s, seller in enumerate(market.sellers) for _ in seller.effort]
    return Sellers(
        labels=[label(short[o]) for o in [*market.offers, OUTSIDE_OFFER]],
        colours=[*(of[market.sellers[s].name] for s in which), OUTSIDE],
        symbols=[symbol(ranks[o]) for o in market.offers], seller=which,
        names=[label(s.name) for s in market.sellers], of=of,
    )  # fmt: skip
