"""Paired effects: what a setting of levers changes against a baseline.

Replication r meets the same demand in every setting, so that the difference of two settings in it
is free of what luck has in common: var(a - b) = var a + var b - 2 cov(a, b).

Sources:
    Law, A. M. (2015). Simulation Modeling and Analysis, 5th ed., section 11.2: common random
        numbers.
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
        Journal of Statistics 6(2), 65-70.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from ...scenarios.estimates import Estimate, holm
from ...scenarios.sweep.swept import Sweep
from .cube import Floats, cube

_ROUNDING = 1e-12
"""A relative spread below this is dust of floating point."""


def effects(
    sweep: Sweep, metric: str, task: str = "all", offer: str = "all", *,
    baseline: Mapping[str, Any] | None = None, level: float = 0.95,
) -> pd.DataFrame:  # fmt: skip
    """Return each setting's difference to a baseline, paired by replication and by sample point.

    In each replication the differences at all points of the sample are averaged; these averages
    are the independent pieces of Student's t. Points at which no replication ran in both settings
    are left out, then replications in which another one failed.

    Args:
        sweep: all runs of which have ended.
        metric: such as "welfare".
        task: a class, or "all".
        offer: an offer, a seller, or "all".
        baseline: values of levers by path that tell the setting to compare with; the first setting
            when absent.
        level: confidence.

    Returns:
        A row per other setting. Columns: setting, the levers, n (replications), points (of the
        sample), difference, se, low, high, p (two-sided), p_holm (corrected for the number of
        rows), var_paired (variance of a replication's difference), var_independent (that of two
        runs with streams of their own: the sum of both variances), var_ratio. Errors are nan with
        fewer than two replications.

    Raises:
        KeyError: no run has such a measure.
        ValueError: runs are left to do, or the baseline is not one setting.

    Example:
        >>> import tempfile
        >>> from walras.analysis.sweeps.example import small_sweep
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     found = effects(small_sweep(folder, seeds=8), "welfare")
        >>> len(found), bool(found["var_ratio"].item() < 1.0)
        (1, True)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; it must lie strictly between 0 and 1")
    whole = cube(sweep, metric, task, offer)
    base = _baseline(whole.find(baseline or {}), baseline)
    others = [i for i in range(len(whole.values)) if i != base]
    rows = whole.settings.iloc[others].rename_axis("setting").reset_index()
    names = ["n", "points", "difference", "se", "low", "high", "p", "var_paired", "var_independent"]
    each = [difference(whole.values[i], whole.values[base], level) for i in others]
    found = pd.DataFrame(each, columns=names)
    found.insert(7, "p_holm", holm(found["p"].to_numpy(np.float64)))
    apart = found["var_independent"].to_numpy(np.float64)
    found["var_ratio"] = np.divide(
        found["var_paired"], apart, out=np.full(len(found), np.nan), where=apart > 0.0
    )
    out = pd.concat([rows, found], axis=1)
    out.attrs["units"] = dict.fromkeys(("difference", "se", "low", "high"), whole.unit) | {
        "var_paired": f"({whole.unit})²", "var_independent": f"({whole.unit})²",
        "var_ratio": "ratio", "n": "replications", "points": "points",
    }  # fmt: skip
    out.attrs["baseline"] = {c: whole.settings[c].iloc[base] for c in whole.settings}
    return out


def _baseline(found: list[int], given: Mapping[str, Any] | None) -> int:
    if given and len(found) > 1:
        raise ValueError(
            f"{len(found)} settings have {dict(given)}; name the values of all levers that differ"
        )
    return found[0]


Row = tuple[int, int, float, float, float, float, float, float, float]


def difference(first: Floats, second: Floats, level: float = 0.95) -> Row:
    """Return n, points, difference, se, low, high, p and both variances of two settings.

    Args:
        first: shape [points of the sample, replications].
        second: the same of the baseline.
        level: confidence.

    Example:
        >>> import numpy as np
        >>> row = difference(np.array([[3.0, 5.0, 4.0]]), np.array([[2.0, 3.0, 1.0]]))
        >>> row[0], row[2], round(row[3], 4), row[7], row[8]
        (3, 2.0, 0.5774, 1.0, 2.0)
    """
    known = ~np.isnan(first - second)
    points = known.any(axis=1)
    whole = known[points].all(axis=0)
    a, b = (x[points][:, whole].mean(axis=0) if points.any() else x[:0, 0] for x in (first, second))
    n, m = len(a), int(points.sum())
    mean = float((a - b).mean()) if n else math.nan
    if n < 2:
        return n, m, mean, *(math.nan,) * 6
    paired, apart = float((a - b).var(ddof=1)), float(a.var(ddof=1) + b.var(ddof=1))
    dust = (_ROUNDING * max(abs(float(a.mean())), abs(float(b.mean())))) ** 2
    paired = 0.0 if paired <= dust else paired
    mean = 0.0 if mean * mean <= dust else mean
    e = Estimate(mean, math.sqrt(paired / n), n, n - 1)
    return n, m, mean, e.se, *e.interval(level), e.p_value(), paired, apart
