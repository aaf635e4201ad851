"""Sizes of tasks as quotes need them: moments, and the law of the work that they make.

Work is prefill · input + verbosity · output + thinking. Where one of the two sizes varies and has
a closed form the law is that one; elsewhere it is tabulated from points with weights, slices of
probability that get finer towards the upper tail, each at its mean.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import special

from . import work
from .rng import name_key
from .rules import work_tokens
from .sampling import log_moments
from .schema.demand import TaskClass
from .schema.distributions import Constant, Exponential, Gamma, LogNormal, Recorded, Uniform

Array = NDArray[np.float64]
_EVEN, _HALVINGS, _INSIDE = 96, 20, 8


def quantiles_of(law: Any, p: Array) -> Array:
    """Return the quantiles of a law at probabilities strictly inside (0, 1), same shape."""
    if isinstance(law, Constant):
        return np.full(p.shape, law.value)
    if isinstance(law, Uniform):
        return law.low + (law.high - law.low) * p
    if isinstance(law, Exponential):
        return -law.mean * np.log1p(-p)
    if isinstance(law, LogNormal):
        mu, sigma = log_moments(law.mean, law.cv)
        return np.exp(mu + sigma * special.ndtri(p))
    if isinstance(law, Gamma):
        return np.asarray(special.gammaincinv(1 / law.cv**2, p) * law.mean * law.cv**2)
    return np.interp(p, law.probabilities, law.values)


@cache
def _slices() -> tuple[Array, Array, Array]:
    """Return (probabilities [slices, inside], weights of the slices, weights inside).

    Slices halve towards 0 and 1; inside a slice the points are those of Gauss and Legendre.
    """
    tail = 2.0 ** -np.arange(_HALVINGS, 0, -1) / _EVEN
    even = np.arange(1, _EVEN) / _EVEN
    edges = np.concatenate([[0.0], tail, even, 1.0 - tail[::-1], [1.0]])
    nodes, inside = np.polynomial.legendre.leggauss(_INSIDE)
    widths = np.diff(edges)
    return edges[:-1, None] + widths[:, None] * (nodes + 1.0) / 2.0, widths, inside / 2.0


def points_of(law: Any) -> tuple[Array, Array]:
    """Return (values, weights) of a law: the means of its slices, which keep the law's mean."""
    if isinstance(law, Constant):
        return np.array([law.value]), np.ones(1)
    p, weights, inside = _slices()
    values = (quantiles_of(law, p) * inside).sum(axis=1)
    return values * (law.mean / (values * weights).sum()), weights


class Sizes:
    """Sizes of a class: moments and the law of any linear combination."""

    def __init__(self, task: TaskClass, trace: Array) -> None:
        """Take the class and its trace, shape [3, rows]; the trace counts only if replayed.

        `covariance` is that of (input, output), tokens².
        """
        self.input: Any = task.input_tokens
        self.output: Any = task.output_tokens
        self.trace = trace
        self.recorded = isinstance(self.input, Recorded) or isinstance(self.output, Recorded)
        if self.recorded:
            self.rows = np.array([self._row(self.input, 1), self._row(self.output, 2)])
            self.covariance = np.cov(self.rows, bias=True)
        else:
            drawn: tuple[Any, Any] = task.input_tokens, task.output_tokens
            self.covariance = np.diag(np.array([law.variance for law in drawn]))
        self.mean_input, self.mean_output = self._mean(self.input, 0), self._mean(self.output, 1)

    def _row(self, law: Any, row: int) -> Array:
        if isinstance(law, Recorded):
            return self.trace[row]
        # A drawn size beside a recorded one: spread its quantiles over the rows by a fixed shuffle.
        count = self.trace.shape[1]
        order = np.argsort([int(name_key("row", str(i))) for i in range(count)])
        return quantiles_of(law, (np.arange(count) + 0.5) / count)[order]

    def _mean(self, law: Any, row: int) -> float:
        return float(self.rows[row].mean()) if isinstance(law, Recorded) else float(law.mean)

    def alone(self, prefill: float) -> tuple[Any, bool] | None:
        """Return the law of the size that alone varies, or of output, and whether it is input."""
        if self.recorded:
            return None
        if prefill == 0.0 or self.input.variance == 0.0:
            return self.output, False
        return (self.input, True) if self.output.variance == 0.0 else None


