"""What an owner could gain in the fluid market by other prices, near and far.

A lever's whole range is tried with delays held as they are, which is quick; its best prices are
then solved with delays that follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

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
    tried = _try_each(rough, prices, near, [(g, price) for g, price, _ in found[: 2 * _TRIED]])
    best = _about(rough, prices, near, max(tried, key=_rank))
    return _told(game, prices, selection, _try(game, prices, selection, *best[1:]))


def _about(game: Game, prices: Floats, selection: Selection, best: _Tried) -> _Tried:
    """Return the best price not far from one that was tried, delays following."""
    tried = [best]

    def lost(x: float) -> float:
        tried.append(_try(game, prices, selection, best.g, float(np.exp(x)), tried[-1].after))
        return -tried[-1].gain

    ends = float(np.log(best.price / _WIDTH)), float(np.log(best.price * _WIDTH))
    optimize.minimize_scalar(lost, bounds=ends, method="bounded", options={"xatol": _FINE})
    return max(tried, key=_rank)


def best_of_lever(game: Game, prices: Floats, selection: Selection, g: int) -> Deviation:
    """Return the best price of lever g that is not the one it has, delays having followed."""
    each = [(g, price) for price, _ in _promising(game, prices, g, selection)]
    tried = _try_each(game, prices, selection, each)
    return _told(game, prices, selection, max(tried, key=_rank))


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


class _Tried(NamedTuple):
    """What a price of a lever gains once delays have followed, USD/s, and what it leads to."""

    gain: float
    g: int
    price: float
    after: Selection


def _rank(tried: _Tried) -> tuple[float, int, float]:
    return tried[:3]


def _try(
    game: Game, prices: Floats, selection: Selection, g: int, price: float,
    start: Selection | None = None,
) -> _Tried:  # fmt: skip
    """Solve another price of lever g, from a start or from where it departs."""
    after = game.solve(moved_to(prices, g, price), selection if start is None else start)
    w = game.player[g]
    gain = float(after.owner_profit[w] - selection.owner_profit[w]) if after.converged else -np.inf
    return _Tried(gain, g, price, after if after.converged else selection)


def _try_each(
    game: Game, prices: Floats, selection: Selection, each: list[tuple[int, float]]
) -> list[_Tried]:
    """Solve other prices of levers, each from the nearest of its lever that is solved already."""
    tried: list[_Tried] = []
    for g, price in each:
        known = [_Tried(0.0, g, float(prices[g]), selection), *(t for t in tried if t.g == g)]
        near = min(known, key=lambda t: abs(np.log(t.price / price)))
        tried.append(_try(game, prices, selection, g, price, near.after))
    return tried


def _told(game: Game, prices: Floats, selection: Selection, tried: _Tried) -> Deviation:
    """Return what was tried as a deviation."""
    gain, g, price, _ = tried
    label = f"{game.levers[g]} at {price:.4g} instead of {prices[g]:.4g}"
    noise = NOISE * float(selection.revenue.sum())
    share = gain / float(stakes(selection)[game.player[g]])
    return Deviation(game.names(g), label, moved_to(prices, g, price), gain, share, noise)


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
    return gains_of(game, prices, g, selection)(grid)


def gains_of(
    game: Game, prices: Floats, g: int, selection: Selection
) -> Callable[[Floats], Floats]:  # fmt: skip
    """Return `gain_curve` as a function of the grid, for several grids one after the other."""
    player = int(game.player[g])
    profit = respond.curve_of(
        game.setting, game.charges(prices), game.by_offer(prices), game.group == g,
        game.setting.owner_of == player, selection,
    )  # fmt: skip

    def gains(grid: Floats) -> Floats:
        curve = profit(grid)
        now = float(curve[np.searchsorted(grid, prices[g])])
        return curve - (now if np.isfinite(now) else float(selection.owner_profit[player]))

    return gains


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
