"""How sellers bid in an auction with sealed bids, as it stands in a spec.

A bid is a price for a task at an offer: who bids names an effort and, where it binds, a latency.
`least` below is the price that just covers what a seller expects to pay: its marginal cost and
penalties over the share of the price that it expects to keep (`mechanisms.bidding.least_price`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field

from .fields import Number, Spec, Unlimited, Whole, field, word

_MOST_BIDDERS = 1000


class BidCost(Spec):
    """Truthful: the least price. Dominant where the runner-up sets the price (Vickrey 1961)."""

    kind: Literal["cost"] = "cost"


class BidPrice(Spec):
    """The posted price, so that a pricing strategy, or an experiment, can set the bid."""

    kind: Literal["price"] = "price"


class Markup(Spec):
    """A fixed mark-up on the least price: bid = least · (1 + rate)."""

    kind: Literal["markup"] = "markup"
    rate: Number = field(0.2, doc="mark-up on the least price", unit="ratio", ge=0, le=1000)


class Shading(Spec):
    """Equilibrium bids of a first-price format: what the best rival is expected to ask.

    Of `bidders` sellers alike, whose cost factors are drawn independently from the law of this
    one's `cost_factor`, each bids b(θ) = E[least(T) | T > θ], T the smallest factor of the others;
    with scores, so that the buyer is left with the expectation of the score that the best rival
    could offer (Krishna 2010, ch. 2; Che 1993, theorem 1). Where the runner-up sets the price it
    is the least price.
    """

    kind: Literal["equilibrium"] = "equilibrium"
    bidders: Whole = field(
        2, doc="bidders that a seller reckons with, itself included", unit="bidders", ge=2,
        le=_MOST_BIDDERS,
    )  # fmt: skip


class OpportunityCost(Spec):
    """The least price, with what a slot taken now is expected to cost in sales lost.

    With n of c slots taken, slots for which `load` Erlangs of tasks worth `margin` come at random
    and are lost when all are taken, one more costs margin · B(c, a)/B(n, a), B Erlang's loss
    formula (Ott & Krishnan 1992). With unlimited load it is the whole margin; a seller of
    unlimited slots has no such cost.
    """

    kind: Literal["opportunity"] = "opportunity"
    margin: Number = field(
        doc="profit of a task that would come later", unit="USD/task", ge=0, le=1e6
    )
    load: Unlimited = field(
        "unlimited", doc="work that would come at that margin, in slots kept busy", unit="Erlangs",
        gt=0,
    )  # fmt: skip


_Bidding = Annotated[
    BidCost | BidPrice | Markup | Shading | OpportunityCost, Field(discriminator="kind")
]
Bidding = Annotated[_Bidding, BeforeValidator(word)]
"""A bidding rule; a bare word stands for one with its defaults."""
