"""Laws of sizes and values: draws against SciPy's laws, moments, quantiles, compiled rows.

Every sample has 200,000 draws from keys fixed in advance. A Kolmogorov–Smirnov test fails a
right sampler with probability 1e-6, a mean with probability 2e-9 (six standard errors). Power:
the same draws made 5% larger must fail both.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from pydantic import TypeAdapter, ValidationError
from scipy import stats

from walras.market.jit import compiled
from walras.market.rng import hash2, name_key
from walras.market.sampling import LAW, gamma_draw, interpolate, law_row, quantile_table, sample
from walras.market.schema.distributions import (
    Constant,
    Distribution,
    Duration,
    Exponential,
    Gamma,
    LogNormal,
    Quantiles,
    Uniform,
)
from walras.market.sizes import quantiles_of

steady = settings(deadline=None, derandomize=True)
Array = NDArray[np.float64]
N = 200_000
STEPS = Quantiles(probabilities=[0, 0.5, 0.5000001, 0.9, 1], values=[1, 2, 3, 3.5, 20])


@compiled
def fill(law: Any, tables: Array, key: np.uint64, out: Array) -> None:
    """Draw from a compiled law, task by task."""
    for i in range(len(out)):
        out[i] = sample(law, tables, hash2(key, np.uint64(i)))


def draws(law: Any, key: str = "draws", count: int = N, row: Any = None) -> Array:
    """Return draws of a law, or of a compiled row that claims to be it."""
    tables: list[Quantiles] = []
    compiled_law = np.zeros(1, LAW)
    compiled_law[0] = row or law_row(law, tables)
    out = np.empty(count)
    with np.errstate(over="ignore", under="ignore"):
        fill(compiled_law[0], quantile_table(tables), name_key(key), out)
    return out


def lognormal(mean: float, cv: float) -> Any:
    """Return SciPy's lognormal of this mean and coefficient of variation."""
    sigma2 = math.log(1 + cv * cv)
    return stats.lognorm(math.sqrt(sigma2), scale=mean * math.exp(-sigma2 / 2))


CASES: dict[str, tuple[Any, Any]] = {
    "uniform": (Uniform(low=2.0, high=5.0), stats.uniform(2.0, 3.0)),
    "exponential": (Exponential(mean=3.0), stats.expon(scale=3.0)),
    "lognormal": (LogNormal(2.0, 0.5), lognormal(2.0, 0.5)),
    "lognormal, wide": (LogNormal(700.0, 1.9), lognormal(700.0, 1.9)),
    "gamma, shape 4": (Gamma(5.0, 0.5), stats.gamma(4.0, scale=1.25)),
    "gamma, shape 1": (Gamma(5.0, 1.0), stats.gamma(1.0, scale=5.0)),
    "gamma, shape 1/4": (Gamma(5.0, 2.0), stats.gamma(0.25, scale=20.0)),
    "gamma, shape 400": (Gamma(5.0, 0.05), stats.gamma(400.0, scale=0.0125)),
}
every_law = pytest.mark.parametrize(("law", "exact"), CASES.values(), ids=CASES)


def follows(x: Array, exact: Any) -> bool:
    """Whether a sample passes for a law: Kolmogorov–Smirnov at 1e-6."""
    return bool(stats.kstest(x, exact.cdf).pvalue > 1e-6)


def centred(x: Array, mean: float, variance: float) -> bool:
    """Whether the mean of a sample is within six standard errors of what it should be."""
    return bool(abs(x.mean() - mean) < 6.0 * math.sqrt(variance / len(x)))


@every_law
def test_draws_follow_the_law(law: Any, exact: Any) -> None:
    """Law and mean of the draws; the same draws 5% larger fail both."""
    x = draws(law)
    assert follows(x, exact)
    assert centred(x, exact.mean(), exact.var())
    assert not follows(1.05 * x, exact)
    assert not centred(1.05 * x, exact.mean(), exact.var())


