"""Differences of runs that share their random numbers: exact cases, coverage, what pairing buys.

Seeds and criteria as in `test_estimates`: each statistical test states its false-alarm rate, and
a named mutant must fail the same criterion.
"""

from __future__ import annotations

import math
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from walras.scenarios.estimates import (
    Estimate,
    batch_means,
    holm,
    paired_batches,
    paired_replications,
    replications,
)

from .test_estimates import RUNS, covers, is_nominal

pytestmark = pytest.mark.filterwarnings("error")

Array = NDArray[np.float64]


# --- exact cases -------------------------------------------------------------------------------


def test_equal_counts_give_the_paired_t_test() -> None:
    """Differences 1, 2, 4, 1: mean 2, variance 2, over four; Student's t with 3 degrees."""
    e = paired_replications([3, 5, 9, 2], [1] * 4, [2, 3, 5, 1], [1] * 4)
    assert (e.mean, e.se, e.n, e.df) == pytest.approx((2, math.sqrt(2 / 4), 4, 3))
    assert e.p_value() == pytest.approx(0.066276, abs=1e-6)  # t = 2√2, 3 degrees of freedom
    assert paired_batches([3, 5, 9, 2], [1] * 4, [2, 3, 5, 1], [1] * 4) == e


def test_the_error_is_the_jackknife_of_the_difference_by_brute_force() -> None:
    """Leave out each batch of both runs in turn, as Quenouille would."""
    rng = np.random.default_rng(0)
    x, x0 = rng.poisson(3.0, size=(2, 20)) + 1.0
    common = rng.exponential(size=20)
    y, y0 = x * (common + rng.normal(size=20)), x0 * common
    left_out = [
        np.delete(y, i).sum() / np.delete(x, i).sum()
        - np.delete(y0, i).sum() / np.delete(x0, i).sum()
        for i in range(20)
    ]
    mean = y.sum() / x.sum() - y0.sum() / x0.sum()
    se = math.sqrt(19 / 20 * sum((d - mean) ** 2 for d in left_out))
    e = paired_batches(y, x, y0, x0)
    assert (e.mean, e.se, e.n, e.df) == pytest.approx((mean, se, 20, 19))


def test_against_nothing_it_is_the_error_of_one() -> None:
    """A run that is 0 throughout takes nothing away; epochs merge and are dropped as in one run."""
    rng = np.random.default_rng(1)
    for epochs in (2, 19, 20, 41, 400):
        y, x = rng.normal(size=epochs), rng.uniform(1, 2, size=epochs)
        e = paired_batches(y, x, np.zeros(epochs), x)
        alone = batch_means(y, x)
        assert (e.mean, e.se, e.n, e.short) == pytest.approx(
            (alone.mean, alone.se, alone.n, alone.short)
        )
    assert paired_replications(y, x, 0 * y, x).se == pytest.approx(replications(y, x).se)


def test_the_same_run_twice_does_not_differ() -> None:
    """Exactly 0 with error 0, and p = 1; a constant gap has no known error, and no p."""
    rng = np.random.default_rng(2)
    y, x = rng.normal(size=(2, 60)) ** 2
    e = paired_batches(y, x, y, x)
    assert (e.mean, e.se, e.p_value(), e.interval()) == (0.0, 0.0, 1.0, (0.0, 0.0))
    gap = paired_batches(y + 0.1 * x, x, y, x)  # alike but for rounding
    assert gap.mean == pytest.approx(0.1)
    assert gap.se == 0.0
    assert math.isnan(gap.p_value())


def test_a_batch_that_only_one_run_has_counts() -> None:
    """Four batches hold data; the one in which the first served nobody moves the other alone."""
    e = paired_batches([2, 0, 4, 3], [2, 0, 3, 3], [1, 5, 2, 2], [1, 2, 2, 1])
    y, x = np.array([2, 0, 4, 3.0]), np.array([2, 0, 3, 3.0])
    y0, x0 = np.array([1, 5, 2, 2.0]), np.array([1, 2, 2, 1.0])
    moved = [
        (np.delete(y, i).sum() / np.delete(x, i).sum() - y.sum() / x.sum())
        - (np.delete(y0, i).sum() / np.delete(x0, i).sum() - y0.sum() / x0.sum())
        for i in range(4)
    ]
    assert (e.n, e.se) == pytest.approx((4, math.sqrt(3 / 4 * np.square(moved).sum())))


