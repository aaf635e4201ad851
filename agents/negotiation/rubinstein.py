"""Alternating offers under complete information: the price of the subgame-perfect equilibrium.

One side offers a price, the other accepts or makes the next offer a round later; a gain that
comes a round later is worth δ of itself, and the round costs the buyer its delay. A buyer that has
been made an offer may also leave: buy at the posted price, turn to the next seller, or do without.
Such an outside option matters only if it is worth more than staying (the outside-option principle).

- Terms that stay as they are, no last round: the proposer gets (1 − δ₂)/(1 − δ₁δ₂) of the pie
  (Rubinstein 1982), or what the outside options leave (Binmore, Shaked & Sutton 1989).
- A last round, or terms that change as a deadline comes nearer: backward induction (Ståhl 1972),
  each round over what is left then.

Sources:
    Rubinstein, A. (1982). Perfect equilibrium in a bargaining model. Econometrica 50, 97-109.
    Ståhl, I. (1972). Bargaining theory. Stockholm School of Economics.
    Binmore, K., Shaked, A., Sutton, J. (1989). An outside option experiment. Quarterly Journal
        of Economics 104, 753-770.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

from ...market.schema.negotiation import Rubinstein
from .terms import Terms

HORIZON = 100
"""Where talks have no last round, rounds after which terms are taken to stay as they are."""

TermsAt = Callable[[int], "Terms | None"]
"""The terms of one seller if it agrees with the buyer in a round, from 1."""


class Deal(NamedTuple):
    """Who agrees with the buyer (its place in the order of approach), in which round, on what."""

    seller: int
    round: int
    price: float


class Prospect(NamedTuple):
    """What the two sides gain from here on, as of this round, and the deal that they reach."""

    buyer: float
    seller: float
    deal: Deal | None


NOTHING = Prospect(0.0, 0.0, None)


class Talk(NamedTuple):
    """What comes of talks with one seller in one round, by who makes the offer."""

    buyer: Prospect
    seller: Prospect


def proposers_share(
    mine: float, theirs: float, leave: float = 0.0, their_leave: float = 0.0, cost: float = 0.0,
    their_cost: float = 0.0,
) -> float:  # fmt: skip
    """Return the proposer's share of a pie that stays as it is, with talks that never have to end.

    `mine` and `theirs` are the discounts δ of the proposer and the responder, `leave` and
    `their_leave` what their outside options w are worth (together at most 1), `cost` and
    `their_cost` what a round k costs them, of which one is 0; all as shares of the pie.
    x = 1 − max(δ₂·y − k₂, w₂), y = 1 − max(δ₁·x − k₁, w₁) has one solution, its slope below 1:

        x = min(1 − w₂, max((1 − δ₂(1 + k₁) + k₂)/(1 − δ₁δ₂), 1 − δ₂(1 − w₁) + k₂))

    Example:
        >>> round(proposers_share(0.9, 0.9), 6)
        0.526316
        >>> proposers_share(0.9, 0.9, their_leave=0.6)
        0.4
    """
    alone = (1.0 - theirs * (1.0 + cost) + their_cost) / (1.0 - mine * theirs)
    return min(1.0 - their_leave, max(alone, 1.0 - theirs * (1.0 - leave) + their_cost))


def steady(j: int, n: int, terms: Terms, leave: float, rules: Rubinstein) -> Talk:
    """Return what comes of talks over terms that stay; `leave` is the buyer's best option."""
    pie, range_ = terms.pie, terms.most - terms.least
    if pie <= 0.0:
        price = terms.within(terms.least)
        nothing_left = Prospect(terms.buyers(price), terms.sellers(price), Deal(j, n, price))
        return Talk(nothing_left, nothing_left)
    option, cost = min(leave / pie, 1.0), terms.delay / pie
    mine, theirs = rules.buyer_discount, rules.seller_discount
    buyer = proposers_share(mine, theirs, leave=option, cost=cost)
    seller = proposers_share(theirs, mine, their_leave=option, their_cost=cost)
    out = []
    for sellers_part in (1.0 - buyer, seller):
        price = terms.within(terms.least + sellers_part * range_)
        out.append(Prospect(terms.buyers(price), terms.sellers(price), Deal(j, n, price)))
    return Talk(*out)


