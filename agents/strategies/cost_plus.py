"""Cost-plus: a mark-up on unit cost (Hall & Hitch 1939)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from ...market.schema.fields import Number, Spec, field
from .view import Me, Rival


class CostPlus(Spec):
    """Price at unit cost times one plus the mark-up: p = c · (1 + m).

    Example:
        >>> CostPlus(markup=0.5).markup
        0.5
    """

    strategy: ClassVar[str] = "cost_plus"
    markup: Number = field(0.3, doc="mark-up on unit cost", unit="ratio", ge=0, le=1000)

    def __call__(self, me: Me, rivals: Sequence[Rival], rng: np.random.Generator) -> float:
        """Return unit cost with the mark-up."""
        return me.unit_cost * (1.0 + self.markup)
