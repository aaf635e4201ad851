"""Pricing strategies: one a file, all found by name in one table."""

from __future__ import annotations

from typing import Any

from ...market.schema.errors import BadInputError, Problem, did_you_mean, shown
from ...market.schema.market import Market
from ...market.schema.supply import Named
from .best_response import BestResponse
from .cost_plus import CostPlus
from .fixed import Fixed
from .gradient_pricing import GradientPricing
from .load_pricing import LoadPricing
from .undercut import Undercut
from .view import Decision, Me, Rival, Strategy, checked, pricing

STRATEGIES: dict[str, type[Any]] = {
    kind.strategy: kind
    for kind in (Fixed, CostPlus, Undercut, LoadPricing, BestResponse, GradientPricing)
}


def strategy_in(strategy: Strategy | None, market: Market, seller: str) -> Strategy | None:
    """Return a strategy as one seller of a market plays it: some know the market they are in."""
    knowing = getattr(strategy, "in_market", None)
    known: Strategy | None = strategy if knowing is None else knowing(market, seller)
    return known


def strategy_of(named: Named | Strategy | None) -> Strategy | None:
    """Return the strategy that a spec names, or the function it holds.

    Raises:
        BadInputError: no strategy has that name, or a parameter is unknown or out of range.

    Example:
        >>> strategy_of(Named("cost_plus", params={"markup": 0.2}))
        CostPlus(markup=0.2)
    """
    if named is None or not isinstance(named, Named):
        return named
    if named.name not in STRATEGIES:
        hint = did_you_mean(named.name, STRATEGIES) or f"strategies: {', '.join(STRATEGIES)}"
        raise BadInputError([
            Problem("W116", f"{shown(named.name)} is no strategy", field="pricing", hint=hint)
        ])  # fmt: skip
    strategy: Strategy = STRATEGIES[named.name](**named.params)
    return strategy


__all__ = [
    "STRATEGIES", "BestResponse", "CostPlus", "Decision", "Fixed", "GradientPricing",
    "LoadPricing", "Me", "Rival", "Strategy",
    "Undercut", "checked", "pricing", "strategy_in", "strategy_of",
]  # fmt: skip