def fill_work(
    law: Any, sizes: Sizes, prefill: float, verbosity: float, thinking: float,
    tables: list[Array],
) -> Array:  # fmt: skip
    """Fill one `WORK` record, adding to `tables` where it needs one; return its nodes.

    The nodes, shape [SIZE_NODES], are the means of equally likely slices.
    """
    law["mean"] = work_tokens(sizes.mean_input, sizes.mean_output, thinking, prefill, verbosity)
    joint = sizes.covariance
    law["variance"] = (
        prefill**2 * joint[0, 0] + 2 * prefill * verbosity * joint[0, 1]
        + verbosity**2 * joint[1, 1]
    )  # fmt: skip
    alone = sizes.alone(prefill)
    law["shift"] = thinking
    if sizes.recorded:  # a few rows are a law of steps
        values = np.sort(prefill * sizes.rows[0] + verbosity * sizes.rows[1])
        rows = np.ceil(work.PROBABILITIES * len(values) - 1e-9).astype(np.int64) - 1
        _fill_table(law, values[np.maximum(rows, 0)], tables)
        return thinking + _slice_means(values, np.full(len(values), 1.0 / len(values)))
    quantiles, means = _combined(sizes.input, sizes.output, prefill, verbosity)
    if alone is None:
        _fill_table(law, _with_mean(quantiles, float(law["mean"]) - thinking), tables)
    else:
        varies, is_input = alone
        scale, other = (prefill, verbosity) if is_input else (verbosity, prefill)
        law["shift"] += other * (sizes.mean_output if is_input else sizes.mean_input)
        _fill_alone(law, varies, scale, tables)
    return thinking + means


@lru_cache(maxsize=4096)
def _combined(
    drawn_in: Any, drawn_out: Any, prefill: float, verbosity: float
) -> tuple[Array, Array]:
    """Return quantiles of work at `PROBABILITIES`, thinking apart, and the means of its slices.

    Runs of a sweep ask for the same again and again, and it takes as long as a thousand tasks.
    """
    ins, of_ins = points_of(drawn_in)
    outs, of_outs = points_of(drawn_out)
    values = (prefill * ins[:, None] + verbosity * outs[None, :]).ravel()
    order = np.argsort(values, kind="stable")
    values, weights = values[order], (of_ins[:, None] * of_outs[None, :]).ravel()[order]
    middles = np.cumsum(weights) - weights / 2
    return np.interp(work.PROBABILITIES, middles, values), _slice_means(values, weights)


def _fill_alone(law: Any, varies: Any, scale: float, tables: list[Array]) -> None:
    """Fill the kind and parameters of the law of one size times `scale`, beyond the shift."""
    if varies.variance == 0.0:
        law["kind"], law["shift"] = work.FIXED, law["shift"] + scale * varies.mean
    elif isinstance(varies, Exponential):
        law["kind"], law["a"] = work.EXPONENTIAL, scale * varies.mean
    elif isinstance(varies, LogNormal):
        law["kind"] = work.LOGNORMAL
        law["a"], law["b"] = log_moments(scale * varies.mean, varies.cv)
    else:
        p = np.clip(work.PROBABILITIES, 1e-12, 1.0 - 1e-12)
        _fill_table(law, _with_mean(scale * quantiles_of(varies, p), scale * varies.mean), tables)


def _with_mean(quantiles: Array, mean: float) -> Array:
    """Return quantiles whose upper tenth is stretched by what the mean of their table is off."""
    off = mean - float(np.trapezoid(quantiles, work.PROBABILITIES))
    beyond = np.maximum(quantiles - quantiles[np.searchsorted(work.PROBABILITIES, 0.9)], 0.0)
    tail = float(np.trapezoid(beyond, work.PROBABILITIES))
    return quantiles + beyond * (max(off / tail, -1.0) if tail > 0.0 else 0.0)


def _fill_table(law: Any, quantiles: Array, tables: list[Array]) -> None:
    """Add a table of probabilities, quantiles and E[max(x − w, 0)] at them, shape [3, points]."""
    law["kind"], law["row"] = work.TABLE, len(tables)
    p = work.PROBABILITIES
    areas = np.concatenate([[0.0], np.cumsum(np.diff(quantiles) * (p[1:] + p[:-1]) / 2)])
    tables.append(np.array([p, quantiles, areas]))


def _slice_means(values: Array, weights: Array) -> Array:
    """Return the means of SIZE_NODES equally likely slices of a weighted sample, sorted."""
    reached = np.concatenate([[0.0], np.cumsum(weights)])
    summed = np.concatenate([[0.0], np.cumsum(values * weights)])
    edges = np.linspace(0.0, reached[-1], work.SIZE_NODES + 1)
    return np.diff(np.interp(edges, reached, summed)) * work.SIZE_NODES / reached[-1]
