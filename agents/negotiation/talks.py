"""Negotiation as a mechanism: whom a buyer talks to, in which order, and how long that takes.

The buyer approaches owners in descending order of what their best offer at its posted price is
worth to it, taste included; it talks to one at a time and turns to the next if talks fail. Each
round, an offer and its answer, takes `round_time`, which comes off the task's deadline. The
posted price is where talks start: nobody pays more, unless it is below the seller's cost.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...market.messages import Ask, Award, Quote, Rule
from ...market.rng import hash2, name_key
from ...market.schema.negotiation import Negotiation, Rubinstein
from .concession import TermsAt, haggle
from .rubinstein import foresee
from .terms import Terms, terms_of


class Talk(NamedTuple):
    """A talk with one owner: the quote talked about, rounds, what was said and what was agreed.

    Who knows all there is to know says nothing but the price agreed.
    """

    quote: Quote
    rounds: int
    price: float | None
    bids: Sequence[float]
    asks: Sequence[float]
    at: TermsAt
    """What is at stake in a round of all talks, from 1."""


def negotiator(spec: Negotiation, commission: float = 0.0) -> Rule:
    """Return the mechanism that a spec describes, on a platform that takes a commission.

    Example:
        >>> rule = negotiator(Negotiation(first="seller"))
        >>> rule(Ask(1, "k", 0.0, 1.0, 1.0, 1.0, 0.0, 0.0, math.inf), [])
        Award(offer=None, price=None, after=0.0)
    """

    def negotiation(ask: Ask, quotes: list[Quote]) -> Award:
        """Let the buyer of a task talk to the owners of the offers on show."""
        talks = talk(spec, ask, quotes, commission)
        time = sum(one.rounds for one in talks) * spec.round_time
        if not talks or talks[-1].price is None:
            return Award(None, after=time)
        return Award(talks[-1].quote.offer, talks[-1].price, time)

    return negotiation


def talk(spec: Negotiation, ask: Ask, quotes: Sequence[Quote], commission: float) -> list[Talk]:
    """Return the talks that a buyer has, in their order: all fail but the last, which may not."""
    order = approached(ask, quotes)
    stakes = [_memory(ask, quote, spec.round_time, commission) for quote in order]
    if isinstance(spec.bargaining, Rubinstein):
        changing = not math.isinf(ask.deadline)
        deal = foresee(stakes, spec.bargaining, spec.first, changing)
        if deal is None:
            return []
        return [Talk(order[deal.seller], deal.round, deal.price, (), (), stakes[deal.seller])]
    talks: list[Talk] = []
    spent = 0
    for quote, at in zip(order, stakes, strict=True):
        said = haggle(spec.bargaining, spec.first, lambda n, t=at, s=spent: t(s + n))  # type: ignore[misc]
        talks.append(Talk(quote, *said, at))
        spent += said.rounds
        if said.price is not None:
            break
    return talks


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
) -> TermsAt:  # fmt: skip
    """Return a function of the rounds talked so far in all, which works each out once."""
    known: dict[int, Terms | None] = {}

    def at(n: int) -> Terms | None:
        if n not in known:
            known[n] = terms_of(ask, quote, n * round_time, round_time, commission)
        return known[n]

    return at
