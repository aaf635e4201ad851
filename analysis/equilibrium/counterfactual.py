"""What a market would be like after entry, exit or a merger: equilibria before and after, compared.

Prices are solved anew on both sides, so that what is compared is two equilibria and not an
equilibrium with somebody's prices left as they were (Nevo 2000 for mergers, Petrin 2002 for a new
product). Fixed costs of those who come or go are counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from ...market.schema.errors import BadInputError, Problem, did_you_mean
from ...market.schema.market import Market
from ...market.schema.supply import Seller
from .game import Game, game_of
from .pricing import PricePoint, price_equilibrium, start_of


@dataclass(frozen=True)
class Counterfactual:
    """Two price equilibria.

    Attributes:
        before: of the market as it is.
        after: of the market as it would be.
    """

    before: PricePoint = field(repr=False)
    after: PricePoint = field(repr=False)

    @property
    def converged(self) -> bool:
        """Whether both are solved."""
        return self.before.converged and self.after.converged

    @property
    def table(self) -> pd.DataFrame:
        """What changes: see `compare_points`."""
        return compare_points(self.before, self.after)


def entry(market: Market, seller: Seller, **options: Any) -> Counterfactual:
    """Return the market's equilibrium, and that with a new seller.

    Args:
        market: the spec.
        seller: who enters; the price it posts is where the search for its own begins.
        options: `fixed`, `levers` and `joint` of `game_of`.

    Raises:
        BadInputError: there is a seller of that name already.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> ask = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
        >>> a, b = (
        ...     Seller(n, accuracy=1.0, slots="unlimited", price={"task": 1.5}, cost={"task": 1})
        ...     for n in "ab"
        ... )
        >>> found = entry(Market(tasks=[ask], sellers=[a]), b).table
        >>> found[found["what"] == "price"].round(4).to_dict("records")[0]
        {'what': 'price', 'name': 'a', 'before': 1.802, 'after': 1.4729, 'change': -0.3291}
    """
    if seller.name in [s.name for s in market.sellers]:
        message = f'there is a seller "{seller.name}" already'
        raise BadInputError([Problem("W105", message, field="sellers.name")])
    return _solved(market, _with(market, (*market.sellers, seller)), options, {})


def departure(market: Market, name: str, **options: Any) -> Counterfactual:
    """Return the market's equilibrium, and that without a seller.

    Args:
        market: the spec.
        name: who leaves.
        options: `fixed`, `levers` and `joint` of `game_of`.

    Raises:
        BadInputError: no seller has that name, or nobody would be left.
    """
    names = [s.name for s in market.sellers]
    if name not in names:
        hint = did_you_mean(name, names) or f"sellers: {', '.join(names[:8])}"
        raise BadInputError([Problem("W105", f'there is no seller "{name}"', hint=hint)])
    if len(names) == 1:
        message = f'"{name}" is the only seller, and a market needs one'
        raise BadInputError([Problem("W106", message, field="sellers")])
    left = tuple(s for s in market.sellers if s.name != name)
    kept = {**options, "fixed": [n for n in options.get("fixed", ()) if n != name]}
    return _solved(market, _with(market, left), options, kept)


def merger(market: Market, owners: Sequence[str] | None = None, **options: Any) -> Counterfactual:
    """Return the market's equilibrium, and that with owners who maximise the sum of their profits.

    Args:
        market: the spec.
        owners: who merge; all of them when absent (joint profit).
        options: `fixed` and `levers` of `game_of`.

    Raises:
        BadInputError: a name is no owner's.
    """
    joint = True if owners is None else [list(owners)]
    return _solved(market, market, options, {**options, "joint": joint})


def _with(market: Market, sellers: Sequence[Seller]) -> Market:
    """Return the market with these sellers, checked anew; events of others are left out."""
    names = {s.name for s in sellers}
    fields = {name: getattr(market, name) for name in type(market).model_fields}
    events = tuple(e for e in market.events if e.seller in names)
    return Market(**{**fields, "sellers": tuple(sellers), "events": events})


def _solved(
    before: Market, after: Market, options: dict[str, Any], changed: dict[str, Any]
) -> Counterfactual:
    """Solve both, the second from the first's prices."""
    first = price_equilibrium(game_of(before, **options))
    game = game_of(after, **(changed or options))
    return Counterfactual(first, price_equilibrium(game, _from(game, first)))


def _from(game: Game, first: PricePoint) -> np.ndarray:
    """Return prices to start from: those of the first point, and posted ones for new levers."""
    known = dict(zip(first.game.levers, first.prices.tolist(), strict=True))
    plain = start_of(game)
    return np.array([known.get(n, p) for n, p in zip(game.levers, plain, strict=True)])


def compare_points(before: PricePoint, after: PricePoint) -> pd.DataFrame:
    """Return what differs between two points.

    Args:
        before: prices, shares and delays of the first.
        after: of the second.

    Returns:
        One row per measure and name, NaN where a name is on one side only. Columns: what, name,
        before, after, change (after − before). `what` is "price" (by lever, in its unit), "share"
        (by seller, of all tasks), "sojourn" (by seller, s), "profit" (by seller, USD/s), "surplus"
        (by task class, USD/s), and "served" (share of all tasks), "profits", "platform",
        "surpluses" and "welfare" (USD/s) of the market.
    """
    sides = [_measures(point) for point in (before, after)]
    keys = list(dict.fromkeys([*sides[0], *sides[1]]))
    order = list(dict.fromkeys(what for what, _ in keys))
    keys.sort(key=lambda key: order.index(key[0]))
    table = pd.DataFrame({
        "what": [what for what, _ in keys], "name": [name for _, name in keys],
        "before": [sides[0].get(key, np.nan) for key in keys],
        "after": [sides[1].get(key, np.nan) for key in keys],
    })  # fmt: skip
    table["change"] = table["after"] - table["before"]
    return table


def _measures(point: PricePoint) -> dict[tuple[str, str], float]:
    """Return what `compare_points` tells of one point."""
    game, s = point.game, point.selection
    sellers = [seller.name for seller in game.market.sellers]
    total = float(s.arrivals.sum())
    flow = s.by_seller(s.flow)
    offers = s.by_seller(s.flow * np.nan_to_num(s.sojourn))
    waited = np.divide(offers.sum(axis=0), flow.sum(axis=0), out=np.full(len(sellers), np.nan),
                       where=flow.sum(axis=0) > 0.0)  # fmt: skip
    found = {("price", n): float(p) for n, p in zip(game.levers, point.prices, strict=True)}
    for i, name in enumerate(sellers):
        found["share", name] = float(flow[:, i].sum()) / total
        found["sojourn", name] = float(waited[i])
        found["profit", name] = float(s.profit[i])
    for k, task in enumerate(game.market.tasks):
        found["surplus", task.name] = float(s.surplus[k])
    found["served", ""] = float(flow.sum()) / total
    found["profits", ""] = float(s.profit.sum())
    found["platform", ""] = s.platform
    found["surpluses", ""] = float(s.surplus.sum())
    found["welfare", ""] = s.welfare
    return found


__all__ = ["Counterfactual", "compare_points", "departure", "entry", "merger"]