@pytest.mark.parametrize(
    ("y0", "x0", "known"),
    [([0.0, 0.0], [0, 0], False), ([1.0, 1.0], [1, 0], True), ([math.nan, 1.0], [1, 1], False)],
)
def test_what_cannot_be_known_is_nan_without_a_warning(
    y0: list[float], x0: list[int], known: bool
) -> None:
    """Nothing in the other run: no difference; its data in one batch: no error."""
    e = paired_batches([1.0, 2.0], [1, 1], y0, x0)
    assert math.isnan(e.mean) != known
    assert math.isnan(e.se)
    assert math.isnan(e.p_value())


def test_wrong_shapes_are_named() -> None:
    with pytest.raises(ValueError, match="runs of 2 and 3 epochs"):
        paired_batches([1, 2], [1, 1], [1, 2, 3], [1, 1, 1])
    with pytest.raises(ValueError, match="2 and 1 replications"):
        paired_replications([1, 2], [1, 1], [1], [1])
    with pytest.raises(ValueError, match="at least 2"):
        paired_batches([1, 2], [1, 1], [1, 2], [1, 1], batches=1)
    with pytest.raises(ValueError, match="negative"):
        paired_batches([1, 2], [1, 1], [1, 2], [1, -1])


# --- p-values ----------------------------------------------------------------------------------


def test_a_p_value_is_below_5_percent_where_the_interval_leaves_out_0() -> None:
    """Table of t: t(.975; 9) = 2.262157."""
    assert Estimate(2.262157, 1.0, 10, 9).p_value() == pytest.approx(0.05, abs=1e-6)
    assert Estimate(-2.262157, 1.0, 10, 9).p_value() == pytest.approx(0.05, abs=1e-6)
    for e in (Estimate(1, math.nan, 2, 1), Estimate(1, 0.0, 9, 8), Estimate(0, math.nan, 0, 0)):
        assert math.isnan(e.p_value())


def test_holm_by_hand() -> None:
    """Holm 1979: .005·4, .01·3, then .03·2 and .04·1, which may not fall below it; nan left out."""
    found = holm([0.01, math.nan, 0.04, 0.03, 0.005])
    assert np.isnan(found[1])
    assert found[[0, 2, 3, 4]] == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]).tolist() == []
    assert holm([0.7, 0.9]).tolist() == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=12), st.floats(0.001, 0.5))
def test_holm_rejects_as_its_steps_do(p_values: list[float], level: float) -> None:
    """Stepping down from the smallest: stop at the first p above level / (number left)."""
    rejected = set()
    order = sorted(range(len(p_values)), key=lambda i: p_values[i])
    for step, i in enumerate(order):
        if p_values[i] * (len(order) - step) > level:
            break
        rejected.add(i)
    found = holm(p_values)
    assert {i for i in range(len(p_values)) if found[i] <= level} == rejected
    assert all(found >= np.array(p_values, dtype=float))


def plain_steps(p_values: Array) -> Array:
    """The mutant: no correction."""
    return p_values


def test_holm_keeps_the_chance_of_any_false_alarm() -> None:
    """Eight true hypotheses: at 5%, 5% ± 1.1 points of 4,000 families (false alarms 1e-3).

    For independent ones Holm rejects any with probability 1 − .95^(1/8)… = 4.9%; uncorrected 34%.
    """
    families = np.random.default_rng(3).random((4000, 8))
    any_ = np.mean([(holm(f) <= 0.05).any() for f in families])
    assert any_ == pytest.approx(0.05, abs=0.0114)
    mutant = np.mean([(plain_steps(f) <= 0.05).any() for f in families])
    assert mutant != pytest.approx(0.05, abs=0.0114)


# --- coverage ----------------------------------------------------------------------------------


