"""Keyed randomness: known outputs, avalanche, uniformity, independence, the normal quantile.

Statistical checks run on fixed keys; each states its false-alarm rate (the chance that a truly
random hash would fail it) and shows its power on a weak hash.
"""

from __future__ import annotations

import math
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

from walras.market import rng
from walras.market.rng import GOLDEN, hash2, name_key, normal_quantile, uniform

steady = settings(deadline=None, derandomize=True)
Bits = NDArray[np.uint64]
Hash = Callable[[Bits, Bits], Bits]
TOP = 2**64 - 1
U64 = st.integers(0, TOP)
_plain: Any = getattr(hash2, "py_func", hash2)
"""The hash as written, which takes arrays too."""


def good(key: Bits, counter: Bits) -> Bits:
    """Return the hash of arrays of keys and counters, broadcast."""
    return np.asarray(_plain(np.atleast_1d(key), np.atleast_1d(counter)))


def weyl(key: Bits, counter: Bits) -> Bits:
    """A weak hash: the sequence without its mixing; far too even."""
    return np.asarray(np.atleast_1d(key) + GOLDEN * (np.atleast_1d(counter) + np.uint64(1)))


def half_mixed(key: Bits, counter: Bits) -> Bits:
    """A weak hash: one round of mixing, and key and counter only added up."""
    x = np.atleast_1d(key) + np.atleast_1d(counter)
    return np.asarray((x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9))


def fractions(bits: Bits) -> NDArray[np.float64]:
    """Return uniform numbers of arrays of bits, as `uniform` does one by one."""
    return np.asarray(((bits >> np.uint64(12)).astype(np.float64) + 0.5) * 2.0**-52)


def splitmix(seed: int, count: int) -> list[int]:
    """Return the first outputs of SplitMix64 in plain integers (Steele, Lea & Flood 2014)."""
    out, state = [], seed
    for _ in range(count):
        state = (state + 0x9E3779B97F4A7C15) & TOP
        z = state
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & TOP
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & TOP
        out.append(z ^ (z >> 31))
    return out


# --- exact -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("seed", "outputs"),
    [
        (0, [0xE220A8397B1DCDAF, 0x6E789E6AA1B965F4, 0x06C45D188009454F, 0xF88BB8A8724C81EC]),
        (1234567, [6457827717110365317, 3203168211198807973, 9817491932198370423,
                   4593380528125082431, 16408922859458223821]),
    ],
)  # fmt: skip
def test_outputs_are_those_of_splitmix64(seed: int, outputs: list[int]) -> None:
    """The published first outputs for two seeds; the n-th output is the hash of counter n."""
    assert splitmix(seed, len(outputs)) == outputs
    with np.errstate(over="ignore"):
        got = [int(hash2(np.uint64(seed), np.uint64(n))) for n in range(len(outputs))]
    assert got == outputs


@steady
@given(key=U64, counter=U64)
def test_hash_is_one_step_of_splitmix64_at_any_counter(key: int, counter: int) -> None:
    """Compiled, plain and whole-number arithmetic agree, wrapping included."""
    step = splitmix((key + counter * 0x9E3779B97F4A7C15) & TOP, 1)[0]
    with np.errstate(over="ignore"):
        assert int(hash2(np.uint64(key), np.uint64(counter))) == step
    assert int(good(np.uint64(key), np.uint64(counter))[0]) == step  # type: ignore[arg-type]


def test_uniform_is_strictly_inside_at_the_extreme_bits() -> None:
    """All zeros and all ones give the two ends, half a step from 0 and 1, symmetric."""
    low, high = uniform(np.uint64(0)), uniform(np.uint64(TOP))
    assert low == 2.0**-53
    assert high == 1.0 - 2.0**-53
    assert low > 0.0
    assert high < 1.0


@steady
@given(bits=U64)
def test_uniform_never_leaves_the_interval_and_follows_the_bits(bits: int) -> None:
    """Inside (0, 1); equal to the array form; mirrored bits give the mirrored number."""
    u = uniform(np.uint64(bits))
    assert 0.0 < u < 1.0
    assert u == fractions(np.array([bits], dtype=np.uint64))[0]
    assert uniform(np.uint64(TOP - bits)) == 1.0 - u


def test_names_have_the_same_key_in_every_process() -> None:
    """The key does not depend on the hash seed of the interpreter, and parts are kept apart."""
    code = (
        "import sys; from walras.market import rng; sys.stdout.write(str(rng.name_key('a', 'b')))"
    )
    told = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONHASHSEED": "7", "NUMBA_DISABLE_JIT": "1"},
    ).stdout  # fmt: skip
    assert told == str(name_key("a", "b"))
    names = [("a", "bc"), ("ab", "c"), ("abc",), ("a", "b", "c"), ("",), ("", ""), ("\ud800",)]
    assert len({int(name_key(*n)) for n in names}) == len(names)


def test_purposes_have_distinct_numbers() -> None:
    """No two kinds of draw share a counter; the numbers themselves are part of every digest."""
    purposes = [n for n in vars(rng) if n.isupper() and not n.startswith("_") and n != "GOLDEN"]
    assert [int(getattr(rng, n)) for n in purposes] == [
        *range(1, 14),
        *range(17, 21),
        31,
        32,
        40,
        41,
        42,
    ]


# --- statistical -------------------------------------------------------------------------------


