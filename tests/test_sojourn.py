"""The law of the time to an answer where wait and work are exponential."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.market.fluid.expectations import DELTA, EARLY, KEPT, TIMELY, USED
from walras.market.fluid.setting import setting_of
from walras.market.fluid.solve import Selection, solve
from walras.market.quotes import expect
from walras.market.rules import HALFLIFE, HARD, LINEAR
from walras.market.sojourn import left_within, service_within

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def _queue(rate: float, deadline: float, *, late: Any = "hard", **seller: Any) -> Selection:
    """One seller, and captive buyers with a deadline who never leave."""
    task = w.TaskClass(
        "jobs", w.Poisson(rate), output_tokens=w.Exponential(mean=1.0), value=1.0,
        deadline=deadline, lateness=late, patience="none", outside_option=False,
    )  # fmt: skip
    shop = w.Seller("one", accuracy=1.0, **seller)
    return solve(setting_of(w.Market(
        tasks=[task], sellers=[shop], quotes=w.Quotes(latency="average")
    )))  # fmt: skip


def _expected(selection: Selection) -> Floats:
    return np.asarray(selection.moments[0].expected[0, 0])


@pytest.mark.parametrize(
    ("mu", "rate", "deadline"), [(1.2, 0.6, 3.0), (1.2, 0.6, 0.5), (1.0, 0.9, 2.0)]
)
def test_one_slot_is_on_time_as_its_exponential_sojourn_says(
    mu: float, rate: float, deadline: float
) -> None:
    """M/M/1: Pr(T ≤ D) = 1 − e^(−(μ−λ)D). Slices of the wait miss it by more than 1e-4."""
    found, wanted = _queue(rate, deadline, speed=mu), -math.expm1(-(mu - rate) * deadline)
    assert _expected(found)[TIMELY] == pytest.approx(wanted, abs=1e-9)
    st, load = found.setting.state, rate / mu
    sliced = expect(
        load, 1.0 / (mu - rate), 1.0, 0.0, mu, math.inf, deadline, HARD, 0.0, math.inf,
        st.works[0, 0], st.rows, st.nodes[0, 0], st.waits, st.ahead[0], 0.0,
    )  # fmt: skip
    assert abs(sliced[3] - wanted) > 1e-4


@pytest.mark.parametrize(("slots", "rate", "deadline"), [(3, 2.4, 1.5), (3, 2.0, 2.0), (8, 7.5, 4)])
def test_several_slots_are_on_time_as_erlang_says(slots: int, rate: float, deadline: float) -> None:
    """M/M/c, with C the chance to wait and r = cμ − λ (= μ where c = 3 and λ = 2).

    Pr(T > D) = (1 − C)·e^(−μD) + C·(r·e^(−μD) − μ·e^(−rD))/(r − μ).
    """
    below = sum(rate**n / math.factorial(n) for n in range(slots))
    full = rate**slots / math.factorial(slots) * slots / (slots - rate)
    chance, r = full / (below + full), slots - rate
    late = (1.0 + deadline) * math.exp(-deadline)
    if r != 1.0:
        late = (r * math.exp(-deadline) - math.exp(-r * deadline)) / (r - 1.0)
    wanted = 1.0 - (1.0 - chance) * math.exp(-deadline) - chance * late
    assert _expected(_queue(rate, deadline, slots=slots))[TIMELY] == pytest.approx(wanted, abs=1e-9)


def test_what_is_left_of_a_value_falls_as_the_rules_say() -> None:
    """M/M/1: of e^(−rD) who are late 1 − (1 − e^(−rg))/(rg) is left, or r/(r + ln 2/h)."""
    late = math.exp(-0.4 * 2.0)
    graced = _expected(_queue(0.6, 2.0, late=w.Linear(grace=1.5)))
    left = 1.0 + math.expm1(-0.4 * 1.5) / (0.4 * 1.5)
    assert graced[DELTA] == pytest.approx(1.0 - late + late * left, abs=1e-9)
    assert graced[USED] == pytest.approx(1.0 - math.exp(-0.4 * 3.5), abs=1e-9)
    halved = _expected(_queue(0.6, 2.0, late=w.HalfLife(half_life=1.5)))
    left = 0.4 / (0.4 + math.log(2.0) / 1.5)
    assert halved[DELTA] == pytest.approx(1.0 - late + late * left, abs=1e-9)


def test_promises_and_refunds_go_by_the_same_law() -> None:
    """E[w·1{T ≤ D}] by quadrature over the work, of which W ≤ D − w is left."""
    found = _expected(_queue(
        0.6, 2.0, promise=1.0, penalty=0.1, refund_late=1.0
    ))  # fmt: skip
    assert found[KEPT] == pytest.approx(-math.expm1(-0.4), abs=1e-9)
    x, weight = np.polynomial.legendre.leggauss(40)
    work = 1.0 + x
    on_time = weight @ (work * np.exp(-work) * (1.0 - 0.6 * np.exp(-0.4 * (2.0 - work))))
    assert found[EARLY] == pytest.approx(on_time - found[TIMELY], abs=1e-9)


@pytest.mark.parametrize("wait", [1e-9, 0.3, 1.0 - 1e-9, 1.0, 1.01, 7.0, 1e15])
@pytest.mark.parametrize("slack", [-0.7, 0.0, 1e-4, 1.3, 20.0])
def test_no_digits_are_lost(wait: float, slack: float) -> None:
    """Against quadrature over the service, at waits much like it and of other sizes."""
    grace = 0.9
    x, weight = np.polynomial.legendre.leggauss(200)

    def over(upto: float, f: Any) -> float:
        half = max(upto, 0.0) / 2.0
        u = half * (1.0 + x)
        return float(half * (weight @ (np.exp(-u) * f(u))))

    def waited(t: Floats) -> Floats:  # Pr(W ≤ t)
        return -np.expm1(-np.maximum(t, 0.0) / wait)

    def spared(t: Floats) -> Floats:  # E[max(t − W, 0)]
        t = np.maximum(t, 0.0)
        z = t / wait
        return np.where(z < 1e-4, t * z / 2.0, t - wait * waited(t))

    timely = over(slack, lambda u: waited(slack - u))
    used = over(slack + grace, lambda u: waited(slack + grace - u))
    delta = (
        over(slack + grace, lambda u: spared(slack + grace - u))
        - over(slack, lambda u: spared(slack - u))
    ) / grace  # fmt: skip
    bound = 1e-4 if wait == 1e-9 else 2e-9  # of the quadrature, at a corner
    assert left_within(LINEAR, grace, slack, wait, 1.0) == pytest.approx(
        (delta, used, timely), abs=bound
    )
    work = over(slack, lambda u: u * waited(slack - u))
    assert service_within(slack, wait, 1.0) == pytest.approx(work, abs=bound)
    assert left_within(HARD, 0.0, slack, wait, 1.0)[0] == pytest.approx(timely, abs=bound)
    soft = left_within(HALFLIFE, 0.5, slack, wait, 1.0)[0]
    decay = math.log(2.0) / 0.5
    if slack <= 0.0:
        left = math.exp(decay * slack) / (1.0 + decay) / (1.0 + decay * wait)
        assert soft == pytest.approx(left, rel=1e-12)
    else:
        assert timely - bound <= soft <= 1.0
