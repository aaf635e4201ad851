"""What owners could gain along a path of prices, and regret, delays having followed.

Exploitability sums each owner's best gain by one of its levers. Regret is what an owner would have
earned more, on average, had it kept the best constant lever all along against the same prices of
others (Hannan 1957): play without regret may still not rest, and rest has no gain.

Who cuts a price draws a crowd, and the crowd waits: with delays held as they are, a cut seems to
gain where it does not, and no equilibrium of sellers with queues would look like one.
"""

from __future__ import annotations

import numpy as np
from scipy.optimize import minimize_scalar

from ...market.fluid.solve import Selection
from .deviations import gain_curve, gains_of, moved_to, price_grid, profit_curve, stakes
from .game import Floats, Game

_ROUNDS, _FINE = 3, 9
_FEW = 8
"""Levers up to which delays follow at every price tried, not only at the one that looks best."""
_NEAR = 1e-3
"""How near the best price is found, in logarithms: profit is flat there."""
_WIDENED = 3  # times that a best price is looked for, each time further off
_STILL = 1e-7  # relative change of prices that is none
_CONSTANT, _BEYOND = 14, 1.3
"""Constant levers tried for regret, from the least played over this to the most times this."""


def best_held(game: Game, prices: Floats, g: int, selection: Selection) -> float:
    """Return the best price of lever g with delays as they are in a selection.

    Over the whole range, then on ever finer grids about the best.
    """
    grid, now = price_grid(game, prices, g), float(prices[g])
    gains = gains_of(game, prices, g, selection)
    for _ in range(_ROUNDS + 1):
        grid = np.union1d(grid, now)
        at = int(np.argmax(gains(grid)))
        best = float(grid[at])
        grid = np.linspace(grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)], _FINE)
    return best


def exploitability(game: Game, prices: Floats, selection: Selection) -> Floats:
    """Return the best gain of each owner by one lever, USD/s, in the order of `setting.owners`.

    Of many levers only the price that looks best with delays held is solved for each: the gain is
    then one that there is, if not always the largest.

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
        out[w] = max(out[w], _gain(game, prices, g, selection))
    return out


def _gain(game: Game, prices: Floats, g: int, selection: Selection) -> float:
    """Return the best gain by lever g, USD/s, as `exploitability` has it."""
    w = int(game.player[g])
    if len(prices) <= _FEW:
        profit = best_followed(game, prices, g, selection)[1]
    else:
        moved = moved_to(prices, g, best_held(game, prices, g, selection))
        found = game.solve(moved, selection)
        profit = float(found.owner_profit[w]) if found.converged else -np.inf
    return profit - float(selection.owner_profit[w])


def largest_gain(
    game: Game, prices: Floats, selection: Selection, enough: float = np.inf
) -> float:  # fmt: skip
    """Return the best gain that any owner has by one lever, as a share of its `stakes`.

    Or the first that is found not to be below `enough`: levers that promise most come first.

    Args:
        game: owners and levers.
        prices: the levers, shape [G].
        selection: shares and delays at them.
        enough: gain from which on it does not matter how large it is.
    """
    shares, most = 1.0 / stakes(selection)[game.player], 0.0
    hopes = [gain_curve(game, prices, g, price_grid(game, prices, g), selection).max()
             for g in range(len(prices))]  # fmt: skip
    for g in np.argsort(-np.array(hopes) * shares, kind="stable"):
        most = max(most, _gain(game, prices, int(g), selection) * float(shares[g]))
        if most >= enough:
            break
    return most


def best_followed(game: Game, prices: Floats, g: int, selection: Selection) -> tuple[float, float]:
    """Return (best price of lever g, profit there, USD/s) with delays that follow.

    Looked for about the best one with delays held, and about the present one.
    """
    grid = price_grid(game, prices, g)
    at = int(np.argmax(profit_curve(game, prices, g, grid, selection)))
    low, high = float(grid[max(at - 1, 0)]), float(grid[min(at + 1, len(grid) - 1)])
    low, high = np.log(min(low, 0.9 * float(prices[g]))), np.log(max(high, 1.1 * float(prices[g])))

    def lost(x: float) -> float:
        price = np.exp(np.array([x]))
        return -float(profit_curve(game, prices, g, price, selection, held=False)[0])

    for _ in range(_WIDENED):  # the best one may lie further off than with delays held
        found = minimize_scalar(
            lost, bounds=(float(low), float(high)), method="bounded", options={"xatol": _NEAR}
        )
        if min(found.x - low, high - found.x) > 3.0 * _NEAR:
            break
        low, high = low - 0.5, high + 0.5
    now = float(selection.owner_profit[game.player[g]])
    if now >= -found.fun:
        return float(prices[g]), now
    return float(np.exp(found.x)), -float(found.fun)


def along(
    game: Game, path: Floats, weights: Floats | None = None
) -> tuple[Floats, Floats, Floats]:  # fmt: skip
    """Return (exploitability, mean regret so far, profit) of all owners along a path, USD/s.

    Demand is taken at its mean rates. An owner's regret is that of its best lever.

    Args:
        game: owners and levers.
        path: prices, shape [T, G].
        weights: how long each state lasts, shape [T]; all alike when absent.

    Returns:
        Three arrays of shape [T].
    """
    rough = game.at_mean()
    weights = np.ones(len(path)) if weights is None else weights
    grids = [_constant(path[:, g]) for g in range(path.shape[1])]
    gains, earned = np.zeros(len(path)), np.zeros((len(path), len(game.setting.owners)))
    missed = [np.zeros((len(path), len(grid))) for grid in grids]
    selection = None
    for t, prices in enumerate(path):
        if t > 0 and float(np.abs(prices / path[t - 1] - 1.0).max()) < _STILL:
            earned[t], gains[t] = earned[t - 1], gains[t - 1]
            for more in missed:
                more[t] = more[t - 1]
            continue
        selection = rough.solve(prices, selection)
        earned[t] = selection.owner_profit
        gains[t] = exploitability(rough, prices, selection).sum()
        for g, grid in enumerate(grids):
            missed[g][t] = _missed(rough, prices, g, grid, selection)
    passed, each = weights.cumsum(), weights[:, None]
    regret = np.zeros(earned.shape)
    for g, more in enumerate(missed):
        w = int(game.player[g])
        lost = (each * more).cumsum(axis=0).max(axis=1) / passed
        regret[:, w] = np.maximum(regret[:, w], lost)
    return gains, regret.sum(axis=1), earned.sum(axis=1)


def _missed(game: Game, prices: Floats, g: int, grid: Floats, selection: Selection) -> Floats:
    """Return what lever g at each price of a grid would earn its owner more, USD/s."""
    if len(prices) <= _FEW:
        curve = profit_curve(game, prices, g, grid, selection, held=False)
        return curve - float(selection.owner_profit[game.player[g]])
    whole = np.union1d(grid, prices[g])
    return gain_curve(game, prices, g, whole, selection)[np.searchsorted(whole, grid)]


def _constant(played: Floats) -> Floats:
    """Return prices that stand for all constant ones: about those played, and the last of them."""
    spread = np.geomspace(played.min() / _BEYOND, _BEYOND * played.max(), _CONSTANT)
    return np.asarray(np.unique(np.append(spread, played[-1])))
