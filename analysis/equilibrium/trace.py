"""Price equilibria along a parameter of the spec: a branch with its folds, sweeps up and down.

A branch of stationary prices is followed past its folds (`continuation`). Between two folds there
are several equilibria at one value of the parameter, and which of them a market is at depends on
where it came from: a sweep follows best responses from the last prices, up and then down.
"""

from __future__ import annotations

import copy
import tomllib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import islice
from typing import Literal

import numpy as np
import pandas as pd
from pydantic import ValidationError

from ...market.schema.market import Market
from ...scenarios.load import check
from ...scenarios.overrides import apply, parse
from ...scenarios.toml import to_toml
from .continuation import Branch, follow
from .deviations import best_deviation
from .game import Floats, Game, game_of
from .pricing import PricePoint, price_equilibrium, responses, stationarity
from .stability import stability

Games = Callable[[float], Game]
"""The game at each value of a parameter."""
_KEPT = 16  # games that are not made anew
_HASTE = (8.0, 16.0, 32.0)


@dataclass(frozen=True)
class Turn:
    """A fold: here a branch turns back, and an equilibrium disappears.

    Attributes:
        value: of the parameter.
        prices: the levers, shape [G].
        error: how far the value may be off.
    """

    value: float
    prices: Floats
    error: float


@dataclass(frozen=True)
class Trace:
    """A branch of stationary prices along a parameter.

    Attributes:
        levers: names of the levers, length G.
        value: of the parameter at each point, in the order along the branch, shape [P].
        prices: the levers, shape [P, G].
        radius: spectral radius of best responses at once, shape [P].
        stable: whether they come back after a small push, shape [P].
        equilibrium: whether nobody gains by prices far away, in the fluid market, shape [P].
        tangent: unit tangent along the branch, in logarithms of prices and, last, parts of the
            range of the parameter, shape [P, G + 1].
        folds: where it turns.
        closed: whether the branch came back to where it started.
    """

    levers: tuple[str, ...]
    value: Floats
    prices: Floats
    radius: Floats
    stable: np.ndarray
    equilibrium: np.ndarray
    tangent: Floats
    folds: tuple[Turn, ...]
    closed: bool

    @property
    def table(self) -> pd.DataFrame:
        """One row per point: value, a price per lever, radius, stable, equilibrium."""
        return pd.DataFrame({
            "value": self.value, **dict(zip(self.levers, self.prices.T, strict=True)),
            "radius": self.radius, "stable": self.stable, "equilibrium": self.equilibrium,
        })  # fmt: skip


def games_along(
    market: Market, path: str | Sequence[str], *, fixed: Sequence[str] = (),
    levers: Literal["seller", "offer"] = "seller", joint: bool | Sequence[Sequence[str]] = False,
) -> Games:  # fmt: skip
    """Return the pricing game at each value of a parameter.

    Args:
        market: the spec.
        path: dotted path of the parameter, as `--set` takes it (`tasks.chat.choice.scale`), or
            several that get one value.
        fixed: sellers whose prices stay as posted.
        levers: whether a seller has one lever or each of its offers has one.
        joint: which owners maximise together (`game_of`).

    Raises:
        ValueError: the market holds a Python function.

    The function returned raises BadInputError where the path or the value is none a spec may have.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0, choice=Logit(0.5))
        >>> one = Seller("one", accuracy=0.9, price={"task": 0.5}, cost={"task": 0.1})
        >>> games = games_along(Market(tasks=[ask], sellers=[one]), "sellers.one.cost.task")
        >>> games(0.2).unit_cost.tolist()
        [0.2]
    """
    text = to_toml(market)
    plain = tomllib.loads(text)
    paths = [path] if isinstance(path, str) else list(path)

    @lru_cache(maxsize=_KEPT)
    def at(value: float) -> Game:
        options = [f"{p}={float(value)!r}" for p in paths]
        data = copy.deepcopy(plain)
        for option in options:
            apply(data, parse(option))
        try:
            moved = Market.model_validate(data)
        except ValidationError:
            moved = check(text, overrides=options).require()  # raises, and says all that is wrong
        return game_of(moved, fixed=fixed, levers=levers, joint=joint)

    return at


def trace(
    games: Games, low: float, high: float, *, begin: float | None = None,
    start: Floats | None = None, step: float = 0.05, most: int = 400,
) -> Trace:  # fmt: skip
    """Return the branch of stationary prices through an equilibrium, both ways, folds refined.

    Args:
        games: the game at each value of the parameter.
        low: lowest value.
        high: highest value.
        begin: value at which to begin; the lowest when absent.
        start: prices to look for the first equilibrium from, shape [G].
        step: longest step along the branch, in logarithms of prices and parts of the range.
        most: steps in each direction.

    Raises:
        ValueError: no stationary prices were found at `begin`.
    """
    begin = low if begin is None else begin
    first = price_equilibrium(games(begin), start)
    if first.residual > 1e-6:
        raise ValueError(f"no stationary prices at {begin:.6g}: {first.why}")
    branch = follow(
        lambda x, value: _residual(games(value), x), np.log(first.prices), begin, low, high,
        step=step, most=most,
    )  # fmt: skip
    return _judged(games, branch)


def _residual(game: Game, logs: Floats) -> Floats | None:
    """Return the relative steps that stationarity asks for, or None where nothing is solved."""
    prices = np.exp(logs)
    found = game.solve(prices)
    return stationarity(game, found, prices) if found.converged else None


def _judged(games: Games, branch: Branch) -> Trace:
    prices = np.exp(branch.x)
    radius, stable, fine = [], [], []
    for value, at in zip(branch.parameter, prices, strict=True):
        game = games(float(value))
        selection = game.solve(at)
        found, deviation = stability(game, at, selection), best_deviation(game, at, selection)
        radius.append(found.radius)
        stable.append(found.responses)
        fine.append(deviation.gain <= deviation.noise)
    return Trace(
        games(float(branch.parameter[0])).levers, branch.parameter, prices, np.array(radius),
        np.array(stable), np.array(fine), branch.tangent,
        tuple(Turn(f.parameter, np.exp(f.x), f.error) for f in branch.folds), branch.closed,
    )  # fmt: skip


def sweep(
    games: Games, values: Sequence[float], start: Floats | None = None
) -> Iterator[PricePoint]:
    """Yield the price equilibrium at each value, best responses starting at the last one's prices.

    Args:
        games: the game at each value of the parameter.
        values: of the parameter, in the order in which it moves.
        start: prices before the first.
    """
    prices = start
    for value in values:
        point = _settled(games(float(value)), prices)
        prices = point.prices
        yield point


def _settled(game: Game, start: Floats | None) -> PricePoint:
    """Return where best responses lead; past a fold they creep, and are sped up there.

    Next to where an equilibrium has vanished each answer is a little off the last one, which looks
    like rest. No stationary price being near, answers are taken many times over at once.
    """
    point = price_equilibrium(game, start)
    for times in _HASTE:
        if point.converged or point.cycle is not None:
            break
        answer = next(islice(responses(game, point.prices), 1, None)).prices
        point = price_equilibrium(game, point.prices * (answer / point.prices) ** times)
    return point


__all__ = ["Games", "Trace", "Turn", "games_along", "sweep", "trace"]
