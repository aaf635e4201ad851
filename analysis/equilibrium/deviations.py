"""What an owner could gain in the fluid market by other prices, near and far.

A lever's whole range is tried with delays held as they are, which is quick; its best prices are
then solved with delays that follow.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize

from ...market.fluid import respond
from ...market.fluid.solve import Selection
from ..certificate.plan import FLOOR
from .game import Floats, Game

NOISE = 1e-7
"""Share of the market's revenue below which a gain in the fluid market is rounding."""
_WIDTH, _FINE = 1.2, 1e-3
"""About the best price that was tried, one is looked for within this factor, so finely."""
_TRIED = 3  # of the best prices of a lever are solved, and twice as many of all levers'


@dataclass(frozen=True)
class Deviation:
    """One owner's other price.

    Attributes:
        player: who deviates.
        label: what it does.
        prices: all levers after it, shape [G].
        gain: by how much its profit rises, USD/s, delays having followed.
        share: the same as a share of its `stakes`.
        noise: what may be rounding, USD/s.
    """

    player: str
    label: str
    prices: Floats
    gain: float
    share: float
    noise: float

    @property
    def text(self) -> str:
        """The deviation and its gain in words."""
        share = self.share
        said = f"{100.0 * share:.2g}% of" if share < 1.0 else f"{share:.2g} times"
        return f"{self.player} gains {said} what it earns by {self.label}"


def best_deviation(game: Game, prices: Floats, selection: Selection) -> Deviation:
    """Return the deviation of one lever that gains its owner most, or loses it least.

    Every lever's best other price is looked for with delays held and demand at its mean rates; the
    most promising of all are solved there, the best of those is searched about, and what comes out
    is solved at all moments.
    """
    rough, near = at_mean(game, prices, selection)
    found = [(g, price, hope) for g in range(len(prices))
             for price, hope in _promising(rough, prices, g, near)]  # fmt: skip
    found.sort(key=lambda one: -one[2])
    tried = [
        (_solved(rough, prices, near, g, price).gain, g, price)
        for g, price, _ in found[: 2 * _TRIED]
    ]
    gain, g, price = max(tried)
    price = _about(rough, prices, near, g, price, gain)
    return _solved(game, prices, selection, g, price)


def _about(
    game: Game, prices: Floats, selection: Selection, g: int, price: float, gain: float
) -> float:
    """Return the best price of lever g not far from one that gains so much, delays following."""

    def lost(x: float) -> float:
        return -_solved(game, prices, selection, g, float(np.exp(x))).gain

    ends = float(np.log(price / _WIDTH)), float(np.log(price * _WIDTH))
    found = optimize.minimize_scalar(lost, bounds=ends, method="bounded", options={"xatol": _FINE})
    return float(np.exp(found.x)) if -found.fun > gain else price


def best_of_lever(game: Game, prices: Floats, selection: Selection, g: int) -> Deviation:
    """Return the best price of lever g that is not the one it has, delays having followed."""
    tried = [
        _solved(game, prices, selection, g, price)
        for price, _ in _promising(game, prices, g, selection)
    ]
    return max(tried, key=lambda d: d.gain)


def at_mean(game: Game, prices: Floats, selection: Selection) -> tuple[Game, Selection]:
    """Return the game with demand at its mean rates, and its equilibrium at these prices."""
    if len(game.setting.moments) == 1:
        return game, selection
    rough = game.at_mean()
    return rough, rough.solve(prices)


def _promising(
    game: Game, prices: Floats, g: int, selection: Selection
) -> list[tuple[float, float]]:
    """Return the best other prices of lever g with delays held, and what each would gain, USD/s."""
    grid = price_grid(game, prices, g)
    hope = gain_curve(game, prices, g, grid, selection)
    away = np.abs(np.log(grid / prices[g])) > 0.02
    grid, hope = grid[away], hope[away]
    return [(float(grid[i]), float(hope[i])) for i in np.argsort(-hope)[:_TRIED]]


def _solved(game: Game, prices: Floats, selection: Selection, g: int, price: float) -> Deviation:
    """Return what another price of lever g gains once delays have followed."""
    w, moved = game.player[g], moved_to(prices, g, price)
    after = game.solve(moved, selection)
    gain = float(after.owner_profit[w] - selection.owner_profit[w]) if after.converged else -np.inf
    label = f"{game.levers[g]} at {price:.4g} instead of {prices[g]:.4g}"
    noise = NOISE * float(selection.revenue.sum())
    share = gain / float(stakes(selection)[w])
    return Deviation(game.names(g), label, moved, gain, share, noise)


def stakes(selection: Selection) -> Floats:
    """Return what gains of each owner are measured against, USD/s: its profit.

    Or a share of the market's revenue where that is more, as in a certificate.
    """
    least = max(FLOOR * float(selection.revenue.sum()), 1e-300)
    return np.maximum(selection.owner_profit, least)


def price_grid(game: Game, prices: Floats, g: int) -> Floats:
    """Return prices of lever g to try, rising, its own and those about it among them."""
    return respond.price_grid(float(prices[g]), float(game.unit_cost[g]))


def profit_curve(
    game: Game, prices: Floats, g: int, grid: Floats, selection: Selection, *, held: bool = True
) -> Floats:
    """Return the owner's profit at each price of lever g, USD/s, shape [P].

    With delays held as they are in `selection` or, if not `held`, if the platform ranks by price or
    if rivals have too little room for delays to stay as they are, with delays that follow.
    """
    mine = game.setting.owner_of == game.player[g]
    return respond.profit_curve(
        game.setting, game.charges(prices), game.by_offer(prices), game.group == g, mine, grid,
        selection, held=held,
    )  # fmt: skip


def gain_curve(game: Game, prices: Floats, g: int, grid: Floats, selection: Selection) -> Floats:
    """Return what the owner gains at each price of lever g with delays held, USD/s, shape [P].

    The present price must be on the grid. Gains are differences along one curve: a selection
    integrates over buyers more finely than curves do, so that its profit is not quite theirs.
    """
    curve = profit_curve(game, prices, g, grid, selection)
    now = float(curve[np.searchsorted(grid, prices[g])])
    return curve - (now if np.isfinite(now) else float(selection.owner_profit[game.player[g]]))


def best_price(
    game: Game, prices: Floats, g: int, selection: Selection, *, rough: bool = False
) -> float:
    """Return the owner's best price of lever g given all others (`respond.best_price`)."""
    return respond.best_price(
        game.setting, game.charges(prices), game.by_offer(prices), game.group == g,
        game.setting.owner_of == game.player[g], float(game.unit_cost[g]), selection, rough=rough,
    )  # fmt: skip


def moved_to(prices: Floats, g: int, price: float) -> Floats:
    """Return the levers with lever g at another price."""
    moved = prices.copy()
    moved[g] = price
    return moved
