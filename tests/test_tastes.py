"""Taste shocks: exactness of the tables, marginal and joint laws, choice shares of nested logit.

Shocks are observed through the engine: a captive buyer whose only offer is o takes it, and the
trade row holds its taste. Tests of law fail a right sampler with probability 1e-6, correlations
and means are within six standard errors (2e-9). The mutants (nest forgotten, not centred, shared
part not scaled) fail the same tests.
"""

from __future__ import annotations

import math
from functools import cache
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

import walras as w
from walras.market.engine import Engine
from walras.market.jit import compiled
from walras.market.rng import hash2, name_key
from walras.market.tastes import (
    BINS,
    EULER,
    gumbel,
    gumbel_quantile,
    gumbel_table,
    seller_taste,
    stable_part,
    stable_table,
)

steady = settings(deadline=None, derandomize=True)
Array = NDArray[np.float64]
N = 40_000
NESTS = [0.3, 0.5, 0.9]
_EXACT = stats.gumbel_r(-EULER)
"""Law of a shock in units of its scale: Gumbel with mean zero."""


# --- tables ------------------------------------------------------------------------------------


@compiled
def read_gumbel(bits: NDArray[np.uint64], table: Array, out: Array) -> None:
    """Read the table at many places."""
    for i in range(len(bits)):
        out[i] = gumbel(bits[i], table)


@compiled
def read_shared(keys: NDArray[np.uint64], nest: float, stable: Array, table: Array,
                out: Array) -> None:  # fmt: skip
    """Draw the shared part for many keys."""
    for i in range(len(keys)):
        out[i] = seller_taste(keys[i], nest, stable, table)


def keys(name: str, count: int) -> NDArray[np.uint64]:
    """Return hashed keys."""
    plain: Any = getattr(hash2, "py_func", hash2)
    return np.asarray(plain(np.uint64(name_key(name)), np.arange(count, dtype=np.uint64)))


def test_gumbel_table_is_exact_enough() -> None:
    """Read at 2²⁰ even places: error below 4e-5 everywhere, its mean below 5e-7, exact in tails."""
    count = 2**20
    u = (np.arange(count) + 0.5) / count
    out = np.empty(count)
    with np.errstate(over="ignore"):
        read_gumbel((u * 2.0**64).astype(np.uint64), gumbel_table(), out)
    exact = -np.log(-np.log(u))
    error = out - exact
    assert np.abs(error).max() < 4e-5
    assert abs(error.mean()) < 5e-7
    edge = 64 * count // BINS
    np.testing.assert_allclose(out[:edge], exact[:edge], atol=1e-9)
    np.testing.assert_allclose(out[-edge:], exact[-edge:], atol=1e-9)
    coarse = np.interp(u, np.linspace(0, 1, BINS + 1), gumbel_table()) - exact
    assert np.abs(coarse).max() > 4e-5, "a table alone is too coarse in the tails"


@pytest.mark.parametrize("nest", [0.02, *NESTS, 0.99])
def test_stable_table_is_exact_enough(nest: float) -> None:
    """Inside the edges the table of Kanter's h is within 4e-5 of it, its mean error below 5e-7."""
    x = np.arange(64 * 16, (BINS - 64) * 16) / 16 + 1 / 32
    exact = np.array([stable_part(v / BINS, nest) for v in x])
    error = np.interp(x, np.arange(BINS + 1), stable_table(nest)) - exact
    assert np.abs(error).max() < 4e-5
    assert abs(error.mean()) < 5e-7
    assert (stable_table(1.0) == 0.0).all()


@steady
@given(u=st.floats(1e-300, 1.0 - 1e-15))
def test_gumbel_quantile_inverts_the_law(u: float) -> None:
    """F(x) = exp(−e^(−x))."""
    assert math.exp(-math.exp(-gumbel_quantile(u))) == pytest.approx(u, rel=1e-9)


@pytest.mark.parametrize("nest", [0.1, *NESTS])
def test_shared_part_is_the_log_of_a_positive_stable_law(nest: float) -> None:
    """Laplace transform E[exp(−t·S)] = exp(−t^ν) at five t; moved by 0.05, all fail."""
    out = np.empty(N)
    with np.errstate(over="ignore"):
        read_shared(keys("shared", N), nest, stable_table(nest), gumbel_table(), out)
    for t in (0.1, 0.3, 1.0, 2.0, 5.0):
        for move in (0.0, 0.05):
            x = np.exp(-t * np.exp(np.minimum((out + move) / nest, 700.0)))
            z = (x.mean() - math.exp(-(t**nest))) / (x.std() / math.sqrt(N))
            assert (abs(z) < 6.0) == (move == 0.0)


# --- shocks of a market ------------------------------------------------------------------------


