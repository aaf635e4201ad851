"""Values, delay costs and deadlines that are drawn, as nodes with weights, and as laws of a line.

Smooth integrands (logit shares) are summed over nodes: those of Gauss and Legendre in panels of an
interval; for laws without an end those of the double-exponential rule in the probability (Takahasi
& Mori 1974), which converges as fast and reaches far into both tails. Argmax shares jump; they
need the law itself.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from ...sampling import log_moments
from ...schema.demand import TaskClass
from ...schema.distributions import (
    Constant,
    Exponential,
    Gamma,
    LogNormal,
    Quantiles,
    ShareOfValue,
    Uniform,
)

Floats = NDArray[np.float64]
_PANEL = 16
_REACH = 3.9
"""Where the double-exponential rule ends: at probabilities of 2e-34 and their complements."""


def nodes_of(law: Any, count: int) -> tuple[Floats, Floats]:
    """Return (points, weights) of about so many nodes of a law, in order; one of a constant.

    Ends of intervals are among them with weight 0, so that what happens next to them shows.

    Example:
        >>> x, weight = nodes_of(Exponential(mean=2.0), 48)
        >>> round(float(weight @ np.exp(-x)), 12)
        0.333333333333
    """
    if isinstance(law, Constant):
        return np.array([law.value]), np.ones(1)
    if isinstance(law, (Uniform, Quantiles)):
        ends = [law.low, law.high] if isinstance(law, Uniform) else law.values
        shares = [1.0] if isinstance(law, Uniform) else np.diff(law.probabilities)
        each = max(count // len(shares), 2)
        z, inside = _on_unit_interval(max(each // _PANEL, 1), min(each, _PANEL))
        points = np.asarray(ends)[:-1, None] + np.diff(ends)[:, None] * z
        return points.ravel(), np.outer(shares, inside).ravel()
    t, step = np.linspace(-_REACH, _REACH, count, retstep=True)
    below, above = special.expit(np.pi * np.sinh(t)), special.expit(-np.pi * np.sinh(t))
    weights = below * above * np.pi * np.cosh(t) * step
    return _quantiles(law, below, above), weights / weights.sum()


@cache
def _on_unit_interval(panels: int, inside: int) -> tuple[Floats, Floats]:
    """Return (points, weights) of Gauss and Legendre's rule on like panels, both ends added."""
    z, weights = np.polynomial.legendre.leggauss(inside)
    points = (np.arange(panels)[:, None] + (z + 1.0) / 2.0).ravel() / panels
    return np.concatenate([[0.0], points, [1.0]]), np.pad(np.tile(weights, panels), 1) / 2 / panels


def _quantiles(law: Any, below: Floats, above: Floats) -> Floats:
    """Return the quantiles of a law without an upper end, each tail to its own last digits."""
    if isinstance(law, Exponential):
        return np.asarray(
            -law.mean * np.where(below < 0.5, np.log1p(-np.minimum(below, 0.5)), np.log(above))
        )
    if isinstance(law, LogNormal):
        mu, sigma = log_moments(law.mean, law.cv)
        z = np.where(below < 0.5, special.ndtri(below), -special.ndtri(above))
        return np.asarray(np.exp(mu + sigma * z))
    shape = 1.0 / law.cv**2
    low, high = special.gammaincinv(shape, below), special.gammainccinv(shape, above)
    return np.asarray(np.where(below < 0.5, low, high) * law.mean / shape)


def below_and_sum(law: Any, x: Floats) -> tuple[Floats, Floats]:
    """Return (Pr(X ≤ x), E[X·1{X ≤ x}]) of a law that is no constant, any shape, x ≥ 0 or ∞.

    Example:
        >>> chance, total = below_and_sum(Uniform(low=0.0, high=2.0), np.array([1.0, np.inf]))
        >>> chance.tolist(), total.tolist()
        ([0.5, 1.0], [0.25, 1.0])
    """
    if isinstance(law, Exponential):
        z = np.minimum(x / law.mean, 1e3)
        below: Floats = -np.expm1(-z)
        return below, law.mean * (below - z * np.exp(-z))
    if isinstance(law, LogNormal):
        mu, sigma = log_moments(law.mean, law.cv)
        with np.errstate(divide="ignore"):
            z = (np.log(x) - mu) / sigma
        return special.ndtr(z), law.mean * special.ndtr(z - sigma)
    if isinstance(law, Gamma):
        shape = 1.0 / law.cv**2
        z = x * shape / law.mean
        below = np.asarray(special.gammainc(shape, z), dtype=np.float64)
        return below, np.asarray(law.mean * special.gammainc(shape + 1.0, z), dtype=np.float64)
    ends = np.array([law.low, law.high] if isinstance(law, Uniform) else law.values)
    steps = np.array([0.0, 1.0] if isinstance(law, Uniform) else law.probabilities)
    sums = np.concatenate([[0.0], np.cumsum(np.diff(steps) * (ends[1:] + ends[:-1]) / 2.0)])
    at = np.clip(x, ends[0], ends[-1])
    chance = np.interp(at, ends, steps)
    left = np.clip(np.searchsorted(ends, at, side="right") - 1, 0, len(ends) - 2)
    return chance, sums[left] + (chance - steps[left]) * (at + ends[left]) / 2.0


def drawn(task: TaskClass) -> list[str]:
    """Return which of value, delay cost and deadline differ between buyers of a class."""
    laws = {"value": task.value, "delay_cost": task.delay_cost, "deadline": task.deadline}
    same = (Constant, ShareOfValue, type(None))
    return [name for name, law in laws.items() if not isinstance(law, same)]


def draws_of(task: TaskClass, count: int) -> tuple[Floats, Floats]:
    """Return (draws [A, B, C, 3], weights [A, B, C]) of value, delay cost and deadline.

    About `count` nodes of each of them that is drawn; USD, USD/s, s.
    """
    share = isinstance(task.delay_cost, ShareOfValue)
    laws = [
        task.value, Constant(value=0.0) if share else task.delay_cost,
        task.deadline or Constant(value=0.0),
    ]  # fmt: skip
    rules = [nodes_of(law, count) for law in laws]
    grids = np.meshgrid(*(points for points, _ in rules), indexing="ij")
    shares = np.meshgrid(*(weights for _, weights in rules), indexing="ij")
    return _completed(task, np.stack(grids, axis=-1)), np.prod(shares, axis=0)


def ends_of_line(task: TaskClass, name: str) -> Floats:
    """Return draws [2, 3] with the named quantity at 0 and at its mean, the others constant.

    Utility is linear in it, so the two tell all.
    """
    draws = np.zeros((2, 3))
    for column, law in enumerate((task.value, task.delay_cost, task.deadline)):
        draws[:, column] = law.value if isinstance(law, Constant) else 0.0
    column = ("value", "delay_cost").index(name)
    draws[1, column] = getattr(task, name).mean
    return _completed(task, draws)


def _completed(task: TaskClass, draws: Floats) -> Floats:
    """Fill in delay costs in proportion to value, and that there is no deadline."""
    if isinstance(task.delay_cost, ShareOfValue):
        draws[..., 1] = task.delay_cost.per_second * draws[..., 0]
    if task.deadline is None:
        draws[..., 2] = np.inf
    return draws
