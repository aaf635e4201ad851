"""The game that owners play: who sets which prices, and what all earn at any of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from ...market.fluid.closed import come_round
from ...market.fluid.setting import Charges, Setting, setting_of
from ...market.fluid.solve import Selection, solve
from ...market.schema.errors import BadInputError, Problem, did_you_mean
from ...market.schema.market import Market

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Game:
    """Owners, each with one or more levers; G levers in all.

    Attributes:
        setting: the market as the fluid model takes it.
        levers: names of the levers, sellers or offers, length G.
        group: number of the lever that moves each offer's price, −1 for none, shape [O].
        player: who sets each lever: a number of `setting.owners`, shape [G].
        listed: which offers are on the market, shape [O].
        slots: streams that sellers serve at once, shape [S].
    """

    setting: Setting
    levers: tuple[str, ...]
    group: NDArray[np.int64]
    player: NDArray[np.int64]
    listed: NDArray[np.bool_]
    slots: Floats

    @property
    def market(self) -> Market:
        """The spec."""
        return self.setting.market

    @cached_property
    def posted(self) -> Floats:
        """The levers as posted: USD/Mtok of output or USD/task, shape [G]."""
        first = [int(np.flatnonzero(self.group == g)[0]) for g in range(len(self.levers))]
        return np.asarray(self.setting.levers[first])

    @cached_property
    def unit_cost(self) -> Floats:
        """The lever at which a sale just covers marginal cost and commission, shape [G].

        Over the classes an offer serves, weighted by their arrivals, as sellers on the clock
        reckon it.
        """
        st = self.setting
        rates = sum(w * r for w, r in st.moments)
        served = (st.state.cells["serves"] == 1) * np.asarray(rates)[:, None]
        cost, unit, rest = ((served * x).sum(axis=0) for x in (st.cost, st.unit, st.rest))
        out = np.zeros(len(self.levers))
        for g in range(len(out)):
            mine = self.group == g
            spread = unit[mine].sum()
            if spread > 0:
                out[g] = max(cost[mine].sum() / st.keep - rest[mine].sum(), 0.0) / spread
        return out

    def by_offer(self, prices: Floats) -> Floats:
        """Return each offer's lever, shape [O], at the prices of G levers; others stay posted."""
        return np.where(self.group >= 0, prices[self.group], self.setting.levers)

    def charges(self, prices: Floats, **changes: Any) -> Charges:
        """Return what buyers are charged at the prices of G levers."""
        plain: dict[str, Any] = {"listed": self.listed, "slots": self.slots}
        return self.setting.charges(self.by_offer(prices), **{**plain, **changes})

    def at_mean(self) -> Game:
        """Return the game with demand at its mean rates, which is sooner solved."""
        return replace(self, setting=self.setting.at_mean())

    def solve(self, prices: Floats, start: Selection | None = None) -> Selection:
        """Return the selection equilibrium at the prices of G levers, shape [G].

        A start, an equilibrium nearby of the same moments or of one, saves steps.
        """
        return solve(self.setting, self.charges(prices), start)

    def profits(self, selection: Selection) -> Floats:
        """Return the profit of each player, USD/s, in the order of `setting.owners`."""
        return selection.owner_profit

    def names(self, g: int) -> str:
        """Return who sets lever g."""
        return str(self.setting.owners[self.player[g]])

    def market_at(self, prices: Floats) -> Market:
        """Return the spec with these prices posted, and the slots and efforts of this game.

        Raises:
            ValueError: levers are offers', and a seller's offers differ: no spec says that.
        """
        each = self.by_offer(prices)
        sellers = []
        for s, seller in enumerate(self.market.sellers):
            mine = np.flatnonzero(self.setting.seller_of == s)
            lever = each[mine]
            on = self.listed[mine]
            if not on.any():
                continue
            if np.ptp(lever[on]) > 1e-12 * lever.max():
                raise ValueError(f'offers of "{seller.name}" have prices of their own')
            rates, price = seller.price, float(lever[on][0])
            if rates.by_token:
                scale = price / rates.output
                rates = rates.model_copy(update={"output": price, "input": rates.input * scale})
            else:
                rates = rates.model_copy(update={"task": price})
            kept = {e: x for (e, x), here in zip(seller.effort.items(), on, strict=True) if here}
            sellers.append(seller.model_copy(update={
                "price": rates, "pricing": None, "effort": kept, "slots": float(self.slots[s]),
            }))  # fmt: skip
        return self.market.model_copy(update={"sellers": tuple(sellers)})