@cache
def shocks(nest: float, seller: str = "a", effort: str = "low", seed: int = 0) -> Array:
    """Return the shocks, over their scale, of the same N buyers for one offer."""
    task = w.TaskClass(
        "k", w.Poisson(1000.0), choice=w.Logit(0.25, nest=nest), outside_option=False
    )
    only = w.Seller(seller, accuracy=1.0, slots="unlimited", speed=1e9, effort={effort: 0})
    found: list[Any] = []
    engine = Engine(w.Market(tasks=[task], sellers=[only]), seed, keep=found.append)
    engine.advance(N / 1000.0 * 1.05)
    engine.flush()
    rows = np.concatenate(found)
    rows = rows[np.argsort(rows["arrival"], kind="stable")][:N]
    assert len(rows) == N
    return np.asarray(rows["taste"] / 0.25)


def follows(x: Array) -> bool:
    """Whether shocks pass for G − γ: Kolmogorov–Smirnov at 1e-6, mean within six errors."""
    centred = abs(x.mean()) < 6.0 * math.pi / math.sqrt(6.0 * len(x))
    return bool(centred and stats.kstest(x, _EXACT.cdf).pvalue > 1e-6)


@pytest.mark.parametrize("nest", [*NESTS, 1.0])
def test_every_shock_is_gumbel_with_mean_zero_whatever_the_nest(nest: float) -> None:
    """Marginal law μ·(G − γ); the mutants are not."""
    x = shocks(nest)
    assert follows(x)
    assert not follows(x + EULER), "not centred"
    assert not follows(1.05 * x), "scale 5% off"
    if nest < 0.9:
        own = -np.log(-np.log(np.random.default_rng(0).random(N)))
        assert not follows(nest * own - EULER), "nest forgotten"
        assert not follows(nest * (own - EULER)), "nest forgotten, centred"
        assert not follows(x + (1.0 - nest) * (own - EULER)), "shared part not scaled"


def correlation_z(x: Array, y: Array, exact: float) -> float:
    """Return the z-score of a correlation, with the error of its influence function."""
    x, y = (x - x.mean()) / x.std(), (y - y.mean()) / y.std()
    r = float((x * y).mean())
    error = (x * y - r * (x * x + y * y) / 2.0).std() / math.sqrt(len(x))
    return float((r - exact) / error)


@pytest.mark.parametrize("nest", [*NESTS, 1.0])
def test_offers_of_a_seller_are_correlated_by_one_less_nest_squared(nest: float) -> None:
    """Var ε = μ²π²/6, own part ν²μ²π²/6, so the shared part's share is 1 − ν².

    Different sellers' shocks, and different seeds', are independent.
    """
    x, y = shocks(nest), shocks(nest, effort="high")
    assert abs(correlation_z(x, y, 1.0 - nest**2)) < 6.0
    assert abs(correlation_z(x, y, 1.0 - nest)) > 6.0 or nest == 1.0
    assert abs(correlation_z(x, shocks(nest, seller="b"), 0.0)) < 6.0
    assert abs(correlation_z(x, shocks(nest, seed=1), 0.0)) < 6.0


def test_a_buyer_keeps_its_taste_when_the_menu_grows() -> None:
    """The taste for a chosen offer is the one it has alone, bit for bit."""
    task = w.TaskClass("k", w.Poisson(100.0), choice=w.Logit(0.25, nest=0.5), outside_option=False)
    few = {"accuracy": 1.0, "slots": "unlimited", "speed": 1e9}
    sellers = [
        w.Seller("b", effort={"x": 0}, **few),
        w.Seller("a", effort={"low": 0, "high": 0}, **few),
    ]
    alone = dict(zip(*tastes_of(task, [w.Seller("a", effort={"low": 0}, **few)]), strict=True))
    both = tastes_of(task, sellers, offer=1)
    assert len(both[0]) > 100
    assert all(alone[i] == t for i, t in zip(*both, strict=True))


def tastes_of(
    task: w.TaskClass, sellers: list[w.Seller], offer: int = 0
) -> tuple[list[int], list[float]]:
    """Return ids and tastes of the tasks that took an offer."""
    found: list[Any] = []
    engine = Engine(w.Market(tasks=[task], sellers=sellers), 0, keep=found.append)
    engine.advance(10.0)
    engine.flush()
    rows = np.concatenate(found)
    rows = rows[rows["offer"] == offer]
    return rows["id"].tolist(), rows["taste"].tolist()


# --- shares ------------------------------------------------------------------------------------

UTILITIES = {"a": [0.30, 0.10, 0.25], "b": [0.20], "c": [-0.10, 0.35]}
SCALE = 0.2


