"""What answers and delays are worth to the buyers of a class, as points on straight lines.

Where tastes are small beside the spread of values, choices turn over within a narrow band of
values, which moves with prices and delays. So the points are as close as tastes ask for, up to
hundreds of thousands, in cumulative sums, which make one point of any stretch at once (`logit`). Of
argmax buyers one law is left a law: they are integrated exactly along it (`envelope`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..schema.demand import TaskClass
from ..schema.distributions import Recorded, ShareOfValue
from .population import TIMES, Floats, strata

VALUES = 48
"""Fewest strata of a value or delay cost."""
_FINEST, _WITHOUT_TASTES = 4096, 256
"""Most points in the place of one of them, and how many of argmax buyers, should tastes be lent."""
_EDGE = 0.002
"""Probability in either tail where points may lie further apart."""


@dataclass(frozen=True)
class Money:
    """Values and delay costs of a class's buyers.

    Attributes:
        value: USD for a right answer in time, shape [M].
        delay: delay cost, USD/s, shape [M].
        weights: their probabilities, shape [M].
        sums: the same buyers as finer points on R straight lines: cumulative sums along each of
            their probabilities, values and delay costs, shape [R, 3, points + 1].
        gap: by how much utility may differ between neighbours on a line, USD.
        strata: equal numbers of points on a line that are looked at apart in any case.
        along: "value" or "delay" where argmax buyers are integrated exactly along that law, of
            which `value`, `delay` then have the mean; else "".
        law: that law.
        shared: whether the delay cost is a share of the value.
    """

    value: Floats
    delay: Floats
    weights: Floats
    sums: Floats
    gap: float = 0.0
    strata: int = 1
    along: str = ""
    law: Any = None
    shared: bool = False

    @classmethod
    def of_one(cls, value: float, delay: float, **law: Any) -> Money:
        """Return buyers who are all alike, or but for a law."""
        sums = np.array([[[0.0, 1.0], [0.0, value], [0.0, delay]]])
        return cls(np.array([value]), np.array([delay]), np.ones(1), sums, **law)


def money_of(
    task: TaskClass, *, argmax: bool, count: int = VALUES, width: float = math.inf,
    time: float = 1.0,
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
        (1, 3, 1537)
    """
    cost, shared = task.delay_cost, isinstance(task.delay_cost, ShareOfValue)
    per = cost.per_second if isinstance(cost, ShareOfValue) else 0.0
    values = _values(task, count)
    one = len(values[0]) == 1
    delays = (np.zeros(1), np.ones(1)) if shared else strata(cost, count if one else TIMES)
    worth = time if one else max(1.0, per * time)  # of a unit of what runs along the lines
    gap = worth * _gap(delays if one else values)
    along = ""
    if argmax:
        drawn = not one and not isinstance(task.value, Recorded)
        along = "value" if drawn else ("delay" if len(delays[0]) > 1 else "")
        width = gap / _WITHOUT_TASTES if along else math.inf
    finer = 2 ** math.ceil(math.log2(min(max(gap / width, 1.0), _FINEST)))
    if one:
        lines = _product(values, delays if shared else strata(cost, count * finer))
    else:
        lines = [x.T for x in _product(_values(task, count * finer), delays)]
    value, delay, weights = lines
    parts = np.stack([weights, weights * value, weights * (delay + per * value)], axis=1)
    sums = np.pad(np.cumsum(parts, axis=2), ((0, 0), (0, 0), (1, 0)))
    law: Any = {"value": task.value, "delay": cost}.get(along)
    if along == "value":
        values = np.array([law.mean]), np.ones(1)
        delays = (np.zeros(1), np.ones(1)) if shared else strata(cost, count)
    elif along == "delay":
        delays = np.array([law.mean]), np.ones(1)
    lengths = max((sums.shape[2] - 1) // finer, 1)
    if along:
        value, delay, weights = (x.ravel() for x in _product(values, delays))
        delay = delay + per * value
    else:
        value, delay, weights = _coarse(sums, lengths, finer)
    return Money(value, delay, weights, sums, gap / finer, lengths, along, law, shared)


def _coarse(sums: Floats, lengths: int, finer: int) -> tuple[Floats, Floats, Floats]:
    """Return one buyer per stratum, and several of the last, to which the most eager belong.

    Dear sellers live by those: each next part of it is rarer by √2.

    Args:
        sums: of the lines, shape [R, 3, points + 1].
        lengths: strata on a line.
        finer: points in a stratum.
    """
    points = lengths * finer
    tail = points - np.ceil(finer * 0.5 ** (np.arange(2 * finer.bit_length()) / 2)).astype(int)
    edges = np.unique(np.concatenate([np.arange(0, points, finer), tail, [points]]))
    parts = np.diff(sums[:, :, edges], axis=2)
    weights, value, delay = (parts[:, i].ravel() for i in range(3))
    return value / weights, delay / weights, weights


def _values(task: TaskClass, count: int) -> tuple[Floats, Floats]:
    """Return values and their probabilities, at most `count` of them."""
    if not isinstance(task.value, Recorded):
        return strata(task.value, count)
    parts = np.array_split(np.sort(np.array(task.arrivals.values)), count)  # type: ignore[union-attr]
    filled = [part for part in parts if len(part)]
    weights = np.array([float(len(part)) for part in filled])
    return np.array([part.mean() for part in filled]), weights / weights.sum()


def _product(values: tuple[Floats, Floats], delays: tuple[Floats, Floats]) -> list[Floats]:
    """Return values, delay costs and probabilities of all pairs, shape [values, delay costs]."""
    value, delay = np.meshgrid(values[0], delays[0], indexing="ij")
    return [value, delay, np.outer(values[1], delays[1])]


def _gap(points: tuple[Floats, Floats]) -> float:
    """Return how far points lie apart at most, but for those of the outermost tails."""
    reached = np.cumsum(points[1])
    inside = (reached[:-1] > _EDGE) & (reached[:-1] < 1.0 - _EDGE)
    return float(np.diff(points[0])[inside].max(initial=0.0))
