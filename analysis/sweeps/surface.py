"""Response surfaces: a quadratic in what a sweep varies, fitted to a measure.

Sources:
    Box, G. E. P., Wilson, K. B. (1951). On the experimental attainment of optimum conditions.
        Journal of the Royal Statistical Society B 13, 1-45.
    Allen, D. M. (1974). The relationship between variable selection and data augmentation and a
        method for prediction. Technometrics 16, 125-127: PRESS.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from ...scenarios.estimates import Estimate
from ...scenarios.sweep.swept import Sweep
from .cube import Cube, Floats, cube, listed
from .intervals import mean_over

Term = tuple[int, ...]
"""Which variables are multiplied: (), (0,), (0, 0), (0, 1)."""
_FLAT = 1e-9
"""A curvature below this share of the largest coefficient is none."""


@dataclass(frozen=True, repr=False, eq=False)
class Surface:
    """A fitted surface y = b + Σ bᵢ zᵢ + Σ bᵢⱼ zᵢ zⱼ, where z goes from -1 to 1 over each range.

    Attributes:
        coefficients: a row per term: term ("1", "path", "path²", "path × other"), value, and of
            replications se, low, high (nan with fewer than two).
        paths: what varies, in the order of z.
        spans: (low, high, whether z is even in the logarithm) of each.
        r2: share of the variance of points' means that the surface has.
        residual: root mean square of what is left at the points, in the measure's unit.
        press: the same with each point left out of the fit in turn (root mean square).
        points: number fitted.
        left_out: points that failed.
        unit: of the measure.
        what: the measure.
        each: coefficients of each replication's own fit, shape [terms, replications].
        sampled: a row per fitted point: the paths, value (mean over replications), se, low, high.
    """

    coefficients: pd.DataFrame
    paths: list[str]
    spans: list[tuple[float, float, bool]]
    r2: float
    residual: float
    press: float
    points: int
    left_out: int
    unit: str
    what: str
    terms: list[Term]
    each: Floats
    sampled: pd.DataFrame

    def __repr__(self) -> str:
        return (f"<Surface of {self.what} in {len(self.paths)} paths: {self.points:,} points, "
                f"R² {self.r2:.3f}, leave-one-out error {self.press:.3g} {self.unit}>")  # fmt: skip

    def predict(self, at: Mapping[str, float]) -> float:
        """Return the surface at values of all paths."""
        z = self._coded(at)
        return float(_columns(z[None, :], self.terms)[0] @ self._b)

    def band(self, at: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
        """Return the surface at many points, a column per path: value, low, high of each.

        Intervals are of replications, one point at a time: what the quadratic misses is not in.
        """
        z = np.column_stack([
            _shares(span, at[path].to_numpy(np.float64))
            for path, span in zip(self.paths, self.spans, strict=True)
        ])  # fmt: skip
        return _means(_columns(z, self.terms) @ self.each, level)[["value", "low", "high"]]

    def middle(self, path: str) -> float:
        """Return the middle of a path's range."""
        return _value(self.spans[self.paths.index(path)], 0.0)

    def gradient(self, at: Mapping[str, float]) -> dict[str, float]:
        """Return the slope along each path at a point: the measure's unit per the path's own."""
        z = self._coded(at)
        slope = self._linear + 2.0 * self._curved @ z
        return {
            path: float(s * _rate(span, float(at[path])))
            for path, span, s in zip(self.paths, self.spans, slope, strict=True)
        }

    def stationary(self) -> tuple[dict[str, float], str, bool]:
        """Return where all slopes are 0, what is there, and whether it lies in the ranges.

        What is there is "maximum", "minimum" or "saddle"; "ridge" where some direction has no
        curvature: then there is no one point, and the values are nan.
        """
        roots = np.linalg.eigvalsh(self._curved)
        if np.abs(roots).min() <= _FLAT * max(np.abs(self._b[1:]).max(), 1e-300):
            return dict.fromkeys(self.paths, math.nan), "ridge", False
        z = np.linalg.solve(-2.0 * self._curved, self._linear)
        kind = "minimum" if roots[0] > 0.0 else "maximum" if roots[-1] < 0.0 else "saddle"
        where = {p: _value(s, float(x)) for p, s, x in zip(self.paths, self.spans, z, strict=True)}
        return where, kind, bool((np.abs(z) <= 1.0).all())

    @property
    def _b(self) -> Floats:
        return self.coefficients["value"].to_numpy(np.float64)

    @property
    def _linear(self) -> Floats:
        return np.array([self._b[self.terms.index((i,))] for i in range(len(self.paths))])

    @property
    def _curved(self) -> Floats:
        """Return the symmetric matrix B of z'Bz."""
        d = len(self.paths)
        matrix = np.zeros((d, d))
        for term, value in zip(self.terms, self._b, strict=True):
            if len(term) == 2:
                matrix[term] += 0.5 * value
                matrix[term[::-1]] += 0.5 * value
        return matrix

    def _coded(self, at: Mapping[str, float]) -> Floats:
        if set(at) != set(self.paths):
            raise ValueError(f"give a value for each of {listed(self.paths)}")
        return np.array([
            _shares(span, np.array(float(at[path])))
            for path, span in zip(self.paths, self.spans, strict=True)
        ])  # fmt: skip


