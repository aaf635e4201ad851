"""Concession tactics under incomplete information: neither side knows the other's limit.

Each side gives way within a range of its own. The buyer's goes from nothing to the most it would
pay, the posted price at most; the seller's from the posted price down to its cost.

- Time-dependent: a share F of the range is given away by time t of T,
  F(t) = k + (1 − k)·(min(t, T)/T)^(1/β): Boulware for β < 1, Conceder for β > 1.
- Behaviour-dependent (tit for tat): concede as much, in USD, as the other side did last.

An offer is accepted if it is at least as good as what one would offer oneself in the next round,
what time takes until then included; at one's own deadline, if it is better than no agreement.

Source:
    Faratin, P., Sierra, C., Jennings, N. R. (1998). Negotiation decision functions for
        autonomous agents. Robotics and Autonomous Systems 24, 159-182.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...market.schema.negotiation import Concession, Tactic
from .terms import Terms

TermsAt = Callable[[int], "Terms | None"]
"""What is at stake if the two agree in a round of their talk, from 1."""


class Haggled(NamedTuple):
    """A talk: how many rounds it took, the price agreed if any, and the offers of both sides."""

    rounds: int
    price: float | None
    bids: list[float]
    asks: list[float]


def conceded(tactic: Tactic, n: int) -> float:
    """Return the share F of its range that a side has given away with its offer of round n.

    Round 1 is t = 0 and the last round t = T, when all of the range is on the table.

    Example:
        >>> [round(conceded(Tactic(rounds=5, beta=0.5, opening=0.2), n), 3) for n in range(1, 6)]
        [0.2, 0.25, 0.4, 0.65, 1.0]
    """
    over = min((n - 1) / (tactic.rounds - 1), 1.0)
    return tactic.opening + (1.0 - tactic.opening) * float(over ** (1.0 / tactic.beta))


def imitated(tactic: Tactic, mine: Sequence[float], theirs: Sequence[float]) -> float | None:
    """Return one's last offer moved as far as the other side's last two, None before there are.

    Example:
        >>> imitated(Tactic(tit_for_tat=True), [0.1], [0.9, 0.75])
        0.25
    """
    if not tactic.tit_for_tat or not mine or len(theirs) < 2:
        return None
    return mine[-1] + (theirs[-2] - theirs[-1])


def buyers_offer(
    tactic: Tactic, n: int, terms: Terms, mine: Sequence[float], theirs: Sequence[float]
) -> float:
    """Return the price that the buyer would offer in round n; of the seller it knows its offers."""
    highest = max(min(terms.most, terms.ceiling), 0.0)
    price = imitated(tactic, mine, theirs)
    if price is None:
        return conceded(tactic, n) * highest
    return min(max(price, 0.0), highest)


def sellers_offer(
    tactic: Tactic, n: int, terms: Terms, mine: Sequence[float], theirs: Sequence[float]
) -> float:
    """Return the price that the seller would ask in round n; of the buyer it knows its offers."""
    price = imitated(tactic, mine, theirs)
    if price is None:
        given = conceded(tactic, n) * (terms.ceiling - terms.least)
        return terms.within(terms.ceiling - given)
    return terms.within(price)


def haggle(rules: Concession, first: str, terms: TermsAt) -> Haggled:
    """Return what comes of a talk: in each round one side offers and the other answers.

    The first side whose deadline has come breaks off, and so does a buyer to whom the answer
    would be worth nothing any more.

    Example:
        >>> fixed = Terms(most=1.0, least=0.2, billed=1.0, kept=1.0, posted=0.9)
        >>> talk = haggle(Concession(), "buyer", lambda n: fixed)
        >>> talk.rounds, round(talk.price, 3), round(talk.bids[-1], 3), len(talk.asks)
        (6, 0.511, 0.4, 3)
    """
    bids: list[float] = []
    asks: list[float] = []
    for n in range(1, min(rules.buyer.rounds, rules.seller.rounds) + 1):
        now, then = terms(n), terms(n + 1)
        if now is None or now.most <= 0.0:
            return Haggled(n - 1, None, bids, asks)
        if (n % 2 == 1) == (first == "buyer"):
            bids.append(buyers_offer(rules.buyer, n, now, bids, asks))
            own = None
            if then is not None and n < rules.seller.rounds:
                own = then.sellers(sellers_offer(rules.seller, n + 1, then, asks, bids))
            if now.sellers(bids[-1]) >= max(own or 0.0, 0.0):
                return Haggled(n, bids[-1], bids, asks)
        else:
            asks.append(sellers_offer(rules.seller, n, now, asks, bids))
            own = None
            if then is not None and n < rules.buyer.rounds:
                own = then.buyers(buyers_offer(rules.buyer, n + 1, then, bids, asks)) - now.delay
            if now.buyers(asks[-1]) >= max(own or 0.0, 0.0):
                return Haggled(n, asks[-1], bids, asks)
    return Haggled(min(rules.buyer.rounds, rules.seller.rounds), None, bids, asks)