def one_round(
    j: int, n: int, terms: Terms, later: Talk, elsewhere: float, turn: Prospect, rules: Rubinstein
) -> Talk:  # fmt: skip
    """Return what comes of one round, by who makes the offer, given what comes of the next.

    `later` is the next round with this seller, `turn` what comes of turning to the next seller,
    both as of the next round; `elsewhere` is what the buyer gains by leaving for good, now.
    """
    mine, theirs = rules.buyer_discount, rules.seller_discount
    # The buyer offers what the seller would get by waiting.
    stay = Prospect(
        mine * later.seller.buyer - terms.delay, theirs * later.seller.seller, later.seller.deal
    )
    price = terms.within(terms.least + stay.seller / terms.kept)
    buyer = stay if stay.buyer >= 0.0 else NOTHING
    if terms.pie >= 0.0 and terms.buyers(price) >= stay.buyer:
        buyer = Prospect(terms.buyers(price), terms.sellers(price), Deal(j, n, price))
    # The seller offers what the buyer would get by the best it can do instead.
    stay = Prospect(
        mine * later.buyer.buyer - terms.delay, theirs * later.buyer.seller, later.buyer.deal
    )
    turned = Prospect(mine * turn.buyer - terms.delay, 0.0, turn.deal)
    instead = max((Prospect(elsewhere, 0.0, None), turned, stay), key=lambda x: x.buyer)
    price = terms.within(terms.most - instead.buyer / terms.billed)
    seller = instead
    if terms.pie >= instead.buyer and terms.sellers(price) >= instead.seller:
        seller = Prospect(terms.buyers(price), terms.sellers(price), Deal(j, n, price))
    return Talk(buyer, seller)


def option_of(terms: Terms) -> float:
    """Return what a buyer gains by leaving for good: the posted price, or doing without."""
    return max(terms.buyers(terms.ceiling), 0.0)


def approach(terms: Terms | None, talk: Talk | None, turn: Prospect, nxt: Prospect,
             rules: Rubinstein, first: str) -> Prospect:  # fmt: skip
    """Return what comes of approaching a seller; `turn`, `nxt`: the next one, a round later or now.

    All know what there is to gain: a seller that cannot offer as much as the next one, a round
    later, is passed over at once.
    """
    if terms is None or talk is None:
        return nxt
    if terms.pie < max(rules.buyer_discount * turn.buyer - terms.delay, 0.0):
        return nxt
    return talk.buyer if first == "buyer" else talk.seller


def foresee(
    sellers: Sequence[TermsAt], rules: Rubinstein, first: str, changing: bool
) -> Deal | None:  # fmt: skip
    """Return the deal of the equilibrium, None where there is nothing to gain with anybody.

    Args:
        sellers: the terms of each, in the order in which the buyer approaches them.
        rules: discounts, and the last round if there is one.
        first: who makes the first offer to each seller, `buyer` or `seller`.
        changing: do terms change as time passes?

    Example:
        >>> fixed = Terms(most=1.0, least=0.2, billed=1.0, kept=1.0, posted=9.0)
        >>> deal = foresee([lambda n: fixed], Rubinstein(), "seller", changing=False)
        >>> deal.round, round(deal.price - (0.2 + 0.8 * 0.1 / 0.19), 12)
        (1, 0.0)
    """
    count = len(sellers)
    last = rules.rounds if rules.rounds is not None else (HORIZON if changing else 0)
    grid: list[list[Terms | None]] = [[] for _ in sellers]
    for n in range(1, last + 1):
        row = [terms(n) for terms in sellers]
        if all(t is None or t.pie < 0.0 for t in row):
            last = n - 1  # no more to gain, now or later
            break
        for j, terms in enumerate(row):
            grid[j].append(terms)
    else:
        if rules.rounds is None:
            ahead = _for_ever(
                [g[-1] if g else t(1) for g, t in zip(grid, sellers, strict=True)],
                last + 1, rules, first,
            )  # fmt: skip
            return _backwards(grid, last, ahead, rules, first)
    return _backwards(grid, last, ([None] * count, [NOTHING] * (count + 1)), rules, first)


def _for_ever(
    terms: Sequence[Terms | None], n: int, rules: Rubinstein, first: str
) -> tuple[list[Talk | None], list[Prospect]]:  # fmt: skip
    """Return talks and approaches, seller by seller, over terms that stay as they are."""
    talks: list[Talk | None] = [None] * len(terms)
    starts = [NOTHING] * (len(terms) + 1)
    for j in reversed(range(len(terms))):
        here, nxt = terms[j], starts[j + 1]
        if here is not None and here.pie >= 0.0:
            leave = max(option_of(here), rules.buyer_discount * nxt.buyer - here.delay)
            talks[j] = steady(j, n, here, leave, rules)
        starts[j] = approach(here, talks[j], nxt, nxt, rules, first)
    return talks, starts


def _backwards(
    grid: Sequence[Sequence[Terms | None]], last: int,
    ahead: tuple[list[Talk | None], list[Prospect]], rules: Rubinstein, first: str,
) -> Deal | None:  # fmt: skip
    """Return the deal by backward induction from what lies ahead of the last round."""
    talks, starts = ahead
    for n in range(last, 0, -1):
        before: list[Talk | None] = [None] * len(grid)
        now = [NOTHING] * (len(grid) + 1)
        for j in reversed(range(len(grid))):
            here, turn = grid[j][n - 1], starts[j + 1]
            if here is not None:
                later = talks[j] or Talk(NOTHING, NOTHING)
                before[j] = one_round(j, n, here, later, option_of(here), turn, rules)
            now[j] = approach(here, before[j], turn, now[j + 1], rules, first)
        talks, starts = before, now
    return starts[0].deal
