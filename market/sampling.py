"""Draws from the laws of a spec: compiled rows, one sampler of a 64-bit key.

A law is compiled to a row of `LAW` (kind and two numbers, or a row of the quantile table), so
the kernel samples every law with one function.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .jit import compiled, inner
from .rng import hash2, normal_quantile, uniform
from .schema.distributions import Constant, Exponential, Gamma, LogNormal, Quantiles, Uniform

CONSTANT, UNIFORM, EXPONENTIAL, LOGNORMAL, GAMMA, QUANTILES, TRACE = range(7)
_KINDS = {
    "constant": CONSTANT, "uniform": UNIFORM, "exponential": EXPONENTIAL,
    "lognormal": LOGNORMAL, "gamma": GAMMA, "quantiles": QUANTILES,
}  # fmt: skip

LAW = np.dtype([("kind", "i8"), ("a", "f8"), ("b", "f8"), ("row", "i8")], align=True)
"""A compiled law: kind, two parameters, row of the quantile table."""

_ZERO, _FIRST = np.uint64(0), np.uint64(1)


def log_moments(mean: float, cv: float) -> tuple[float, float]:
    """Return mean and standard deviation of the logarithm of a lognormal law.

    Example:
        >>> log_moments(1.0, 0.0)
        (0.0, 0.0)
    """
    sigma2 = math.log1p(cv**2)
    return math.log(mean) - sigma2 / 2, math.sqrt(sigma2)


def law_row(law: Any, tables: list[Quantiles]) -> tuple[int, float, float, int]:
    """Compile a law to a `LAW` row; quantile laws are appended to `tables`.

    Example:
        >>> law_row(Exponential(mean=2.0), [])
        (2, 2.0, 0.0, 0)
    """
    kind = _KINDS[law.kind]
    if isinstance(law, Constant):
        return kind, law.value, 0.0, 0
    if isinstance(law, Uniform):
        return kind, law.low, law.high - law.low, 0
    if isinstance(law, Exponential):
        return kind, law.mean, 0.0, 0
    if isinstance(law, LogNormal):
        return kind, *log_moments(law.mean, law.cv), 0
    if isinstance(law, Gamma):
        return kind, 1 / law.cv**2, law.mean * law.cv**2, 0
    tables.append(law)
    return kind, 0.0, 0.0, len(tables) - 1


def quantile_table(tables: list[Quantiles]) -> NDArray[np.float64]:
    """Return the quantile laws as one array [law, (p, x), point]; short rows repeat their end."""
    width = max([len(t.values) for t in tables], default=2)
    out = np.ones((max(len(tables), 1), 2, width))
    for i, table in enumerate(tables):
        out[i, 0, : len(table.values)] = table.probabilities
        out[i, 1, :] = table.values[-1]
        out[i, 1, : len(table.values)] = table.values
    return out


@compiled
def interpolate(grid: NDArray[np.float64], values: NDArray[np.float64], x: float) -> float:
    """Return the piecewise-linear function through (grid, values) at x, flat outside the grid.

    Both arrays have shape [n]; the grid does not fall.
    """
    low, high = 0, len(grid) - 1
    if x <= grid[low]:
        return values[low]
    if x >= grid[high]:
        return values[high]
    while high - low > 1:
        middle = (low + high) >> 1
        if grid[middle] <= x:
            low = middle
        else:
            high = middle
    return values[low] + (values[high] - values[low]) * (x - grid[low]) / (grid[high] - grid[low])


@compiled
def gamma_draw(shape: float, key: np.uint64) -> float:
    """Return a standard gamma draw (Marsaglia & Tsang 2000), rejections keyed by a counter."""
    boost = 1.0
    counter = _ZERO
    if shape < 1.0:
        boost = math.exp(math.log(uniform(hash2(key, counter))) / shape)
        shape += 1.0
    d = shape - 1.0 / 3.0
    c = 1.0 / math.sqrt(9.0 * d)
    while True:
        counter += _FIRST
        x = normal_quantile(uniform(hash2(key, counter)))
        counter += _FIRST
        v = 1.0 + c * x
        if v <= 0.0:
            continue
        v = v * v * v
        u = uniform(hash2(key, counter))
        if math.log(u) < 0.5 * x * x + d - d * v + d * math.log(v):
            return boost * d * v


@compiled
def sample(law: Any, tables: NDArray[np.float64], key: np.uint64) -> float:
    """Return the draw of a compiled law (a `LAW` record) for one 64-bit key."""
    kind = law["kind"]
    a = law["a"]
    b = law["b"]
    if kind == CONSTANT:
        return a
    u = uniform(key)
    if kind == EXPONENTIAL:
        return -a * math.log(u)
    if kind == LOGNORMAL:
        return math.exp(a + b * normal_quantile(u))
    if kind == UNIFORM:
        return a + b * u
    if kind == GAMMA:
        return b * gamma_draw(a, key)
    row = law["row"]
    return interpolate(tables[row, 0], tables[row, 1], u)


@inner
def upper_quantile(law: Any, tables: NDArray[np.float64], tail: float) -> float:
    """Return the value that a law (not gamma) exceeds with probability `tail`, 0 < tail < 1.

    Unlike a draw of `sample`, it falls in its argument for every law.
    """
    kind, a, b = law["kind"], law["a"], law["b"]
    if kind == CONSTANT:
        return a
    if kind == EXPONENTIAL:
        return -a * math.log(tail)
    if kind == LOGNORMAL:
        return math.exp(a - b * normal_quantile(tail))
    if kind == UNIFORM:
        return a + b * (1.0 - tail)
    row = law["row"]
    return interpolate(tables[row, 0], tables[row, 1], 1.0 - tail)
