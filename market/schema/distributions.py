"""Laws of sizes, values, delays and deadlines, as they stand in a spec."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from .fields import Many, Number, Spec, field, seconds

MOST = 1e12
"""Largest size, value or time of a law: beyond it squares and sums lose their digits."""


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


class _Spread(Spec):
    """A law given by its own mean and coefficient of variation."""

    kind: str
    mean: Number = field(doc="mean", gt=0, le=MOST)
    cv: Number = field(doc="standard deviation over mean", unit="ratio", gt=0, le=50)

    @property
    def variance(self) -> float:
        """Variance, in the field's unit squared."""
        return (self.mean * self.cv) ** 2


class LogNormal(_Spread):
    """Lognormal given by its own mean and coefficient of variation (not those of the log)."""

    kind: Literal["lognormal"] = "lognormal"


class Gamma(_Spread):
    """Gamma given by its mean and coefficient of variation (shape = 1/cv²)."""

    kind: Literal["gamma"] = "gamma"


class Quantiles(Spec):
    """Piecewise-linear quantile function, as read off a trace; the ends are the extremes."""

    kind: Literal["quantiles"] = "quantiles"
    probabilities: Many[Number] = field(
        doc="probabilities, rising from 0 to 1", unit="probability", min_length=2, max_length=1000
    )
    values: Many[Number] = field(
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
    """The size or value that the replayed trace records for each task; "replay" means this."""

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
Factor = Annotated[
    Annotated[
        Constant | Uniform | Exponential | LogNormal | Quantiles, Field(discriminator="kind")
    ],
    BeforeValidator(_plain_number),
]
"""Any law that can be drawn by its quantiles; a bare number is a constant."""
Duration = Annotated[_Tagged, BeforeValidator(_duration_law)]
"""Any law of a time in seconds; "3 s" is a constant."""
SizeLaw = Annotated[
    Annotated[_Any | Recorded, Field(discriminator="kind")], BeforeValidator(_size_law)
]
"""Any law of a token count, or "replay"."""
ValueLaw = SizeLaw
"""Any law of a task's value, or "replay"."""
DelayCost = Annotated[
    Annotated[_Any | ShareOfValue, Field(discriminator="kind")], BeforeValidator(_plain_number)
]
"""Any law of a cost per second, or a share of the task's value."""
Patience = Annotated[
    Annotated[_Any | Never | AtDeadline, Field(discriminator="kind")],
    BeforeValidator(_patience_law),
]
"""Any law of a time in seconds, "none" or "deadline"."""
