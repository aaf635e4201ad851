"""Flows of tasks from buyers to offers, and all that holds where they are an equilibrium."""

from __future__ import annotations

from dataclasses import dataclass

from .choice import Choices, Cuts
from .population import Floats
from .setting import Flags

TINY = 1e-200
"""Tasks/s of an offer that nobody takes."""


@dataclass(frozen=True)
class Flows:
    """A selection equilibrium at one moment.

    Attributes:
        rates: arrivals of each class, tasks/s, shape [K].
        flow: tasks/s of each kind to each offer, shape [J, O].
        choices: what the buyers of each kind choose, over `on_show`.
        on_show: offers that each kind considers, shape [J, O].
        state: of the sellers, shape [S, W]; see `stations`.
        expected: what each kind can expect, shape [J, O, PARTS].
        iterations: steps taken.
        residual: largest difference between a flow and the choice it leads to, over all arrivals.
        converged: whether that is below the tolerance.
        saturated: sellers whose load has come to what they can serve, shape [S].
        toll: what buyers are charged beside prices, which nobody gets, USD, shape [J, O].
        faint: tastes lent to argmax buyers, USD; 0 where there are none.
        lent: whether they are lent to those, too, who differ along a law.
        cuts: how lines of values and delay costs are cut (`Response.cuts`).
        calm: whether delays hardly answer to flows, so that choices were followed as they are.
    """

    rates: Floats
    flow: Floats
    choices: list[Choices]
    on_show: Flags
    state: Floats
    expected: Floats
    iterations: int
    residual: float
    converged: bool
    saturated: Flags
    toll: Floats
    faint: float = 0.0
    lent: bool = False
    cuts: tuple[Cuts | None, ...] = ()
    calm: bool = False
