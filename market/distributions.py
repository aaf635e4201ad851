"""Laws of sizes, values, delays and deadlines: one schema, one compiled sampler.

A law is compiled to a row of `LAW` (kind and two numbers, or a row of the quantile table), so
the kernel samples every law with one function of a 64-bit key.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Annotated, Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field, model_validator

from .fields import Number, Spec, field, seconds
from .jit import compiled
from .rng import hash2, normal_quantile, uniform

CONSTANT, UNIFORM, EXPONENTIAL, LOGNORMAL, GAMMA, QUANTILES, TRACE = range(7)
_KINDS = {
    "constant": CONSTANT, "uniform": UNIFORM, "exponential": EXPONENTIAL,
    "lognormal": LOGNORMAL, "gamma": GAMMA, "quantiles": QUANTILES,
}  # fmt: skip

MOST = 1e12
"""Largest size, value or time of a law: beyond it squares and sums lose their digits."""

LAW = np.dtype([("kind", "i8"), ("a", "f8"), ("b", "f8"), ("row", "i8")], align=True)
"""A compiled law: kind, two parameters, row of the quantile table."""

_ZERO, _FIRST = np.uint64(0), np.uint64(1)


class Constant(Spec):
    """Always the same value; a plain number in a file means this."""

    kind: Literal["constant"] = "constant"
    value: Number = field(doc="the value", ge=0, le=MOST)

    @property
    def mean(self) -> float:
        """Mean, in the field's unit."""
        return self.value

    @property
    def variance(self) -> float:
        """Variance, in the field's unit squared."""
        return 0.0


class Uniform(Spec):
    """Uniform between two ends."""

    kind: Literal["uniform"] = "uniform"
    low: Number = field(doc="lower end", ge=0, le=MOST)
    high: Number = field(doc="upper end", ge=0, le=MOST)

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.high < self.low:
            raise ValueError(f"high {self.high:g} is below low {self.low:g}")
        return self

    @property
    def mean(self) -> float:
        """Mean, in the field's unit."""
        return (self.low + self.high) / 2

    @property
    def variance(self) -> float:
        """Variance, in the field's unit squared."""
        return (self.high - self.low) ** 2 / 12


class Exponential(Spec):
    """Exponential with a mean."""

    kind: Literal["exponential"] = "exponential"
    mean: Number = field(doc="mean", gt=0, le=MOST)

    @property
    def variance(self) -> float:
        """Variance, in the field's unit squared."""
        return self.mean**2


class LogNormal(Spec):
    """Lognormal given by its own mean and coefficient of variation (not those of the log)."""

    kind: Literal["lognormal"] = "lognormal"
    mean: Number = field(doc="mean", gt=0, le=MOST)
    cv: Number = field(doc="standard deviation over mean", unit="ratio", gt=0, le=50)

    @property
    def variance(self) -> float:
        """Variance, in the field's unit squared."""
        return (self.mean * self.cv) ** 2


class Gamma(Spec):
    """Gamma given by its mean and coefficient of variation (shape = 1/cv²)."""

    kind: Literal["gamma"] = "gamma"
    mean: Number = field(doc="mean", gt=0, le=MOST)
    cv: Number = field(doc="standard deviation over mean", unit="ratio", gt=0, le=50)

    @property
    def variance(self) -> float:
        """Variance, in the field's unit squared."""
        return (self.mean * self.cv) ** 2


class Quantiles(Spec):
    """Piecewise-linear quantile function, as read off a trace; the ends are the extremes."""

    kind: Literal["quantiles"] = "quantiles"
    probabilities: list[Number] = field(
        doc="probabilities, rising from 0 to 1", unit="probability", min_length=2, max_length=1000
    )
    values: list[Number] = field(
        doc="values at those probabilities, rising", min_length=2, max_length=1000
    )

    @model_validator(mode="after")
    def _rising(self) -> Self:
        p, x = self.probabilities, self.values
        if len(p) != len(x):
            raise ValueError(f"{len(p)} probabilities but {len(x)} values")
        if p[0] != 0 or p[-1] != 1 or any(b <= a for a, b in pairwise(p)):
            raise ValueError("probabilities must rise from 0 to 1")
        if x[-1] > MOST:
            raise ValueError(f"values must not exceed {MOST:g}")
        if x[0] < 0 or any(b < a for a, b in pairwise(x)):
            raise ValueError("values must not fall and not be negative")
        return self

    @property
    def mean(self) -> float:
        """Mean, in the field's unit."""
        return self._moment(1)

    @property
    def variance(self) -> float:
        """Variance, in the field's unit squared."""
        return max(self._moment(2) - self._moment(1) ** 2, 0.0)

    def _moment(self, order: int) -> float:
        total = 0.0
        points = list(zip(self.probabilities, self.values, strict=True))
        for (p0, x0), (p1, x1) in pairwise(points):
            mean_power = (x0 + x1) / 2 if order == 1 else (x0 * x0 + x0 * x1 + x1 * x1) / 3
            total += (p1 - p0) * mean_power
        return total


class Recorded(Spec):
    """The size that the replayed trace records for each task; the word "replay" means this."""

    kind: Literal["replay"] = "replay"


class ShareOfValue(Spec):
    """A delay cost in proportion to the task's own value."""

    kind: Literal["share_of_value"] = "share_of_value"
    per_second: Number = field(doc="share of the value lost per second", unit="1/s", ge=0)


class Never(Spec):
    """Nobody leaves the queue; the word "none" means this."""

    kind: Literal["none"] = "none"


class AtDeadline(Spec):
    """A waiting task leaves when its deadline has come; the word "deadline" means this."""

    kind: Literal["deadline"] = "deadline"


def _plain_number(value: object) -> object:
    """Let a bare number stand for a constant."""
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"kind": "constant", "value": value}
    return value


def _size_law(value: object) -> object:
    return {"kind": "replay"} if value == "replay" else _plain_number(value)


def _patience_law(value: object) -> object:
    return {"kind": value} if value in ("none", "deadline") else _duration_law(value)


def _duration_law(value: object) -> object:
    """Let "3 s" stand for a constant, and durations be written inside a law of time."""
    value = seconds(value)
    if isinstance(value, dict):
        return {
            k: seconds(v) if k in ("value", "mean", "low", "high") else v for k, v in value.items()
        }
    return _plain_number(value)


_Any = Constant | Uniform | Exponential | LogNormal | Gamma | Quantiles
_Tagged = Annotated[_Any, Field(discriminator="kind")]
Distribution = Annotated[_Tagged, BeforeValidator(_plain_number)]
"""Any law of a non-negative quantity; a bare number is a constant."""
Duration = Annotated[_Tagged, BeforeValidator(_duration_law)]
"""Any law of a time in seconds; "3 s" is a constant."""
SizeLaw = Annotated[
    Annotated[_Any | Recorded, Field(discriminator="kind")], BeforeValidator(_size_law)
]
"""Any law of a token count, or "replay"."""
DelayCost = Annotated[
    Annotated[_Any | ShareOfValue, Field(discriminator="kind")], BeforeValidator(_plain_number)
]
"""Any law of a cost per second, or a share of the task's value."""
Patience = Annotated[
    Annotated[_Any | Never | AtDeadline, Field(discriminator="kind")],
    BeforeValidator(_patience_law),
]
"""Any law of a time in seconds, "none" or "deadline"."""


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
        sigma2 = math.log1p(law.cv**2)
        return kind, math.log(law.mean) - sigma2 / 2, math.sqrt(sigma2), 0
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
