"""Means of simulation output with honest standard errors.

Output of a queue is autocorrelated, so the error of a mean is never sigma / sqrt(N) over tasks:
for M/M/1 at utilisation 0.7 that interval, nominally 95%, covers the truth about one time in
four. Errors here come from batch means within one long run, or from replications.

`batch_means` presumes a steady state. Cut the warm-up first (`detect_warmup`); where demand
follows the clock (a day with peaks) there is no steady state and replications are the way.

Sources:
    Schmeiser, B. (1982). Batch size effects in the analysis of simulation output.
        Operations Research 30(3), 556-568.
    Quenouille, M. H. (1956). Notes on bias in estimation. Biometrika 43, 353-360.
    von Neumann, J. (1941). Distribution of the ratio of the mean square successive difference
        to the variance. Annals of Mathematical Statistics 12, 367-395.
    White, K. P. (1997). An effective truncation heuristic for bias reduction in simulation
        output. Simulation 69(6), 323-334.
    White, K. P., Cobb, M. J., Spratt, S. C. (2000). A comparison of five steady-state truncation
        heuristics for simulation. Proceedings of the Winter Simulation Conference, 755-760.
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian
        Journal of Statistics 6(2), 65-70.
    Law, A. M. (2015). Simulation Modeling and Analysis, 5th ed., section 11.2: common random
        numbers.
    Hoad, K., Robinson, S., Davies, R. (2010). Automating warm-up length estimation.
        Journal of the Operational Research Society 61, 1389-1403.
"""

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import stdtr, stdtrit

Floats = NDArray[np.float64]
_Z99 = 2.3263478740408408  # upper 1% point of the normal law: false alarms of `Estimate.short`
_ROUNDING = 1e-12  # a relative spread below this is floating-point dust, not randomness
_GROUP = 5  # epochs per group in MSER-5
_TAIL = 5  # last groups at which MSER-5 may not cut


