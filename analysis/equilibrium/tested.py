"""Which deviations a point is tested against."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...market.schema.market import Market
from ..certificate.deviations import (
    Deviation,
    all_deviations,
    choice_deviations,
    effort_deviations,
    price_deviations,
    slot_deviations,
)
from .deviations import Deviation as PriceDeviation
from .deviations import at_mean, best_of_lever
from .pricing import PricePoint

FEW = 6
"""Levers up to which every price of the certificate's own set is tried."""
NEAR = (0.95, 1.05)


def deviations_of(point: PricePoint, market: Market) -> list[Deviation]:
    """Return the deviations that a point is tested against.

    Prices of sellers that are held fixed stay; who posts a price of 0 was held by the solver only,
    and is tested like the others. Of a small market it is the certificate's own set, and what the
    solver found to gain. Where many sellers set prices, each tries 5% less, 5% more and the best
    other price that the fluid market knows of; menus, slots and buyers' choices are tried as in a
    small one.

    Args:
        point: the point.
        market: the spec with its prices posted.
    """
    game, share = point.game, point.selection.share
    if len(game.levers) <= FEW:
        found = all_deviations(market, share)
        if point.deviation is not None and point.deviation.gain > point.deviation.noise:
            found.append(_stated(point, market, point.deviation))
    else:
        found = [d for d in price_deviations(market, NEAR) if not d.label.startswith("all prices")]
        rough, near = at_mean(game, point.prices, point.selection)
        for g in range(len(game.levers)):
            best = best_of_lever(rough, point.prices, near, g)
            found.append(_stated(point, market, best))
        found += [*effort_deviations(market), *slot_deviations(market)]
        found += choice_deviations(market, share)
    players = {game.names(g) for g in range(len(game.levers))}
    players |= {s.owned_by for s in market.sellers if s.price.lever == 0.0}
    held = [s for s in market.sellers if s.price.lever > 0.0 and s.name not in game.levers]
    kept = tuple(f"price of {s.name} " for s in held)
    kept += tuple(f"all prices of {s.owned_by} " for s in held)
    return [
        d for d in found
        if d.side == "buyer" or (d.player in players and not d.label.startswith(kept))
    ]  # fmt: skip


def _stated(point: PricePoint, market: Market, found: PriceDeviation) -> Deviation:
    """Return a deviation that the fluid market knows of, with what it expects of it."""
    ratios = found.prices / point.prices
    g = int(np.argmax(np.abs(np.log(ratios))))
    stated = price_deviations(_alone(market, point.game.levers[g]), (float(ratios[g]),))
    return replace(next(iter(stated)), expected=found.share)


def _alone(market: Market, name: str) -> Market:
    """Return the market with one seller only, to name deviations of."""
    sellers = tuple(s for s in market.sellers if s.name == name)
    return market.model_copy(update={"sellers": sellers})
