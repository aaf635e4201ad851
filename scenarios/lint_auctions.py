"""Lint of auctions: prices nobody reads, bids for rivals who aren't there, calls and reserves."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

from ..market.schema.auctions import (
    Procurement,
    ScoringAuction,
    SealedBids,
    answer_time,
    bidding_of,
    bids_posted,
    sealed,
)
from ..market.schema.bidding import BidPrice, Markup, Shading
from ..market.schema.demand import Argmax, TaskClass
from ..market.schema.distributions import MOST, Constant, Quantiles, Uniform
from ..market.schema.entries import Path
from ..market.schema.market import Enter, Exit, PriceChange
from ..market.schema.supply import Seller
from ..market.schema.trading import DOUBLE
from .terms import Term, Terms, announced, highest, latest

_ROUNDING = 1e-9

Found = Iterator[tuple[str, Path, str]]


def unread_prices(terms: Terms) -> Found:
    """W261: a seller's price moves (strategy or event), and its bids are made from its cost.

    So in auctions unless it bids its posted price, and in double auctions always. Not where another
    seller's strategy, which may look at it, sets a bid.
    """
    market = terms.market
    read = [s for s in market.sellers if bids_posted(market.mechanism, s)]
    if any(s.pricing is not None for s in read) or len(read) == len(market.sellers):
        return
    double = isinstance(market.mechanism, DOUBLE)
    what = (
        "owners quote from their cost (`mechanism.sellers`)" if double
        else 'it bids from its cost; with `bidding = "price"` it bids its price'
    )  # fmt: skip
    for s, seller in enumerate(market.sellers):
        if seller.pricing is not None and seller not in read:
            text = f"seller `{seller.name}` has a pricing strategy, but nobody reads its price: "
            yield "W261", ("sellers", s, "pricing"), text + what
    blind = {s.name for s in market.sellers if s not in read}
    for i, event in enumerate(market.events):
        if isinstance(event, PriceChange) and event.seller in blind:
            text = f"seller `{event.seller}` changes its price, but nobody reads it: "
            yield "W261", ("events", i, "price"), text + what


# --- bids as in equilibrium ----------------------------------------------------------------------


def _shading(terms: Terms) -> Iterator[tuple[int, Seller, Shading]]:
    """Yield who bids as in equilibrium where the winner is paid its bid."""
    auction = sealed(terms.market.mechanism)
    if auction is None or auction.kind not in ("first_price", "first_score"):
        return
    for s, seller in enumerate(terms.market.sellers):
        rule = bidding_of(auction, seller)
        if isinstance(rule, Shading):
            yield s, seller, rule


def costs_known(terms: Terms) -> Found:
    """W262: b(θ) = E[least(T) | T > θ] with a cost factor of one value: T = θ, so b = least.

    Nothing is private then, and the winner earns nothing.
    """
    found = [(s, x) for s, x, _ in _shading(terms) if x.cost_factor.variance == 0.0]
    if found:
        s, seller = found[0]
        text = (
            f"seller `{seller.name}` bids as in equilibrium, but its cost_factor is always "
            f"{seller.cost_factor.mean:.4g}: it bids its least price and earns nothing; draw the "
            "factor from a law, or bid a markup"
        )
        yield "W262", ("sellers", s, "cost_factor"), text


def bidders_not_there(terms: Terms) -> Found:
    """W263: `bidders` is none of the numbers of owners that bid for the classes a seller serves.

    Those that answer in time and are shown. Not where sellers come and go.
    """
    market = terms.market
    auction = sealed(market.mechanism)
    moving = any(isinstance(e, Enter | Exit) for e in market.events)
    if auction is None or moving or any(s.enters > 0 for s in market.sellers):
        return
    for s, seller, rule in _shading(terms):
        counts = sorted({
            _bidders(terms, auction, t.task) for t in terms.of_seller(seller)
        })  # fmt: skip
        if counts and rule.bidders not in counts:
            told = " or ".join(map(str, counts[:4]))
            path: Path = ("sellers", s, "bidding") if seller.bidding else ("mechanism", "bid")
            text = (
                f"seller `{seller.name}` reckons with {rule.bidders} bidders, itself included, but "
                f"{told} {'bids' if counts == [1] else 'bid'} for the tasks it serves"
            )
            yield "W263", path, text
            if not seller.bidding:
                return  # the others bid by the same rule


def _bidders(terms: Terms, auction: SealedBids, task: TaskClass) -> int:
    """Return how many owners bid for a class."""
    heard = [t for t in terms.of_class(task) if _answers(auction, t.seller)]
    owners = len({t.seller.owned_by for t in heard})
    return owners if task.consideration is None else min(owners, task.consideration)


# --- calls ---------------------------------------------------------------------------------------


def _answers(auction: SealedBids, seller: Seller) -> bool:
    """Return whether a seller's bid is there before the call ends."""
    return auction.call is None or answer_time(auction, seller) <= auction.call


