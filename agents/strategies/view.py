"""What a pricing strategy sees and what it may answer.

A strategy is a callable `strategy(me, rivals, rng)`. It sees its own trades and queue and the
prices that rivals post, nothing else, and answers with a price in the unit of its lever, or with
a `Decision`. `rng` is a NumPy generator keyed by (run, seller, decision), so that adding a seller
changes nobody else's numbers.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import Any, TypeVar

import numpy as np


@dataclass(frozen=True)
class Me:
    """A seller's own view of itself. Prices in the unit of the lever, times in seconds.

    `unit_cost` is the lever at which a sale just covers its marginal cost and the commission;
    counts and money are since the last decision.
    """

    name: str
    owner: str
    now: float
    price: float
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


@dataclass(frozen=True)
class Rival:
    """What a seller sees of another owner's seller that serves a common task class."""

    name: str
    owner: str
    price: float
    by_token: bool


@dataclass(frozen=True)
class Decision:
    """A new price, for the seller or per effort level, and which levels to offer (None: as is)."""

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
        ValueError: a price is not a finite number of 0 or more, or an effort is unknown.

    Example:
        >>> me = Me(
        ...     "a",
        ...     "a",
        ...     0.0,
        ...     2.0,
        ...     2.0,
        ...     1.0,
        ...     0.1,
        ...     True,
        ...     {"low": True},
        ...     1.0,
        ...     0,
        ...     0,
        ...     0.0,
        ...     0,
        ...     0,
        ...     0.0,
        ...     0.0,
        ...     600.0,
        ... )
        >>> checked(1.5, me)
        Decision(price=1.5, efforts=None)
    """
    if not isinstance(decision, Decision):
        if isinstance(decision, bool) or not isinstance(decision, (int, float, np.number)):
            raise ValueError(f'the strategy of "{me.name}" answered {decision!r}, not a price')
        decision = Decision(float(decision))
    prices: Mapping[str, Any] = {"": decision.price}
    if isinstance(decision.price, Mapping):
        prices = decision.price
    for effort, price in prices.items():
        if not (isinstance(price, (int, float, np.number)) and 0 <= price < math.inf):
            unit = "USD/Mtok" if me.by_token else "USD/task"
            raise ValueError(
                f'the strategy of "{me.name}" answered the price {price!r}; '
                f"it must be 0 or more, in {unit}"
            )
        if effort and effort not in me.efforts:
            raise ValueError(f'the strategy of "{me.name}" priced the unknown effort "{effort}"')
    for effort in decision.efforts or ():
        if effort not in me.efforts:
            raise ValueError(f'the strategy of "{me.name}" offers the unknown effort "{effort}"')
    return decision
