"""What answers and delays are worth to the buyers of a class, as points on straight lines.

Where tastes are small beside the spread of values, choices turn over within a narrow band of values,
which moves with prices and delays. So the points are as close as tastes ask for, up to hundreds of
thousands, in sums that let stretches on which one offer is sure to be chosen be passed over at once
(`logit`). Of argmax buyers one law is left a law: they are integrated exactly along it (`envelope`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..schema.demand import TaskClass
from ..schema.distributions import Recorded, ShareOfValue
from .population import TIMES, Floats, strata

VALUES = 48
"""Fewest strata of a value or delay cost."""
_FINEST = 4096
"""Most points in the place of one of them."""
_EDGE = 0.002
"""Probability in either tail where points may lie further apart."""


@dataclass(frozen=True)
class Money:
    """Values and delay costs of a class's buyers.

    Attributes:
        value: USD for a right answer in time, shape [M].
        delay: delay cost, USD/s, shape [M].
        weights: their probabilities, shape [M].
        along: "value" or "delay" where argmax buyers are integrated exactly along that law, whose
            points then are its mean; else "".
        law: that law.
        shared: whether the delay cost is a share of the value.
        sums: the same buyers as finer points on R straight lines: cumulative sums along each of
            their probabilities, values and delay costs, shape [3, R, points + 1].
    """

    value: Floats
    delay: Floats
    weights: Floats
    along: str = ""
    law: Any = None
    shared: bool = False
    sums: Floats = field(default_factory=lambda: np.zeros((3, 1, 1)))


def money_of(
    task: TaskClass, *, argmax: bool, count: int = VALUES, width: float = math.inf,
    time: float = 0.0,
) -> Money:  # fmt: skip
    """Return values and delay costs of a class as points; a law is left a law of argmax buyers.

    Args:
        task: the class.
        argmax: whether its buyers have no tastes.
        count: fewest strata of a law.
        width: by how much utility may differ between neighbouring points, USD.
        time: longest time to an answer that is reckoned with, s.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> from walras.market.schema.distributions import Uniform
        >>> ask = TaskClass("chat", arrivals=Poisson(1.0), value=Uniform(low=0.0, high=1.0))
        >>> money_of(ask, argmax=False, width=0.001).sums.shape
        (3, 1, 1537)
    """
    cost, shared = task.delay_cost, isinstance(task.delay_cost, ShareOfValue)
    per = cost.per_second if isinstance(cost, ShareOfValue) else 0.0
    drawn = not isinstance(task.value, Recorded) and task.value.variance > 0.0
    varies = not isinstance(cost, ShareOfValue) and cost.variance > 0.0
    if argmax and (drawn or varies):
        along, law = ("value", task.value) if drawn else ("delay", cost)
        values = (np.array([law.mean]), np.ones(1)) if drawn else _values(task, count)
        delays = (np.zeros(1), np.ones(1)) if shared else strata(cost, count)
        if along == "delay":
            delays = np.array([law.mean]), np.ones(1)
        value, delay, weights = _product(values, delays)
        return Money(value, delay + per * value, weights, along, law, shared)
    values = _values(task, count)
    one = len(values[0]) == 1
    delays = (np.zeros(1), np.ones(1)) if shared else strata(cost, count if one else TIMES)
    coarse = _product(values, delays)
    if one and varies:  # along the delay cost
        delays = strata(cost, count * _finer(delays, width / max(time, 1e-300)))
        lines = [a[None, :] for a in _product(values, delays)]
    else:
        values = _values(task, count * _finer(values, width / max(1.0, per * time)))
        lines = [
            a.reshape(-1, len(delays[0])).T for a in _product(values, delays)
        ]
    value, delay, weights = lines
    parts = np.array([weights, weights * value, weights * (delay + per * value)])
    sums = np.concatenate([np.zeros((3, len(weights), 1)), np.cumsum(parts, axis=2)], axis=2)
    return Money(coarse[0], coarse[1] + per * coarse[0], coarse[2], shared=shared, sums=sums)


def _values(task: TaskClass, count: int) -> tuple[Floats, Floats]:
    """Return values and their probabilities, at most `count` of them."""
    if not isinstance(task.value, Recorded):
        return strata(task.value, count)
    parts = np.array_split(np.sort(np.array(task.arrivals.values)), count)  # type: ignore[union-attr]
    filled = [part for part in parts if len(part)]
    weights = np.array([float(len(part)) for part in filled])
    return np.array([part.mean() for part in filled]), weights / weights.sum()


def _product(values: tuple[Floats, Floats], delays: tuple[Floats, Floats]) -> list[Floats]:
    """Return values, delay costs and probabilities of all pairs, values running slowly."""
    value, delay = np.meshgrid(values[0], delays[0], indexing="ij")
    return [value.ravel(), delay.ravel(), np.outer(values[1], delays[1]).ravel()]


def _finer(points: tuple[Floats, Floats], width: float) -> int:
    """Return how many points must stand for one so that neighbours are `width` apart at most."""
    reached = np.cumsum(points[1])
    inside = (reached[:-1] > _EDGE) & (reached[:-1] < 1.0 - _EDGE)
    gap = float(np.diff(points[0])[inside].max(initial=0.0))
    return 2 ** math.ceil(math.log2(min(max(gap / width, 1.0), _FINEST)))
