"""Which deviations a point is tested against."""

from __future__ import annotations

from ...market.schema.market import Market
from ..certificate.deviations import (
    Deviation,
    all_deviations,
    choice_deviations,
    effort_deviations,
    price_deviations,
    slot_deviations,
)
from .deviations import best_of_lever
from .pricing import PricePoint

FEW = 6
"""Levers up to which every price of the certificate's own set is tried."""
NEAR = (0.95, 1.05)


def deviations_of(point: PricePoint, market: Market) -> list[Deviation]:
    """Return the deviations that a point is tested against, those of fixed sellers left out.

    Of a small market the certificate's own set. Where many sellers set prices, each tries 5% less,
    5% more and the best other price that the fluid market knows of; menus, slots and buyers'
    choices are tried as in a small one.

    Args:
        point: the point.
        market: the spec with its prices posted.
    """
    game, share = point.game, point.selection.share
    if len(game.levers) <= FEW:
        found = all_deviations(market, share)
    else:
        found = [d for d in price_deviations(market, NEAR) if not d.label.startswith("all prices")]
        found += [_best(point, market, g) for g in range(len(game.levers))]
        found += [*effort_deviations(market), *slot_deviations(market)]
        found += choice_deviations(market, share)
    players = {game.names(g) for g in range(len(game.levers))}
    return [d for d in found if d.side == "buyer" or (d.player in players and _moves(d, point))]


def _moves(deviation: Deviation, point: PricePoint) -> bool:
    """Whether what deviates is no seller whose price is held fixed."""
    held = {s.name for s in point.game.market.sellers} - set(point.game.levers)
    if deviation.kind != "price" or point.game.levers[0] not in {
        s.name for s in point.game.market.sellers
    }:
        return True
    return not any(deviation.label.startswith(f"price of {name} ") for name in held)


def _best(point: PricePoint, market: Market, g: int) -> Deviation:
    """Return the best other price of lever g that the fluid market knows of."""
    found = best_of_lever(point.game, point.prices, point.selection, g)
    name, factor = point.game.levers[g], float(found.prices[g] / point.prices[g])
    return next(iter(price_deviations(_alone(market, name), (factor,))))


def _alone(market: Market, name: str) -> Market:
    """Return the market with one seller only, to name deviations of."""
    sellers = tuple(s for s in market.sellers if s.name == name)
    return market.model_copy(update={"sellers": sellers})
