"""How often a seller is right on a class of tasks: the accuracy rule averaged over difficulty."""

from __future__ import annotations

import math
from functools import cache, lru_cache

from scipy import optimize

from . import rules

_REACH = 8.5
"""Standard deviations on either side of the mean beyond which 2e-17 of all tasks lie."""


@cache
def _grid(sd: float) -> list[tuple[float, float]]:
    """Return (difficulty less its mean, weight) at even steps across a normal law.

    The trapezoid rule errs by e^(−2π·width/step), width the distance of the integrand from its
    nearest pole (π/sd for the logistic): the step makes that 1e-15 for every sd.
    """
    steps = math.ceil(2.0 * _REACH / min(0.5, 0.55 / sd))
    z = [(2.0 * i / steps - 1.0) * _REACH for i in range(steps + 1)]
    weights = [math.exp(-0.5 * x * x) for x in z]
    total = math.fsum(weights)
    return [(sd * x, weight / total) for x, weight in zip(z, weights, strict=True)]


@lru_cache(maxsize=1 << 14)
def class_accuracy(floor: float, ceiling: float, skill: float, mean: float, sd: float) -> float:
    """Return E over b ~ N(mean, sd) of the accuracy rule, to 1e-14.

    Example:
        >>> round(class_accuracy(0.0, 1.0, 0.0, 0.0, 2.0), 14)
        0.5
    """
    if sd == 0.0:
        return rules.accuracy(floor, ceiling, skill, mean)
    return math.fsum(
        weight * rules.accuracy(floor, ceiling, skill, mean + b) for b, weight in _grid(sd)
    )


@lru_cache(maxsize=1 << 14)
def ability_for(accuracy: float, mean: float, sd: float) -> float:
    """Return the ability (logits) at which a class of this difficulty is right that often.

    Example:
        >>> round(class_accuracy(0.0, 1.0, ability_for(0.8, 1.0, 1.5), 1.0, 1.5), 9)
        0.8
    """
    if accuracy in (0.0, 1.0):
        return math.inf if accuracy == 1.0 else -math.inf
    reach = abs(mean) + 10.0 * sd + 750.0
    return float(
        optimize.brentq(
            lambda x: class_accuracy(0.0, 1.0, x, mean, sd) - accuracy, -reach, reach, xtol=1e-12
        )
    )
