"""Bounds on many means that hold together, and go on holding however long one looks.

At look j the n replications of D deviations give studentised means t_d. The bounds |t_d| ≤ c hold
together with chance 1 − α_j if c is the (1 − α_j) quantile of max_d |t_d| (Hothorn, Bretz &
Westfall 2008). With Σ α_j = α they hold at all looks together, hence at any time one stops,
for whatever reason (Lan & DeMets 1983).

Few replications say little of the D² correlations; that of eight has rank seven, however many
deviations are independent. So it is shrunk towards independence by as much as its own noise asks
for (Schäfer & Strimmer 2005), and c never exceeds what independence would need, which is enough
whatever the correlation (Šidák 1967). The tails are Student's: c = T⁻¹(Φ(q)), q the quantile of
max |z| for normal z of that correlation.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, stdtrit

Floats = NDArray[np.float64]
_DRAWS = 40_000
_DUST = 1e-12  # a standard error below this share of what it is of is rounding, not chance


def spend(alpha: float, look: int) -> float:
    """Return α_j = α·j/2^(j+1), the chance of error that look j = 1, 2, … may use up.

    The sum over all looks is α. Most goes to looks 1 to 5 (25, 25, 19, 12 and 8%): with twice the
    replications at every look, an easy question is settled early and a hard one by then.

    Example:
        >>> spend(0.05, 1), round(sum(spend(0.05, j) for j in range(1, 60)), 12)
        (0.0125, 0.05)
    """
    return alpha * look * 0.5 ** (look + 1)


def correlation(data: Floats) -> Floats:
    """Return the correlations of columns, shrunk towards 0 by their own sampling error.

    R* = (1 − λ)R + λI with λ = Σ Var(r_ij) / Σ r_ij² over i ≠ j, at most 1, and Var(r) taken as
    (1 − r²)²/(n − 1) (Schäfer & Strimmer 2005).

    Args:
        data: shape [n, D], n ≥ 2, no constant column.

    Returns:
        Shape [D, D], positive definite but for exact copies.

    Example:
        >>> correlation(np.array([[1.0, 2.0], [2.0, 4.0], [4.0, 8.0]])).round(6).tolist()
        [[1.0, 1.0], [1.0, 1.0]]
    """
    z = data - data.mean(axis=0)
    z /= np.sqrt(np.square(z).sum(axis=0))
    r = np.clip(z.T @ z, -1.0, 1.0)
    apart = ~np.eye(len(r), dtype=bool)
    noise = np.square(1.0 - np.square(r[apart])).sum() / (len(data) - 1)
    signal = np.square(r[apart]).sum()
    shrink = min(1.0, noise / signal) if signal > 0.0 else 1.0
    return np.asarray(np.where(apart, (1.0 - shrink) * r, 1.0), dtype=np.float64)


def critical(corr: Floats, df: int, alpha: float, others: int = 0) -> float:
    """Return c with Pr(all |t_d| ≤ c) = 1 − α for studentised means of a given correlation.

    Args:
        corr: correlation of the means, shape [D, D].
        df: degrees of freedom of each, replications − 1.
        alpha: chance that one of them is beyond.
        others: so many more means belong to the family; nothing is known of their correlation,
            so they count as independent, which is enough in any case (Šidák 1967).

    Example:
        >>> round(critical(np.eye(1), 19, 0.05), 2)  # Student's own
        2.09
        >>> critical(np.ones((9, 9)), 19, 0.05) < critical(np.eye(9), 19, 0.05)
        True
    """
    count = len(corr) + others
    if count == 0:
        return 0.0
    tail = -0.5 * np.expm1(np.log1p(-alpha) / count)
    q = float(-ndtri(tail))
    if len(corr) > 1:
        largest = _largest(corr)
        within = np.arange(1, len(largest) + 1) / len(largest)
        within = within * (1.0 - 2.0 * ndtr(-largest)) ** others
        enough = int(np.searchsorted(within, 1.0 - alpha))
        if enough < len(largest):
            q = min(q, float(largest[enough]))
    return float(-stdtrit(df, ndtr(-q)))


def _largest(corr: Floats) -> Floats:
    """Return draws of max |z|, z normal with this correlation, in order; always the same draws."""
    values, vectors = np.linalg.eigh(corr)
    root = (vectors * np.sqrt(np.maximum(values, 0.0))).T
    parts = [np.abs(z @ root).max(axis=1) for z in _normals(len(corr))]
    return np.sort(np.concatenate(parts))


@lru_cache(maxsize=4)
def _normals(count: int) -> tuple[Floats, ...]:
    """Return `_DRAWS` standard normal vectors of a length, in parts."""
    rng = np.random.default_rng(0)
    return tuple(rng.standard_normal((part, count)) for part in (_DRAWS // 4,) * 4)


def ratio_bounds(y: Floats, x: Floats, c: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Return (ratio, error, lower, upper) of E[y]/E[x] per column: all r that c does not refuse.

    Those are the r with |ȳ − r·x̄| ≤ c·s(y − r·x)/√n (Fieller 1954), so that "the upper bound is
    below r" says the same as "the mean of y − r·x is significantly below 0". Where x̄ may be 0
    for all one knows, they are all numbers. What does not vary has itself for bounds.

    Args:
        y: shape [n, D].
        x: shape [n, D], means above 0.
        c: critical value, in standard errors.

    Returns:
        Four arrays of shape [D]; the error is that of the delta method.

    Example:
        >>> y, x = np.array([[1.0], [3.0], [2.0]]), np.ones((3, 1))
        >>> [round(float(a[0]), 6) for a in ratio_bounds(y, x, 2.0)]
        [2.0, 0.57735, 0.845299, 3.154701]
    """
    n = len(y)
    my, mx = y.mean(axis=0), x.mean(axis=0)
    dy, dx = y - my, x - mx
    ratio, pairs = my / mx, n * (n - 1)
    vxx, vxy = np.sum(dx * dx, axis=0) / pairs, np.sum(dx * dy, axis=0) / pairs
    # About the ratio itself nothing cancels: with r = ratio + e the roots of a·e² − 2b·e − g = 0.
    own = np.sum(np.square(dy - ratio * dx), axis=0) / pairs
    own = np.where(own <= np.square(_DUST * (np.abs(my) + np.abs(mx))), 0.0, own)
    a = np.square(mx) - c * c * vxx
    b = c * c * (ratio * vxx - vxy)
    g = c * c * own
    known = a > 0.0
    safe = np.where(known, a, 1.0)
    half = np.sqrt(np.square(b) + safe * g)
    sure = own == 0.0
    lower = np.where(sure, ratio, np.where(known, ratio + (b - half) / safe, -np.inf))
    upper = np.where(sure, ratio, np.where(known, ratio + (b + half) / safe, np.inf))
    return ratio, np.sqrt(own) / np.abs(mx), lower, upper
