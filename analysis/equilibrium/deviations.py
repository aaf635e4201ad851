"""What an owner could gain in the fluid market by other prices, near and far.

A lever's whole range is tried with delays held as they are, which is quick; its best prices are then
solved with delays that follow.
"""

from __future__ import annotations

from dataclasses import dataclass

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
_TRIED = 3  # of the best prices of each lever are solved
_ROOM = 0.9  # share of what rivals can serve beyond which their delays are not taken as given
_NOTHING = 1e-9  # share of all tasks that is no sale


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
    """Return the deviation of one lever that gains its owner most, or loses it least."""
    found = [best_of_lever(game, prices, selection, g) for g in range(len(prices))]
    return max(found, key=lambda d: d.gain)


def best_of_lever(game: Game, prices: Floats, selection: Selection, g: int) -> Deviation:
    """Return the best price of lever g that is not the one it has, delays having followed."""
    w = game.player[g]
    now, noise = float(selection.owner_profit[w]), NOISE * float(selection.revenue.sum())
    grid = price_grid(game, prices, g)
    grid = grid[np.abs(np.log(grid / prices[g])) > 0.02]
    curve = profit_curve(game, prices, g, grid, selection)
    best = Deviation(game.names(g), "", prices, -np.inf, noise)
    for price in grid[np.argsort(-curve)[:_TRIED]]:
        moved = moved_to(prices, g, float(price))
        after = game.solve(moved, selection)
        gain = float(after.owner_profit[w]) - now if after.converged else -np.inf
        label = f"{game.levers[g]} at {price:.4g} instead of {prices[g]:.4g}"
        if gain > best.gain or not best.label:
            best = Deviation(game.names(g), label, moved, gain, noise)
    return best


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

    With delays held as they are in `selection` or, if not `held`, if the platform ranks by price or
    if rivals have too little room for delays to stay as they are, with delays that follow.
    """
    if not held or _ranked_by_price(game) or _crowded(game, g, selection):
        return _followed(game, prices, g, grid, selection)
    total = np.zeros(len(grid))
    for i, weight in enumerate(selection.weights):
        total += weight * _frozen(game, prices, g, grid, selection, i)
    return total - float(selection.fixed[game.setting.owner_of == game.player[g]].sum())


def _ranked_by_price(game: Game) -> bool:
    market = game.market
    few = any(task.consideration is not None for task in market.tasks)
    return few and market.platform.ranking == "price"


def _crowded(game: Game, g: int, selection: Selection) -> bool:
    """Whether an owner's rivals could not serve all, so that some come to it at any price."""
    rivals = game.setting.owner_of != game.player[g]
    if not rivals.any():
        return False
    work = float((selection.flow * game.setting.work).sum())
    return work > _ROOM * float(selection.responses[0].limits[rivals].sum())


def _followed(
    game: Game, prices: Floats, g: int, grid: Floats, selection: Selection
) -> Floats:
    """Return the owner's profit at each price with delays that follow, USD/s.

    From the present price outwards, each solved from its neighbour, up to where nothing is sold.
    """
    w, own = game.player[g], game.group == g
    out = np.full(len(grid), -np.inf)
    here = int(np.searchsorted(grid, prices[g]))
    for way in (range(here, len(grid)), range(here - 1, -1, -1)):
        near = selection
        for i in way:
            found = game.solve(moved_to(prices, g, float(grid[i])), near)
            if not found.converged:
                continue
            near, out[i] = found, found.owner_profit[w]
            if i >= here and found.flow[:, own].sum() < _NOTHING * found.arrivals.sum():
                out[i:] = out[i]
                break
    return out


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
