"""What is known of one task that is followed through a market, and how its numbers are written."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from ..agents.negotiation import Talk
from ..market.messages import Quote

_DIGITS = 6  # significant: what lies beyond may differ between machines
_ALIKE = 1e-9  # two utilities this near, relative to their size, are the same


@dataclass
class Story:
    """What is known of one task: its row, when it was decided, and what its buyer then saw."""

    row: Any
    decided: float
    quotes: list[Quote] = field(default_factory=list)
    """In the order of the list; where looking costs, scores are without the buyer's taste."""
    sealed: bool = False
    outside: float = -math.inf
    talks: Sequence[Talk] = ()
    holds: str = ""
    """The contract of the task's customer, and the tokens of its quota that are left."""
    left: float = 0.0
    listed: int = 0
    """How many offers are on the market, where a buyer is shown fewer."""
    fees: list[float] = field(default_factory=list)
    """What a sale costs each offer in advertising, USD."""
    ratings: list[float] = field(default_factory=list)
    """Of each offer, where the list is ordered by them."""
    reservations: list[float] = field(default_factory=list)
    """Of each offer, where looking costs: it is looked at if the best found is less (USD)."""
    order: list[int] = field(default_factory=list)
    """Where looking costs: places of the offers in the order in which they would be looked at."""
    looks: int = 0
    """How many of them were."""

    @property
    def lost(self) -> float:
        """What the time of the call has cost the buyer, USD."""
        return float(self.row["delay_cost"]) * (self.decided - float(self.row["arrival"]))

    @property
    def best_found(self) -> float:
        """The most that what was looked at is worth to the buyer, its taste included, USD."""
        seen = (self.quotes[place] for place in self.order[: self.looks])
        return max((q.utility + q.taste for q in seen), default=-math.inf)


def alike(a: float, b: float | None) -> bool:
    """Return whether two utilities are the same but for rounding.

    Example:
        >>> alike(0.1 + 0.2, 0.3), alike(0.3, None), alike(0.3, 0.31)
        (True, False, False)
    """
    return b is not None and math.isfinite(b) and abs(a - b) <= _ALIKE * max(abs(a), abs(b), 1e-6)


def exact(nano: int) -> str:
    """Return whole nano-dollars as USD, exactly.

    Example:
        >>> exact(1_500_000_000), exact(-20), exact(0)
        ('1.5', '−0.00000002', '0')
    """
    sign, nano = ("−" if nano < 0 else ""), abs(nano)
    text = f"{nano // 10**9}.{nano % 10**9:09}".rstrip("0").rstrip(".")
    return f"{sign}{text}"


def short(x: Any) -> str:
    """Return a number with few enough digits to be the same on every machine.

    Example:
        >>> short(1 / 3), short(2.0), short(-1e-17)
        ('0.333333', '2', '0')
    """
    x = float(x)
    if abs(x) < 1e-12:
        return "0"
    return f"{x:.{_DIGITS}g}".replace("-", "−") if math.isfinite(x) else "never"
