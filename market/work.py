"""The law of the work of a class at an offer, and what is left of a value when it is done.

With w the work in tokens, everything follows from F(x) = Pr(w ≤ x) and its integral
I(x) = E[max(x − w, 0)]: the chance to be on time is F, a linear fall of the value is a difference
of I, and the expected work of those on time is x·F − I. Both are closed forms for constant,
exponential and lognormal work and a table for the rest.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jit import compiled, inner
from .rules import HARD, LINEAR, lateness

WORK = np.dtype(
    [("kind", "i8"), ("shift", "f8"), ("a", "f8"), ("b", "f8"), ("row", "i8"),
     ("mean", "f8"), ("variance", "f8")], align=True,
)  # fmt: skip
"""Law of the work of a class at an offer, tokens: a shift plus one of the kinds below."""
FIXED, EXPONENTIAL, LOGNORMAL, TABLE = range(4)

SIZE_NODES = 32
_TAIL = 0.005 * 2.0 ** (-np.arange(60, 0, -1) / 3.0)
PROBABILITIES = np.concatenate(
    [[0.0], _TAIL, np.linspace(0.005, 0.995, 199), 1.0 - _TAIL[::-1], [1.0]]
)
"""Probabilities of tabulated quantiles: half a hundredth apart, and three to a halving in the
tails, so that heavy ones keep their mean."""
ROOT2 = math.sqrt(2.0)


@inner
def normal_below(z: float) -> float:
    """Return the standard normal distribution function."""
    return 0.5 * math.erfc(-z / ROOT2)


@compiled
def spare(law: Any, rows: NDArray[np.float64], work: float) -> tuple[float, float]:
    """Return (Pr(w ≤ x), E[max(x − w, 0)]) for x = `work` tokens under a `WORK` record.

    `rows` holds the tabulated laws, shape [laws, 3, points]: probabilities, quantiles, and the
    second result at those quantiles.
    """
    x = work - law["shift"]
    kind = law["kind"]
    if kind == FIXED:
        due = x >= -1e-12 * law["shift"]  # due to the last bit is in time
        return (1.0 if due else 0.0), (x if x > 0.0 else 0.0)
    if x <= 0.0:
        return 0.0, 0.0
    if kind == EXPONENTIAL:
        below = -math.expm1(-x / law["a"])
        return below, x - law["a"] * below
    if kind == LOGNORMAL:
        z = (math.log(x) - law["a"]) / law["b"]
        mean = law["mean"] - law["shift"]
        below = normal_below(z)
        area = x * below - mean * normal_below(z - law["b"])
        return below, (area if area > 0.0 else 0.0)
    return spare_of_table(rows, law["row"], x)


@inner
def spare_of_table(rows: NDArray[np.float64], row: int, x: float) -> tuple[float, float]:
    """Return `spare` of a tabulated law: uniform between one quantile and the next."""
    low, high = 0, rows.shape[2] - 1
    if x >= rows[row, 1, high]:
        return 1.0, rows[row, 2, high] + x - rows[row, 1, high]
    if x < rows[row, 1, 0]:
        return 0.0, 0.0
    while high - low > 1:
        middle = (low + high) >> 1
        if rows[row, 1, middle] <= x:
            low = middle
        else:
            high = middle
    past, step = x - rows[row, 1, low], rows[row, 1, high] - rows[row, 1, low]
    below = rows[row, 0, low]
    more = (rows[row, 0, high] - below) * past / step
    return below + more, rows[row, 2, low] + past * (below + 0.5 * more)


@inner
def left_of_value(
    rule: int, parameter: float, slack: float, rate: float, law: Any, rows: NDArray[np.float64],
    nodes: NDArray[np.float64],
) -> tuple[float, float, float, float, float]:  # fmt: skip
    """Return (E[δ], Pr(δ > 0), Pr(on time)) of a service that starts with `slack` seconds left.

    The last two results are the integrals of Pr(δ > 0) and Pr(on time) over slack, seconds. A
    linear fall is exact: E[δ] = ∫ Pr(on time | slack + y) dy / grace over 0 ≤ y ≤ grace. `nodes`,
    shape [SIZE_NODES], are the work as equally likely points; a half-life is averaged over them.
    """
    timely, area = spare(law, rows, slack * rate)
    area /= rate
    if rule == HARD:
        return timely, timely, timely, area, area
    if rule == LINEAR:
        used, wide = spare(law, rows, (slack + parameter) * rate)
        wide /= rate
        delta = (wide - area) / parameter
        return min(max(delta, timely), used), used, timely, wide, area
    if law["kind"] == FIXED:
        return lateness(rule, parameter, law["shift"] / rate - slack), 1.0, timely, slack, area
    total = 0.0
    for j in range(SIZE_NODES):
        total += lateness(rule, parameter, nodes[j] / rate - slack)
    return total / SIZE_NODES, 1.0, timely, slack, area


@inner
def work_on_time(law: Any, rows: NDArray[np.float64], work: float) -> float:
    """Return E[w·1{w ≤ x}] for x = `work` tokens: the work of those who are done in time."""
    below, area = spare(law, rows, work)
    return work * below - area
