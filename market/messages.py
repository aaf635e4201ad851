"""What agents and the market tell each other: tasks and their outcomes, quotes and awards."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from .schema import fields
from .schema.distributions import MOST
from .schema.errors import shown
from .schema.fields import Number, Spec, Unlimited
from .schema.supply import HIGHEST_PRICE

LONGEST = 1e9
"""Longest time that an award may take, s: that of a run."""


class Changes(Spec):
    """What a process may set of a task it submits, in place of the class's own draws."""

    input: Number = fields.field(0.0, doc="tokens to read", unit="tokens", ge=0, le=MOST)
    output: Number = fields.field(0.0, doc="tokens of the answer", unit="tokens", ge=0, le=MOST)
    value: Number = fields.field(0.0, doc="worth of a right answer", unit="USD", ge=0, le=MOST)
    deadline: Unlimited = fields.field(
        "unlimited", doc="time after the submission when the answer is due", unit="s", ge=0
    )
    patience: Unlimited = fields.field(
        "unlimited", doc="how long it waits in a queue before it leaves", unit="s", ge=0
    )
    delay_cost: Number = fields.field(0.0, doc="cost of each second", unit="USD/s", ge=0, le=MOST)
    difficulty: Number = fields.field(0.0, doc="difficulty", unit="logits", ge=-50, le=50)


@dataclass(frozen=True)
class Task:
    """A task that a process submits: a class, and what differs from the class's own draws.

    Its id is a hash of (kind, parent, child), so other tasks' draws never change and no two
    tasks may have all three alike; `parent` and `child` are whole numbers from 0 to 2⁶⁴ − 1,
    `parent` the id of an earlier outcome. A child of a task that is to be the same question again
    takes the parent's sizes, value and difficulty with `same=True`, as drawn, not as changed; its
    taste and the correctness of its answer are its own.
    """

    kind: str
    child: int
    parent: int = 0
    same: bool = False
    offer: str | None = None
    changes: Mapping[str, float] = field(default_factory=dict)
    """Fields of `Changes` set directly: input, output (tokens), value (USD), deadline,
    patience (s), delay_cost (USD/s), difficulty (logits)."""


@dataclass(frozen=True)
class Outcome:
    """How a submitted task ended. Times in seconds, money in USD; NaN where not reached."""

    id: int
    status: str
    """served, balked, reneged or failed."""
    offer: str | None
    arrival: float
    answer: float
    sojourn: float
    wait: float
    right: bool
    late: bool
    paid: float
    surplus: float


@dataclass(frozen=True)
class Quote:
    """What a Python rule sees of one offer: the expectations of both sides, and what is asked.

    `ask`, `utility` (at that price, taste included), `worth` and `cost` in USD, `time` in seconds,
    the rest probabilities. At any price p the buyer expects utility worth − billed·p, the seller
    billed·p less commission and `cost`. A buyer's rule may use all but `cost`, which it would not
    know; a mechanism may use that too.

    Example:
        >>> quote = Quote("a/x", "a", "a", "x", 0.4, 0.5, 0.0, 1.0, 1.0, 1.0, 2.0, worth=0.9)
        >>> round(quote.at(0.3), 9)
        0.6
    """

    offer: str
    seller: str
    owner: str
    effort: str
    ask: float
    utility: float
    taste: float
    accuracy: float
    on_time: float
    served: float
    time: float
    worth: float = 0.0
    """Utility before any payment of the buyer's, USD; expected penalties of the seller's in it."""
    billed: float = 1.0
    """Share of the price that the buyer expects to pay: Pr(served), net of refunds."""
    cost: float = 0.0
    """What the seller expects it to cost, USD: Pr(served)·marginal cost, and penalties."""
    _later: Callable[[float], Quote] | None = field(default=None, repr=False, compare=False)

    def at(self, price: float) -> float:
        """Return the utility that the buyer expects at a price, USD."""
        return self.worth - self.billed * price

    def after(self, seconds: float) -> Quote:
        """Return what would be expected if the task joined the seller so much later.

        So much less is left of its deadline, and its delay has cost so much more; the queue is
        taken to be as it is now. For the rule that is being asked, while it is asked.

        Raises:
            ValueError: the quote was made by hand, or its rule has answered already.
        """
        if seconds == 0.0:
            return self
        if self._later is None:
            raise ValueError("only a quote that the market has made knows what comes later")
        return self._later(seconds)


@dataclass(frozen=True)
class Award:
    """A Python rule's decision: an offer and, unless it is the posted price, the price in USD.

    With `after` it is carried out so many seconds later; who has no offer (None) then does
    without.
    """

    offer: str | None
    price: float | None = None
    after: float = 0.0


@dataclass(frozen=True)
class Ask:
    """The task that a Python rule decides about. Times in s, sizes in tokens, money in USD."""

    id: int
    kind: str
    time: float
    input: float
    output: float
    value: float
    loss: float
    delay_cost: float
    deadline: float
    outside: float = 0.0
    """Utility of doing without now, its taste included; −∞ where the class may not (USD)."""


Rule = Callable[[Ask, list[Quote]], "Award | str | None"]
"""A mechanism or a buyer's choice in Python; with None the buyer does without."""


def awarded(answer: object, rule: Rule) -> Award | None:
    """Return what a Python rule answered as an award.

    Raises:
        ValueError: it is no award, no offer's name and not None, or its price is not usable.

    Example:
        >>> awarded("fast/default", lambda ask, quotes: "fast/default")
        Award(offer='fast/default', price=None, after=0.0)
    """
    who = f"the rule `{name_of(rule)}`"
    if answer is None:
        return None
    award = Award(answer) if isinstance(answer, str) else answer
    if not isinstance(award, Award) or not isinstance(award.offer, (str, type(None))):
        raise ValueError(
            f"{who} returned {shown(answer)}; it may return the name of an offer "
            "(quote.offer), walras.Award(offer, price), or None for no offer"
        )
    price: Any = award.price
    after: Any = award.after
    if isinstance(after, bool) or not isinstance(after, (int, float, np.number)):
        raise ValueError(f"{who} awarded after {shown(after)}; it must be a number, in seconds")
    if not 0 <= after <= LONGEST:
        raise ValueError(
            f"{who} awarded after {shown(after)}; it must be from 0 to {LONGEST:,.0f} s"
        )
    if price is None or award.offer is None:
        return award
    if isinstance(price, bool) or not isinstance(price, (int, float, np.number)):
        raise ValueError(f"{who} awarded the price {shown(price)}; it must be a number, in USD")
    if not 0 <= price <= HIGHEST_PRICE:
        raise ValueError(
            f"{who} awarded the price {shown(price)}; it must be from 0 to {HIGHEST_PRICE:,.0f} USD"
        )
    return award


def name_of(rule: Rule) -> str:
    """Return the name of a function, or the class of what is called like one."""
    return str(getattr(rule, "__name__", type(rule).__name__))