def market_of(utilities: dict[str, list[float]], nest: float, **task: Any) -> w.Market:
    """Return a market whose offers have these utilities: value 1, accuracy 1, price 1 − U."""
    sellers = [
        w.Seller(name, owner=name, accuracy=1.0, slots="unlimited", speed=1e9,
                 price={"output": 1.0, "task": 2.0 - max(us)},
                 effort={f"e{i}": (max(us) - u) * 1e6 for i, u in enumerate(us)})
        for name, us in utilities.items()
    ]  # fmt: skip
    demand = w.TaskClass("k", w.Poisson(1000.0), output_tokens=0, value=2.0,
                         choice=w.Logit(SCALE, nest=nest), **task)  # fmt: skip
    return w.Market(tasks=[demand], sellers=sellers)


def nested(utilities: dict[str, list[float]], nest: float, outside: bool = True) -> Array:
    """Return the shares of nested logit (McFadden 1978), the outside option's last.

    Seller s: exp(I_s/μ) with I_s = μν·ln Σ exp(U_j/(μν)); offer j of s: exp(U_j/(μν)) among s.
    """
    weights = [np.exp(np.array(us) / (SCALE * nest)) for us in utilities.values()]
    sellers = np.array([x.sum() ** nest for x in weights])
    total = sellers.sum() + float(outside)
    parts = [s / total * x / x.sum() for s, x in zip(sellers, weights, strict=True)]
    return np.append(np.concatenate(parts), float(outside) / total)


def chosen(market: w.Market) -> NDArray[np.int64]:
    """Return how many tasks took each offer, and none (last), of about N."""
    engine = Engine(market, 0, share=0.0)
    engine.advance(N / 1000.0)
    return np.asarray(engine.state.stats["assigned"][0].copy())


def fits(seen: NDArray[np.int64], shares: Array) -> bool:
    """Chi-square test of shares at 1e-6."""
    some = shares > 0.0
    assert seen[~some].sum() == 0
    return bool(stats.chisquare(seen[some], shares[some] * seen.sum()).pvalue > 1e-6)


@pytest.mark.parametrize("outside", [True, False], ids=["or none", "captive"])
@pytest.mark.parametrize("nest", [*NESTS, 1.0])
def test_shares_equal_the_formula_of_nested_logit(nest: float, outside: bool) -> None:
    """Posted prices, utilities constant; at ν = 1 the multinomial formula.

    Shares of another nest, of a scale 5% off or of plain logit within sellers do not fit.
    """
    seen = chosen(market_of(UTILITIES, nest, outside_option=outside))
    exact = nested(UTILITIES, nest, outside)
    if nest == 1.0:
        e = np.exp(np.append(np.concatenate(list(UTILITIES.values())), 0.0) / SCALE)
        e[-1] = float(outside)
        np.testing.assert_allclose(exact, e / e.sum(), rtol=1e-12)
    assert fits(seen, exact)
    assert not fits(seen, nested(UTILITIES, 0.9 if nest == 1.0 else 1.0, outside))
    larger = {name: [u / 1.1 for u in us] for name, us in UTILITIES.items()}
    assert not fits(seen, nested(larger, nest, outside))
    forgotten = np.exp(np.concatenate(list(UTILITIES.values())) / (SCALE * nest))
    if nest < 1.0 and not outside:
        assert not fits(seen, np.append(forgotten / forgotten.sum(), 0.0))


@pytest.mark.parametrize(("nest", "same"), [(0.02, True), (0.5, False), (1.0, False)])
def test_identical_efforts_are_no_free_lunch_as_the_nest_tends_to_zero(
    nest: float, same: bool
) -> None:
    """Five identical efforts against one: share 5^ν / (5^ν + 1), one half as ν → 0."""
    menu = {"five": [0.5] * 5, "one": [0.5]}
    seen = chosen(market_of(menu, nest, outside_option=False))
    assert fits(seen, nested(menu, nest, outside=False))
    share = seen[:5].sum() / seen.sum()
    assert (abs(share - 0.5) < 0.02) == same
    assert fits(seen[:5], np.full(5, 0.2))


def test_tastes_are_part_of_what_the_market_is_worth() -> None:
    """E[max(U + ε)] of the chosen is the logsum: μ·ln(Σ exp(U/μ) + 1), as shocks are centred."""
    for nest in (0.5, 1.0):
        engine = Engine(market_of(UTILITIES, nest), 0)
        found: list[Any] = []
        engine._keep = found.append
        engine.advance(N / 1000.0)
        engine.flush()
        surplus = np.concatenate(found)["surplus"]
        weights = [np.exp(np.array(us) / (SCALE * nest)).sum() ** nest for us in UTILITIES.values()]
        logsum = SCALE * math.log(sum(weights) + 1.0)
        z = (surplus.mean() - logsum) / (surplus.std() / math.sqrt(len(surplus)))
        assert abs(z) < 6.0
        off = surplus + SCALE * EULER
        assert abs(off.mean() - logsum) / (off.std() / math.sqrt(len(off))) > 6.0