def _call(auction: SealedBids, sellers: list[Seller]) -> float:
    """Return how long a call to these sellers takes, s."""
    last = max((answer_time(auction, s) for s in sellers), default=0.0)
    return last if auction.call is None else min(last, auction.call)


def endless_calls(terms: Terms) -> Found:
    """W264: call + network + start-up + E[S] > max D (+ grace), or call ≥ max patience, of a class.

    With call = min(max (network + bid_time), deadline of the call). Not where W202 says so already,
    nor for half-lives, which leave a late answer some worth.
    """
    auction = sealed(terms.market.mechanism)
    if auction is None:
        return
    for k, task in enumerate(terms.market.tasks):
        mine = terms.of_class(task)
        call = _call(auction, [t.seller for t in mine])
        times = [
            t.latency for t in mine if math.isfinite(t.latency) and _answers(auction, t.seller)
        ]
        due = latest(task) if task.lateness.kind != "halflife" else math.inf
        stays = math.inf if task.patience.kind in ("none", "deadline") else highest(task.patience)
        if times and min(times) <= due < min(times) + call:
            text = (
                f"task class `{task.name}`: a call for bids takes {call:.4g} s and the fastest "
                f"offer {min(times):.4g} s, longer than the deadline of {due:.4g} s; make "
                "bid_time or mechanism.call shorter"
            )
            yield "W264", ("tasks", k, "deadline"), text
        elif mine and stays < call:
            text = (
                f"task class `{task.name}`: a call for bids takes {call:.4g} s, longer than anyone "
                f"waits ({stays:.4g} s); make bid_time or mechanism.call shorter"
            )
            yield "W264", ("tasks", k, "patience"), text


def silent_sellers(terms: Terms) -> Found:
    """W265: network + bid_time of a seller > deadline of the call: it never bids in time."""
    auction = sealed(terms.market.mechanism)
    if auction is None or auction.call is None:
        return
    late = [(s, x) for s, x in enumerate(terms.market.sellers) if not _answers(auction, x)]
    if len(late) == len(terms.market.sellers):
        soonest = min(answer_time(auction, seller) for _, seller in late)
        text = (
            f"the call ends after {auction.call:.4g} s, before the first bid is there at "
            f"{soonest:.4g} s (network and bid_time): nobody ever sells"
        )
        yield "W265", ("mechanism", "call"), text
        return
    for s, seller in late:
        text = (
            f"seller `{seller.name}` never sells: its bid is there after "
            f"{answer_time(auction, seller):.4g} s, the call ends after {auction.call:.4g} s, and "
            "buyers wait for it until then"
        )
        yield "W265", ("sellers", s), text


# --- reserves ------------------------------------------------------------------------------------


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
    if terms.market.quotes.price == "exact":
        return  # then small tasks are bid for at less
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
    """Return the lowest bid for a mean task at an offer, USD; NaN where its price moves."""
    rule = bidding_of(auction, t.seller)
    if isinstance(rule, BidPrice):
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
    if not terms.all or any(s.penalty or s.refund_late or s.refund_wrong for s in market.sellers):
        return
    most = max(t.accuracy * highest(t.task.value) for t in terms.all)
    if auction.reserve >= most:
        text = (
            f"the reserve of {auction.reserve:.3g} USD a task changes nothing: no buyer would pay "
            f"more than {most:.3g} USD anyway; is it meant per million tokens?"
        )
        yield "W267", ("mechanism", "reserve"), text


AUCTION_RULES: tuple[Callable[[Terms], Found], ...] = (
    unread_prices, costs_known, bidders_not_there, endless_calls, silent_sellers,
    reserves_out_of_reach, reserves_without_effect, scores_below_nothing,
)  # fmt: skip
