"""Fixed: the posted price stays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ...market.schema.fields import Number, Spec, field
from ...market.schema.supply import HIGHEST_PRICE
from .view import Decision, Me, Rival


class Fixed(Spec):
    """Keep the price it has, or set one and keep it.

    Example:
        >>> Fixed(price=2.0).price
        2.0
    """

    strategy: ClassVar[str] = "fixed"
    price: Number | None = field(
        None,
        doc="the price; the posted one when absent",
        unit="USD/Mtok or USD/task",
        ge=0,
        le=HIGHEST_PRICE,
    )

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> Decision:
        """Return the fixed price."""
        return Decision(me.prices if self.price is None else self.price)
