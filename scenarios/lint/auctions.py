"""Lint of auctions: prices nobody reads, bids for rivals who aren't there, calls in vain."""

from __future__ import annotations

import math
from collections.abc import Iterator

from ...market.schema.auctions import (
    SealedBids,
    answer_time,
    bidding_of,
    bids_posted,
    sealed,
)
from ...market.schema.bidding import Shading
from ...market.schema.demand import TaskClass
from ...market.schema.entries import Path
from ...market.schema.market import Enter, Exit, PriceChange
from ...market.schema.supply import Seller
from ...market.schema.trading import DOUBLE
from ..terms import Terms, highest, latest
from .rules import Found, Rule


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
    """W264: call + network + start-up + E[S] > max D (+ grace), or call > max patience, of a class.

    With call = min(max (network + bid_time), deadline of the call); of a D without bound its mean
    stands for max D. Not where W202 says so already, nor for half-lives, which leave a late answer
    some worth.
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


def idle_promises(terms: Terms) -> Found:
    """W269: penalty = 0 in an auction with promised quotes: nobody believes what costs nothing.

    Buyers then go by the seller's queue as they see it, whatever it promises or bids.
    """
    market = terms.market
    if sealed(market.mechanism) is None or market.quotes.latency != "promised":
        return
    for s, seller in enumerate(market.sellers):
        if seller.penalty == 0:
            text = (
                f"seller `{seller.name}`: in an auction buyers don't believe a promise that costs "
                "nothing to break, and go by its queue; give it a `penalty`"
            )
            yield "W269", ("sellers", s, "penalty"), text


AUCTION_RULES: tuple[Rule, ...] = (
    unread_prices, costs_known, bidders_not_there, endless_calls, silent_sellers,
    idle_promises,
)  # fmt: skip