def game_of(
    market: Market, *, fixed: Sequence[str] = (), levers: Literal["seller", "offer"] = "seller",
    joint: bool | Sequence[Sequence[str]] = False,
) -> Game:  # fmt: skip
    """Return the pricing game of a market.

    Args:
        market: the spec; a seller's owner sets its price.
        fixed: sellers whose prices stay as posted. Those that post a price of 0 do so anyway.
        levers: whether a seller has one lever or each of its offers has one.
        joint: whether all owners maximise the sum of their profits, or which groups of owners do.

    Raises:
        BadInputError: a name is no seller's or owner's, nobody sets a price, or the fluid market
            has no rule for what the market does.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import Logit, TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0, choice=Logit(0.5))
        >>> one = Seller("one", accuracy=0.9, price={"task": 0.5}, cost={"task": 0.1})
        >>> game_of(Market(tasks=[ask], sellers=[one])).levers
        ('one',)
    """
    if isinstance(fixed, str):
        problem = f'fixed is "{fixed}"; it must be a list of sellers\' names'
        raise BadInputError([Problem("W102", problem, field="fixed")])
    if levers not in ("seller", "offer"):
        problem = f'levers is "{levers}"; it must be "seller" or "offer"'
        raise BadInputError([Problem("W105", problem, field="levers")])
    setting = come_round(setting_of(_merged(market, joint)))
    names = [seller.name for seller in market.sellers]
    for name in fixed:
        _known(name, names, "seller")
    free = [s.name for s in market.sellers if s.name not in fixed and s.price.lever > 0]
    if not free:
        problem = "no seller sets a price: all are held fixed, or post a price of 0"
        raise BadInputError([Problem("W106", problem, field="sellers.price")])
    offers = market.offers
    group = np.full(len(offers), -1, np.int64)
    found: list[str] = []
    for o, s in enumerate(setting.seller_of):
        if names[s] in free:
            label = names[s] if levers == "seller" else offers[o]
            if label not in found:
                found.append(label)
            group[o] = found.index(label)
    of = [int(setting.seller_of[np.flatnonzero(group == g)[0]]) for g in range(len(found))]
    return Game(
        setting, tuple(found), group, setting.owner_of[of], np.ones(len(offers), dtype=bool),
        np.array([s.slots for s in market.sellers], dtype=np.float64),
    )  # fmt: skip


def _merged(market: Market, joint: bool | Sequence[Sequence[str]]) -> Market:
    """Return the market with owners that maximise together as one."""
    if joint is False:
        return market
    owners = list(dict.fromkeys(s.owned_by for s in market.sellers))
    groups = [owners] if joint is True else [list(g) for g in joint]
    renamed: dict[str, str] = {}
    for group in groups:
        label = "+".join(group)[:60]
        while label in {*owners, *renamed.values()}:
            label += "+"
        for name in group:
            _known(name, owners, "owner")
            if name in renamed:
                problem = f'joint: owner "{name}" stands in two groups; allowed: one'
                raise BadInputError([Problem("W106", problem, field="joint")])
            renamed[name] = label
    sellers = [
        s.model_copy(update={"owner": renamed.get(s.owned_by, s.owned_by)}) for s in market.sellers
    ]
    return market.model_copy(update={"sellers": tuple(sellers)})


def _known(name: str, names: Sequence[str], what: str) -> None:
    if name not in names:
        hint = did_you_mean(name, names) or f"{what}s: {', '.join(names[:8])}"
        raise BadInputError([Problem("W105", f'there is no {what} "{name}"', hint=hint)])


def without(game: Game, offers: NDArray[np.bool_]) -> Game:
    """Return the game with these offers taken off the market, shape [O]."""
    return replace(game, listed=game.listed & ~offers)
