"""A game of pricing strategies in a market: groups of like sellers, payoffs their profits.

Each seller of a group is a player, which picks one of the group's strategies for the whole run; the
market is simulated, and what a seller earned per hour after the warm-up is its payoff.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...agents.strategies import strategy_of
from ...market.schema.errors import did_you_mean
from ...market.schema.market import Market
from ...market.schema.supply import Rates, Seller
from ...scenarios.run import run
from .estimate import Assignment
from .game import Role, all_profiles

Pricing = float | str | Mapping[str, Any] | Callable[..., Any]
"""A price that stays, USD/Mtok of output or USD/task, or a strategy as `Seller` takes it."""


@dataclass(frozen=True)
class Group:
    """Sellers that are alike, and the pricing strategies among which each picks one.

    Attributes:
        sellers: their names; but for names they have the same spec.
        strategies: by name: a price, which then stays, or a strategy as `Seller(pricing=…)` takes.
    """

    sellers: Sequence[str]
    strategies: Mapping[str, Pricing]


@dataclass(frozen=True)
class PricingGame:
    """Plays profiles of pricing strategies in a market: what `estimate` wants.

    Attributes:
        market: the market; its `run` says how long, and what is left out as warm-up.
        groups: the roles by name. Other sellers stay as they are.

    Raises:
        BadInputError: a price or a strategy cannot be used.
        ValueError: a seller is unknown, in two groups, unlike the others of its group, or of an
            owner who has another one (a player is one seller).

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from .estimate import estimate
        >>> ask = TaskClass("ask", Poisson(1.0), value=1.0)
        >>> sellers = [Seller(n, accuracy=1.0, slots=9, price=Rates(task=0.5)) for n in ("a", "b")]
        >>> market = Market([ask], sellers, run={"until": 600})
        >>> duel = PricingGame(market, {"sellers": Group(["a", "b"], {"low": 0.4, "high": 0.8})})
        >>> game = estimate(duel, duel.roles, reps=2)
        >>> game.means[1].round().tolist()  # USD/h of low and of high: the cheaper sells all
        [1438.0, 0.0]
    """

    market: Market
    groups: Mapping[str, Group]

    def __post_init__(self) -> None:
        all_profiles(self.roles)
        known = {seller.name: seller for seller in self.market.sellers}
        owners = Counter(seller.owned_by for seller in self.market.sellers)
        names = [name for group in self.groups.values() for name in group.sellers]
        for name in names:
            if name not in known:
                hint = did_you_mean(name, known) or f"sellers: {', '.join(known)}"
                raise ValueError(f'groups name the unknown seller "{name}"; {hint}')
            if owners[known[name].owned_by] > 1:
                raise ValueError(f'"{known[name].owned_by}" owns other sellers than "{name}", too')
        twice = [name for name, times in Counter(names).items() if times > 1]
        if twice:
            raise ValueError(f'seller "{twice[0]}" is in the groups twice')
        for label, group in self.groups.items():
            alike = {_nameless(known[name]) for name in group.sellers}
            if len(alike) != 1:
                raise ValueError(
                    f'the sellers of group "{label}" differ in more than their names; make a group '
                    "of each kind"
                )
            for strategy in group.strategies.values():
                strategy_of(_with(known[group.sellers[0]], strategy).pricing)

    @property
    def roles(self) -> tuple[Role, ...]:
        """The roles, a player for each seller of a group."""
        return tuple(
            Role(label, len(group.sellers), tuple(group.strategies))
            for label, group in self.groups.items()
        )

    def __call__(self, assignment: Assignment, seed: int) -> list[float]:
        """Simulate the market with these strategies; return each player's profit, USD/h."""
        players = [(name, group) for group in self.groups.values() for name in group.sellers]
        chosen = {
            name: group.strategies[strategy]
            for (name, group), strategy in zip(players, assignment, strict=True)
        }
        sellers = [_with(s, chosen[s.name]) if s.name in chosen else s for s in self.market.sellers]
        market = self.market.model_copy(update={"sellers": sellers})
        return profits(market, seed, list(chosen))


def profits(market: Market, seed: int, sellers: Sequence[str]) -> list[float]:
    """Return what sellers earn per hour after the warm-up in one run, fixed costs off, USD/h."""
    until, warmup = market.run.until, market.run.warmup
    # Long epochs: their number costs time and changes no mean.
    spec = market.run.model_copy(update={"epoch": warmup or until})
    table = run(market.model_copy(update={"run": spec}), seed=seed, record="summary").sellers
    after = table[table["start"] >= warmup]
    earned = after.groupby("seller", observed=False)["profit"].sum() * 3600 / (until - warmup)
    return [float(earned[name]) for name in sellers]


def _with(seller: Seller, strategy: Pricing) -> Seller:
    """Return a seller with a price of its own that stays, or with a strategy."""
    if isinstance(strategy, (int, float, np.number)) and not isinstance(strategy, bool):
        return seller.model_copy(
            update={"price": _moved(seller.price, float(strategy)), "pricing": None}
        )
    return seller.model_copy(update={"pricing": strategy})


def _moved(price: Rates, lever: float) -> Rates:
    """Return rates with the lever at a number; the price of input moves in proportion."""
    if lever == 0.0 and price.by_token:
        raise ValueError(
            "a price of 0 USD/Mtok has no proportion of input to output; take a small one"
        )
    if not price.by_token:
        return price.model_copy(update={"task": lever})
    return price.model_copy(
        update={"output": lever, "input": price.input * lever / price.output}
    )  # fmt: skip


def _nameless(seller: Seller) -> Seller:
    return seller.model_copy(update={"name": "any", "owner": ""})
