"""What a seller would earn at other prices, all others' prices given."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from .gradient import by_lever
from .population import Floats
from .response import Response
from .setting import Charges, Setting
from .solve import Selection, per_task, solve

Flags = NDArray[np.bool_]
WIDE, POINTS = 30.0, 41
"""A price is tried from a thirtieth to thirty times of where it is, at so many points."""
_ROOM = 0.9  # share of what rivals can serve beyond which their delays are not taken as given
_NOTHING = 1e-9  # share of all tasks that is no sale
_WIDENED = 4  # times that the range is widened in which the best price is looked for


def price_grid(now: float, least: float) -> Floats:
    """Return prices to try, rising: over the whole range and near where it is, from `least` up.

    Example:
        >>> grid = price_grid(1.0, 0.5)
        >>> float(grid[0]) >= 0.5, 1.0 in grid, round(float(grid[-1]), 6)
        (True, True, 30.0)
    """
    wide = now * np.exp(np.linspace(-np.log(WIDE), np.log(WIDE), POINTS))
    grid = np.unique(np.concatenate([wide, now * np.array([0.94, 0.97, 1.0, 1.03, 1.06])]))
    return np.asarray(grid[grid >= 0.999 * min(least, now)])


def profit_curve(
    setting: Setting, charges: Charges, levers: Floats, own: Flags, mine: Flags, grid: Floats,
    selection: Selection, *, held: bool = True,
) -> Floats:  # fmt: skip
    """Return a player's profit at each price of the offers `own`, USD/s, shape [P].

    Args:
        setting: the market.
        charges: whose `listed`, `slots` and rules hold; asks follow from levers.
        levers: of all offers, USD/Mtok of output or USD/task, shape [O].
        own: offers of one seller whose lever moves, shape [O].
        mine: sellers whose profits count, shape [S].
        grid: the prices, shape [P].
        selection: an equilibrium nearby, whose delays hold if `held`.
        held: whether delays stay as they are, which is quick, or follow. They follow, too, where
            the platform ranks by price or rivals have little room, so that delays would not stay.
    """
    if not held:
        return _followed(setting, charges, levers, own, mine, grid, selection)
    return curve_of(setting, charges, levers, own, mine, selection)(grid)


def curve_of(
    setting: Setting, charges: Charges, levers: Floats, own: Flags, mine: Flags,
    selection: Selection,
) -> Callable[[Floats], Floats]:  # fmt: skip
    """Return `profit_curve` with delays held as a function of the grid, which is called often."""
    if ranked_by_price(setting) or crowded(setting, mine, selection):
        return lambda grid: _followed(setting, charges, levers, own, mine, grid, selection)
    at = _at(setting, charges, levers)
    parts = [
        (float(weight), one)
        for i, weight in enumerate(selection.weights)
        for one in _sold(setting, at, own, mine, selection, i)
    ]
    now, fixed = float(levers[own][0]), float(selection.fixed[mine].sum())

    def curve(grid: Floats) -> Floats:
        total = np.full(len(grid), -fixed)
        for weight, earned in parts:
            total += weight * earned(grid - now)
        return total

    return curve


def _at(setting: Setting, charges: Charges, levers: Floats) -> Charges:
    return setting.charges(levers, listed=charges.listed, slots=charges.slots)


def ranked_by_price(setting: Setting) -> bool:
    """Return whether the platform shows some buyers a few offers, by price."""
    few = any(task.consideration is not None for task in setting.market.tasks)
    return few and setting.market.platform.ranking == "price"


def crowded(setting: Setting, mine: Flags, selection: Selection) -> bool:
    """Whether a player's rivals could not serve all, so that some come to it at any price."""
    if mine.all():
        return False
    work = float((selection.flow * setting.work).sum())
    return work > _ROOM * float(selection.responses[0].limits[~mine].sum())


