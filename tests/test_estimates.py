"""Standard errors of simulation output: exact small cases, coverage, warm-up.

Seeds are 0, 1, 2, ... Statistical tests state their false-alarm rate (chance to fail although
the code is right, under a normal approximation of the test's own count) and show their power:
a named mutant must fail the very same criterion.
"""

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from walras.scenarios.estimates import (
    Estimate,
    Warmup,
    batch_means,
    detect_warmup,
    lag1,
    replications,
)

pytestmark = pytest.mark.filterwarnings("error")

Array = NDArray[np.float64]
RUNS = 2000


# --- exact cases, by hand ---------------------------------------------------------------------


def test_interval_uses_student_t() -> None:
    """Quantiles from printed tables: t(.975; 1) = 12.7062, t(.95; 19) = 1.7291."""
    low, high = Estimate(5.0, 2.0, 2, 1).interval()
    assert (low, high) == pytest.approx((5 - 2 * 12.7062047, 5 + 2 * 12.7062047))
    low, high = Estimate(0.0, 1.0, 20, 19).interval(level=0.9)
    assert (low, high) == pytest.approx((-1.7291328, 1.7291328))


@pytest.mark.parametrize("level", [0.0, 1.0, -0.5, 95.0, math.nan])
def test_interval_refuses_impossible_levels(level: float) -> None:
    """A level in percent is a likely slip; it must not give an infinite interval."""
    with pytest.raises(ValueError, match="level"):
        Estimate(0.0, 1.0, 20, 19).interval(level)


def test_equal_counts_give_the_classical_error_of_batch_means() -> None:
    """Means 1, 3, 2, 4: variance 5/3, over four batches; time averages are this case."""
    e = batch_means([2.0, 6.0, 4.0, 8.0], [2, 2, 2, 2])
    assert (e.mean, e.se) == pytest.approx((2.5, math.sqrt(5 / 12)))
    assert (e.n, e.df, e.short) == (4, 3, False)


def test_ratio_by_hand() -> None:
    """R = 8/6; residuals -1/3, 4/3, -1 over 5, 4, 3 left: squares sum to 51/225, times 2/3."""
    e = batch_means([1.0, 4.0, 3.0], [1, 2, 3])
    assert (e.mean, e.se, e.n, e.df) == pytest.approx((4 / 3, math.sqrt(34 / 225), 3, 2))


def test_error_is_the_jackknife_by_brute_force() -> None:
    """Leave out each batch in turn, recompute the ratio, as Quenouille would."""
    rng = np.random.default_rng(0)
    x = rng.poisson(3.0, size=20) + 1.0
    y = x * rng.exponential(size=20)
    ratio = y.sum() / x.sum()
    left_out = [np.delete(y, i).sum() / np.delete(x, i).sum() for i in range(20)]
    se = math.sqrt(19 / 20 * sum((r - ratio) ** 2 for r in left_out))
    e = batch_means(y, x)
    assert (e.mean, e.se) == pytest.approx((ratio, se))


@pytest.mark.parametrize(
    ("epochs", "formed"),
    [(2, 2), (19, 19), (20, 20), (21, 10), (39, 19), (40, 20), (41, 13), (43, 14), (1000, 20)],
)
def test_epochs_merge_into_equal_batches_and_the_first_ones_are_dropped(
    epochs: int, formed: int
) -> None:
    """Batches of ceil(epochs / 20); what does not fit is cut at the start, never a whole batch."""
    rng = np.random.default_rng(1)
    y, x = rng.normal(size=epochs), rng.uniform(1, 2, size=epochs)
    size = math.ceil(epochs / 20)
    dropped = epochs - formed * size
    assert 0 <= dropped < size
    kept = slice(dropped, None)
    merged = batch_means(y[kept].reshape(formed, size).sum(1), x[kept].reshape(formed, size).sum(1))
    e = batch_means(y, x)
    assert (e.mean, e.se, e.n, e.df) == pytest.approx((merged.mean, merged.se, formed, formed - 1))
    y[:dropped] = 1e6
    assert batch_means(y, x) == e


def test_units_scale_through() -> None:
    """Seconds to milliseconds, tasks to thousands: mean and error scale, nothing else changes."""
    rng = np.random.default_rng(2)
    y, x = rng.normal(size=60), rng.uniform(1, 2, size=60)
    a, b = batch_means(y, x), batch_means(1000 * y, x / 1000)
    assert (b.mean, b.se) == pytest.approx((1e6 * a.mean, 1e6 * a.se))
    assert (b.n, b.df, b.short) == (a.n, a.df, a.short)


