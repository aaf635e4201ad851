"""The fluid market: its queues, its derivatives, and the event market it stands for."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.market.fluid.choice import logit_choices
from walras.market.fluid.gradient import gradient
from walras.market.fluid.money import Money
from walras.market.fluid.setting import setting_of
from walras.market.fluid.solve import Selection, solve

EXPONENTIAL = w.Exponential(mean=1.0)
AVERAGE = w.Quotes(latency="average", memory="3 h")


def _queue(rate: float, *, patience: Any = "none", task: dict[str, Any] | None = None,
           **seller: Any) -> Selection:  # fmt: skip
    """One seller and captive buyers: its queue and nothing else."""
    kind = {"output_tokens": EXPONENTIAL, "value": 1.0, "outside_option": False, **(task or {})}
    one = w.TaskClass("jobs", w.Poisson(rate), patience=patience, **kind)
    shop = w.Seller("one", accuracy=1.0, **seller)
    return solve(setting_of(w.Market(tasks=[one], sellers=[shop], quotes=AVERAGE)))


def _sojourn(selection: Selection) -> float:
    return float(selection.sojourn[0, 0])


@pytest.mark.parametrize(
    ("rate", "slots", "wait"),
    [(0.8, 1, 4.0), (3.2, 4, 0.745541), (48.0, 50, 0.6944556 / 2.0)],
)
def test_waits_in_line_are_erlangs(rate: float, slots: int, wait: float) -> None:
    """A1, A2 and Erlang C: E[W] = C/(cμ − λ)."""
    assert _sojourn(_queue(rate, slots=slots)) == pytest.approx(1.0 + wait, abs=1e-6)


@pytest.mark.parametrize(("law", "wait"), [
    (w.Constant(value=1.0), 2.0), (w.LogNormal(mean=1.0, cv=2.0), 10.0),
])  # fmt: skip
def test_one_slot_is_pollaczeks_and_khinchines(law: Any, wait: float) -> None:
    """A3: E[W] = ρ·E[S²]/2E[S]/(1 − ρ)."""
    found = _queue(0.8, task={"output_tokens": law})
    assert _sojourn(found) == pytest.approx(1.0 + wait, rel=1e-6)


@pytest.mark.parametrize("law", [w.Constant(value=1.0), w.LogNormal(mean=1.0, cv=2.0)])
@pytest.mark.parametrize("kappa", [1.0, 4.0])
def test_shared_speed_takes_no_notice_of_the_law(law: Any, kappa: float) -> None:
    """A3: S/(1 − a/κ), whatever the law of work (Kelly 1979)."""
    load = 0.8 * kappa
    found = _queue(load, slots="unlimited", kappa=kappa, task={"output_tokens": law})
    assert _sojourn(found) == pytest.approx(5.0, rel=1e-9)


@pytest.mark.parametrize(("kappa", "slots", "rate"), [(3.0, 2, 1.2), (8.0, 5, 2.7), (1.5, 40, 1.3)])
def test_batching_with_a_queue_is_a_birth_death_chain(
    kappa: float, slots: int, rate: float
) -> None:
    """Against the stationary law of numbers in system, written anew: L = λ·T."""
    n = np.arange(4000)
    served = np.minimum(n[1:], slots) * kappa / (kappa + np.minimum(n[1:], slots) - 1.0)
    law = np.exp(np.concatenate([[0.0], np.cumsum(np.log(rate / served))]))
    law /= law.sum()
    assert _sojourn(_queue(rate, kappa=kappa, slots=slots)) == pytest.approx(
        float(law @ n) / rate, rel=1e-8
    )


@pytest.mark.parametrize(("discipline", "times"), [
    ("priority", (2.142857, 6.714286)), ("priority_preemptive", (1.428571, 7.142857)),
])  # fmt: skip
def test_priorities_are_cobhams(discipline: str, times: tuple[float, float]) -> None:
    """A5, one slot, rates .3 and .5."""
    kinds = [
        w.TaskClass(f"level-{i}", w.Poisson(rate), output_tokens=EXPONENTIAL, value=1.0,
                    outside_option=False, priority=i)
        for i, rate in enumerate((0.3, 0.5))
    ]  # fmt: skip
    shop = w.Seller("one", accuracy=1.0, discipline=discipline)
    found = solve(setting_of(w.Market(tasks=kinds, sellers=[shop], quotes=AVERAGE)))
    assert found.sojourn[:, 0] == pytest.approx(times, abs=1e-6)


def test_a_load_that_nobody_can_serve_is_said() -> None:
    found = _queue(1.2)
    assert not found.converged
    assert found.saturated == ["one"]


def _mixed(**task: Any) -> w.Market:
    """Two classes, three sellers: nests, refunds, penalties, batching, deadlines, patience."""
    kinds = [
        w.TaskClass(
            "a", w.Poisson(0.9), output_tokens=EXPONENTIAL, value=w.LogNormal(mean=2.0, cv=0.5),
            delay_cost=0.1, deadline="3 s", lateness=w.HalfLife(half_life=2.0), loss=0.3,
            choice=w.Logit(scale=0.25, nest=0.6), patience="deadline", **task,
        ),
        w.TaskClass("b", w.Poisson(0.4), output_tokens=2.0, value=1.5, choice=w.Logit(scale=0.3)),
    ]  # fmt: skip
    shop = {"accuracy": 0.8, "cost": {"task": 0.2}, "refund_late": 0.5, "refund_wrong": 0.2}
    return w.Market(
        tasks=kinds, quotes=AVERAGE,
        sellers=[
            w.Seller("one", slots=2, price={"task": 0.6}, promise=2.0, penalty=0.1, **shop),
            w.Seller("two", speed=2.0, kappa=1.5, slots=3, price={"task": 0.7}, **shop),
            w.Seller("three", kappa=1.5, slots="unlimited", price={"output": 4e5},
                     effort={"low": 0.0, "high": 2.0}, **shop),
        ],
    )  # fmt: skip


def test_profits_follow_levers_as_their_derivatives_say() -> None:
    """Against differences of solved equilibria; flows held (the mutant) are far off."""
    setting = setting_of(_mixed())
    base = solve(setting, tolerance=1e-13)
    assert base.converged
    found = gradient(base, setting.seller_of)
    for s in range(3):
        step = 1e-5 * np.where(setting.seller_of == s, setting.levers, 0.0)
        ends = [
            solve(setting, setting.charges(setting.levers + sign * step), base, 1e-13).profit
            for sign in (1.0, -1.0)
        ]
        wanted = (ends[0] - ends[1]) / (2e-5 * setting.levers[setting.seller_of == s][0])
        assert found.profit[:, s] == pytest.approx(wanted, rel=1e-5, abs=1e-12)
        assert found.direct[s, s] > 1.5 * abs(wanted[s])


def test_shares_from_many_starts_are_one_equilibrium() -> None:
    setting = setting_of(_mixed())
    one = solve(setting)
    assert one.converged
    for factor in (0.3, 3.0):
        dear = solve(setting, setting.charges(factor * setting.levers))
        assert solve(setting, start=dear).share == pytest.approx(one.share, abs=1e-9)


def _duo(**quotes: Any) -> w.Market:
    task = w.TaskClass(
        "jobs", w.Poisson(1.0), output_tokens=EXPONENTIAL, value=2.0, delay_cost=0.1,
        choice=w.Logit(scale=0.25),
    )  # fmt: skip
    shop = {"accuracy": 1.0, "cost": {"task": 1.0}}
    sellers = [w.Seller("a", price={"task": 1.5}, **shop),
               w.Seller("b", slots=2, speed=0.6, price={"task": 1.3}, **shop)]  # fmt: skip
    quote = w.Quotes(**{"latency": "average", "memory": "5 h", **quotes})
    return w.Market(tasks=[task], sellers=sellers, quotes=quote)


def test_events_agree_where_the_fluid_market_is_exact() -> None:
    """Shares, sojourns and profits in 8 replications of 60,000 tasks (seed 0), within 5 errors.

    Eight figures by Student's t with 7 degrees of freedom: false alarms below 1.3%. Power: a speed
    5% lower moves a sojourn by more than that.
    """
    market = _duo()
    setting = setting_of(market)
    assert setting.approximate == ()
    fluid = solve(setting)
    result = w.run(market, until="60000 s", warmup="20000 s", reps=8, record="summary", seed=0)
    rows = result.summary().set_index(["task", "offer", "metric"])[["value", "se"]]
    summary = rows.to_dict("index")
    slower = market.model_copy(update={"sellers": tuple(
        s.model_copy(update={"speed": 0.95 * s.speed}) for s in market.sellers
    )})  # fmt: skip
    mutant = solve(setting_of(slower))
    caught = 0
    for o, offer in enumerate(market.offers):
        for metric, value, wrong in (
            ("share", fluid.share[0, o], mutant.share[0, o]),
            ("sojourn", fluid.sojourn[0, o], mutant.sojourn[0, o]),
        ):
            row = summary["jobs", offer, metric]
            assert abs(row["value"] - value) < 5.0 * row["se"] + 2e-4 * value
            caught += abs(row["value"] - wrong) > 5.0 * row["se"] + 2e-4 * wrong
    for s, seller in enumerate(market.sellers):
        row = summary["all", seller.name, "profit"]
        assert abs(row["value"] - 3600.0 * fluid.profit[s]) < 5.0 * row["se"] + 2e-4 * row["value"]
    assert caught >= 2


def test_where_it_is_not_exact_it_says_so() -> None:
    assert any("observed" in why for why in setting_of(_duo(latency="observed")).approximate)
    assert setting_of(_mixed()).approximate


def test_what_buyers_see_of_a_queue_is_taken_at_its_mean() -> None:
    """A9: the mean field gives (.594, .305), the exact chain (.5567, .3581)."""
    task = w.TaskClass("jobs", w.Poisson(2.0), output_tokens=EXPONENTIAL, value=2.2,
                       delay_cost=0.3, choice=w.Logit(scale=0.3))  # fmt: skip
    sellers = [w.Seller("one", accuracy=1.5 / 2.2, speed=2.0, price={"task": 0.6}),
               w.Seller("two", accuracy=1.0, speed=1.0, price={"task": 1.1})]  # fmt: skip
    found = solve(setting_of(w.Market(tasks=[task], sellers=sellers)))
    assert found.share[0, :2] == pytest.approx([0.594, 0.305], abs=5e-4)
    assert np.abs(found.share[0, :2] - [0.556679, 0.358116]).max() < 0.06


def test_drawn_values_are_integrated_and_not_plugged_in() -> None:
    """Against 200,000 points of the law; at the mean value the share is off by a third."""
    value = w.LogNormal(mean=1.0, cv=1.0)
    shop = {"slots": "unlimited"}
    sellers = [w.Seller("good", accuracy=0.9, price={"task": 0.7}, **shop),
               w.Seller("cheap", accuracy=0.5, price={"task": 0.2}, **shop)]  # fmt: skip

    def shares(law: Any, scale: float) -> Any:
        task = w.TaskClass("t", w.Poisson(1.0), value=law, choice=w.Logit(scale=scale))
        return solve(setting_of(w.Market(tasks=[task], sellers=sellers))).share[0]

    from scipy.special import ndtri

    sigma = math.sqrt(math.log(2.0))
    v = np.exp(sigma * ndtri((np.arange(200_000) + 0.5) / 200_000) - 0.5 * sigma**2)
    for scale in (0.3, 0.03, 0.003):
        u = np.array([0.9 * v - 0.7, 0.5 * v - 0.2, 0.0 * v]) / scale
        p = np.exp(u - u.max(axis=0))
        wanted = (p / p.sum(axis=0)).mean(axis=1)
        assert shares(value, scale) == pytest.approx(wanted, abs=2e-4)
    assert abs(shares(1.0, 0.03)[0] - shares(value, 0.03)[0]) > 0.05


# --- what is left out, and what is started from ------------------------------------------------


@pytest.mark.parametrize(("price", "told"), [(100.0, False), (60.0, True)])
def test_offers_that_nobody_can_choose_are_left_out_and_change_nothing(
    price: float, told: bool
) -> None:
    """At a lag of 1000 μ a share is 0; at 600 μ it is still told, and that its own price moves."""
    one, nests = Money.of_one(1.0, 0.0), np.arange(3)
    gain, time, base = np.array([[0.5, 0.4, 0.5]]), np.zeros((1, 3)), np.array([[0.1, 0.05, price]])
    found = logit_choices(gain, time, base, one, nests, 0.1, 1.0, True, True)[0]
    gain, time, base = gain[:, :2], time[:, :2], base[:, :2]
    alone = logit_choices(gain, time, base, one, nests[:2], 0.1, 1.0, True, True)[0]
    assert found.moves is not None
    assert alone.moves is not None
    np.testing.assert_allclose(found.share[[0, 1, 3]], alone.share, rtol=1e-13)
    np.testing.assert_allclose(found.moves[:, :2, :2], alone.moves, rtol=1e-9, atol=1e-15)
    assert found.surplus == pytest.approx(alone.surplus, rel=1e-13)
    assert (0.0 < found.share[2] < 1e-200) == told
    assert found.moves[0, 2, 2] == pytest.approx(found.share[2] / 0.1, rel=1e-9, abs=0.0)


def test_a_start_at_mean_rates_leads_to_the_same_at_all_moments() -> None:
    """A day of three moments, the second without arrivals of one class, from four starts."""
    tasks = [
        w.TaskClass(name, w.Poisson(0.5), value=2.0, delay_cost=0.1, output_tokens=EXPONENTIAL,
                    choice=w.Logit(0.25)) for name in "ab"
    ]  # fmt: skip
    sellers = [w.Seller(n, accuracy=1.0, price={"task": 0.5}) for n in ("one", "two")]
    setting = setting_of(w.Market(tasks=tasks, sellers=sellers, quotes=AVERAGE))
    day = [(0.25, np.array([0.9, 0.4])), (0.5, np.array([0.0, 0.5])), (0.25, np.array([0.2, 0.7]))]
    whole, mean = replace(setting, moments=day), replace(setting, moments=day).at_mean()
    cold = solve(whole)
    assert cold.converged
    for start in (solve(mean), cold, solve(replace(setting, moments=day[1:2]))):
        found = solve(whole, start=start)
        assert found.converged
        np.testing.assert_allclose(found.flow, cold.flow, rtol=1e-9)
