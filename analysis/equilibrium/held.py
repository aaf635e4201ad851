"""What owners could gain along a path of prices, and regret, with delays held at each state.

Exploitability sums each owner's best gain by one of its levers. Regret is what an owner would have
earned more, on average, had it kept the best constant lever all along against the same prices of
others (Hannan 1957): play without regret may still not rest, and rest has no gain.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ...market.fluid.respond import profit_at
from ...market.fluid.solve import Selection
from .deviations import gain_curve, moved_to, price_grid, stakes
from .game import Floats, Game

_ROUNDS, _FINE = 3, 9


def best_held(game: Game, prices: Floats, g: int, selection: Selection) -> float:
    """Return the best price of lever g with delays as they are in a selection.

    Over the whole range, then on ever finer grids about the best.
    """
    grid, now = price_grid(game, prices, g), float(prices[g])
    for _ in range(_ROUNDS + 1):
        grid = np.union1d(grid, now)
        gains = gain_curve(game, prices, g, grid, selection)
        at = int(np.argmax(gains))
        best = float(grid[at])
        grid = np.linspace(grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)], _FINE)
    return best


def exploitability(game: Game, prices: Floats, selection: Selection) -> Floats:
    """Return the best gain of each owner by one lever, USD/s, in the order of `setting.owners`.

    The best price is looked for along a curve; what it gains is then worked out as finely as the
    selection is, so that nothing is reported that is not there.

    Example:
        >>> from walras.analysis.equilibrium.game import game_of
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> two = [
        ...     Seller(n, accuracy=1.0, slots="unlimited", price={"task": 1.5}, cost={"task": 1})
        ...     for n in "ab"
        ... ]
        >>> game = game_of(Market(tasks=[ask], sellers=two))
        >>> exploitability(game, game.posted, game.solve(game.posted)).round(5).tolist()
        [0.00023, 0.00023]
    """
    out = np.zeros(len(game.setting.owners))
    for g in range(len(prices)):
        w = int(game.player[g])
        moved = moved_to(prices, g, best_held(game, prices, g, selection))
        mine = game.setting.owner_of == w
        profit = profit_at(game.setting, game.charges(moved), mine, selection)
        out[w] = max(out[w], profit - float(selection.owner_profit[w]))
    return out


def largest_gain(game: Game, prices: Floats, selection: Selection) -> float:
    """Return the best gain that any owner has by one lever, as a share of its `stakes`."""
    return float((exploitability(game, prices, selection) / stakes(selection)).max(initial=0.0))


def along(game: Game, path: Floats) -> tuple[Floats, Floats, Floats]:
    """Return (exploitability, mean regret so far, profit) of all owners along a path, USD/s.

    Demand is taken at its mean rates. An owner's regret is that of its best lever.

    Args:
        game: owners and levers.
        path: prices, shape [T, G].

    Returns:
        Three arrays of shape [T].
    """
    rough = replace(game, setting=game.setting.at_mean())
    grids = [_common(game, path, g) for g in range(path.shape[1])]
    gains, earned = np.zeros(len(path)), np.zeros((len(path), len(game.setting.owners)))
    missed = [np.zeros((len(path), len(grid))) for grid in grids]
    selection = None
    for t, prices in enumerate(path):
        selection = rough.solve(prices, selection)
        earned[t] = selection.owner_profit
        gains[t] = exploitability(rough, prices, selection).sum()
        for g, grid in enumerate(grids):
            missed[g][t] = gain_curve(rough, prices, g, grid, selection)
    passed = np.arange(1, len(path) + 1)
    regret = np.zeros(earned.shape)
    for g, more in enumerate(missed):
        w = int(game.player[g])
        regret[:, w] = np.maximum(regret[:, w], more.cumsum(axis=0).max(axis=1) / passed)
    return gains, regret.sum(axis=1), earned.sum(axis=1)


def _common(game: Game, path: Floats, g: int) -> Floats:
    """Return prices of lever g that stand for all constant ones: those played, and others."""
    grid = np.concatenate([path[:, g], price_grid(game, path[-1], g)])
    return np.asarray(np.unique(grid))
