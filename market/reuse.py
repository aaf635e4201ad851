"""A market once more, from a state that has not begun: another seed, other posted prices.

To build a state takes as long as to clear a hundred thousand tasks where laws of sizes have to be
tabulated for many offers. None of that depends on the seed or on prices.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from . import workload
from .build import set_rates
from .menu import set_asks, set_menu
from .schema.arrivals import Closed, Replay
from .schema.market import Market, PostedPrice
from .state import State


def reusable(market: Market) -> bool:
    """Return whether a state of the market can be sown anew: whether no more depends on the seed.

    Double auctions have traders with natures of their own, contracts customers with theirs; users
    who come back are in the market from the start, and a recording is read once.
    """
    other = (Closed, Replay)
    fresh = not any(isinstance(task.arrivals, other) for task in market.tasks)
    return fresh and isinstance(market.mechanism, PostedPrice) and not market.contracts


def same_but_prices(market: Market, other: Market) -> bool:
    """Return whether two markets differ in posted prices at most.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.demand import TaskClass
        >>> from walras.market.schema.supply import Seller
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> one, two, four = (
        ...     Market(tasks=[ask], sellers=[Seller("s", accuracy=1.0, slots=n, price={"task": n})])
        ...     for n in (1, 2, 4)
        ... )
        >>> cheap = two.model_copy(update={"sellers": (Seller("s", accuracy=1.0, slots=2),)})
        >>> same_but_prices(two, cheap), same_but_prices(two, four)
        (True, False)
    """
    if len(market.sellers) != len(other.sellers):
        return False
    priced = tuple(
        mine.model_copy(update={"price": theirs.price})
        for mine, theirs in zip(market.sellers, other.sellers, strict=True)
    )
    return market.model_copy(update={"sellers": priced}) == other


def sow(st: State, was: Market, market: Market, seed: int) -> Any:
    """Make of a state of `was` before its first task one of `market` with a seed; return sources.

    `market` may differ in posted prices, and in when tasks come.
    """
    sources, _ = workload.sources_of(market, seed, Path())
    for kind, task in zip(st.classes, market.tasks, strict=True):
        kind["key"] = workload.class_key(seed, task.name)
    changed = [
        mine.price != theirs.price
        for mine, theirs in zip(was.sellers, market.sellers, strict=True)
    ]  # fmt: skip
    for o, s in enumerate(st.seller_of):
        if changed[s]:
            set_rates(st.offers[o], "price", market.sellers[s].price)
            set_asks(st, o)
    if any(changed):
        set_menu(st, market.platform.ranking)
    return sources