@every_law
def test_variance_of_draws(law: Any, exact: Any) -> None:
    """Within six standard errors by the law's own kurtosis; half as wide again fails."""
    x = draws(law, "variance")
    _, var, _, excess = exact.stats("mvsk")
    error = 6.0 * var * math.sqrt((float(excess) + 2.0) / N)
    if error < 0.5 * var:  # with heavier tails no sample of this size tells
        assert abs(x.var() - var) < error
        assert abs((1.5 * (x - x.mean())).var() - var) > error


@every_law
def test_moments_and_quantiles_of_the_spec_are_the_laws(law: Any, exact: Any) -> None:
    """What the spec says of mean, variance and quantiles, and quotes rely on, is exact."""
    assert law.mean == pytest.approx(exact.mean(), rel=1e-12)
    assert law.variance == pytest.approx(exact.var(), rel=1e-12)
    p = np.linspace(0.001, 0.999, 57)
    np.testing.assert_allclose(quantiles_of(law, p), exact.ppf(p), rtol=1e-9)


@pytest.mark.parametrize(
    ("law", "row", "exact"),
    [
        (LogNormal(2.0, 0.5), (3, math.log(2.0), 0.5, 0), lognormal(2.0, 0.5)),
        (LogNormal(2.0, 0.5), (3, math.log(2.0), math.sqrt(math.log1p(0.25)), 0),
         lognormal(2.0, 0.5)),
        (Gamma(5.0, 2.0), (4, 0.5, 10.0, 0), stats.gamma(0.25, scale=20.0)),
        (Exponential(mean=3.0), (2, 1 / 3, 0.0, 0), stats.expon(scale=3.0)),
        (Uniform(low=2.0, high=5.0), (1, 2.0, 5.0, 0), stats.uniform(2.0, 3.0)),
    ],
    ids=["cv taken for sigma", "mean of the log not shifted", "shape 1/cv", "rate", "high"],
)  # fmt: skip
def test_slips_of_parameters_are_seen(law: Any, row: tuple[Any, ...], exact: Any) -> None:
    """Rows compiled with the usual slips do not pass for the law."""
    assert not follows(draws(law, row=row), exact)


def test_gamma_rejections_are_keyed() -> None:
    """A draw depends on its own key alone, and different keys give different draws."""
    with np.errstate(over="ignore", under="ignore"):
        first = [gamma_draw(0.7, np.uint64(hash2(name_key("g"), np.uint64(i)))) for i in range(200)]
        again = [gamma_draw(0.7, np.uint64(hash2(name_key("g"), np.uint64(i)))) for i in (150, 3)]
    assert again == [first[150], first[3]]
    assert len(set(first)) == len(first)
    assert min(first) > 0.0


# --- quantile tables ---------------------------------------------------------------------------


def test_draws_of_quantiles_are_piecewise_uniform() -> None:
    """Share and mean of each piece are those of the table, a jump included; 5% off fails."""
    x = draws(STEPS)
    p, v = np.array(STEPS.probabilities), np.array(STEPS.values)
    grid = np.linspace(0.01, 0.99, 99)
    np.testing.assert_allclose(quantiles_of(STEPS, grid), np.interp(grid, p, v))

    def cdf(y: Any) -> Any:
        return np.interp(y, v, p)

    assert stats.kstest(x, cdf).pvalue > 1e-6
    assert stats.kstest(1.05 * x, cdf).pvalue < 1e-6
    assert centred(x, STEPS.mean, STEPS.variance)
    assert not centred(1.05 * x, STEPS.mean, STEPS.variance)


def test_moments_of_quantiles_by_hand() -> None:
    """Half uniform on [0, 1], half on [1, 3]: mean 1.25, second moment 1/6 + 13/6."""
    law = Quantiles(probabilities=[0, 0.5, 1], values=[0, 1, 3])
    assert law.mean == 1.25
    assert law.variance == pytest.approx(7 / 3 - 1.25**2)
    flat = Quantiles(probabilities=[0, 1], values=[0.1, 0.1])
    assert flat.variance == 0.0


