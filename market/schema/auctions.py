"""Auctions with sealed bids, as they stand in a spec: sellers bid, the buyer's call decides."""

from __future__ import annotations

from typing import Literal

from .bidding import Bidding, BidPrice
from .fields import Number, Seconds, Spec, field
from .supply import HIGHEST_PRICE, Seller
from .trading import DOUBLE


class _SealedBids(Spec):
    """What all auctions with sealed bids have in common."""

    bid: Bidding = field("cost", doc="how sellers bid that have no rule of their own")
    bid_time: Seconds = field(
        0.0, doc="time to make a bid for sellers that have none of their own; a bid is there after "
        "it and the network round trip", unit="s", ge=0,
    )  # fmt: skip
    call: Seconds | None = field(
        None, doc="deadline of the call for bids: what comes later does not count; the buyer "
        "decides when all have answered, at the latest then", unit="s", ge=0,
    )  # fmt: skip


class Procurement(_SealedBids):
    """Sealed bids for a task; the lowest that the buyer can accept wins, whatever its quality.

    A bid is acceptable if it is not above the reserve and leaves the buyer no worse off than its
    outside option. `first_price` pays the bid; `vickrey` the lowest acceptable bid of another
    owner, or what would just have been acceptable if that is less (Vickrey 1961; Myerson 1981 for
    reserves).
    """

    kind: Literal["first_price", "vickrey"] = "vickrey"
    reserve: Number | None = field(
        None, doc="highest price that a buyer accepts", unit="USD/task", ge=0, le=HIGHEST_PRICE
    )


class ScoringAuction(_SealedBids):
    """Reverse auction in which a buyer's score is its expected utility (Che 1993).

    Every owner enters its best-scoring offer: an effort, a price and, where it binds, a promised
    latency. `first_score` pays the winner its bid; `second_score` so much that its score equals
    the score to beat: that of the best other owner, the reserve, or the outside option.
    A buyer may announce another score, linear · W + quadratic · W² − price with W its expected
    utility before price: one that rewards quality less buys more cheaply (Che 1993, section 4).
    """

    kind: Literal["first_score", "second_score"] = "second_score"
    reserve: Number | None = field(
        None, doc="least score the buyer accepts, besides its outside option", unit="USD",
        ge=-1e9, le=1e9,
    )  # fmt: skip
    linear: Number = field(1.0, doc="weight of the expected utility before price in the announced "
                           "score", unit="ratio", ge=0, le=1000)  # fmt: skip
    quadratic: Number = field(0.0, doc="weight of its square", unit="1/USD", ge=-1e9, le=1e9)
    promise: Literal["posted", "bid"] = field(
        "posted",
        doc="latency promised: the seller's own `promise`, or one that it bids for each "
        "task, the best-scoring that its penalty allows",
    )


SealedBids = Procurement | ScoringAuction


def sealed(mechanism: object) -> SealedBids | None:
    """Return the mechanism if it is an auction with sealed bids."""
    return mechanism if isinstance(mechanism, Procurement | ScoringAuction) else None


def bidding_of(auction: SealedBids, seller: Seller) -> Bidding:
    """Return the rule by which a seller bids: its own, or that of the auction.

    Example:
        >>> bidding_of(ScoringAuction(bid="price"), Seller("one")).kind
        'price'
    """
    rule: Bidding = seller.bidding or auction.bid
    return rule


def answer_time(auction: SealedBids, seller: Seller) -> float:
    """Return how long after a call a seller's bid is there, seconds.

    Example:
        >>> answer_time(ScoringAuction(bid_time=0.1), Seller("one", network_time=0.2)) == 0.1 + 0.2
        True
    """
    own = auction.bid_time if seller.bid_time is None else seller.bid_time
    return own + seller.network_time


def bids_posted(mechanism: object, seller: Seller) -> bool:
    """Return whether what a seller asks is its posted price, and not made from its cost."""
    if isinstance(mechanism, DOUBLE):
        return False
    auction = sealed(mechanism)
    return auction is None or isinstance(bidding_of(auction, seller), BidPrice)
