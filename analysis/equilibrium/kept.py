"""A solved point as plain data, and back: looking at it again takes no second search."""

from __future__ import annotations

from typing import Any

import numpy as np

from .cycles import Cycle
from .deviations import Deviation
from .game import Floats, Game
from .pricing import PricePoint, stationarity

_SAME = 1e-7
"""Relative step of a lever by which what is left may differ from what was left when it was kept."""


def kept(point: PricePoint) -> dict[str, Any]:
    """Return how a point was found as plain data, to the last digit, infinities among it.

    Args:
        point: the prices and how they were found.
    """
    found, cycle = point.deviation, point.cycle
    return {
        "levers": list(point.game.levers), "prices": point.prices.tolist(),
        "converged": bool(point.converged), "iterations": point.iterations,
        "residual": float(point.residual), "why": point.why, "path": point.path.tolist(),
        "deviation": None if found is None else {
            "player": found.player, "label": found.label, "prices": found.prices.tolist(),
            "gain": found.gain, "share": found.share, "noise": found.noise,
        },
        "cycle": None if cycle is None else {
            "low": cycle.low.tolist(), "high": cycle.high.tolist(), "length": cycle.length,
            "prices": cycle.prices.tolist(),
        },
    }  # fmt: skip


def restored(game: Game, told: dict[str, Any]) -> PricePoint | None:
    """Return a point that was kept, with delays solved anew; None where it is another's now.

    It is none of this game any more where as much is not left of its prices' steps as was told:
    the solver may have become another.

    Args:
        game: owners and levers.
        told: what `kept` returned.

    Raises:
        KeyError, TypeError, ValueError: it is no such data.

    Example:
        >>> from walras.analysis.equilibrium.game import game_of
        >>> from walras.analysis.equilibrium.pricing import price_equilibrium
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.market import Market
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> one = Seller("one", accuracy=1.0, price={"task": 1.5}, cost={"task": 1})
        >>> game = game_of(Market(tasks=[ask], sellers=[one]))
        >>> told = kept(price_equilibrium(game))
        >>> restored(game, told).prices.tolist() == told["prices"]
        True
        >>> restored(game, {**told, "prices": [1.1]}) is None
        True
    """
    prices = _rows(told["prices"])
    if told["residual"] is None:  # it had no end
        return None
    if told["levers"] != list(game.levers) or prices.shape != game.posted.shape:
        return None
    selection, residual = game.solve(prices), float(told["residual"])
    if told["iterations"]:
        left = float(np.abs(stationarity(game, selection, prices)).max(initial=0.0))
        if not abs(left - residual) <= _SAME + 1e-3 * residual:
            return None
    elif not np.array_equal(prices, game.posted):
        return None
    return PricePoint(
        game, prices, selection, bool(told["converged"]) and selection.converged,
        int(told["iterations"]), residual, _deviation(told["deviation"]), str(told["why"]),
        _cycle(told["cycle"]), _rows(told["path"]),
    )  # fmt: skip


def _deviation(told: dict[str, Any] | None) -> Deviation | None:
    if told is None:
        return None
    gain, share, noise = (
        -np.inf if told[n] is None else told[n] for n in ("gain", "share", "noise")
    )
    return Deviation(told["player"], told["label"], _rows(told["prices"]), gain, share, noise)


def _cycle(told: dict[str, Any] | None) -> Cycle | None:
    if told is None:
        return None
    low, high, prices = (_rows(told[name]) for name in ("low", "high", "prices"))
    return Cycle(low, high, int(told["length"]), prices)


def _rows(x: Any) -> Floats:
    return np.asarray(x, dtype=np.float64)


__all__ = ["kept", "restored"]
