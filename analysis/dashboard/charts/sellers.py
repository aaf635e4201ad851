"""Names and colours of a market's offers, the same in all charts and whatever lever moves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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
        hues: colour of each seller, in the market's order.
    """

    labels: list[str]
    colours: list[str]
    symbols: list[str]
    seller: list[int]
    hues: list[str]


def sellers_of(market: Market, order: Sequence[str]) -> Sellers:
    """Return how a market's offers are drawn.

    Args:
        market: the spec.
        order: names of sellers, those first whose colours should be told apart best.
    """
    of = palette([*order, *(s.name for s in market.sellers if s.name not in order)])
    ranks, short = effort_ranks(market), short_names(market)
    which = [s for s, seller in enumerate(market.sellers) for _ in seller.effort]
    return Sellers(
        labels=[label(short[o]) for o in [*market.offers, OUTSIDE_OFFER]],
        colours=[*(of[market.sellers[s].name] for s in which), OUTSIDE],
        symbols=[symbol(ranks[o]) for o in market.offers], seller=which,
        hues=[of[s.name] for s in market.sellers],
    )  # fmt: skip
