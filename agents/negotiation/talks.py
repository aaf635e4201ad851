"""Negotiation as a mechanism: whom a buyer talks to, in which order, and how long that takes.

The buyer approaches owners in descending order of what their best offer at its posted price is
worth to it, taste included; it talks to one at a time and turns to the next if talks fail. Each
round, an offer and its answer, takes `round_time`, which comes off the task's deadline. The
posted price is where talks start: nobody pays more, unless it is below the seller's cost.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ...market.messages import Ask, Award, Quote, Rule
from ...market.rng import hash2, name_key
from ...market.schema.negotiation import Negotiation, Rubinstein
from .concession import haggle
from .rubinstein import foresee
from .terms import Terms, terms_of


def negotiator(spec: Negotiation, commission: float = 0.0) -> Rule:
    """Return the mechanism that a spec describes, on a platform that takes a commission.

    Example:
        >>> rule = negotiator(Negotiation(first="seller"))
        >>> rule(Ask(1, "k", 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, math.inf), [])
        Award(offer=None, price=None, after=0.0)
    """

    def negotiation(ask: Ask, quotes: list[Quote]) -> Award:
        """Let the buyer of a task talk to the owners of the offers on show."""
        order = approached(ask, quotes)
        at = [_memory(ask, quote, spec.round_time, commission) for quote in order]
        if isinstance(spec.bargaining, Rubinstein):
            changing = not math.isinf(ask.deadline)
            deal = foresee(at, spec.bargaining, spec.first, changing)
            if deal is None:
                return Award(None)
            return Award(order[deal.seller].offer, deal.price, deal.round * spec.round_time)
        spent = 0
        for quote, terms in zip(order, at, strict=True):
            rounds, price = haggle(
                spec.bargaining, spec.first, lambda n, t=terms, s=spent: t(s + n)  # type: ignore[misc]
            )  # fmt: skip
            spent += rounds
            if price is not None:
                return Award(quote.offer, price, spent * spec.round_time)
        return Award(None, after=spent * spec.round_time)

    return negotiation


def approached(ask: Ask, quotes: Sequence[Quote]) -> list[Quote]:
    """Return each owner's best offer at posted prices, best first; equals by the task's coin.

    It is the coin of `posted_price.pick`, so that no seller is first because it is listed first.
    """

    def place(quote: Quote) -> tuple[float, int]:
        coin = hash2(np.uint64(ask.id), name_key("tie", quote.seller, quote.effort))
        return -quote.utility, -int(coin)

    best: dict[str, Quote] = {}
    with np.errstate(over="ignore"):
        for quote in sorted(quotes, key=place):
            best.setdefault(quote.owner, quote)
    return list(best.values())


def _memory(
    ask: Ask, quote: Quote, round_time: float, commission: float
) -> Callable[[int], Terms | None]:  # fmt: skip
    """Return a function of the rounds talked so far in all, which works each out once."""
    known: dict[int, Terms | None] = {}

    def at(n: int) -> Terms | None:
        if n not in known:
            known[n] = terms_of(ask, quote, n * round_time, round_time, commission)
        return known[n]

    return at
