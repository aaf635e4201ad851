"""Load-dependent pricing: dearer when busy, cheaper when idle.

A proportional controller on utilisation. A busy slot has an opportunity cost, which a price for
congestion passes on (Naor 1969; Mendelson & Whang 1990).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ...market.schema.fields import Number, Spec, field
from .view import Decision, Me, Rival


class LoadPricing(Spec):
    """Multiply the price by exp(gain · (load − target)) each period, between cost and a cap.

    Load is utilisation plus the waiting per slot, so that it goes on rising when all slots are
    taken.

    Example:
        >>> LoadPricing(target=0.6).gain
        0.5
    """

    strategy: ClassVar[str] = "load_pricing"
    target: Number = field(
        0.7, doc="load at which the price stays; above 1 tasks wait", unit="ratio", gt=0, le=10
    )
    gain: Number = field(0.5, doc="change of the logarithm of price per unit of load", unit="ratio",
                         gt=0, le=10)  # fmt: skip
    cap: Number = field(10.0, doc="highest price as a multiple of the first", unit="ratio", ge=1)

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> Decision:
        """Return each effort's price moved by the load; as it is where capacity has no limit."""
        if math.isinf(me.slots) or math.isnan(me.utilisation):
            return Decision(me.prices)
        load = me.utilisation + me.waiting / me.slots
        factor = math.exp(min(self.gain * (load - self.target), 5.0))
        highest = max(self.cap * me.first_price, me.unit_cost)
        return Decision({
            effort: min(max(price * factor, me.unit_cost), highest)
            for effort, price in me.prices.items()
        })  # fmt: skip
