"""Undercut: one tick below the cheapest rival until it no longer pays, then back up.

The Edgeworth cycle of Maskin & Tirole (1988, part II): prices fall tick by tick, and near unit
cost somebody relents and starts the next round at the top.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np
from pydantic import StrictBool

from ...market.schema.fields import Number, Spec, field
from .view import Decision, Me, Rival


class Undercut(Spec):
    """Price one tick below the cheapest rival, never below unit cost; relent at the bottom.

    A rival prices in the same unit (both per token or both per task). With relenting, a price
    that would leave less than `floor` of mark-up jumps back to the top: the first price, or
    `top` times unit cost. Without, it stays at that floor. All effort levels are priced alike.

    Example:
        >>> Undercut(relent=False).floor
        0.0
    """

    strategy: ClassVar[str] = "undercut"
    relent: StrictBool = field(True, doc="go back to the top at the bottom of the cycle?")
    floor: Number = field(0.0, doc="least mark-up on unit cost before relenting", unit="ratio",
                          ge=0, le=1000)  # fmt: skip
    top: Number | None = field(
        None, doc="top of the cycle as a multiple of unit cost; the first price when absent",
        unit="ratio", gt=1,
    )  # fmt: skip

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> Decision:
        """Return the next price of the cycle; without a rival to undercut, prices stay."""
        posted = [r.price for r in rivals if r.by_token == me.by_token]
        if not posted:
            return Decision(me.prices)
        price = min(posted) - me.tick
        floor = me.unit_cost * (1.0 + self.floor)
        if price >= floor:
            return Decision(price)
        if not self.relent:
            return Decision(floor)
        top = me.first_price if self.top is None else self.top * me.unit_cost
        return Decision(max(top, floor))