def surface(
    sweep: Sweep, metric: str, task: str = "all", offer: str = "all", *,
    where: Mapping[str, Any] | None = None, level: float = 0.95,
) -> Surface:  # fmt: skip
    """Fit a quadratic to a measure's means at all points, by least squares.

    It varies with all uncertainties and with the levers that are numbers. A lever of two values
    has no square. Errors of coefficients are of replications, each of which is fitted alone; what
    the quadratic misses is told by `residual` and `press`.

    Args:
        sweep: all runs of which have ended; points that failed are left out.
        metric: such as "welfare".
        task: a class, or "all".
        offer: an offer, a seller, or "all".
        where: values of levers by path, to fit a part of the sweep; needed for levers that are no
            numbers.
        level: confidence of coefficients.

    Raises:
        KeyError: no run has such a measure.
        ValueError: too few points, a lever that is no number, or runs left to do.

    Example:
        >>> import tempfile
        >>> from walras.analysis.sweeps.example import small_sweep
        >>> prices = {f"sellers.{n}.price.task": [1.0, 1.2, 1.4] for n in ("one", "two")}
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     fitted = surface(small_sweep(folder, vary=prices, seeds=2), "price", "chat")
        >>> fitted.terms, fitted.r2 > 0.8
        ([(), (0,), (1,), (0, 0), (0, 1), (1, 1)], True)
    """
    whole = cube(sweep, metric, task, offer)
    x, values = _points(whole, where or {})
    paths = [str(path) for path in x]
    spans = _spans(sweep, x)
    known = ~np.isnan(values).any(axis=1)
    z = np.column_stack(
        [_shares(s, x[p].to_numpy(np.float64)) for p, s in zip(x, spans, strict=True)]
    )
    terms = _terms(z)
    y, columns = values[known], _columns(z[known], terms)
    _check(columns, terms, paths)
    each, *_ = np.linalg.lstsq(columns, y, rcond=None)  # [terms, replications]
    mean = y.mean(axis=1)
    left = mean - columns @ each.mean(axis=1)
    leverage = np.square(np.linalg.qr(columns)[0]).sum(axis=1)
    spread = float(np.square(mean - mean.mean()).sum())
    out = np.divide(left, 1.0 - leverage, out=np.full(len(left), np.nan), where=leverage < 1 - 1e-9)
    return Surface(
        coefficients=_coefficients(np.asarray(each), terms, paths, level, whole.unit), paths=paths,
        spans=spans, r2=1.0 - float(left @ left) / spread if spread > 0.0 else math.nan,
        residual=math.sqrt(float(left @ left) / len(left)),
        press=math.sqrt(float(out @ out) / len(out)), points=int(known.sum()),
        left_out=int((~known).sum()), unit=whole.unit, what=whole.what, terms=terms,
        sampled=x[known].reset_index(drop=True).join(_means(y, level)), each=np.asarray(each),
    )  # fmt: skip


