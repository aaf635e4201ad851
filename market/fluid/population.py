"""Who comes, as a few points: strata of laws, kinds of tasks, rates of arrival over time.

A *kind* is a class with one deadline and one patience; its buyers differ in value and delay cost
only, in which utility is linear. The points keep the mean of every law.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ..sampling import log_moments
from ..schema.arrivals import MMPP, Diurnal
from ..schema.demand import TaskClass
from ..schema.distributions import (
    AtDeadline,
    Exponential,
    Gamma,
    LogNormal,
    Never,
    Uniform,
)

Floats = NDArray[np.float64]
TIMES, PHASES = 12, 6
"""Strata of a deadline or patience, and of a day."""
MOMENTS = 64
"""Most combinations of phases at which varying demand is taken."""


def strata(law: Any, count: int) -> tuple[Floats, Floats]:
    """Return (points, weights) of a law, shape [n]: means of strata, finer in both tails.

    The strata end at v²(3 − 2v) for equal steps of v. Means of all but quantile laws are exact.

    Example:
        >>> points, weights = strata(Exponential(mean=3.0), 4)
        >>> round(float(points @ weights), 12), len(points)
        (3.0, 4)
    """
    if law.variance == 0.0:
        return np.array([law.mean]), np.ones(1)
    v = np.linspace(0.0, 1.0, count + 1)
    cuts = v * v * (3.0 - 2.0 * v)
    weights = np.diff(cuts)
    return np.diff(lower_mean(law, cuts)) / weights, weights


def lower_mean(law: Any, p: Floats) -> Floats:
    """Return ∫₀ᵖ of a law's quantiles, its mean at p = 1, for probabilities of shape [n].

    Example:
        >>> lower_mean(Uniform(low=0.0, high=2.0), np.array([0.0, 0.5, 1.0])).tolist()
        [0.0, 0.25, 1.0]
    """
    if isinstance(law, Uniform):
        return np.asarray(p * (law.low + 0.5 * p * (law.high - law.low)))
    if isinstance(law, Exponential):
        return np.asarray(law.mean * (p + special.xlog1py(1.0 - p, -p)))
    if isinstance(law, LogNormal):
        spread = log_moments(law.mean, law.cv)[1]
        return np.asarray(law.mean * special.ndtr(special.ndtri(p) - spread))
    if isinstance(law, Gamma):
        shape = 1.0 / law.cv**2
        ends = np.where(p < 1.0, special.gammaincinv(shape, np.minimum(p, 1.0 - 1e-16)), np.inf)
        return np.asarray(law.mean * special.gammainc(shape + 1.0, ends))
    known, values = np.array(law.probabilities), np.array(law.values)
    steps = np.diff(known) * (values[1:] + values[:-1]) / 2.0
    sums = np.concatenate([[0.0], np.cumsum(steps)])
    at = np.clip(np.searchsorted(known, p, side="right") - 1, 0, len(steps) - 1)
    rest = p - known[at]
    slope = np.diff(values)[at] / np.diff(known)[at]
    return np.asarray(sums[at] + rest * (values[at] + 0.5 * rest * slope))


def below(law: Any, x: float) -> tuple[float, float, float]:
    """Return (Pr(X ≤ x), E[X·1{X ≤ x}], density at x) of a continuous law.

    Example:
        >>> below(Uniform(low=0.0, high=2.0), 1.0)
        (0.5, 0.25, 0.5)
    """
    if x <= 0.0:
        return 0.0, 0.0, 0.0
    if math.isinf(x):
        return 1.0, law.mean, 0.0
    if isinstance(law, Uniform):
        wide, at = law.high - law.low, min(max(x, law.low), law.high)
        inside = 1.0 / wide if law.low <= x <= law.high else 0.0
        return (at - law.low) / wide, (at * at - law.low**2) / (2.0 * wide), inside
    if isinstance(law, Exponential):
        left = math.exp(-x / law.mean)
        return 1.0 - left, law.mean - (x + law.mean) * left, left / law.mean
    if isinstance(law, LogNormal):
        middle, spread = log_moments(law.mean, law.cv)
        z = (math.log(x) - middle) / spread
        density = math.exp(-0.5 * z * z) / (x * spread * math.sqrt(2.0 * math.pi))
        return float(special.ndtr(z)), law.mean * float(special.ndtr(z - spread)), density
    if isinstance(law, Gamma):
        shape, scale = 1.0 / law.cv**2, law.mean * law.cv**2
        y = x / scale
        density = math.exp((shape - 1.0) * math.log(y) - y - math.lgamma(shape)) / scale
        part = law.mean * float(special.gammainc(shape + 1.0, y))
        return float(special.gammainc(shape, y)), part, density
    return _below_quantiles(np.array(law.probabilities), np.array(law.values), x)


def _below_quantiles(p: Floats, values: Floats, x: float) -> tuple[float, float, float]:
    """Return `below` of a law that is uniform between its quantiles."""
    if x >= values[-1]:
        return 1.0, float((np.diff(p) * (values[1:] + values[:-1])).sum() / 2.0), 0.0
    if x < values[0]:
        return 0.0, 0.0, 0.0
    i = int(np.searchsorted(values, x, side="right")) - 1
    step = values[i + 1] - values[i]
    more = (p[i + 1] - p[i]) * (x - values[i]) / step
    whole = float((np.diff(p)[:i] * (values[1:] + values[:-1])[:i]).sum() / 2.0)
    part = whole + more * 0.5 * (values[i] + x)
    return float(p[i] + more), float(part), float((p[i + 1] - p[i]) / step)


def times_of(task: TaskClass, count: int = TIMES) -> Iterator[tuple[float, float, float]]:
    """Yield (deadline, patience, probability) of a class's kinds, seconds; inf where there is none.

    Example:
        >>> from walras.market.schema.arrivals import Poisson
        >>> list(times_of(TaskClass("chat", arrivals=Poisson(1.0), deadline="3 s")))
        [(3.0, inf, 1.0)]
    """
    never = np.array([math.inf]), np.ones(1)
    due = never if task.deadline is None else strata(task.deadline, count)
    stays = isinstance(task.patience, (Never, AtDeadline))
    own = never if stays else strata(task.patience, count)
    for (d, p), (e, q) in product(zip(*due, strict=True), zip(*own, strict=True)):
        patience = d if isinstance(task.patience, AtDeadline) else e
        yield float(d), float(patience), float(p * q)


def moments_of(tasks: Sequence[TaskClass], phases: int = PHASES) -> list[tuple[float, Floats]]:
    """Return (weight, arrivals/s by class [K]) of the moments at which demand is taken, pointwise.

    A day is cut into equal parts, an MMPP into its phases by the share of time each lasts; what
    varies independently is combined. Where that makes more than `MOMENTS` of them the mean rates
    stand for all, as they do for traces and batches.
    """
    means = np.array([task.arrivals.mean_rate for task in tasks])
    periods = sorted({t.arrivals.period for t in tasks if isinstance(t.arrivals, Diurnal)})
    clocks = [[(1.0 / phases, (i + 0.5) / phases) for i in range(phases)] for _ in periods]
    bursts = [k for k, task in enumerate(tasks) if isinstance(task.arrivals, MMPP)]
    states = [_shares(tasks[k].arrivals) for k in bursts]
    if math.prod(len(axis) for axis in [*clocks, *states]) > MOMENTS:
        return [(1.0, means)]
    found = []
    for at in product(*clocks, *states):
        weight, rates = math.prod(w for w, _ in at), means.copy()
        times = dict(zip(periods, at, strict=False))
        for k, task in enumerate(tasks):
            if isinstance(task.arrivals, Diurnal):
                turn = times[task.arrivals.period][1] + task.arrivals.phase / task.arrivals.period
                swing = task.arrivals.amplitude * math.sin(2.0 * math.pi * turn)
                rates[k] = task.arrivals.rate * (1.0 + swing)
        for k, (_, rate) in zip(bursts, at[len(periods) :], strict=True):
            rates[k] = rate
        found.append((weight, rates))
    return found


def _shares(arrivals: Any) -> list[tuple[float, float]]:
    total = math.fsum(arrivals.dwell)
    return [(d / total, r) for d, r in zip(arrivals.dwell, arrivals.rates, strict=True)]