def two_queues(
    rng: np.random.Generator, epochs: int, length: float
) -> tuple[Array, Array, Array, Array]:
    """Two M/M/1 queues with the same arrivals (rate .5) and the same service draws, 1 and 1.2 long.

    Each is stationary: it starts with a wait of its own law, drawn by the same numbers. Returns
    waits summed and tasks counted per window of the second and of the first.
    """
    rate = 0.5
    n = int(rate * epochs * length + 8 * math.sqrt(rate * epochs * length))
    gaps, services = rng.standard_exponential(n) / rate, rng.standard_exponential(n)
    arrivals = np.cumsum(gaps)
    first, size = rng.random(), rng.standard_exponential()
    inside = int(np.searchsorted(arrivals, epochs * length))
    epoch = (arrivals[:inside] / length).astype(np.int64)
    found: list[Array] = []
    for scale in (1.2, 1.0):
        rho = rate * scale
        steps = scale * services
        steps[1:] = steps[:-1] - gaps[1:]
        steps[0] = scale * size / (1 - rho) if first < rho else 0.0
        walk = np.cumsum(steps)
        waits = walk - np.minimum(np.minimum.accumulate(walk), 0.0)
        sums = np.bincount(epoch, weights=waits[:inside], minlength=epochs)
        found.append(sums.astype(np.float64))
        found.append(np.bincount(epoch, minlength=epochs).astype(np.float64))
    y, x, y0, x0 = found
    return y, x, y0, x0


DIFFERENCE = 0.6 * 1.2 / 0.4 - 0.5 / 0.5
"""Mean waits ρ·s/(1 − ρ) of M/M/1, s = 1.2 and 1: 1.8 and 1."""


def as_if_apart(y: Array, x: Array, y0: Array, x0: Array) -> Estimate:
    """The mutant: two errors as of independent runs, which pairing is not."""
    a, b = batch_means(y, x), batch_means(y0, x0)
    return Estimate(a.mean - b.mean, math.hypot(a.se, b.se), a.n, a.df)


def as_if_tasks_were_independent(y: Array, x: Array, y0: Array, x0: Array) -> Estimate:
    """The mutant: epochs of 10 s as pieces, though a queue remembers for longer."""
    return paired_batches(y, x, y0, x0, batches=len(y))


def test_intervals_of_paired_differences_cover_the_truth(
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Queues of 20 × 2,000 s; 2,000 pairs, 93 to 97% of intervals (false alarms 4e-5).

    Errors as of independent runs are far too wide, those of short epochs far too narrow. The
    variance of the difference is a fraction of that of two runs with seeds of their own.
    """
    rng = np.random.default_rng(4)
    runs = [two_queues(rng, 400, 100.0) for _ in range(RUNS)]
    estimates = [paired_batches(*run) for run in runs]
    assert is_nominal(covers(estimates, DIFFERENCE))
    assert not is_nominal(covers([as_if_apart(*run) for run in runs], DIFFERENCE))
    narrow = [as_if_tasks_were_independent(*run) for run in runs[:400]]
    assert not is_nominal(covers(narrow, DIFFERENCE))

    means = np.array([e.mean for e in estimates])
    assert means.mean() == pytest.approx(DIFFERENCE, abs=4 * means.std() / math.sqrt(RUNS))
    apart = [
        batch_means(*run[:2]).mean - batch_means(*other[2:]).mean
        for run, other in zip(runs, runs[1:] + runs[:1], strict=True)
    ]
    ratio = float(np.var(apart) / means.var())
    with capsys.disabled():
        sys.stdout.write(
            f"\npairing M/M/1 queues divides the variance of a difference by {ratio:.1f}\n"
        )
    assert ratio > 3
    typical = float(np.mean([e.se**2 for e in estimates]))
    assert typical == pytest.approx(means.var(), rel=0.15)


def test_paired_replications_cover_the_truth() -> None:
    """Ten replications of ratios with common parts; 2,000 experiments, 93 to 97%."""
    rng = np.random.default_rng(5)
    shape = (RUNS, 10)
    x, x0 = rng.poisson(200, shape), rng.poisson(150, shape)
    common = rng.normal(size=shape)
    y = x * (2.0 + common + 0.2 * rng.normal(size=shape))
    y0 = x0 * (1.5 + common + 0.2 * rng.normal(size=shape))
    experiments = list(zip(y, x, y0, x0, strict=True))
    estimates = [paired_replications(*one) for one in experiments]
    assert is_nominal(covers(estimates, 0.5))
    apart = []
    for a, b, c, d in experiments:
        one, other = replications(a, b), replications(c, d)
        apart.append(Estimate(one.mean - other.mean, math.hypot(one.se, other.se), 10, 9))
    assert not is_nominal(covers(apart, 0.5))