def _points(whole: Cube, where: Mapping[str, Any]) -> tuple[pd.DataFrame, Floats]:
    """Return what varies, a row per point, and values [points, replications]."""
    kept = whole.find(where)
    settings = whole.settings.iloc[kept]
    settings = settings[[c for c in settings if settings[c].nunique() > 1]]
    words = [str(c) for c in settings if not pd.api.types.is_numeric_dtype(settings[c])]
    if words:
        raise ValueError(
            f"{listed(words)}: no numbers; fit one value at a time: where={{path: value}}"
        )
    size = whole.values.shape[1]
    both = [settings.loc[settings.index.repeat(size)].reset_index(drop=True),
            pd.concat([whole.sample] * len(kept), ignore_index=True)]  # fmt: skip
    x = pd.concat(both, axis=1)
    if not len(x.columns):
        raise ValueError("nothing varies: a surface needs uncertainties or levers with numbers")
    return x, whole.values[kept].reshape(len(x), -1)


def _spans(sweep: Sweep, x: pd.DataFrame) -> list[tuple[float, float, bool]]:
    given = sweep.manifest["spans"]
    return [
        (given[p]["low"], given[p]["high"], given[p]["scale"] == "log") if p in given
        else (float(x[p].min()), float(x[p].max()), False)
        for p in x
    ]  # fmt: skip


def _terms(z: Floats) -> list[Term]:
    d = z.shape[1]
    squares = [i for i in range(d) if len(np.unique(z[:, i])) > 2]
    pairs = [(i, j) for i in range(d) for j in range(i, d) if i != j or i in squares]
    return [(), *((i,) for i in range(d)), *pairs]


def _columns(z: Floats, terms: list[Term]) -> Floats:
    return np.column_stack([np.prod(z[:, list(t)], axis=1) for t in terms])


def _check(columns: Floats, terms: list[Term], paths: list[str]) -> None:
    if len(columns) <= len(terms):
        raise ValueError(
            f"{len(columns)} points for {len(terms)} terms of a quadratic in {len(paths)} paths; "
            "more points are needed"
        )
    if np.linalg.matrix_rank(columns) < len(terms):
        tied = [
            f"{paths[i]} and {paths[j]}" for i, j in combinations(range(len(paths)), 2)
            if abs(np.corrcoef(columns[:, i + 1], columns[:, j + 1])[0, 1]) > 1 - 1e-9
        ]  # fmt: skip
        why = (
            f"{tied[0]} move together" if tied else "the points tell some of them apart not at all"
        )
        raise ValueError(f"the {len(terms)} terms cannot be told apart: {why}")


def _coefficients(
    each: Floats, terms: list[Term], paths: list[str], level: float, unit: str
) -> pd.DataFrame:
    out = _means(each, level)
    out.insert(0, "term", [_named(term, paths) for term in terms])
    out.attrs["units"] = dict.fromkeys(("value", "se", "low", "high"), unit)
    return out


def _means(each: Floats, level: float) -> pd.DataFrame:
    """Return means over replications, shape [rows, replications]: value, se, low, high."""
    seeds, rows = each.shape[1], []
    for values in each:
        se = float(values.std(ddof=1)) / math.sqrt(seeds) if seeds > 1 else math.nan
        e = Estimate(float(mean_over(values, 0)), se, seeds, seeds - 1)
        rows.append((e.mean, se, *e.interval(level)))
    return pd.DataFrame(rows, columns=["value", "se", "low", "high"])


def _named(term: Term, paths: list[str]) -> str:
    if len(term) == 2:
        i, j = term
        return f"{paths[i]}²" if i == j else f"{paths[i]} × {paths[j]}"
    return paths[term[0]] if term else "1"


def _shares(span: tuple[float, float, bool], x: Floats) -> Floats:
    """Return values as shares of a range, from -1 to 1."""
    low, high, log = span
    if log:
        low, high, x = math.log(low), math.log(high), np.log(x)
    return 2.0 * (x - low) / (high - low) - 1.0


def _value(span: tuple[float, float, bool], z: float) -> float:
    low, high, log = span
    if log:
        return float(low * (high / low) ** (0.5 * (z + 1.0)))
    return low + (high - low) * 0.5 * (z + 1.0)


def _rate(span: tuple[float, float, bool], x: float) -> float:
    """Return dz/dx."""
    low, high, log = span
    return 2.0 / (x * math.log(high / low)) if log else 2.0 / (high - low)