@pytest.mark.parametrize(
    ("sums", "counts", "n"),
    [([], [], 0), ([0.0] * 5, [0] * 5, 0), ([1.0, math.nan], [1, 1], 0), ([math.inf], [1], 0)],
)
def test_nothing_observed_is_nan_without_a_warning(
    sums: list[float], counts: list[int], n: int
) -> None:
    """An offer nobody chose has no mean wait; that is an answer, not a failure."""
    e = batch_means(sums, counts)
    assert math.isnan(e.mean)
    assert math.isnan(e.se)
    assert all(math.isnan(end) for end in e.interval())
    assert (e.n, e.df, e.short) == (n, 0, False)


@pytest.mark.parametrize(
    ("sums", "counts"), [([4.0], [2]), ([0.0, 4.0, 0.0], [0, 2, 0]), ([1.0, 3.0], [0, 2])]
)
def test_data_in_one_batch_have_a_mean_but_no_error(sums: list[float], counts: list[int]) -> None:
    """A delta-method error would be 0 in the second case, which claims perfect knowledge."""
    e = batch_means(sums, counts)
    assert e.mean == 2.0
    assert math.isnan(e.se)


def test_empty_batches_are_not_evidence() -> None:
    """A rare class seen in three of 20 batches has two degrees of freedom, not 19."""
    y, x = np.zeros(20), np.zeros(20)
    y[[3, 8, 15]], x[[3, 8, 15]] = [1.0, 2.0, 6.0], 1.0
    e, r = batch_means(y, x), replications([1.0, 2.0, 6.0], np.ones(3))
    assert (e.mean, e.se, e.n, e.df) == pytest.approx((r.mean, r.se, r.n, r.df))


def test_agreement_up_to_rounding_is_not_correlation() -> None:
    """A constant price over varying counts leaves dust that must not be called a short run."""
    counts = np.arange(1.0, 41.0)
    for price in np.arange(1, 200) / 100:
        e = batch_means(price * counts, counts)
        assert e.mean == pytest.approx(price)
        assert e.se < 1e-14
        assert not e.short


def test_replications_by_hand() -> None:
    """Values 2, 1, 3: mean 2, sd 1."""
    e = replications([2.0, 1.0, 3.0], [1, 1, 1])
    assert (e.mean, e.se, e.n, e.df) == pytest.approx((2.0, 3**-0.5, 3, 2))
    one = replications([7.0], [1])
    assert (one.mean, one.n, one.df) == (7.0, 1, 0)
    assert math.isnan(one.se)
    for undefined in (replications([], []), replications([1.0, math.nan], [1, 1])):
        assert math.isnan(undefined.mean)
        assert math.isnan(undefined.se)


def test_a_replication_without_sales_leaves_the_ratio() -> None:
    """An offer that sold at 3 in two of three replications has the price 3, not none."""
    e = replications([6.0, 0.0, 9.0], [2, 0, 3])
    assert (e.mean, e.se, e.n, e.df) == pytest.approx((3.0, 0.0, 2, 1))


def test_rare_ratios_over_replications_are_covered() -> None:
    """1.6 sales a replication at prices of mean 2, ten replications, 2000 intervals.

    The jackknife of few and skewed sales covers less than 95%: 92% here. σ/√N over the
    sales themselves, as if those of a replication shared nothing, covers 80%.
    """
    rng = np.random.default_rng(6)
    sold = rng.poisson(1.6, size=(RUNS, 10))
    level = rng.gamma(4.0, 0.25, size=(RUNS, 10))  # what the sales of a replication share
    paid = 2.0 * level * sold
    found = [replications(y, x) for y, x in zip(paid, sold, strict=True)]
    assert 0.9 < covers(found, 2.0) < 0.95
    naive = [
        Estimate(e.mean, float(np.repeat(y, x).std(ddof=1)) / math.sqrt(x.sum()), e.n, e.df)
        for e, y, x in zip(found, 2.0 * level, sold, strict=True)
    ]
    assert covers(naive, 2.0) < 0.85


def test_lag1_by_hand() -> None:
    """q = 3/5 for a ramp and 12/4 for an alternating series."""
    assert lag1([1, 2, 3, 4]) == pytest.approx(0.7)
    assert lag1([1, -1, 1, -1]) == pytest.approx(-0.5)
    assert math.isnan(lag1([1, 2]))
    assert math.isnan(lag1([3, 3, 3]))


