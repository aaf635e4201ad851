"""What an owner could gain in the fluid market by other prices, near and far.

A lever's whole range is tried with delays held as they are, which is quick; its best prices are then
solved with delays that follow.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ...market.fluid.gradient import by_lever
from ...market.fluid.selection import Response
from ...market.fluid.solve import Selection, per_task
from .game import Floats, Game

WIDE, POINTS = 30.0, 41
"""A price is tried from a thirtieth to thirty times of where it is, at so many points."""
NOISE = 1e-7
"""Share of the market's revenue below which a gain in the fluid market is rounding."""
_TRIED = 3  # of the best prices of a lever are solved, and twice as many of all levers'


@dataclass(frozen=True)
class Deviation:
    """One owner's other price.

    Attributes:
        player: who deviates.
        label: what it does.
        prices: all levers after it, shape [G].
        gain: by how much its profit rises, USD/s, delays having followed.
        noise: what may be rounding, USD/s.
    """

    player: str
    label: str
    prices: Floats
    gain: float
    noise: float


def best_deviation(game: Game, prices: Floats, selection: Selection) -> Deviation:
    """Return the deviation of one lever that gains its owner most, or loses it least.

    Every lever's best other price is looked for with delays held and demand at its mean rates; the
    most promising of all are solved.
    """
    rough, near = at_mean(game, prices, selection)
    found = [(g, price, hope) for g in range(len(prices))
             for price, hope in _promising(rough, prices, g, near)]  # fmt: skip
    found.sort(key=lambda one: -one[2])
    tried = [_solved(game, prices, selection, g, price) for g, price, _ in found[: 2 * _TRIED]]
    return max(tried, key=lambda d: d.gain)


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
    rough = replace(game, setting=game.setting.at_mean())
    return rough, rough.solve(prices)


def _promising(
    game: Game, prices: Floats, g: int, selection: Selection
) -> list[tuple[float, float]]:
    """Return the best other prices of lever g with delays held, and what each would gain, USD/s."""
    grid = price_grid(game, prices, g)
    grid = grid[np.abs(np.log(grid / prices[g])) > 0.02]
    hope = profit_curve(game, prices, g, grid, selection)
    hope = hope - float(selection.owner_profit[game.player[g]])
    return [(float(grid[i]), float(hope[i])) for i in np.argsort(-hope)[:_TRIED]]


def _solved(
    game: Game, prices: Floats, selection: Selection, g: int, price: float
) -> Deviation:
    """Return what another price of lever g gains once delays have followed."""
    w, moved = game.player[g], moved_to(prices, g, price)
    after = game.solve(moved, selection)
    gain = float(after.owner_profit[w] - selection.owner_profit[w]) if after.converged else -np.inf
    label = f"{game.levers[g]} at {price:.4g} instead of {prices[g]:.4g}"
    noise = NOISE * float(selection.revenue.sum())
    return Deviation(game.names(g), label, moved, gain, noise)


def price_grid(game: Game, prices: Floats, g: int) -> Floats:
    """Return prices of lever g to try, rising, its own and those about it among them."""
    wide = float(prices[g]) * np.exp(np.linspace(-np.log(WIDE), np.log(WIDE), POINTS))
    near = float(prices[g]) * np.array([0.94, 0.97, 1.0, 1.03, 1.06])
    grid = np.unique(np.concatenate([wide, near]))
    return np.asarray(grid[grid >= 0.999 * min(float(game.unit_cost[g]), float(prices[g]))])


def profit_curve(
    game: Game, prices: Floats, g: int, grid: Floats, selection: Selection, *, held: bool = True
) -> Floats:
    """Return the owner's profit at each price of lever g, USD/s, shape [P].

    With delays held as they are in `selection` or, if not `held` or if the platform ranks by price,
    with delays that follow.
    """
    w = game.player[g]
    if not held or _ranked_by_price(game):
        found = [game.solve(moved_to(prices, g, float(p)), selection) for p in grid]
        return np.array([s.owner_profit[w] if s.converged else -np.inf for s in found])
    total = np.zeros(len(grid))
    for i, weight in enumerate(selection.weights):
        total += weight * _frozen(game, prices, g, grid, selection, i)
    return total - float(selection.fixed[game.setting.owner_of == w].sum())


def _ranked_by_price(game: Game) -> bool:
    market = game.market
    few = any(task.consideration is not None for task in market.tasks)
    return few and market.platform.ranking == "price"


def _frozen(
    game: Game, prices: Floats, g: int, grid: Floats, selection: Selection, i: int
) -> Floats:
    """Return the owner's profit before fixed cost at each price with delays held, USD/s."""
    st, flows = game.setting, selection.moments[i]
    response = Response(st, game.charges(prices), flows.rates)
    response.faint = flows.faint
    quoted = response.quoted(flows.expected)
    _, kept, cost = per_task(response, flows.expected)
    margin = kept - cost
    own: NDArray[np.bool_] = game.group == g
    mine = st.owner_of[st.seller_of] == game.player[g]
    charged = by_lever(response, flows.expected, selection.charges.right[st.class_of]) * own
    earned = st.keep * by_lever(response, flows.expected, st.right[st.class_of]) * own
    more = grid - prices[g]
    total = np.zeros(len(grid))
    for together in response.alike:
        on = np.flatnonzero(response.on_show[together[0]])
        if not mine[on].any():
            continue
        at = np.ix_(together, on)
        rise = more[:, None, None] * charged[at]
        if not own[on].any():  # sold to by other offers of the owner alone
            rise = rise[:1]
        share = response.among_moved(together, on, quoted, own[on], rise)
        gained = margin[at] * mine[on] + more[:, None, None] * earned[at]
        total += np.einsum("d,pdn,pdn->p", response.arrivals[together], share, gained)
    return total


def best_price(
    game: Game, prices: Floats, g: int, selection: Selection, *, rough: bool = False
) -> float:
    """Return the owner's best price of lever g given all others.

    Over the whole range, since profit in one price may have several peaks, then on ever finer grids
    about the best; only to some per cent and with delays held if `rough`.
    """
    grid = price_grid(game, prices, g)
    while True:
        curve = profit_curve(game, prices, g, grid, selection, held=rough)
        at = int(np.argmax(curve))
        low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
        if high - low < 1e-7 * high or not np.isfinite(curve[at]):
            return float(grid[at])
        if rough and high < 1.03 * low:
            return float(grid[at])
        grid = np.linspace(low, high, 9)


def moved_to(prices: Floats, g: int, price: float) -> Floats:
    """Return the levers with lever g at another price."""
    moved = prices.copy()
    moved[g] = price
    return moved
