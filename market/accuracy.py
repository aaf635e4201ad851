"""How often a seller is right on a class of tasks: the accuracy rule averaged over difficulty."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy import optimize

from . import rules

_HERMITE = 64


@cache
def _hermite() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return np.polynomial.hermite.hermgauss(_HERMITE)


def class_accuracy(floor: float, ceiling: float, skill: float, mean: float, sd: float) -> float:
    """Return E over b ~ N(mean, sd) of the accuracy rule, by Gauss–Hermite quadrature.

    Example:
        >>> class_accuracy(0.0, 1.0, 0.0, 0.0, 2.0)
        0.5
    """
    if sd == 0.0:
        return rules.accuracy(floor, ceiling, skill, mean)
    points, weights = _hermite()
    values = [
        rules.accuracy(floor, ceiling, skill, mean + math.sqrt(2.0) * sd * float(x)) for x in points
    ]
    return float(np.dot(weights, values) / math.sqrt(math.pi))


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