def test_wrong_shapes_are_named() -> None:
    """Errors of the caller raise; they never give a number."""
    with pytest.raises(ValueError, match="share one shape"):
        batch_means([1.0, 2.0], [1])
    with pytest.raises(ValueError, match="share one shape"):
        batch_means([[1.0]], [[1]])
    with pytest.raises(ValueError, match="negative"):
        batch_means([1.0, 2.0], [1, -1])
    with pytest.raises(ValueError, match="at least 2"):
        batch_means([1.0, 2.0], [1, 1], batches=1)
    with pytest.raises(ValueError, match="replications"):
        replications([[1.0]], [[1]])
    with pytest.raises(ValueError, match="negative"):
        replications([1.0, 2.0], [1, -1])
    with pytest.raises(ValueError, match="epochs"):
        detect_warmup([[1.0]])


# --- coverage ---------------------------------------------------------------------------------


def covers(estimates: list[Estimate], truth: float) -> float:
    """Share of nominal 95% intervals that contain the truth."""
    ends = [e.interval() for e in estimates]
    return sum(low <= truth <= high for low, high in ends) / len(ends)


def is_nominal(coverage: float) -> bool:
    """The criterion: 93-97% of `RUNS` = 2000 intervals.

    False alarms at a true coverage of 95%: 2 points are 4.1 standard errors (0.49 points), 4e-5.
    Power: an interval that truly covers 91% passes with probability 0.1%.
    """
    return 0.93 <= coverage <= 0.97


def naive(mean: float, sd: float, observations: float) -> Estimate:
    """The mutant: sigma / sqrt(N), as if observations were independent."""
    return Estimate(mean, sd / math.sqrt(observations), int(observations), int(observations) - 1)


def ar1(rng: np.random.Generator, runs: int, length: int, phi: float) -> Array:
    """Stationary series x_t = phi x_{t-1} + N(0, 1), shape [runs, length], mean 0."""
    x = rng.normal(size=(length, runs))
    x[0] /= math.sqrt(1 - phi**2)
    for t in range(1, length):
        x[t] += phi * x[t - 1]
    return np.ascontiguousarray(x.T)


def mm1_waits(
    rng: np.random.Generator, epochs: int, length: float, rho: float
) -> tuple[Array, Array, float]:
    """One stationary M/M/1 run (service rate 1): waits summed and tasks counted per time window.

    Lindley's recursion w' = max(w + service - gap, 0) unrolled: the walk less its running
    minimum, started from the stationary law of the wait. Also the naive sigma of single waits.
    """
    expected = rho * epochs * length
    n = int(expected + 8 * math.sqrt(expected))
    gaps = rng.standard_exponential(n) / rho
    arrivals = np.cumsum(gaps)
    steps = rng.standard_exponential(n)
    steps[1:] = steps[:-1] - gaps[1:]
    steps[0] = rng.exponential(1 / (1 - rho)) if rng.random() < rho else 0.0
    walk = np.cumsum(steps)
    waits = walk - np.minimum(np.minimum.accumulate(walk), 0.0)
    inside = int(np.searchsorted(arrivals, epochs * length))
    assert inside < n
    epoch = (arrivals[:inside] / length).astype(np.int64)
    sums = np.bincount(epoch, weights=waits[:inside], minlength=epochs).astype(np.float64)
    counts = np.bincount(epoch, minlength=epochs).astype(np.float64)
    return sums, counts, float(waits[:inside].std())


def test_ar1_coverage_and_size_of_the_error() -> None:
    """Batches of 200 steps at phi = .8; se^2 against its exact expectation.

    The mean of 2000 se^2 has a relative error of sqrt(2/19/2000) = 0.73%; the 3% allowed are
    4.1 of those (false alarms 4e-5), and the mutant that divides by n instead of n - 1 (5% low)
    passes with probability 0.3%.
    """
    phi, steps, size = 0.8, 4000, 200
    series = ar1(np.random.default_rng(0), RUNS, steps, phi)
    ones = np.ones(steps)
    estimates = [batch_means(s, ones) for s in series]
    assert is_nominal(covers(estimates, 0.0))

    def variance_of_mean(n: int) -> float:
        return ((1 + phi) / (1 - phi) - 2 * phi * (1 - phi**n) / (n * (1 - phi) ** 2)) / (
            n * (1 - phi**2)
        )

    expected = (variance_of_mean(size) - variance_of_mean(steps)) / 19
    found = sum(e.se**2 for e in estimates) / RUNS
    assert found == pytest.approx(expected, rel=0.03)
    assert 19 / 20 * found != pytest.approx(expected, rel=0.03)

    mutant = [naive(float(s.mean()), float(s.std()), steps) for s in series]
    assert not is_nominal(covers(mutant, 0.0))  # 49% in theory
    unmerged = [batch_means(s, ones, batches=steps) for s in series]
    assert not is_nominal(covers(unmerged, 0.0))


