"""What buyer and seller have at stake if they agree at one moment: two straight lines in the price.

With M = most the buyer would pay, L = least the seller would take, any price between them is
better for both than no agreement:

    buyer's gain   billed · (M − p),   M = what the answer is worth / billed
    seller's gain  kept · (p − L),     L = cost / kept,   kept = billed · (1 − commission)
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from ...market.messages import Ask, Quote


@dataclass(frozen=True)
class Terms:
    """An offer at one moment of the talks; prices in USD, shares of the price in expectation.

    Example:
        >>> t = Terms(most=1.0, least=0.25, billed=0.5, kept=0.5, posted=0.75)
        >>> t.ceiling, t.pie, t.buyers(0.5), t.sellers(0.5)
        (0.75, 0.375, 0.25, 0.125)
    """

    most: float
    """The price at which the buyer would as soon do without."""
    least: float
    """The price that just covers the seller's cost, expected penalties included."""
    billed: float
    """Share of the price that the buyer expects to pay, above 0."""
    kept: float
    """Share of the price that the seller expects to keep, above 0."""
    posted: float
    """The posted price of this task."""
    delay: float = 0.0
    """What the delay of one more round costs the buyer, USD."""

    @property
    def ceiling(self) -> float:
        """The price at which anybody may buy: the posted one, or cost if that is more."""
        return max(self.posted, self.least)

    @property
    def pie(self) -> float:
        """All there is to share, as the buyer would have it; below 0 nobody trades."""
        return self.buyers(self.least)

    def buyers(self, price: float) -> float:
        """Return what the buyer gains at a price."""
        return self.billed * (self.most - price)

    def sellers(self, price: float) -> float:
        """Return what the seller gains at a price."""
        return self.kept * (price - self.least)

    def within(self, price: float) -> float:
        """Return a price kept between cost and ceiling, where rounding has left them."""
        return min(max(price, self.least), self.ceiling)


def terms_of(
    ask: Ask, quote: Quote, seconds: float, round_time: float, commission: float
) -> Terms | None:
    """Return what is at stake if the two agree after so many seconds of talks.

    The cost of the time talked so far is lost with or without an agreement, so it is no part of
    the gain; that of one more round is told apart. A captive buyer, who may not do without, can pay
    the ceiling and no more. None where the seller keeps nothing of any price: then there is nothing
    to agree on.

    Example:
        >>> ask = Ask(1, "k", 0.0, 1.0, 1.0, value=1.0, loss=0.0, delay_cost=0.0, deadline=math.inf)
        >>> offer = ("s/x", "s", "s", "x")
        >>> quote = Quote(*offer, 0.9, 0.1, 0.0, 1.0, 1.0, 1.0, 1.0, worth=1.0, cost=0.2)
        >>> terms_of(ask, quote, 0.0, round_time=1.0, commission=0.5).least
        0.4
    """
    then = quote.after(seconds)
    kept = then.billed * (1.0 - commission)
    if kept <= 0.0:
        return None
    least = then.cost / kept
    if math.isinf(ask.outside):
        most = max(then.ask, least)
    else:
        most = (then.worth - (ask.outside - ask.delay_cost * seconds)) / then.billed
    return Terms(most, least, then.billed, kept, then.ask, ask.delay_cost * round_time)