@dataclass(frozen=True, slots=True)
class Estimate:
    """A mean and how far to trust it.

    Attributes:
        mean: the estimate, in the unit of its data; nan where nothing was observed.
        se: its standard error, same unit; nan where it cannot be known (fewer than two
            independent pieces). It is 0 if all pieces agree: a miss that never happened in this
            run has mean 0 and error 0, which does not prove that it never happens.
        n: independent pieces that held data: batches or replications.
        df: degrees of freedom of Student's t, n - 1 (0 where n is 0).
        short: the run is too short for this estimate: its batch means are still correlated and
            `se` is too small. See `batch_means`.

    >>> low, high = Estimate(mean=10.0, se=1.0, n=20, df=19).interval()
    >>> round(low, 3), round(high, 3)
    (7.907, 12.093)
    """

    mean: float
    se: float
    n: int
    df: int
    short: bool = False

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Confidence interval mean -/+ t(df, (1 + level) / 2) * se.

        Args:
            level: confidence, strictly between 0 and 1.

        Returns:
            Lower and upper end, both nan if the error is unknown.

        Raises:
            ValueError: if the level is not strictly between 0 and 1.
        """
        if not 0.0 < level < 1.0:
            raise ValueError(f"level is {level}; it must lie strictly between 0 and 1")
        if self.df < 1 or math.isnan(self.se):
            return math.nan, math.nan
        half = float(stdtrit(self.df, 0.5 + 0.5 * level)) * self.se
        return self.mean - half, self.mean + half

    def p_value(self) -> float:
        """Chance of a mean at least this far from 0 if the truth is 0: two-sided Student's t.

        1 if the mean is 0 in every piece; nan where the error is unknown, which it also is if
        all pieces agree on another number.

        >>> round(Estimate(mean=2.0, se=1.0, n=20, df=19).p_value(), 3)
        0.06
        """
        if self.mean == 0.0 and self.se == 0.0:
            return 1.0
        if self.df < 1 or math.isnan(self.se) or self.se <= 0.0:
            return math.nan
        return 2.0 * float(stdtr(self.df, -abs(self.mean) / self.se))


def batch_means(sums: ArrayLike, counts: ArrayLike, batches: int = 20) -> Estimate:
    """Ratio estimate R = sum(sums) / sum(counts) of a steady state, from one run's epochs.

    Consecutive epochs are merged into at most `batches` equal batches b with totals Y_b and X_b;
    with Y and X their sums over the n batches that hold data, the jackknife about R gives

        se^2 = (n - 1)/n * sum_b (Y_b - R X_b)^2 / (X - X_b)^2

    since leaving out b moves the ratio by -(Y_b - R X_b) / (X - X_b). With equal counts this is
    the classical variance of the batch means over n. A batch with neither sum nor count says
    nothing and is not counted in n.

    Batches: Schmeiser (1982) shows that beyond 30 an interval hardly gets shorter, while batches
    become short and correlated, and that under 10 it is wide and its width erratic; hence 20.
    Batch length is ceil(epochs / batches), which leaves between batches/2 and batches of them;
    the first epochs, fewer than one batch and nearest to the warm-up, fit in no batch and are
    dropped from mean and error alike. A run with fewer epochs than `batches` has one per batch.

    `short` is set if the lag-1 correlation of the jackknife residuals (`lag1`) exceeds
    2.326 sqrt((n - 2)/(n^2 - 1)), its 99% point for independent normal batches. False alarms:
    about 1% (0.6-0.8% normal, 1.2% exponential batches). Power with 20 batches: 76% where the
    95% interval covers 61%, 37% where it covers 78%, 10% where it covers 88%. It cannot fire
    with 5 batches or fewer, so look at `n` too.

    Args:
        sums: sum of the measured quantity per epoch, shape [epochs], epochs of equal length.
        counts: what it is averaged over, shape [epochs], not negative: tasks for a mean per
            task, seconds for a time average.
        batches: most batches to form, at least 2.

    Returns:
        The estimate in units of sums per count. Mean and error are nan where there is no count;
        the error is nan with data in one batch only, or if all counts are in one batch.
        Data that are not finite give nan.

    Raises:
        ValueError: if shapes differ, are not one-dimensional, a count is negative, or
            `batches` is below 2.

    >>> waits, tasks = [2.0, 6.0, 4.0, 8.0], [2, 2, 2, 2]
    >>> e = batch_means(waits, tasks)
    >>> e.mean, round(e.se, 4), e.n, e.df
    (2.5, 0.6455, 4, 3)
    """
    y, x = _pairs(sums, counts, "epochs")
    if batches < 2:
        raise ValueError(f"batches is {batches}; an error needs at least 2")
    y, x = _merge(y, batches), _merge(x, batches)
    e, moved = _ratio(y, x)
    return replace(e, short=_is_short(e, moved))


def replications(sums: ArrayLike, counts: ArrayLike) -> Estimate:
    """Ratio estimate R = sum(sums) / sum(counts) over independent replications.

    Totals are pooled, so that an offer which sold nothing in one replication keeps its price, and
    a replication with many tasks counts for more. The error is the jackknife of `batch_means`
    with a replication in place of a batch; with equal counts it is sd / sqrt(n). Student's t has
    n - 1 degrees of freedom, n being the replications with a sum or a count.

    Args:
        sums: total of the measured quantity in each replication, shape [replications].
        counts: what it is averaged over, shape [replications], not negative; ones for a mean of
            the sums themselves.

    Returns:
        The estimate, in units of sums per count. Mean and error are nan where there is no count
        or data are not finite; the error is nan with data in one replication only.

    Raises:
        ValueError: if shapes differ, are not one-dimensional, or a count is negative.

    >>> e = replications([6.0, 0.0, 2.0], [2, 0, 2])
    >>> e.mean, e.se, e.n
    (2.0, 1.0, 2)
    """
    y, x = _pairs(sums, counts, "replications")
    return _ratio(y, x)[0]


def _pairs(sums: ArrayLike, counts: ArrayLike, of: str) -> tuple[Floats, Floats]:
    y, x = np.asarray(sums, dtype=np.float64), np.asarray(counts, dtype=np.float64)
    if y.ndim != 1 or y.shape != x.shape:
        raise ValueError(f"sums {y.shape} and counts {x.shape} must share one shape [{of}]")
    if np.any(x < 0.0):
        raise ValueError("counts must not be negative")
    return y, x


def paired_batches(
    sums: ArrayLike, counts: ArrayLike, base_sums: ArrayLike, base_counts: ArrayLike,
    batches: int = 20,
) -> Estimate:  # fmt: skip
    """Difference of two ratios, R - R0, from two runs that met the same demand epoch by epoch.

    Both runs are cut into the same batches, as `batch_means` cuts one. Leaving out batch b moves
    the difference by m_b = -(Y_b - R X_b)/(X - X_b) + (Y0_b - R0 X0_b)/(X0 - X0_b), hence

        se^2 = (n - 1)/n * sum_b m_b^2

    with n the batches in which either run has data: the jackknife of the difference. What moves
    both runs alike (a busy hour, a dear task) cancels inside m_b, which is what common random
    numbers are for; in se^2 the term 2 cov(R, R0) comes off (Law 2015, section 11.2).

    `short` is that of `batch_means`, for the differences.

    Args:
        sums: per epoch, shape [epochs], as for `batch_means`.
        counts: what it is averaged over, per epoch.
        base_sums: the sums of the run that is subtracted.
        base_counts: its counts.
        batches: most batches to form, at least 2.

    Returns:
        The estimate of R - R0; nan where either has no count.

    Raises:
        ValueError: as `batch_means`, or if the two runs differ in length.

    >>> e = paired_batches([2.0, 6.0, 4.0, 8.0], [2] * 4, [1.0, 5.0, 3.0, 7.0], [2] * 4)
    >>> e.mean, e.se, e.n
    (0.5, 0.0, 4)
    """
    y, x = _pairs(sums, counts, "epochs")
    y0, x0 = _pairs(base_sums, base_counts, "epochs")
    if y.shape != y0.shape:
        raise ValueError(f"runs of {len(y)} and {len(y0)} epochs cannot be paired")
    if batches < 2:
        raise ValueError(f"batches is {batches}; an error needs at least 2")
    e, moved = _difference(*(_merge(z, batches) for z in (y, x, y0, x0)))
    return replace(e, short=_is_short(e, moved))


def paired_replications(
    sums: ArrayLike, counts: ArrayLike, base_sums: ArrayLike, base_counts: ArrayLike
) -> Estimate:
    """Difference of two ratios over replications that share their random numbers one by one.

    `paired_batches` with a replication in place of a batch; with equal counts it is the paired
    t-test: mean and sd / sqrt(n) of the differences.

    Args:
        sums: total of each replication, shape [replications], as for `replications`.
        counts: what it is averaged over, per replication.
        base_sums: the sums of what is subtracted.
        base_counts: its counts.

    Raises:
        ValueError: as `replications`, or if the numbers of replications differ.

    >>> e = paired_replications([3.0, 5.0, 4.0], [1] * 3, [2.0, 3.0, 1.0], [1] * 3)
    >>> e.mean, round(e.se, 4), e.df
    (2.0, 0.5774, 2)
    """
    y, x = _pairs(sums, counts, "replications")
    y0, x0 = _pairs(base_sums, base_counts, "replications")
    if y.shape != y0.shape:
        raise ValueError(f"{len(y)} and {len(y0)} replications cannot be paired")
    return _difference(y, x, y0, x0)[0]


def holm(p_values: ArrayLike) -> Floats:
    """P-values adjusted for their number by Holm (1979), which keeps the chance of any false alarm.

    The i-th smallest of m is multiplied by m - i + 1; none may fall below a smaller one's, none
    exceeds 1. Rejecting all that end up at most a keeps the chance of rejecting any true
    hypothesis at most a, however they depend on each other. Those that are nan stay so and are
    not counted.

    Args:
        p_values: shape [m].

    Returns:
        Adjusted p-values, shape [m], in the same order.

    >>> holm([0.01, 0.04, 0.03]).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p_values, dtype=np.float64)
    adjusted = np.full(p.shape, math.nan)
    known = np.flatnonzero(~np.isnan(p))
    order = known[np.argsort(p[known], kind="stable")]
    steps = p[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _ratio(y: Floats, x: Floats) -> tuple[Estimate, Floats]:
    """Return sum(y) / sum(x) with its jackknife error, and by how much each piece moves it."""
    if not (np.isfinite(y).all() and np.isfinite(x).all()):
        return Estimate(math.nan, math.nan, 0, 0), y[:0]
    held = (y != 0.0) | (x != 0.0)
    mean, moved = _leave_one_out(y[held], x[held])
    return _jackknife(mean, moved, int(held.sum())), moved


def _difference(y: Floats, x: Floats, y0: Floats, x0: Floats) -> tuple[Estimate, Floats]:
    """Return the difference of two ratios with its jackknife error, and each piece's move of it."""
    if not all(np.isfinite(z).all() for z in (y, x, y0, x0)):
        return Estimate(math.nan, math.nan, 0, 0), y[:0]
    held = (y != 0.0) | (x != 0.0) | (y0 != 0.0) | (x0 != 0.0)
    mean, moved = _leave_one_out(y[held], x[held])
    mean0, moved0 = _leave_one_out(y0[held], x0[held])
    if len(moved) != len(moved0):  # one of the two has no error
        moved = moved0 = moved[:0]
    e = _jackknife(mean - mean0, moved - moved0, int(held.sum()))
    dust = _ROUNDING * max(abs(mean), abs(mean0))
    if abs(e.mean) <= dust:
        e = replace(e, mean=0.0)
    return (replace(e, se=0.0) if e.se <= dust else e), moved - moved0


def _leave_one_out(y: Floats, x: Floats) -> tuple[float, Floats]:
    """Return sum(y) / sum(x) and by how much each piece moves it; none where that is unknown."""
    total = float(x.sum())
    if total == 0.0:
        return math.nan, y[:0]
    mean = float(y.sum()) / total
    if len(x) < 2 or np.any(x == total):
        return mean, y[:0]
    return mean, (y - mean * x) / (total - x)


def _jackknife(mean: float, moved: Floats, n: int) -> Estimate:
    if not len(moved):
        return Estimate(mean, math.nan, n, max(n - 1, 0))
    return Estimate(mean, math.sqrt((n - 1) / n * float(np.square(moved).sum())), n, n - 1)


def _is_short(e: Estimate, moved: Floats) -> bool:
    """Return whether pieces that should be independent are seen to be correlated."""
    # Dust (all batches agree but for rounding) has correlations of its own that mean nothing.
    random = e.n > 1 and e.se > _ROUNDING * abs(e.mean)
    return random and lag1(moved) > _Z99 * math.sqrt((e.n - 2) / (e.n * e.n - 1))


def lag1(values: ArrayLike) -> float:
    """Lag-1 correlation of a series by von Neumann's ratio: 1 - q/2.

    q = sum (z_i - z_{i-1})^2 / sum (z_i - mean)^2. For n independent normal values the result
    has mean 0 and variance (n - 2)/(n^2 - 1) exactly (von Neumann 1941).

    Args:
        values: the series in time order, shape [n].

    Returns:
        A number in (-1, 1); nan for fewer than three values or a constant series.

    >>> lag1([1.0, 2.0, 3.0, 4.0])
    0.7
    """
    z = np.asarray(values, dtype=np.float64)
    spread = float(np.square(z - z.mean()).sum()) if len(z) > 2 else 0.0
    return 1.0 - float(np.square(np.diff(z)).sum()) / (2.0 * spread) if spread > 0.0 else math.nan


@dataclass(frozen=True, slots=True)
class Warmup:
    """Where the steady state of a run begins.

    Attributes:
        epochs: number of first epochs to cut.
        reached: whether the run is seen to have reached a steady state at all.
    """

    epochs: int
    reached: bool


def detect_warmup(series: ArrayLike) -> Warmup:
    """Length of the initial transient by MSER-5 (White 1997; White, Cobb & Spratt 2000).

    Groups of 5 epochs are averaged to z_1 .. z_k. Cut off the first d groups, with

        d = argmin over 0 <= d < k - 5 of  sum_{i>d} (z_i - mean_d)^2 / (k - d)^2,

    which is the squared error of the mean of what is left as if groups were independent. The
    last 5 groups are no candidates: a few alike by chance give a tiny sum (Hoad, Robinson &
    Davies 2010). The earliest of equal minima counts. A cut in the second half of the run,
    d > k/2, means that no steady state is seen: run longer.

    False alarms (d > k/2 on stationary independent epochs): 9% of runs with 100 epochs, 5% with
    200, 0.7% with 400; with correlation 0.8 between epochs 17%, 10% and 3%. So prefer 400 epochs.
    About a third of stationary runs lose a few groups, which costs little precision.

    Args:
        series: one number per epoch in time order, shape [epochs], such as tasks in system or
            mean wait. An epoch that is not finite (no task in it) is left out of its group; a
            group without any is left out. Up to 4 last epochs are in no group.

    Returns:
        Epochs to cut (a multiple of 5) and whether the steady state was reached. With fewer than
        12 groups no cut in the second half is possible, so the answer is 0 and not reached.

    Raises:
        ValueError: if the series is not one-dimensional.

    >>> detect_warmup([9.0] * 20 + [1.0, 2.0] * 40)
    Warmup(epochs=20, reached=True)
    >>> detect_warmup(range(100))
    Warmup(epochs=70, reached=False)
    """
    v = np.asarray(series, dtype=np.float64)
    if v.ndim != 1:
        raise ValueError(f"series has shape {v.shape}; expected [epochs]")
    groups = v[: len(v) - len(v) % _GROUP].reshape(-1, _GROUP)
    finite = np.isfinite(groups)
    held = np.flatnonzero(finite.any(axis=1))
    k = len(held)
    if k < 2 * _TAIL + 2:
        return Warmup(0, reached=False)
    # Measured from the last epoch, a constant series has sums of exactly 0; taken over what is
    # left, from the end, sums keep their digits behind a huge transient.
    shifted = np.where(finite, groups - groups[finite][-1], 0.0)
    z = shifted[held].sum(axis=1) / finite[held].sum(axis=1)
    left = np.arange(k, 0, -1)
    first, second = np.cumsum(z[::-1])[::-1], np.cumsum(np.square(z[::-1]))[::-1]
    squared_error = (second - np.square(first) / left) / np.square(left)
    cut = int(np.argmin(squared_error[: k - _TAIL]))
    return Warmup(_GROUP * int(held[cut]) if cut else 0, reached=2 * cut <= k)


def _merge(values: Floats, batches: int) -> Floats:
    """Totals of at most `batches` equal runs of epochs; the first, odd epochs are dropped."""
    size = max(1, math.ceil(len(values) / batches))
    totals: Floats = values[len(values) % size :].reshape(-1, size).sum(axis=1)
    return totals
