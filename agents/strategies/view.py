"""What a pricing strategy sees and what it may answer.

A strategy is a callable `strategy(me, rivals, rng)`. It sees its own trades and queue and the
prices that rivals post, nothing else, and answers with a price in the unit of its lever, or with
a `Decision`. `rng` is a NumPy generator keyed by (run, seller, decision), so that adding a seller
changes nobody else's numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import TypeVar

import numpy as np

from ...market.schema.supply import HIGHEST_PRICE


@dataclass(frozen=True)
class Me:
    """A seller's own view of itself. Prices in the unit of the lever, times in seconds.

    `unit_cost` is the lever at which a sale just covers its marginal cost and the commission,
    effort levels taken together; counts and money are since the last decision.
    """

    name: str
    owner: str
    now: float
    prices: Mapping[str, float]
    """Posted price of each effort level, on offer or not."""
    first_price: float
    unit_cost: float
    tick: float
    by_token: bool
    efforts: Mapping[str, bool]
    """Effort levels and whether each is on offer."""
    slots: float
    running: int
    waiting: int
    utilisation: float
    """Share of capacity used since the last decision; NaN where capacity has no limit."""
    assigned: int
    served: int
    revenue: float
    profit: float
    period: float

    @property
    def price(self) -> float:
        """The seller's price; where effort levels are priced apart, the lowest on offer."""
        on_offer = [price for effort, price in self.prices.items() if self.efforts[effort]]
        return min(on_offer or self.prices.values())


@dataclass(frozen=True)
class Rival:
    """What a seller sees of another owner's seller that serves a common task class."""

    name: str
    owner: str
    prices: Mapping[str, float]
    """Posted price of each effort level on offer, one or more."""
    by_token: bool

    @property
    def price(self) -> float:
        """Its price; where effort levels are priced apart, the lowest."""
        return min(self.prices.values())


@dataclass(frozen=True)
class Decision:
    """What to charge and what to offer.

    `price` is one for all effort levels or one per level, where levels left out keep theirs;
    `efforts` are the levels on the market from now on (None: as they are).
    """

    price: float | Mapping[str, float]
    efforts: Sequence[str] | None = None


Strategy = Callable[[Me, Sequence[Rival], np.random.Generator], "float | Decision"]
S = TypeVar("S", bound=Callable[..., float | Decision])


def pricing(function: S) -> S:
    """Mark a function as a pricing strategy, checking that it takes (me, rivals, rng).

    Raises:
        TypeError: the function cannot be called with three positional arguments.

    Example:
        >>> @pricing
        ... def undercut(me, rivals, rng):
        ...     return max(me.unit_cost, min(r.price for r in rivals) - me.tick)
    """
    taken = [
        p for p in signature(function).parameters.values()
        if p.kind in (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
    ]  # fmt: skip
    if len(taken) < 3:
        raise TypeError(f"{function.__name__} must take (me, rivals, rng)")
    return function


def checked(decision: object, me: Me) -> Decision:
    """Return a strategy's answer as a `Decision` whose prices are usable.

    Raises:
        ValueError: a price is not a number from 0 to a million USD, or an effort is unknown.

    Example:
        >>> from walras.agents.testing import ME
        >>> checked(1.5, ME)
        Decision(price=1.5, efforts=None)
    """
    who = f'the strategy of "{me.name}"'
    if not isinstance(decision, Decision):
        if not _is_number(decision):
            raise ValueError(f"{who} answered {decision!r}, not a price; {_MEND}")
        decision = Decision(float(decision))  # type: ignore[arg-type]
    price = decision.price
    for one in price.values() if isinstance(price, Mapping) else (price,):
        if not (_is_number(one) and 0 <= one <= HIGHEST_PRICE):
            unit = "USD/Mtok" if me.by_token else "USD/task"
            raise ValueError(
                f"{who} answered the price {one!r}; it must be a number from 0 to "
                f"{HIGHEST_PRICE:,.0f}, in {unit}, such as max(me.unit_cost, …)"
            )
    for effort in (*(price if isinstance(price, Mapping) else ()), *(decision.efforts or ())):
        if effort not in me.efforts:
            known = ", ".join(me.efforts)
            raise ValueError(f"{who} names the unknown effort {effort!r}; known: {known}")
    return decision


_MEND = "return a number, or walras.Decision(price={effort: number, …}) to price efforts apart"


def _is_number(x: object) -> bool:
    return isinstance(x, (int, float, np.number)) and not isinstance(x, bool)
