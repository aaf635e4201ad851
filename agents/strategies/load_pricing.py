"""Load-dependent pricing: dearer when busy, cheaper when idle.

A proportional controller on utilisation. A busy slot has an opportunity cost, which a price for
congestion passes on (Naor 1969; Mendelson & Whang 1990).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ...market.fields import Number, Spec, field
from .view import Me, Rival


class LoadPricing(Spec):
    """Multiply the price by exp(gain · (load − target)) each period, between cost and a cap.

    Load is utilisation plus the waiting per slot, so that it goes on rising when all slots are
    taken.

    Example:
        >>> LoadPricing(target=0.6).gain
        0.5
    """

    strategy: ClassVar[str] = "load_pricing"
    target: Number = field(0.7, doc="load at which the price stays", unit="ratio", gt=0, le=10)
    gain: Number = field(0.5, doc="change of the logarithm of price per unit of load", unit="ratio",
                         gt=0, le=10)  # fmt: skip
    cap: Number = field(10.0, doc="highest price as a multiple of the first", unit="ratio", ge=1)

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> float:
        """Return the price moved by the load; unchanged where capacity has no limit."""
        if math.isinf(me.slots) or math.isnan(me.utilisation):
            return me.price
        load = me.utilisation + me.waiting / me.slots
        price = me.price * math.exp(min(self.gain * (load - self.target), 5.0))
        return min(max(price, me.unit_cost), max(self.cap * me.first_price, me.unit_cost))