def avalanche(hash_: Hash, side: int) -> float:
    """Return the worst z-score, over input and output bits, of Pr(output bit flips) = 1/2.

    4096 comparisons with 8192 keys each: |z| > 6 has a false-alarm rate of 4096·2e-9 = 8e-6.
    """
    n = 8192
    base = np.random.default_rng(0).integers(0, TOP, (2, n), dtype=np.uint64, endpoint=True)
    before = hash_(base[0], base[1])
    worst = 0.0
    for bit in range(64):
        other = base.copy()
        other[side] ^= np.uint64(1) << np.uint64(bit)
        changed = np.unpackbits((before ^ hash_(other[0], other[1])).view(np.uint8)).reshape(n, 64)
        z = (changed.mean(axis=0) - 0.5) * 2.0 * math.sqrt(n)
        worst = max(worst, float(np.abs(z).max()))
    return worst


@pytest.mark.parametrize("side", [0, 1], ids=["key", "counter"])
def test_one_bit_in_flips_half_the_bits_out(side: int) -> None:
    """Any bit of key or counter flips every bit of the hash with probability 1/2."""
    assert avalanche(good, side) < 6.0
    assert avalanche(weyl, side) > 6.0
    assert avalanche(half_mixed, side) > 6.0


def evenness(u: NDArray[np.float64], cells: int = 256) -> float:
    """Return the two-sided p-value of a chi-square test of uniformity."""
    counts = np.bincount((u * cells).astype(np.int64), minlength=cells)
    p = stats.chi2.cdf(((counts - len(u) / cells) ** 2).sum() / (len(u) / cells), cells - 1)
    return float(2.0 * min(p, 1.0 - p))


def together(u: NDArray[np.float64], v: NDArray[np.float64], cells: int = 16) -> float:
    """Return the two-sided p-value of a chi-square test that pairs are uniform on the square."""
    joint = (u * cells).astype(np.int64) * cells + (v * cells).astype(np.int64)
    return evenness((joint + 0.5) / cells**2, cells**2)


def worst_p(hash_: Hash) -> float:
    """Return the smallest p-value, Bonferroni-corrected, of uniformity and independence tests.

    Task ids are hashes of arrival indices, as in a run; beside them plain indices as keys. Tested
    are the draws of each purpose, pairs of purposes of one task, and one purpose of neighbouring
    tasks, both in their high and their low bits. False-alarm rate at 1e-6: 1e-6.
    """
    n = 2**15
    index = np.arange(n, dtype=np.uint64)
    found = []
    for ids in (hash_(name_key("class", "chat"), index), index):  # type: ignore[arg-type]
        draws = [hash_(ids, np.uint64(k)) for k in range(1, 21)]  # type: ignore[arg-type]
        high = [fractions(d) for d in draws]
        low = [fractions(d << np.uint64(40)) for d in draws]
        for us in (high, low):
            found += [evenness(u) for u in us]
            found += [together(us[i], us[j]) for i, j in combinations(range(20), 2)]
            found += [together(u[:-1], u[1:]) for u in us]
    return min(found) * len(found)


def test_draws_are_uniform_and_independent_over_purposes_and_tasks() -> None:
    """Chi-square over 920 one- and two-dimensional tables; two weak hashes fail the same test."""
    assert worst_p(good) > 1e-6
    assert worst_p(weyl) < 1e-6
    assert worst_p(half_mixed) < 1e-6


def test_draws_of_one_task_are_uncorrelated() -> None:
    """190 correlations of 2¹⁵ pairs: |z| > 5.6 has a false-alarm rate of 190·2e-8 = 4e-6."""
    ids = good(name_key("class", "chat"), np.arange(2**15, dtype=np.uint64))  # type: ignore[arg-type]
    draws = np.array([fractions(good(ids, np.uint64(k))) for k in range(1, 21)])  # type: ignore[arg-type]
    z = np.corrcoef(draws) * math.sqrt(draws.shape[1])
    assert np.abs(z[np.triu_indices(20, 1)]).max() < 5.6
    tainted = np.corrcoef(draws[0], draws[1] + 0.05 * draws[0])[0, 1]
    assert tainted * math.sqrt(draws.shape[1]) > 5.6


# --- the normal quantile -----------------------------------------------------------------------


def quantile_error(quantile: Callable[[float], float]) -> float:
    """Return the greatest relative difference from SciPy's, over (0, 1) and far into both tails."""
    inner = np.concatenate([np.linspace(0.001, 0.999, 1999), 0.5 + np.logspace(-15, -1, 60)])
    tail = np.concatenate([np.logspace(-300, -3, 900), [2.0**-53, 0.075, 1.4e-11, 1.3e-11]])
    worst = 0.0
    for p in (*inner, *tail):
        exact = float(special.ndtri(p))
        if exact != 0.0:
            worst = max(worst, abs(quantile(float(p)) / exact - 1.0))
    return worst


def test_normal_quantile_equals_scipys() -> None:
    """To 4e-15, which is the sum of what both promise; a last digit changed at 1e-13 fails."""
    assert quantile_error(normal_quantile) < 4e-15
    assert quantile_error(lambda p: normal_quantile(p) * (1.0 + 1e-13)) > 4e-15


@steady
@given(k=st.integers(1, 2**52))
def test_normal_quantile_is_odd(k: int) -> None:
    """Quantiles of p and 1 − p differ in sign alone, wherever 1 − p is exact."""
    p = k * 2.0**-53
    assert normal_quantile(1.0 - p) == -normal_quantile(p)


@steady
@given(bits=st.lists(U64, min_size=2, max_size=2, unique=True))
def test_normal_quantile_never_falls(bits: list[int]) -> None:
    """It does not fall (rounding apart), and is finite for all that `uniform` can make."""
    low, high = (uniform(np.uint64(b)) for b in sorted(bits))
    a, b = normal_quantile(low), normal_quantile(high)
    assert a - b <= 4e-15 * abs(a)
    assert abs(normal_quantile(low)) < 8.3
