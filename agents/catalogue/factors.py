"""A low-rank Gaussian model of a table with gaps: factor analysis by variational EM.

Row m (a model) and column s (a skill) of the table hold

    x_ms = μ_s + w_s·f_m + ε_ms,   f_m ~ N(0, I_K),   w_s ~ N(0, v·I_K),   ε_ms ~ N(0, 1/τ_s),

with μ_s flat and τ_s ~ Gamma(a₀, b₀). Cells that are empty say nothing (missing at random). The
posterior is approximated by q(f)·q(μ, w)·q(τ), each factor in closed form given the others:

    C_m = (I + Σ_s τ̂_s E[w_s w_sᵀ])⁻¹,   f̂_m = C_m Σ_s τ̂_s (ŵ_s x_ms − E[w_s μ_s]),
    U_s = (P + τ̂_s Σ_m E[g_m g_mᵀ])⁻¹,   û_s = U_s τ̂_s Σ_m ĝ_m x_ms,   u = (μ, w), g = (1, f),
    τ̂_s = (a₀ + n_s/2) / (b₀ + Σ_m E[(x_ms − u_s·g_m)²]/2),

sums over known cells; v and b₀ are at the maximum of the bound. A cell is then predicted as
û_s·ĝ_m with the variance

    ĝ_mᵀ U_s ĝ_m + ŵ_sᵀ C_m ŵ_s + tr(U_s C_m) + E[1/τ_s],

what is not known of the skill, of the model, of both, and noise. Rank K = 0 is the skill's mean.

Sources:
    Tipping, M. E. and Bishop, C. M. (1999). Probabilistic principal component analysis. Journal
    of the Royal Statistical Society B 61, 611-622.
    Ilin, A. and Raiko, T. (2010). Practical approaches to principal component analysis in the
    presence of missing values. Journal of Machine Learning Research 11, 1957-2000.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

_FLAT = 100.0  # variance of μ_s around the mean of its column, in squared units of the table
_SHAPE = 2.0  # a₀: the columns' common noise weighs as much as four cells
_CLOSE = 1e-5  # predictions and noise that move less than this have settled
_MOST = 500  # rounds; a hundred is usual, and after so many what still moves is small


@dataclass(frozen=True, slots=True)
class Factors:
    """A fitted table; leading axes, if any, are fits side by side.

    Attributes:
        mean: (..., M, S) prediction of every cell, known ones too, without its noise.
        error: (..., M, S) standard deviation of what would be measured there, noise included.
        loadings: (..., S, K) expected w, unique up to a rotation.
        noise: (..., S) standard deviation of ε by skill.
        rounds: rounds it took.
        settled: whether predictions and noise stood still in the end.
    """

    mean: Array
    error: Array
    loadings: Array
    noise: Array
    rounds: int
    settled: bool


@dataclass(frozen=True, slots=True)
class LeftOut:
    """Each known cell as predicted from all the others.

    Attributes:
        cells: (N, 2) row and column.
        known: (N,) what is there.
        mean: (N,) what was predicted.
        error: (N,) standard deviation of the prediction, noise included.
    """

    cells: NDArray[np.int64]
    known: Array
    mean: Array
    error: Array

    @property
    def scores(self) -> Array:
        """(N,) standardised residuals; of unit variance if the errors are right."""
        return (self.known - self.mean) / self.error

    @property
    def rmse(self) -> float:
        """Root mean square error."""
        return float(np.sqrt(np.mean((self.known - self.mean) ** 2)))


def _turned(a: Array) -> Array:
    return np.swapaxes(a, -1, -2)


def _second(mean: Array, cov: Array) -> Array:
    """E[y yᵀ] of vectors with this mean and covariance."""
    return cov + mean[..., :, None] * mean[..., None, :]


def _sums(weights: Array, matrices: Array) -> Array:
    """Σ_j weights[..., i, j]·matrices[..., j, :, :], for each i."""
    flat = matrices.reshape(*matrices.shape[:-2], -1)
    return (weights @ flat).reshape(*weights.shape[:-1], *matrices.shape[-2:])


def _inverse(matrices: Array) -> Array:
    return np.asarray(np.linalg.inv(matrices), dtype=np.float64)


def _solve(cov: Array, vectors: Array) -> Array:
    return (cov @ vectors[..., None])[..., 0]


def _rows(x: Array, known: Array, tau: Array, u: Array, u_cov: Array) -> tuple[Array, Array]:
    """Factors of the rows, g = (1, f), given the columns: mean and covariance."""
    weight = known * tau[..., None, :]
    among = _sums(weight, _second(u, u_cov))
    cov = np.zeros_like(among)
    cov[..., 1:, 1:] = _inverse(among[..., 1:, 1:] + np.eye(u.shape[-1] - 1))
    g = np.ones(among.shape[:-1])
    g[..., 1:] = _solve(cov[..., 1:, 1:], (weight * x) @ u[..., 1:] - among[..., 1:, 0])
    g[..., 1:] -= g[..., 1:].mean(-2, keepdims=True)  # μ takes it over at once: fewer rounds
    return g, cov


def _columns(
    x: Array, known: Array, tau: Array, spread: Array, g: Array, g_cov: Array
) -> tuple[Array, Array]:
    """Means and loadings of the columns, u = (μ, w), given the rows: mean and covariance."""
    prior = np.repeat(1.0 / spread[..., None], g.shape[-1], -1)
    prior[..., 0] = 1.0 / _FLAT
    precision = tau[..., None, None] * _sums(_turned(known), _second(g, g_cov))
    cov = _inverse(precision + prior[..., None, :, None] * np.eye(g.shape[-1]))
    return _solve(cov, tau[..., None] * (_turned(known * x) @ g)), cov


def _products(g: Array, g_cov: Array, u: Array, u_cov: Array) -> tuple[Array, Array]:
    """E[u_s·g_m] and E[(u_s·g_m)²] of every cell."""
    mean = g @ _turned(u)
    gg, uu = (np.reshape(a, (*a.shape[:-2], -1)) for a in (_second(g, g_cov), _second(u, u_cov)))
    return mean, gg @ _turned(uu)


def infer(x: Array, rank: int) -> Factors:
    """Fit the model to a table in which NaN marks what is not known.

    Args:
        x: (..., M, S) tables, fitted side by side.
        rank: number of factors K, from 0 to the smaller of M and S.

    Raises:
        ValueError: a column has fewer than two known cells, or there are too many factors.

    Example:
        >>> x = np.outer([-2.0, -1.0, 0.0, 1.0, 2.0, 3.0], [1.0, 2.0, 3.0])
        >>> x[5, 2] = np.nan
        >>> round(float(infer(x, 1).mean[5, 2]), 2)
        9.0
    """
    seen = ~np.isnan(x)
    known, count = seen.astype(float), seen.sum(-2)
    if count.min() < 2:
        raise ValueError("a column with fewer than two known cells has no spread to learn from")
    if not 0 <= rank <= min(x.shape[-2:]):
        raise ValueError(f"{rank} factors of a table of {x.shape[-2]} × {x.shape[-1]}")
    centre = np.where(seen, x, 0.0).sum(-2) / count
    x = np.where(seen, x - centre[..., None, :], 0.0)
    columns = x.shape[-1]

    # Start from the singular vectors of the table with its gaps at the mean. A tenth of it counts
    # as noise: if much did, a small table might settle where there are no factors at all.
    u = np.zeros((*x.shape[:-2], columns, rank + 1))
    u_cov = np.zeros((*u.shape, rank + 1))
    if rank:
        _, size, axes = np.linalg.svd(x, full_matrices=False)
        u[..., 1:] = _turned(axes[..., :rank, :] * size[..., :rank, None]) / np.sqrt(x.shape[-2])
    spread = np.maximum((u[..., 1:] ** 2).sum((-1, -2)) / max(columns * rank, 1), _CLOSE)
    variance = (x**2).sum((-1, -2)) / count.sum(-1)
    tau = np.repeat(10.0 / variance[..., None], columns, -1)
    scale = _SHAPE / tau.mean(-1, keepdims=True)
    mean, noise, settled, rounds = np.zeros_like(x), np.zeros_like(tau), False, 0
    while not settled and rounds < _MOST:
        rounds, before = rounds + 1, (mean, noise)
        g, g_cov = _rows(x, known, tau, u, u_cov)
        u, u_cov = _columns(x, known, tau, spread, g, g_cov)
        mean, square = _products(g, g_cov, u, u_cov)
        shape = _SHAPE + count / 2.0
        rate = scale + (known * (x**2 - 2.0 * x * mean + square)).sum(-2) / 2.0
        tau = shape / rate
        scale = _SHAPE / tau.mean(-1, keepdims=True)
        if rank:
            w = _second(u, u_cov)[..., 1:, 1:].sum(-3)
            spread = np.trace(w, axis1=-2, axis2=-1) / (columns * rank)
        noise = np.sqrt(rate / (shape - 1.0))
        settled = all(
            np.abs(new - old).max() < _CLOSE
            for new, old in zip((mean, noise), before, strict=True)
        )  # fmt: skip
    error = np.sqrt(square - mean**2 + noise[..., None, :] ** 2)
    return Factors(mean + centre[..., None, :], error, u[..., 1:], noise, rounds, settled)


def leave_one_out(x: Array, rank: int) -> LeftOut:
    """Predict each known cell of a table (M, S) from all the others.

    Raises:
        ValueError: a column has fewer than three known cells.

    Example:
        >>> x = np.outer([-1.0, 0.0, 1.0, 2.0], [1.0, 2.0, 3.0])
        >>> leave_one_out(x, 1).rmse < leave_one_out(x, 0).rmse
        True
    """
    cells = np.argwhere(~np.isnan(x))
    row, column = cells.T
    each = np.arange(len(cells))
    tables = np.repeat(x[None], len(cells), 0)
    tables[each, row, column] = np.nan
    found = infer(tables, rank)
    here = each, row, column
    return LeftOut(cells, x[row, column], found.mean[here], found.error[here])
