"""Deviations: what one seller's owner, or a few buyers of a class, might do instead.

A set is stated, not searched: a certificate bounds the largest gain over it and over nothing else.
A price deviation moves a seller's lever (economy.md §2), input and output price in proportion; an
effort deviation changes its menu; one of capacity its slots, with their rent.

Buyers are many and small. What is tested is therefore a small sample of a class, not the class as
a bloc: a bloc would reckon with the queue it makes, and a Wardrop equilibrium would be refuted by
what no single buyer can do. The sample chooses in another way; its tastes and tasks stay.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...market.schema.demand import TaskClass
from ...market.schema.fields import FrozenDict
from ...market.schema.market import Market
from ...market.schema.supply import HIGHEST_PRICE, Rates, Seller

PRICE_FACTORS = (0.25, 0.5, 0.8, 0.9, 0.95, 0.98, 0.99, 1.01, 1.02, 1.05, 1.1, 1.25, 1.5, 2.0)
"""What a price is multiplied by: close enough together that one of them gains four fifths of what
the best price would, if that is 0.7% away or more and profit is near quadratic."""
COST_FACTORS = (1.01, 1.1, 1.5, 2.0, 5.0)
"""What a seller that gives its answers away might ask instead, in units of its marginal cost."""
HURRIES = (0.5, 2.0)
"""What buyers may multiply the cost of waiting by when they choose."""
MOST_OFFERS = 5
LEAST_SHARE = 0.02

Change = Callable[[Market], Market]


def unchanged(market: Market) -> Market:
    """Return the market as it is: buyers who deviate change nothing in the spec."""
    return market


@dataclass(frozen=True, slots=True)
class Deviation:
    """Something that one player might do instead.

    Attributes:
        side: "seller" or "buyer".
        player: an owner, whose payoff is the profit of all its sellers, or a task class.
        kind: "price", "effort", "slots" or "choice".
        label: what is done, in words.
        change: the market with the deviation, of a seller.
        shuns: offers that buyers in the sample pass over.
        hurry: what they multiply the cost of waiting by when they choose.
        expected: what whoever states it expects it to gain, as a share of the player's payoff;
            what is expected to gain is run first.
    """

    side: str
    player: str
    kind: str
    label: str
    change: Change = unchanged
    shuns: tuple[str, ...] = ()
    hurry: float = 1.0
    expected: float = 0.0


def with_sellers(market: Market, changes: Mapping[str, Seller]) -> Market:
    """Return the market with some sellers, by name, replaced."""
    sellers = tuple(changes.get(s.name, s) for s in market.sellers)
    return market.model_copy(update={"sellers": sellers})


def at_price(seller: Seller, factor: float, start: Rates | None = None) -> Seller:
    """Return the seller with its lever multiplied, up to the highest price there may be.

    Example:
        >>> fast = Seller("fast", accuracy=0.9, price={"input": 0.1, "output": 0.4})
        >>> at_price(fast, 1.5).price.input, at_price(fast, 1.5).price.output
        (0.15..., 0.6...)
    """
    rates = seller.price if start is None else start
    names = ("input", "output") if rates.by_token else ("task",)
    scaled = {name: min(getattr(rates, name) * factor, HIGHEST_PRICE) for name in names}
    return seller.model_copy(update={"price": rates.model_copy(update=scaled)})


def price_deviations(
    market: Market, factors: Sequence[float] = PRICE_FACTORS
) -> Iterator[Deviation]:
    """Yield each seller's lever times each factor, and all levers of an owner together.

    A seller whose price is 0 has nothing to multiply: it asks `COST_FACTORS` times its cost, if it
    has one.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> one = Seller("one", accuracy=1.0, price={"task": 0.5})
        >>> market = Market(tasks=[ask], sellers=[one])
        >>> [d.label for d in price_deviations(market, [0.9, 1.1])]
        ['price of one × 0.9', 'price of one × 1.1']
    """
    for seller in market.sellers:
        rates, many, start = seller.price, factors, None
        if rates.lever == 0.0:
            many, start = COST_FACTORS if seller.cost.lever > 0.0 else (), seller.cost
        for factor in many:
            unit = "price" if rates.lever > 0.0 else "cost"
            what = f"price of {seller.name} × {factor:g}"
            if unit == "cost":
                what = f"price of {seller.name} at {factor:g} × its cost"
            yield Deviation(
                "seller", seller.owned_by, "price", what, _priced([seller], factor, start)
            )
    for owner, mine in owners(market).items():
        if len(mine) > 1:
            for factor in factors:
                label = f"all prices of {owner} × {factor:g}"
                yield Deviation("seller", owner, "price", label, _priced(mine, factor, None))


def _priced(sellers: Sequence[Seller], factor: float, start: Rates | None) -> Change:
    changed = {s.name: at_price(s, factor, start) for s in sellers}
    return lambda market: with_sellers(market, changed)


def effort_deviations(market: Market) -> Iterator[Deviation]:
    """Yield each seller's menu without one of its efforts, and with one alone."""
    for seller in market.sellers:
        menu = dict(seller.effort)
        if len(menu) < 2:
            continue
        fewer = {f"{seller.name} without {e}": set(menu) - {e} for e in menu if len(menu) > 2}
        alone = {f"{seller.name} with {e} alone": {e} for e in menu}
        for label, kept in (fewer | alone).items():
            left = FrozenDict({e: menu[e] for e in menu if e in kept})
            changed = {seller.name: seller.model_copy(update={"effort": left})}
            yield Deviation("seller", seller.owned_by, "effort", label, _replaced(changed))


