"""How a market responds as a parameter moves up and down again, and whether by the same path.

Up and down, owners answer each other from the last prices (`trace.sweep`); beside it stand the
branches of stationary prices on which they may come to rest, followed past their folds
(`trace.trace`). A branch that folds back leaves several equilibria at one
value, and the market jumps at one fold going up and at another going down. The width between the
two folds is the hysteresis.

The parameter is any of the spec's numbers, or the price of reasoning: a factor on the prices of all
sellers who let buyers pay for thinking, which then stay put while the others answer.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from ...market.fluid.closed import come_round
from ...market.fluid.setting import setting_of
from ...market.fluid.solve import Selection, solve
from ...market.schema.errors import BadInputError, Problem
from ...market.schema.market import Market
from ..certificate.deviations import at_price, with_sellers
from .game import Floats, Game, game_of
from .pricing import PricePoint, price_equilibrium
from .trace import Games, Trace, Turn, games_along, sweep, trace

MOST = 8
"""Levers beyond which prices stay while a parameter moves: following them takes too long."""
_STEP, _STEPS = 0.25, 60
_SAME = 1e-4
_PUSH = 1e-5  # along a branch, for derivatives
MEASURES = ("reasoning", "paid")
_EDGE = 0.005  # of the range: how near a fold sweeps look on both of its sides


@dataclass(frozen=True)
class Response:
    """What a market does along a parameter.

    Attributes:
        parameter: what moves.
        logarithmic: whether it is told by its logarithm.
        levers: names of the prices that answer; none where buyers alone do.
        branches: stationary prices; none where nothing but buyers answers, or none were found.
        points: a row per point of a branch ("branch"), fold ("fold") and step of a sweep ("up",
            "down"). Columns: kind, branch, length (from point to point along it, in logarithms of
            prices and parts of the range), value, settled, stable, equilibrium, reasoning (share of
            tasks), paid (USD/task served), served (share of tasks), welfare (USD/s), how value,
            reasoning and paid change by length, a price for each lever. Branches stand in the
            order along them.
    """

    parameter: str
    logarithmic: bool
    levers: tuple[str, ...]
    branches: tuple[Trace, ...]
    points: pd.DataFrame

    @property
    def folds(self) -> tuple[Turn, ...]:
        """Where branches turn back, by value."""
        return tuple(sorted((f for b in self.branches for f in b.folds), key=lambda f: f.value))

    @property
    def width(self) -> float:
        """From the first fold's value to the last one's; 0 without any."""
        values = [fold.value for fold in self.folds]
        return max(values) - min(values) if values else 0.0

    def apart(self, measure: str) -> Floats:
        """Return the values at which the way up and the way down differ, rising."""
        up, down = (
            self.points[self.points["kind"] == kind].set_index("value")[measure].sort_index()
            for kind in ("up", "down")
        )
        far = (up - down).abs() > _SAME * self.points[measure].abs().max()
        return np.asarray(far.index[far], dtype=np.float64)


def thinks(market: Market) -> np.ndarray:
    """Return which offers think before they answer, shape [O]."""
    return np.array([tokens > 0.0 for s in market.sellers for tokens in s.effort.values()])


def reasoners(market: Market) -> list[str]:
    """Return the sellers of thinking who ask a price."""
    return [
        s.name for s in market.sellers
        if s.price.lever > 0.0 and any(tokens > 0.0 for tokens in s.effort.values())
    ]  # fmt: skip


def at_prices(market: Market, factor: float) -> Market:
    """Return the spec with the prices of all sellers of thinking multiplied by a factor.

    That is the price of tokens or, for sellers who charge none, of the task: their lever.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> one = Seller("one", accuracy=0.9, effort={"high": 9.0}, price={"output": 2, "input": 1})
        >>> two = Seller("two", accuracy=0.9, price={"output": 2})
        >>> dear = at_prices(Market(tasks=[TaskClass("t", Poisson(1.0))], sellers=[one, two]), 3.0)
        >>> [(s.price.output, s.price.input) for s in dear.sellers]
        [(6.0, 3.0), (2.0, 0.0)]
    """
    names = reasoners(market)
    return with_sellers(
        market, {s.name: at_price(s, factor) for s in market.sellers if s.name in names}
    )


def to_reasoning(
    market: Market, *, low: float = 0.25, high: float = 4.0, fixed: Sequence[str] = (),
    points: int = 9,
) -> Response:  # fmt: skip
    """Return the response to the price of reasoning, a factor on what is posted.

    Args:
        market: the spec, with the prices posted that the factor 1 stands for.
        low: least factor.
        high: greatest factor.
        fixed: sellers besides those of thinking whose prices stay.
        points: values of each sweep.

    Raises:
        ValueError: nobody sells thinking at a price, or the range is empty.
    """
    if not 0.0 < low < high:
        raise ValueError(f"the range is empty: from {low:g} to {high:g}, all above 0")
    held = reasoners(market)
    if not held:
        raise ValueError("nobody sells thinking at a price")

    free = [s.name for s in market.sellers if s.price.lever > 0 and s.name not in {*held, *fixed}]
    values = np.linspace(np.log(low), np.log(high), points)
    if not free or len(free) > MOST:
        setting = come_round(setting_of(market)).at_mean()
        own = np.array([market.sellers[s].name in held for s in setting.seller_of])

        def bought(log: float, last: Selection | None) -> Selection:
            levers = np.where(own, np.exp(log), 1.0) * setting.levers
            return solve(setting, setting.charges(levers), last)

        values = np.linspace(values[0], values[-1], 2 * points - 1)
        return _told("price of reasoning", (), (), _buyers(bought, values), logarithmic=True)

    @lru_cache(maxsize=16)
    def game_at(log: float) -> Game:
        moved = at_prices(market, float(np.exp(log)))
        return game_of(moved, fixed=[*held, *fixed]).at_mean()

    return _response("price of reasoning", game_at, values, logarithmic=True)


def along(
    market: Market, path: str | Sequence[str], low: float, high: float, *,
    fixed: Sequence[str] = (), points: int = 9,
) -> Response:  # fmt: skip
    """Return the response to a number of the spec, or to several that have one value.

    Args:
        market: the spec.
        path: as `--set` takes it, such as `tasks.chat.arrivals.rate`.
        low: its least value.
        high: its greatest value.
        fixed: sellers whose prices stay as posted.
        points: values of each sweep.

    Raises:
        ValueError: the range is empty, or the market holds a Python function.
        BadInputError: the path or a value is none that the spec may have, or the path is a price
            that its owner sets.
    """
    if not low < high:
        raise ValueError(f"the range is empty: from {low:g} to {high:g}")
    name = path if isinstance(path, str) else ", ".join(path)
    values, free = np.linspace(low, high, points), [
        s.name for s in market.sellers if s.price.lever > 0 and s.name not in fixed
    ]  # fmt: skip
    if free and len(free) <= MOST:
        for each in [path] if isinstance(path, str) else path:
            _check_moves(games_along(market, each, fixed=fixed), each, low, high)
        games = games_along(market, path, fixed=fixed)
        return _response(name, lambda value: games(value).at_mean(), values, logarithmic=False)
    some = games_along(market, path)

    def bought(value: float, last: Selection | None) -> Selection:
        return solve(some(value).setting.at_mean(), None, last)

    return _told(name, (), (), _buyers(bought, values), logarithmic=False)


def _check_moves(games: Games, path: str, low: float, high: float) -> None:
    """Refuse a path that moves nothing but where levers are posted, for owners set those.

    Raises:
        BadInputError: it is such a path.
    """
    first, last = games(low), games(high)
    if first.levers != last.levers or np.array_equal(first.posted, last.posted):
        return
    if first.market_at(first.posted) != last.market_at(first.posted):
        return
    who = [n for n, a, b in zip(first.levers, first.posted, last.posted, strict=True) if a != b]
    raise BadInputError([Problem(
        "W105", f"{path} is a price that its owner sets: what is posted there changes nothing",
        field=path, hint=f"solve with --fixed {','.join(who)}, so that it stays as posted",
    )])  # fmt: skip


def _response(name: str, games: Games, values: Floats, *, logarithmic: bool) -> Response:
    low, high = float(values[0]), float(values[-1])
    first = price_equilibrium(games(low))
    branches = list(_traced(games, low, high, low, first))
    values = _with_edges(values, branches)
    up = list(sweep(games, values.tolist(), first.prices))
    down = list(sweep(games, values[::-1].tolist(), up[-1].prices))
    ends = [np.log(b.prices[i]) for b in branches for i in (0, -1) if b.value[i] == high]
    if up[-1].converged and not any(
        np.abs(end - np.log(up[-1].prices)).max() < 1e-4 for end in ends
    ):
        branches += _traced(games, low, high, high, up[-1])
    rows = []
    for number, branch in enumerate(branches):
        rows += _along(games, branch, number, high - low)
    for kind, at, points in (("up", values, up), ("down", values[::-1], down)):
        for value, point in zip(at, points, strict=True):
            rows.append(_row(kind, float(value), point.selection) | {
                "settled": point.converged,
                **dict(zip(point.game.levers, point.prices.tolist(), strict=True)),
            })  # fmt: skip
    return _told(name, first.game.levers, tuple(branches), rows, logarithmic=logarithmic)


def _along(games: Games, branch: Trace, number: int, span: float) -> list[dict[str, object]]:
    """Return the rows of a branch and of its folds."""
    at = np.column_stack([np.log(branch.prices), branch.value / span])
    steps = np.linalg.norm(np.diff(at, axis=0), axis=1)
    length, rows = np.concatenate([[0.0], steps.cumsum()]), []

    def seen(y: Floats) -> dict[str, object]:
        value = float(span * y[-1])
        return _row("branch", value, games(value).solve(np.exp(y[:-1])), number)

    for i, y in enumerate(at):
        ends = [seen(y + side * _PUSH * branch.tangent[i]) for side in (1.0, -1.0)]
        rows.append(seen(y) | _slopes(ends, 2.0 * _PUSH) | {
            "length": length[i], "settled": True, "stable": bool(branch.stable[i]),
            "equilibrium": bool(branch.equilibrium[i]),
            **dict(zip(branch.levers, branch.prices[i].tolist(), strict=True)),
        })  # fmt: skip
    for fold in branch.folds:
        rows.append(_row("fold", fold.value, games(fold.value).solve(fold.prices), number) | {
            "settled": True, **dict(zip(branch.levers, fold.prices.tolist(), strict=True)),
        })  # fmt: skip
    return rows


def _slopes(ends: list[dict[str, object]], apart: float) -> dict[str, object]:
    """Return how value and measures change by length between two rows on both sides of a point."""
    ahead, behind = ends
    return {
        f"{name}_by_length": (float(str(ahead[name])) - float(str(behind[name]))) / apart
        for name in ("value", *MEASURES)
    }  # fmt: skip


def _traced(
    games: Games, low: float, high: float, begin: float, point: PricePoint
) -> Iterator[Trace]:
    """Yield the branch through an equilibrium, if it is one and can be followed."""
    if not point.converged:
        return
    try:
        yield trace(games, low, high, begin=begin, start=point.prices, step=_STEP, most=_STEPS)
    except ValueError:  # it broke off: what the sweeps saw still stands
        return


def _with_edges(values: Floats, branches: Sequence[Trace]) -> Floats:
    """Return the values of a sweep and, on both sides of each fold, one that is near."""
    near = _EDGE * float(values[-1] - values[0])
    more = [fold.value + side * near for b in branches for fold in b.folds for side in (-1.0, 1.0)]
    inside = [v for v in more if values[0] < v < values[-1]]
    return np.unique(np.concatenate([values, inside]))


def _buyers(
    at: Callable[[float, Selection | None], Selection], values: Floats
) -> list[dict[str, object]]:
    """Return what buyers do where all prices stay: up and down, each time from the last delays.

    The way up stands for the branch.
    """

    def seen(
        kind: str, value: float, last: Selection | None
    ) -> tuple[Selection, dict[str, object]]:
        found = at(value, last)
        return found, _row(kind, value, found) | {"settled": found.converged}

    span, last = float(values[-1] - values[0]), None
    rows: list[dict[str, object]] = []
    for kind, order in (("up", values), ("down", values[::-1])):
        for value in order.tolist():
            last, row = seen(kind, value, last)
            rows.append(row)
            if kind == "up":
                ends = [seen("", value + side * _PUSH * span, last)[1] for side in (1.0, -1.0)]
                more = {"kind": "branch", "branch": 0, "length": (value - values[0]) / span}
                rows.append(row | _slopes(ends, 2.0 * _PUSH) | more)
    return rows


def _row(kind: str, value: float, found: Selection, branch: int = -1) -> dict[str, object]:
    tasks, flow = float(found.arrivals.sum()), found.flow
    served = float(flow.sum())
    return {
        "kind": kind, "branch": branch, "value": value,
        "reasoning": float(flow[:, thinks(found.setting.market)].sum()) / tasks,
        "paid": float((flow * found.paid).sum()) / served if served > 0.0 else np.nan,
        "served": served / tasks, "welfare": found.welfare,
    }  # fmt: skip


def _told(
    name: str, levers: tuple[str, ...], branches: tuple[Trace, ...],
    rows: list[dict[str, object]], *, logarithmic: bool,
) -> Response:  # fmt: skip
    columns = [
        "kind", "branch", "length", "value", "settled", "stable", "equilibrium", *MEASURES,
        "served", "welfare", "value_by_length", *(f"{m}_by_length" for m in MEASURES), *levers,
    ]  # fmt: skip
    points = pd.DataFrame(rows).reindex(columns=columns)
    return Response(name, logarithmic, levers, branches, points)


__all__ = ["MOST", "Response", "along", "at_prices", "reasoners", "thinks", "to_reasoning"]
