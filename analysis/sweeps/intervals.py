"""Means of a measure with bootstrap intervals: whole replications are drawn again.

Replication r has the same streams at every point of a paired sweep, so that a replication is the
piece that is independent of others, not a run.

Sources:
    Efron, B. (1987). Better bootstrap confidence intervals. Journal of the American Statistical
        Association 82, 171-185.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np
import pandas as pd

from ...scenarios.sweep.swept import Sweep
from .cube import Floats, cube


def intervals(
    sweep: Sweep, metric: str, task: str = "all", offer: str = "all", *,
    by: Literal["point", "setting"] = "point", level: float = 0.95, resamples: int = 2_000,
    seed: int = 1,
) -> pd.DataFrame:  # fmt: skip
    """Return the mean of a measure at each point, or for each setting of levers.

    Intervals are BCa, of replications alone: the sample of uncertainties is taken as it is. With
    few replications they are too short: with n normal ones a nominal 95% holds the truth about as
    often as |t| < 1.96 √(1 − 1/n), t of n - 1 degrees: 93% with 20, 90% with 10, 85% with 5.

    Args:
        sweep: all runs of which have ended.
        metric: such as "welfare"; `task` and `offer` as in a summary.
        task: a class, or "all".
        offer: such as "fast/high", or "all"; of sellers' measures the seller.
        by: "point", or "setting" for the mean over the points of the sample; a point that failed
            in a replication is left out of that mean.
        level: confidence.
        resamples: of the bootstrap.
        seed: of the bootstrap.

    Returns:
        Columns: point (or setting), the paths (or levers), n (replications), mean, se, low, high;
        the last three are nan with fewer than two replications.

    Raises:
        KeyError: no run has such a measure.
        ValueError: runs are left to do, or an argument is out of range.

    Example:
        >>> import tempfile
        >>> from walras.analysis.sweeps.example import small_sweep
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     rows = intervals(small_sweep(folder), "welfare")
        >>> list(rows), len(rows), bool((rows["low"] < rows["mean"]).all())
        (['point', 'sellers.one.price.task', 'n', 'mean', 'se', 'low', 'high'], 2, True)
    """
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}; it must lie strictly between 0 and 1")
    whole = cube(sweep, metric, task, offer)
    settings, size, seeds = whole.values.shape
    if by == "setting":
        found = mean_over(whole.values, axis=1)
        rows = whole.settings.rename_axis("setting").reset_index()
    else:
        found = whole.values.reshape(settings * size, seeds)
        parts = [whole.settings.loc[whole.settings.index.repeat(size)].reset_index(drop=True),
                 pd.concat([whole.sample] * settings, ignore_index=True)]  # fmt: skip
        rows = pd.concat(parts, axis=1).rename_axis("point").reset_index()
    each = [interval_of(values, level, resamples, seed) for values in found]
    rows[["n", "mean", "se", "low", "high"]] = each
    rows = rows.astype({"n": int})
    rows.attrs["units"] = dict.fromkeys(("mean", "se", "low", "high"), whole.unit)
    return rows


def mean_over(values: Floats, axis: int) -> Floats:
    """Return means of what is known; nan where nothing is."""
    known = ~np.isnan(values)
    count = known.sum(axis=axis)
    total = np.where(known, values, 0.0).sum(axis=axis)
    return np.asarray(np.divide(total, count, out=np.full(total.shape, np.nan), where=count > 0))


def interval_of(
    values: Floats, level: float = 0.95, resamples: int = 2_000, seed: int = 1
) -> tuple[int, float, float, float, float]:
    """Return n, mean, standard error and BCa interval of independent values; nan is left out.

    Example:
        >>> n, mean, se, low, high = interval_of(np.array([1.0, 2.0, 3.0, np.nan]))
        >>> n, mean, bool(1.0 <= low < mean < high <= 3.0)
        (3, 2.0, True)
    """
    from scipy.stats import bootstrap

    values = values[~np.isnan(values)]
    n = len(values)
    mean = float(values.mean()) if n else math.nan
    if n < 2:
        return n, mean, math.nan, math.nan, math.nan
    se = float(values.std(ddof=1)) / math.sqrt(n)
    if se <= 1e-14 * abs(mean):  # all agree: there is nothing to draw
        return n, mean, 0.0, mean, mean
    # The same draws for every point: a replication is drawn with all its points.
    drawn = bootstrap(
        (values,), np.mean, n_resamples=resamples, confidence_level=level, method="BCa",
        rng=np.random.default_rng(seed),
    ).confidence_interval  # fmt: skip
    return n, mean, se, float(drawn.low), float(drawn.high)
