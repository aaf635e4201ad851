"""The fluid market where a level is empty, a wait is nothing or a seller full; and patience.

Each corner once gave no number, or a wrong one: 0/0 in a slope, a load above what can be served.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.market.fluid.delays import Delays
from walras.market.fluid.expectations import TIME
from walras.market.fluid.queues import congestion
from walras.market.fluid.response import Response
from walras.market.fluid.setting import setting_of
from walras.market.fluid.slopes import slopes_at
from walras.market.fluid.solve import solve
from walras.market.fluid.stations import CHANCE, WAIT

AVERAGE = w.Quotes(latency="average", memory="3 h")
NEVER = np.array([math.inf])


def _levels(rates: tuple[float, float], patience: Any = "none", **seller: Any) -> Delays:
    """Two levels of one queue, at given rates."""
    kinds = [
        w.TaskClass(f"level-{i}", w.Poisson(rate), output_tokens=w.Exponential(mean=1.0), value=1.0,
                    priority=i, patience=patience if i == 0 else "none")
        for i, rate in enumerate(rates)
    ]  # fmt: skip
    shop = w.Seller("one", accuracy=1.0, **seller)
    setting = setting_of(w.Market(tasks=kinds, sellers=[shop], quotes=AVERAGE))
    return Delays(setting, setting.charges())


@pytest.mark.parametrize("slots", [1, 2])
@pytest.mark.parametrize("discipline", ["priority", "priority_preemptive"])
def test_an_empty_level_has_slopes(discipline: str, slots: int) -> None:
    """Of a wait that is nothing, too. The chance of a wait follows the load whoever brings it."""
    delays = _levels((0.3, 0.5), w.Constant(value=3.0), discipline=discipline, slots=slots)
    for nobody in (0.0, 1e-200):
        load, moment = delays.loads(np.array([[nobody], [0.5]]))
        state = delays.congest(load, moment)
        by_flow = delays.state_slopes(load, moment)[0]
        assert np.isfinite(by_flow).all()
        _, idle, later = delays.expected(state)
        slopes = delays.expected_slopes(state, idle, later)
        assert np.isfinite(slopes).all()
        step = 1e-6
        more = delays.congest(*delays.loads(np.array([[step], [0.5]])))
        assert by_flow[CHANCE, 0] == pytest.approx(
            (more[0, CHANCE] - state[0, CHANCE]) / step, rel=1e-3
        )


def test_a_second_more_of_a_wait_that_is_nothing_is_a_second_more() -> None:
    """dE[T]/dwait = Pr(wait) where nobody leaves, as of waits that are something."""
    delays = _levels((0.3, 0.5), discipline="priority_preemptive")
    state = delays.congest(*delays.loads(np.array([[0.0], [0.5]])))
    assert state[0, WAIT] == 0.0
    _, idle, later = delays.expected(state)
    slopes = delays.expected_slopes(state, idle, later)[WAIT, 0, 0, TIME]
    assert slopes == pytest.approx(state[0, CHANCE], rel=1e-6)


@pytest.mark.parametrize("slots", [1, 2, 5])
def test_a_level_that_better_ones_starve_waits_for_ever(slots: int) -> None:
    """Impatient work takes all there is, to the last digit, and the level below gets none."""
    delays = _levels((2.0 * slots, 0.5), w.Constant(value=200.0), slots=slots,
                     discipline="priority_preemptive")  # fmt: skip
    state = delays.congest(*delays.loads(np.array([[2.0 * slots], [0.5]])))
    assert np.isfinite(state).all()
    assert state[0, WAIT + 1] == 1e15
    assert state[0, -1] == 1e15
    assert state[0, -2] == 0.0


def test_nobody_leaves_where_nobody_waits() -> None:
    """Patience empties no batch without end: at 4.5 tasks/s for a throughput of 4 it is full."""
    task = w.TaskClass("jobs", w.Poisson(4.5), output_tokens=w.Exponential(mean=1.0), value=1.0,
                       patience=w.Constant(value=2.0), outside_option=False)  # fmt: skip
    shop = w.Seller("one", kappa=4.0, slots="unlimited", accuracy=1.0)
    market = w.Market(tasks=[task], sellers=[shop], quotes=AVERAGE)
    found = solve(setting_of(market))
    assert found.saturated == ["one"]
    assert not found.converged
    free = market.model_copy(update={"tasks": (task.model_copy(update={"outside_option": True}),)})
    task = free.tasks[0].model_copy(update={"delay_cost": w.Constant(value=0.1),
                                            "choice": w.Logit(scale=0.1)})  # fmt: skip
    found = solve(setting_of(free.model_copy(update={"tasks": (task,)})))
    assert found.converged
    assert found.load[0] < 1.0


@pytest.mark.parametrize(("rate", "lost"), [(0.8, 0.187832), (1.2, 0.311818)])
def test_a_deadline_on_waiting_loses_barrers_share(rate: float, lost: float) -> None:
    """M/M/1 + D with μ = 1, D = 2: loss (1 − ρ)ρe^{−μD(1−ρ)}/(1 − ρ²e^{−μD(1−ρ)}) (Barrer 1957)."""
    fade = rate * math.exp(-2.0 * (1.0 - rate))
    assert (1.0 - rate) * fade / (1.0 - rate * fade) == pytest.approx(lost, abs=1e-6)
    loads, until = np.array([[rate, 0.0]]), np.array([2.0, math.inf])
    done = congestion(loads, 1, until, 1.0, math.inf, 1.0)[3]
    assert 1.0 - done / rate == pytest.approx(lost, abs=1e-6)


@pytest.mark.parametrize(
    ("rate", "slots", "theta"), [(0.8, 1, 0.5), (5.0, 4, 0.3), (30.0, 25, 1.0)]
)
def test_exponential_patience_is_erlang_a(rate: float, slots: int, theta: float) -> None:
    """Erlang-A's birth-death chain (Palm 1957): Pr(leaves) = θE[Q]/λ.

    Patience in 12 strata is a step function where the exponential is smooth: to 2% of the loss.
    """
    n = np.arange(600)
    death = np.minimum(n[1:], slots) + theta * np.maximum(n[1:] - slots, 0.0)
    law = np.exp(np.concatenate([[0.0], np.cumsum(np.log(rate / death))]))
    law /= law.sum()
    lost = theta * float(law @ np.maximum(n - slots, 0.0)) / rate
    task = w.TaskClass("jobs", w.Poisson(rate), output_tokens=w.Exponential(mean=1.0), value=1.0,
                       patience=w.Exponential(mean=1.0 / theta), outside_option=False)  # fmt: skip
    market = w.Market(tasks=[task], sellers=[w.Seller("one", accuracy=1.0, slots=slots)],
                      quotes=AVERAGE)  # fmt: skip
    setting = setting_of(market)
    delays = Delays(setting, setting.charges())
    load, _ = delays.loads(rate * setting.part[:, None])
    slow, chance, _, done = congestion(load[0], 1, setting.until, 1.0, math.inf, float(slots))
    assert slow == 1.0
    assert chance == pytest.approx(float(law[slots:].sum()), rel=2e-2)
    assert 1.0 - done / rate == pytest.approx(lost, rel=2e-2)


def _shops(*sellers: w.Seller, rates: tuple[float, ...], scales: tuple[float, ...], cost: float,
           value: float = 2.0) -> w.Market:  # fmt: skip
    kinds = [
        w.TaskClass(f"t{i}", w.Poisson(rate), output_tokens=w.Exponential(mean=1.0), value=value,
                    delay_cost=cost, choice=w.Logit(scale=scale))
        for i, (rate, scale) in enumerate(zip(rates, scales, strict=True))
    ]  # fmt: skip
    return w.Market(tasks=kinds, sellers=list(sellers), quotes=AVERAGE)


def test_who_hardly_does_without_is_not_told_by_digits() -> None:
    """Of one class in e^40 does without, fewer than digits of a sum of flows can tell."""
    good = w.Seller("good", accuracy=1.0, slots=3, price={"task": 0.1})
    near = w.Seller("near", accuracy=1.0, slots=2, price={"task": 0.12})
    found = solve(setting_of(_shops(
        good, near, rates=(2.5, 0.8), scales=(0.02, 0.3), cost=0.05, value=3.0)
    ))  # fmt: skip
    assert found.converged
    assert found.iterations < 15


def test_a_full_seller_is_found_from_either_side() -> None:
    """Many more want to come than can; at 99% nobody does: steps go too far and come back."""
    kinds = [
        w.TaskClass(f"t{i}", w.Poisson(rate), output_tokens=w.Exponential(mean=size), value=value,
                    delay_cost=cost, choice=w.Logit(scale=scale))
        for i, (rate, size, value, cost, scale) in enumerate([
            (6.16, 2.77, 2.89, 0.41, 0.19), (3.20, 0.60, 1.53, 0.056, 0.56),
            (5.67, 2.28, 3.13, 0.034, 0.062),
        ])
    ]  # fmt: skip
    shop = w.Seller("one", accuracy=0.63, slots=2, kappa=4.76, speed=2.59, price={"task": 1.72})
    found = solve(setting_of(w.Market(tasks=kinds, sellers=[shop], quotes=AVERAGE)))
    assert found.converged
    assert found.iterations < 30


def test_delays_of_what_is_taken_count_when_it_is_wanted_no_more() -> None:
    """At 98% nobody would come, and it takes a shorter wait to change that."""
    shop = w.Seller("one", accuracy=1.0, price={"task": 0.2})
    setting = setting_of(_shops(shop, rates=(0.98,), scales=(0.05,), cost=0.1))
    response = Response(setting, setting.charges(), np.array([0.98]))
    flow = np.array([[0.98]])
    state = response.congest(*response.loads(flow))
    expected, idle, later = response.expected(state)
    choices = response.choose(response.quoted(expected), moves=True)
    assert choices[0].share[0] < 1e-14
    slopes = slopes_at(response, flow, state, idle, later, choices)
    assert slopes.expected[WAIT, 0, 0, TIME] == pytest.approx(state[0, CHANCE], rel=1e-6)