def _followed(
    setting: Setting, charges: Charges, levers: Floats, own: Flags, mine: Flags, grid: Floats,
    selection: Selection,
) -> Floats:  # fmt: skip
    """Return the player's profit at each price with delays that follow, USD/s.

    From the present price outwards, each solved from its neighbour, up to where nothing is sold.
    """
    out = np.full(len(grid), -np.inf)
    here = int(np.searchsorted(grid, float(levers[own][0])))
    for way in (range(here, len(grid)), range(here - 1, -1, -1)):
        near = selection
        for i in way:
            found = solve(setting, _at(setting, charges, np.where(own, grid[i], levers)), near)
            if not found.converged:
                continue
            near, out[i] = found, found.profit[mine].sum()
            if i >= here and found.flow[:, own].sum() < _NOTHING * found.arrivals.sum():
                out[i:] = out[i]
                break
    return out


def _sold(
    setting: Setting, charges: Charges, own: Flags, mine: Flags, selection: Selection, i: int
) -> Iterator[Callable[[Floats], Floats]]:
    """Yield, by groups of kinds, what is earned at one moment if prices rise by so much, USD/s.

    Before fixed cost, with delays held.
    """
    flows = selection.moments[i]
    response = Response(setting, charges, flows.rates, like=flows)
    quoted = response.quoted(flows.expected)
    _, kept, cost = per_task(response, flows.expected)
    margin, counts = kept - cost, mine[setting.seller_of]
    k = setting.class_of
    charged = by_lever(response, response.believe(flows.expected), response.charges.right[k]) * own
    earned = setting.keep * by_lever(response, flows.expected, setting.right[k]) * own
    for _, together, on in response.groups():
        rates = response.arrivals[together]
        if not (counts[on].any() and rates.any()):
            continue
        at, moves = np.ix_(together, on), bool(own[on].any())
        shares = response.moving(together, on, quoted, own[on], counts[on])

        def sold(
            more: Floats, moves: bool = moves, shares: Any = shares, rates: Floats = rates,
            charged: Floats = charged[at], earned: Floats = earned[at],
            plain: Floats = margin[at] * counts[on],
        ) -> Floats:  # fmt: skip
            tried = more[:, None, None] if moves else np.zeros((1, 1, 1))
            gained = shares(tried * charged) * (plain + tried * earned)
            return np.asarray(gained.sum(axis=2) @ rates)

        yield sold


def best_price(
    setting: Setting, charges: Charges, levers: Floats, own: Flags, mine: Flags, least: float,
    selection: Selection, *, rough: bool = False,
) -> float:  # fmt: skip
    """Return the best price of the offers `own` for the sellers `mine`, all others given.

    The whole range from `least` up is looked over with delays held, since profit in one price may
    have several peaks; about the best of it Brent's method solves for where delays follow, only to
    some per cent and with delays held if `rough`. Other arguments are those of `profit_curve`.
    """
    grid = price_grid(float(levers[own][0]), least)
    profit = curve_of(setting, charges, levers, own, mine, selection)
    curve = profit(grid)
    at = int(np.argmax(curve))
    if rough:
        while True:
            low, high = grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)]
            if high < 1.03 * low or not np.isfinite(curve[at]):
                return float(grid[at])
            grid = np.linspace(low, high, 9)
            curve = profit(grid)
            at = int(np.argmax(curve))
    low, high = grid[max(at - 2, 0)], grid[min(at + 2, len(grid) - 1)]

    def lost(logarithm: float) -> float:
        price = np.array([np.exp(logarithm)])
        return -float(
            profit_curve(setting, charges, levers, own, mine, price, selection, held=False)[0]
        )

    for _ in range(_WIDENED):
        ends = float(np.log(low)), float(np.log(high))
        found = optimize.minimize_scalar(
            lost, bounds=ends, method="bounded", options={"xatol": 1e-9}
        )
        inside = 1e-3 * (ends[1] - ends[0])
        if min(found.x - ends[0], ends[1] - found.x) > inside or low <= 0.999 * least:
            break
        low, high = low * np.exp(-0.5), high * np.exp(0.5)
    return float(np.exp(found.x))