def test_mm1_coverage_size_of_the_error_and_bias() -> None:
    """Mean wait at utilisation .7, 160 windows of 500 service times, so 20 batches of 2800 tasks.

    Size: N se^2 tends to rho (2 + 5 rho - 4 rho^2 + rho^3) / (1 - rho)^4 = 335.6; its mean over
    the runs has a relative error of 0.93%, the 4% allowed are 4.3 of those: 2e-5.
    Bias: below a tenth of a standard error, seen with a standard error of 1/sqrt(2000) = 0.022
    of that unit: 1e-5. The mean of the windows' ratios is biased by 0.28 and must fail.
    """
    rho, epochs, length = 0.7, 160, 500.0
    truth = rho / (1 - rho)
    rng = np.random.default_rng(1)
    estimates, mutant, of_ratios, tasks = [], [], [], 0.0
    for _ in range(RUNS):
        sums, counts, sd = mm1_waits(rng, epochs, length, rho)
        e = batch_means(sums, counts)
        estimates.append(e)
        mutant.append(naive(e.mean, sd, counts.sum()))
        of_ratios.append(float((sums / counts).mean()))
        tasks += counts.sum() / RUNS
    assert is_nominal(covers(estimates, truth))
    assert not is_nominal(covers(mutant, truth))  # about 27%

    asymptotic = rho * (2 + 5 * rho - 4 * rho**2 + rho**3) / (1 - rho) ** 4
    assert tasks * sum(e.se**2 for e in estimates) / RUNS == pytest.approx(asymptotic, rel=0.04)

    unit = float(np.std([e.mean for e in estimates]))
    assert abs(np.mean([e.mean for e in estimates]) - truth) < 0.1 * unit
    assert abs(np.mean(of_ratios) - truth) > 0.1 * unit


def test_replications_cover_and_common_random_numbers_pay() -> None:
    """Coverage of 2000 intervals from 6 normal differences; pairs that share 90% of variance."""
    rng = np.random.default_rng(2)
    shared = 3.0 * rng.normal(size=(RUNS, 6))
    a = shared + rng.normal(size=(RUNS, 6)) + 0.5
    b = shared + rng.normal(size=(RUNS, 6))
    differences = [replications(x - y, np.ones(6)) for x, y in zip(a, b, strict=True)]
    assert is_nominal(covers(differences, 0.5))
    normal = [Estimate(e.mean, e.se, e.n, 10**6) for e in differences]
    assert not is_nominal(covers(normal, 0.5))  # the normal quantile with 6 values: 89%
    separate = sum(
        math.hypot(replications(x, np.ones(6)).se, replications(y, np.ones(6)).se)
        for x, y in zip(a, b, strict=True)
    )
    assert sum(e.se for e in differences) < 0.4 * separate  # sqrt(1/10) = 0.32


@pytest.mark.parametrize("batches", [10, 20, 30])
def test_short_has_its_stated_false_alarm_rate(batches: int) -> None:
    """Independent batches, 4000 runs: flagged in 0.2-1.4%.

    The rate is 0.6-0.8%, the standard error of a share 0.12-0.14 points: false alarms 5e-4 at
    10 batches, 4e-5 at 20 and 30. The 95% point (1.645) would flag 5% and must fail.
    """
    values = np.random.default_rng(3).normal(size=(4000, batches))
    ones = np.ones(batches)
    flagged = np.mean([batch_means(v, ones, batches).short for v in values])
    assert 0.002 <= flagged <= 0.014
    loose = 1.645 * math.sqrt((batches - 2) / (batches**2 - 1))
    assert np.mean([lag1(v) > loose for v in values]) > 0.014


def test_short_sees_runs_that_are_far_too_short() -> None:
    """Batches of 2 steps at phi = .8: the interval covers 61% and 76% of runs are flagged.

    With 2000 runs the share has a standard error of 1 point; 70% is 6 of those below. Batches of
    200 steps, which are sound, stay below 2% (rate about 0.8%, 6 standard errors).
    """
    series = ar1(np.random.default_rng(4), RUNS, 4000, 0.8)
    flagged = [batch_means(s[:40], np.ones(40)) for s in series]
    assert not is_nominal(covers(flagged, 0.0))
    assert np.mean([e.short for e in flagged]) > 0.7
    assert np.mean([batch_means(s, np.ones(4000)).short for s in series]) < 0.02