@steady
@given(
    x=st.floats(-1.0, 2.0),
    steps=st.lists(st.floats(1e-3, 1.0), min_size=1, max_size=30),
    rises=st.lists(st.floats(0.0, 10.0), min_size=31, max_size=31),
)
def test_interpolation_is_numpys_and_flat_outside(
    x: float, steps: list[float], rises: list[float]
) -> None:
    """Equal to `np.interp`; the ends' values beyond the ends."""
    grid = np.concatenate([[0.0], np.cumsum(steps) / sum(steps)])
    values = np.cumsum(rises[: len(grid)])
    assert interpolate(grid, values, x) == pytest.approx(np.interp(x, grid, values), rel=1e-12)


def test_tables_of_different_length_share_an_array() -> None:
    """Short rows repeat their end, so that reading them gives the same draws."""
    short = Quantiles(probabilities=[0, 1], values=[2, 4])
    table = quantile_table([short, STEPS])
    assert table.shape == (2, 2, 5)
    for u in (0.001, 0.25, 0.5, 0.999):
        assert interpolate(table[0, 0], table[0, 1], u) == pytest.approx(2 + 2 * u)
    assert quantile_table([]).shape == (1, 2, 2)


# --- rows and the schema -----------------------------------------------------------------------


def test_constant_needs_no_randomness() -> None:
    """Every draw is the value itself, to the last bit."""
    assert set(draws(Constant(value=0.1), count=100)) == {0.1}
    assert (Constant(value=0.1).mean, Constant(value=0.1).variance) == (0.1, 0.0)


def test_rows_by_hand() -> None:
    """Each kind's number and parameters; quantile laws are collected in order."""
    tables: list[Quantiles] = [STEPS]
    assert law_row(Constant(value=3.0), tables) == (0, 3.0, 0.0, 0)
    assert law_row(Uniform(low=2.0, high=5.0), tables) == (1, 2.0, 3.0, 0)
    assert law_row(Exponential(mean=2.0), tables) == (2, 2.0, 0.0, 0)
    kind, mu, sigma, _ = law_row(LogNormal(2.0, 0.5), tables)
    assert kind == 3
    assert mu + sigma**2 / 2 == pytest.approx(math.log(2.0))
    assert sigma**2 == pytest.approx(math.log(1.25))
    assert law_row(Gamma(6.0, 0.5), tables) == (4, 4.0, 1.5, 0)
    assert law_row(STEPS, tables) == (5, 0.0, 0.0, 1)
    assert tables == [STEPS, STEPS]


@pytest.mark.parametrize(
    "law",
    [
        {"kind": "quantiles", "probabilities": [0, 1], "values": [1]},
        {"kind": "quantiles", "probabilities": [0.1, 1], "values": [1, 2]},
        {"kind": "quantiles", "probabilities": [0, 0.5, 0.5, 1], "values": [1, 2, 3, 4]},
        {"kind": "quantiles", "probabilities": [0, 1], "values": [2, 1]},
        {"kind": "quantiles", "probabilities": [0, 1], "values": [-1, 1]},
        {"kind": "uniform", "low": 2, "high": 1},
        {"kind": "lognormal", "mean": 1, "cv": 0},
        {"kind": "gamma", "mean": 0, "cv": 1},
        {"kind": "exponential", "mean": math.nan},
        {"kind": "constant", "value": -1},
        True,
        "3 parsecs",
    ],
)
def test_impossible_laws_are_refused(law: Any) -> None:
    """Nothing that is not a law of a non-negative quantity gets through."""
    with pytest.raises(ValidationError):
        TypeAdapter(Distribution).validate_python(law)


def test_durations_may_be_written_with_units() -> None:
    """ "3 min" is a constant, and laws of time take units inside."""
    read = TypeAdapter(Duration).validate_python
    assert read("3 min") == Constant(value=180.0)
    assert read(2.5) == Constant(value=2.5)
    assert read({"kind": "lognormal", "mean": "2 h", "cv": 1}) == LogNormal(7200.0, 1.0)
