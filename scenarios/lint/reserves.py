"""Lint of reserves and announced scores: those that no bid meets, and those that never bind."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...market.schema.auctions import (
    Procurement,
    ScoringAuction,
    SealedBids,
    bidding_of,
    sealed,
)
from ...market.schema.bidding import BidPrice, Markup
from ...market.schema.demand import Argmax, TaskClass
from ...market.schema.distributions import MOST, Constant, Quantiles, Uniform
from ..terms import Term, Terms, announced, highest
from .rules import Found, Rule

_ROUNDING = 1e-9


def reserves_out_of_reach(terms: Terms) -> Found:
    """W266: reserve < lowest bid for a mean task, or (scores) > announced(a · max V) − that bid.

    By score only for buyers whose tastes are not drawn. The least price is cost · min θ /
    (1 − commission): refunds and penalties can only raise it.
    """
    auction = sealed(terms.market.mechanism)
    if auction is None or auction.reserve is None:
        return
    reserve = auction.reserve
    for task, bids in _bids(terms, auction):
        if isinstance(auction, Procurement):
            best, unit = min(bid for _, bid in bids), "USD a task"
            out = reserve < best * (1 - _ROUNDING)
            told = f"the lowest bid for a mean task of `{task.name}` is {best:.3g} USD"
        else:
            best, unit = _best_score(auction, bids), "USD"
            out = isinstance(task.choice, Argmax) and reserve > best
            out = out and (reserve > 0 or not task.outside_option)
            told = f"no bid for `{task.name}` can score more than {best:.3g} USD"
        if out:
            text = f"the reserve of {reserve:.3g} {unit} is out of reach: {told}"
            yield "W266", ("mechanism", "reserve"), text


def scores_below_nothing(terms: Terms) -> Found:
    """W268: announced(a · max V) < lowest bid, and doing without scores 0: nobody can win.

    Where the buyer announces another score than its utility (`linear`, `quadratic`).
    """
    auction = sealed(terms.market.mechanism)
    if not isinstance(auction, ScoringAuction) or _announces_truth(auction):
        return
    for task, bids in _bids(terms, auction):
        best = _best_score(auction, bids)
        if isinstance(task.choice, Argmax) and task.outside_option and best < 0:
            name = "linear" if auction.linear < 1 else "quadratic"
            text = (
                f"task class `{task.name}`: the announced score is {best:.3g} USD at most, and "
                f"doing without scores 0, so nobody sells; raise mechanism.{name}"
            )
            yield "W268", ("mechanism", name), text


def _bids(
    terms: Terms, auction: SealedBids
) -> Iterator[tuple[TaskClass, list[tuple[Term, float]]]]:
    """Yield each class with the lowest bid of every offer, where all are known."""
    quotes = terms.market.quotes
    if quotes.price == "exact" or quotes.accuracy == "rated":
        return  # then small tasks are bid for at less; ratings move
    for task in terms.market.tasks:
        bids = [(t, _least_bid(terms, auction, t)) for t in terms.of_class(task)]
        if bids and not any(math.isnan(bid) for _, bid in bids):
            yield task, bids


def _best_score(auction: ScoringAuction, bids: list[tuple[Term, float]]) -> float:
    """Return the most that any bid for a task can score, USD."""
    return max(
        announced(min(t.accuracy * highest(t.task.value), MOST), auction.linear, auction.quadratic)
        - bid
        for t, bid in bids
    )  # fmt: skip


def _announces_truth(auction: ScoringAuction) -> bool:
    return auction.linear == 1.0 and auction.quadratic == 0.0


def _least_bid(terms: Terms, auction: SealedBids, t: Term) -> float:
    """Return the lowest bid for a mean task at an offer, USD; NaN where it is not known.

    Prices may move, and of a price bid for a score part may come back.
    """
    rule = bidding_of(auction, t.seller)
    if isinstance(rule, BidPrice):
        owes = t.seller.refund_wrong or t.seller.refund_late or t.seller.penalty
        if isinstance(auction, ScoringAuction) and owes:
            return math.nan  # what a buyer gets back, the score does not lose
        moves = any(e.seller == t.seller.name for e in terms.market.events)
        return math.nan if moves or t.seller.pricing is not None else t.price
    law = t.seller.cost_factor
    mean = law.mean
    lowest = 0.0
    if isinstance(law, Constant):
        lowest = law.value
    elif isinstance(law, Uniform):
        lowest = law.low
    elif isinstance(law, Quantiles):
        lowest = law.values[0]
    least = t.cost * lowest / mean / (1.0 - terms.market.platform.commission) if mean else 0.0
    return least * (1.0 + rule.rate) if isinstance(rule, Markup) else least


def reserves_without_effect(terms: Terms) -> Found:
    """W267: (price) reserve ≥ a · max V + refunds of every class; (score) reserve < 0.

    Where every buyer may do without and no taste is drawn: it would pay no more, or do without,
    anyway.
    """
    market = terms.market
    auction = sealed(market.mechanism)
    if auction is None or auction.reserve is None:
        return
    if not all(t.outside_option and isinstance(t.choice, Argmax) for t in market.tasks):
        return
    if isinstance(auction, ScoringAuction):
        if auction.reserve < 0:
            text = (
                f"the reserve, a score of {auction.reserve:.3g} USD, changes nothing: buyers do "
                "without below 0 anyway"
            )
            yield "W267", ("mechanism", "reserve"), text
        return
    if market.quotes.accuracy == "rated":
        return
    if not terms.all or any(s.penalty or s.refund_late or s.refund_wrong for s in market.sellers):
        return
    most = max(t.accuracy * highest(t.task.value) for t in terms.all)
    if auction.reserve >= most:
        text = (
            f"the reserve of {auction.reserve:.3g} USD a task changes nothing: no buyer would pay "
            f"more than {most:.3g} USD anyway; is it meant per million tokens?"
        )
        yield "W267", ("mechanism", "reserve"), text


RESERVE_RULES: tuple[Rule, ...] = (
    reserves_out_of_reach, scores_below_nothing, reserves_without_effect,
)  # fmt: skip