# --- warm-up ----------------------------------------------------------------------------------


def mser_by_definition(series: Array, tail: int = 5) -> Warmup:
    """MSER-5 term by term from its definition; `tail` groups at the end are no candidates."""
    z = np.nanmean(series[: len(series) // 5 * 5].reshape(-1, 5), axis=1)
    k = len(z)
    scores = [float(np.square(z[d:] - z[d:].mean()).sum()) / (k - d) ** 2 for d in range(k - tail)]
    cut = scores.index(min(scores))
    return Warmup(5 * cut, reached=2 * cut <= k)


def reached_often_enough(answers: list[Warmup]) -> bool:
    """The criterion for stationary runs of 400 epochs: at most 2.5% of 1000 "not reached".

    The rate is 0.7% (1.2% at phi = .5): 6.8 and 3.8 standard errors, false alarms below 1e-4.
    """
    return sum(not a.reached for a in answers) <= 0.025 * len(answers)


def test_mser_equals_its_definition() -> None:
    """Many lengths, odd epochs at the end, with and without a transient and undefined epochs."""
    rng = np.random.default_rng(5)
    for length in range(60, 260):
        series = ar1(rng, 1, length, 0.6)[0] + 8 * np.exp(-np.arange(length) / 12) * (length % 3)
        assert detect_warmup(series) == mser_by_definition(series)
        series[rng.integers(5, size=length // 5) + 5 * np.arange(length // 5)] = math.nan
        series[::5] = np.nan_to_num(series[::5], nan=20.0)
        assert detect_warmup(series) == mser_by_definition(series)


def test_mser_finds_a_transient_of_known_length() -> None:
    """60 epochs 3 sigma too high, then stationary, phi = .5, 400 epochs in all, 1000 runs.

    Cuts at 60 or later: 99.9% of runs, at 60-120: 96%; the 99% and 90% asked for are 8 and 10
    standard errors below. Mean bias: 0.45 uncut; the 0.02 allowed is 6 standard errors. Power:
    a rule that never cuts, or one that always cuts half, fails.
    """
    series = ar1(np.random.default_rng(6), 1000, 400, 0.5) * math.sqrt(0.75)
    series[:, :60] += 3.0
    cuts = np.array([detect_warmup(s).epochs for s in series])
    assert np.mean(cuts >= 60) >= 0.99
    assert np.mean((cuts >= 60) & (cuts <= 120)) >= 0.9
    uncut = series.mean()
    cut = np.mean([s[c:].mean() for s, c in zip(series, cuts, strict=True)])
    assert abs(uncut - 0.45) < 0.02  # the bias that is to be removed: 3 * 60/400
    assert abs(cut) < 0.02


def test_mser_leaves_stationary_runs_alone() -> None:
    """False alarms; and the mutant that may cut down to one group must fail the same criterion."""
    for seed, phi in ((7, 0.0), (8, 0.5)):
        series = ar1(np.random.default_rng(seed), 1000, 400, phi)
        assert reached_often_enough([detect_warmup(s) for s in series])
    assert not reached_often_enough([mser_by_definition(s, tail=1) for s in series[:200]])


def test_mser_refuses_runs_without_a_steady_state() -> None:
    """An overloaded queue grows without end: a slope of 10 sigma over the run, all of 200 runs."""
    noise = np.random.default_rng(9).normal(size=(200, 400))
    growing = noise + np.linspace(0.0, 10.0, 400)
    assert not any(detect_warmup(s).reached for s in growing)


def test_mser_edges() -> None:
    """Too few epochs, constants (0.1 has no exact binary form), epochs without data."""
    assert detect_warmup([]) == Warmup(0, reached=False)
    assert detect_warmup([1.0] * 59) == Warmup(0, reached=False)
    assert detect_warmup([0.1] * 60) == Warmup(0, reached=True)
    assert detect_warmup([math.nan] * 400) == Warmup(0, reached=False)
    sparse = np.full(100, 0.7)
    sparse[[0, 1, 7, 33, 34, 35, 98]] = math.nan
    assert detect_warmup(sparse) == Warmup(0, reached=True)
    series = np.tile([1.0, 2.0], 100)
    series[:30] = 1e9
    assert detect_warmup(series) == Warmup(30, reached=True)
    series[[2, 57, 111]] = math.nan
    assert detect_warmup(series) == Warmup(30, reached=True)
    series[5:20] = math.nan  # three groups without data: the cut still counts epochs
    assert detect_warmup(series) == Warmup(30, reached=True)