def slot_deviations(market: Market, share: float = 0.1) -> Iterator[Deviation]:
    """Yield each seller's slots up and down by a share, by one at least, with their rent.

    Only where slots cost rent: who may have more for nothing has chosen no number of them.
    """
    for seller in market.sellers:
        if math.isinf(seller.slots) or seller.rent == 0.0:
            continue
        step = max(1, round(share * seller.slots))
        for slots in (seller.slots - step, seller.slots + step):
            if not 1 <= slots <= 1_000_000:
                continue
            changed = {seller.name: seller.model_copy(update={"slots": float(slots)})}
            label = f"{seller.name} with {slots:g} slots instead of {seller.slots:g}"
            yield Deviation("seller", seller.owned_by, "slots", label, _replaced(changed))


def _replaced(changed: Mapping[str, Seller]) -> Change:
    return lambda market: with_sellers(market, changed)


def choice_deviations(market: Market, shares: NDArray[np.float64]) -> Iterator[Deviation]:
    """Yield what a few buyers of each class might do instead, given what they do.

    Take one offer and no other, of the `MOST_OFFERS` most chosen; leave one out that at least
    `LEAST_SHARE` take; do without; weigh waiting half or twice as much.

    Args:
        market: the candidate point.
        shares: of each class's tasks, by offer, shape [K, O or more].

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=1.0)
        >>> market = Market(tasks=[ask], sellers=[Seller("one", accuracy=1.0)])
        >>> [d.label for d in choice_deviations(market, np.array([[0.7, 0.3]]))]
        ['chat: take one/default or nothing', 'chat: do without']
    """
    offers = market.offers
    for task, share in zip(market.tasks, shares, strict=True):
        served = _serving(market, task)
        best = sorted(served, key=lambda o, mine=share: (-mine[o], o))[:MOST_OFFERS]  # type: ignore[misc]
        for o in best:
            others = tuple(offers[p] for p in served if p != o)
            label = f"take {offers[o]}" + (" or nothing" if task.outside_option else " alone")
            yield _choice(task, label, others)
        for o in best:
            if share[o] >= LEAST_SHARE and len(served) > 2:
                yield _choice(task, f"pass over {offers[o]}", (offers[o],))
        if task.outside_option and served:
            yield _choice(task, "do without", tuple(offers[o] for o in served))
        for hurry in HURRIES if _waits(task) and len(served) > 1 else ():
            yield _choice(task, f"weigh waiting × {hurry:g}", (), hurry)


def _serving(market: Market, task: TaskClass) -> list[int]:
    """Return the numbers of the offers that serve a class."""
    serves = [s.serves(task.skill) for s in market.sellers for _ in s.effort]
    return [o for o, yes in enumerate(serves) if yes]


def _choice(task: TaskClass, label: str, shuns: tuple[str, ...], hurry: float = 1.0) -> Deviation:
    text = f"{task.name}: {label}"
    return Deviation("buyer", task.name, "choice", text, shuns=shuns, hurry=hurry)


def _waits(task: TaskClass) -> bool:
    """Return whether waiting costs a class anything by the second."""
    return bool(
        getattr(task.delay_cost, "mean", 0.0) or getattr(task.delay_cost, "per_second", 0.0)
    )


def owners(market: Market) -> dict[str, list[Seller]]:
    """Return the sellers of each owner, in the order of the spec."""
    found: dict[str, list[Seller]] = {}
    for seller in market.sellers:
        found.setdefault(seller.owned_by, []).append(seller)
    return found


def all_deviations(market: Market, shares: NDArray[np.float64]) -> list[Deviation]:
    """Return the whole set: prices, efforts and slots of sellers, choices of buyers."""
    return [
        *price_deviations(market), *effort_deviations(market), *slot_deviations(market),
        *choice_deviations(market, shares),
    ]  # fmt: skip
