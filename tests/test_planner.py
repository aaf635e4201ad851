"""The planner and the gap: Wardrop against the optimum, Pigou, priced priorities, Shapley."""

from __future__ import annotations

import math
from itertools import permutations
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.analysis.equilibrium import planner
from walras.analysis.equilibrium.anderson import fixed_point
from walras.analysis.equilibrium.gap import FRICTIONS, decompose, frictions_of, shapley
from walras.analysis.equilibrium.planner import at_cost, harm, levied, plan
from walras.market.fluid.setting import setting_of
from walras.market.fluid.solve import Selection, solve

EXPONENTIAL = w.Exponential(mean=1.0)


def _parallel(rate: float, **speeds: float) -> w.Market:
    """Captive buyers who differ in nothing and servers of these rates: Wardrop's network."""
    task = w.TaskClass(
        "jobs", w.Poisson(rate), output_tokens=EXPONENTIAL, value=10.0, delay_cost=1.0,
        outside_option=False,
    )  # fmt: skip
    sellers = [w.Seller(name, accuracy=1.0, speed=mu) for name, mu in speeds.items()]
    return w.Market(tasks=[task], sellers=sellers, quotes=w.Quotes(latency="average"))


def _delay(selection: Selection) -> float:
    return float((selection.flow * selection.sojourn).sum())


def test_wardrop_and_the_optimum_of_parallel_servers() -> None:
    """A10: Bell & Stidham 1983; x₁ = 1.25 against 1.12132, price of anarchy 1.06066."""
    setting = setting_of(_parallel(1.5, fast=2.0, slow=1.0))
    alone, best = solve(setting), plan(setting)
    assert alone.converged
    assert best.converged
    assert alone.flow[0] == pytest.approx([1.25, 0.25], abs=1e-6)
    assert best.selection.flow[0] == pytest.approx([1.12132, 0.37868], abs=1e-5)
    assert _delay(alone) / 1.5 == pytest.approx(1.333333, abs=1e-6)
    assert _delay(best.selection) / 1.5 == pytest.approx(1.257079, abs=1e-6)
    assert _delay(alone) / _delay(best.selection) == pytest.approx(1.06066, abs=1e-5)


def test_a_server_that_is_idle_at_equilibrium_and_not_at_the_optimum() -> None:
    setting = setting_of(_parallel(0.8, fast=2.0, slow=1.0))
    assert solve(setting).flow[0] == pytest.approx([0.8, 0.0], abs=1e-8)
    # At the optimum marginal delays agree: μ₁/(μ₁ − x)² = μ₂/(μ₂ − Λ + x)².
    assert plan(setting).selection.flow[0, 1] == pytest.approx(0.088730, abs=1e-6)


def test_the_optimum_of_three_servers_equates_marginal_delays() -> None:
    """Against the closed form x_i = μ_i − √(μ_i)·(Σμ − Λ)/Σ√μ over the servers used."""
    rates = {"a": 3.0, "b": 2.0, "c": 1.0}
    mu = np.array(list(rates.values()))
    wanted = mu - np.sqrt(mu) * (mu.sum() - 4.0) / np.sqrt(mu).sum()
    found = plan(setting_of(_parallel(4.0, **rates))).selection.flow[0]
    assert found == pytest.approx(wanted, abs=1e-5)


def _roads(tiny: float) -> tuple[Selection, Selection, float]:
    """Pigou's two roads: the market, the planner's and the price of anarchy in time.

    A shared server at a small load ρ takes S/(1 − ρ) = S + S·ρ + O(ρ²); the other road takes as
    much longer than S as the first does when all use it.
    """
    task = w.TaskClass(
        "cars", w.Poisson(tiny), output_tokens=EXPONENTIAL, value=10.0, delay_cost=1.0 / tiny,
        outside_option=False,
    )  # fmt: skip
    road = {"accuracy": 1.0, "slots": "unlimited"}
    market = w.Market(
        tasks=[task], quotes=w.Quotes(latency="average"),
        sellers=[w.Seller("new", kappa=1.0, **road), w.Seller("old", network_time=tiny, **road)],
    )  # fmt: skip
    setting = setting_of(market)
    alone, best = solve(setting), plan(setting).selection
    times = [float((s.flow[0] * (s.sojourn[0] - 1.0)).sum()) for s in (alone, best)]
    return alone, best, times[0] / times[1]


def test_pigou() -> None:
    """A10: price of anarchy 4/3, the limit of small loads, from two of them (Richardson 1911)."""
    alone, best, near = _roads(1e-4)
    assert alone.flow[0, 0] / 1e-4 == pytest.approx(1.0, abs=1e-3)
    assert best.flow[0, 0] / 1e-4 == pytest.approx(0.5, abs=1e-3)
    assert 2.0 * near - _roads(2e-4)[2] == pytest.approx(4.0 / 3.0, abs=1e-5)


def _priorities(*costs: float, rates: tuple[float, ...]) -> w.Market:
    tasks = [
        w.TaskClass(
            f"class-{level}", w.Poisson(rate), output_tokens=EXPONENTIAL, delay_cost=cost,
            value=100.0, outside_option=False, priority=level,
        )
        for level, (cost, rate) in enumerate(zip(costs, rates, strict=True))
    ]  # fmt: skip
    seller = w.Seller("one", accuracy=1.0, discipline="priority")
    return w.Market(tasks=tasks, sellers=[seller], quotes=w.Quotes(latency="average"))


def test_priced_priorities() -> None:
    """Mendelson & Whang 1990, two classes without preemption: prices are the harm done."""
    setting = setting_of(_priorities(3.0, 1.0, rates=(0.3, 0.4)))
    found = harm(setting, setting.charges(), solve(setting).moments[0])
    assert found.ravel() == pytest.approx([10.825397, 7.634921], abs=1e-6)


def test_priced_priorities_of_three_classes() -> None:
    """p_i = Σ_j c_j λ_j ∂W_j/∂λ_i by differences of Cobham's waits, written anew here."""
    costs, rates = np.array([4.0, 2.0, 0.5]), np.array([0.2, 0.3, 0.25])

    def waits(flow: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        sums = np.concatenate([[0.0], np.cumsum(flow)])
        wait = flow.sum() / ((1.0 - sums[:-1]) * (1.0 - sums[1:]))
        return float((costs * rates * wait).sum())

    step = 1e-6
    wanted = [
        (waits(rates + step * np.eye(3)[i]) - waits(rates - step * np.eye(3)[i])) / (2 * step)
        for i in range(3)
    ]
    setting = setting_of(_priorities(*costs, rates=tuple(rates)))
    found = harm(setting, setting.charges(), solve(setting).moments[0])
    assert found.ravel() == pytest.approx(wanted, rel=1e-6)


def _logit(**changes: object) -> w.Market:
    task = w.TaskClass(
        "t", w.Poisson(1.0), output_tokens=EXPONENTIAL, value=2.0, delay_cost=0.1,
        choice=w.Logit(scale=0.25), **changes,
    )  # fmt: skip
    shop = {"accuracy": 1.0, "cost": {"task": 1.0}}
    sellers = [
        w.Seller("a", price={"task": 1.5}, **shop), w.Seller("b", price={"task": 1.7}, **shop),
        w.Seller("c", speed=0.6, price={"task": 1.1}, **{**shop, "cost": {"task": 0.6}}),
    ]  # fmt: skip
    return w.Market(tasks=[task], sellers=sellers, quotes=w.Quotes(latency="average"))


def test_no_tolls_do_better_than_the_planners() -> None:
    """Forty other tolls, near and far (seed 0), leave less welfare."""
    setting = setting_of(_logit())
    best = plan(setting)
    rng = np.random.default_rng(0)
    charges = at_cost(setting)
    from walras.market.fluid.selection import select

    toll = best.selection.moments[0].toll
    for size in np.geomspace(1e-3, 1.0, 40):
        other = np.maximum(toll + size * rng.normal(size=toll.shape), 0.0)
        flows = select(setting, charges, setting.moments[0][1], toll=other)
        found = Selection(setting, charges, np.ones(1), (flows,))
        assert found.welfare < best.welfare + 1e-9


def test_the_parts_add_up_to_the_gap() -> None:
    found = decompose(solve(setting_of(_logit())))
    assert found.converged
    assert list(found.parts) == ["mark-up", "mis-selection", "congestion"]
    assert math.fsum(found.parts.values()) == pytest.approx(found.planner - found.market, abs=1e-12)
    assert found.price_of_anarchy == pytest.approx(found.planner / found.market)
    assert min(found.welfare.values()) >= 0.0
    assert max(found.welfare.values()) == pytest.approx(found.planner, abs=1e-9)


def test_a_market_at_cost_without_queues_is_the_planners() -> None:
    task = w.TaskClass("t", w.Poisson(1.0), value=2.0, choice=w.Logit(scale=0.25))
    shop = {"accuracy": 1.0, "slots": "unlimited"}
    sellers = [w.Seller(n, cost={"task": c}, price={"task": c}, **shop)
               for n, c in (("a", 0.5), ("b", 0.9))]  # fmt: skip
    found = decompose(solve(setting_of(w.Market(tasks=[task], sellers=sellers))))
    assert found.planner == pytest.approx(found.market, abs=1e-12)
    assert found.parts == pytest.approx({"mark-up": 0.0, "mis-selection": 0.0}, abs=1e-12)


def test_one_mark_up_for_all_selects_nobody_wrongly() -> None:
    """Equal absolute mark-ups change who buys and not from whom: no mis-selection."""
    task = w.TaskClass("t", w.Poisson(1.0), value=2.0, choice=w.Logit(scale=0.25))
    shop = {"accuracy": 1.0, "slots": "unlimited"}
    sellers = [w.Seller(n, cost={"task": c}, price={"task": c + 0.4}, **shop)
               for n, c in (("a", 0.5), ("b", 0.9))]  # fmt: skip
    found = decompose(solve(setting_of(w.Market(tasks=[task], sellers=sellers))))
    assert found.parts["mark-up"] > 1e-3
    assert found.parts["mis-selection"] == pytest.approx(0.0, abs=1e-12)


def test_search_and_information_cost_something_too() -> None:
    task = w.TaskClass("t", w.Poisson(1.0), value=2.0, choice=w.Logit(scale=0.25), consideration=1)
    shop = {"slots": "unlimited", "price": {"task": 0.5}, "cost": {"task": 0.5}}
    sellers = [
        w.Seller("boaster", accuracy=0.4, claimed=0.95, **shop),
        w.Seller("honest", accuracy=0.8, **{**shop, "price": {"task": 0.55}}),
    ]
    market = w.Market(
        tasks=[task], sellers=sellers, quotes=w.Quotes(accuracy="claimed"),
        platform=w.Platform(ranking="accuracy"),
    )  # fmt: skip
    selection = solve(setting_of(market))
    assert frictions_of(selection) == [n for n in FRICTIONS if n != "congestion"]
    found = decompose(selection)
    assert found.parts["search"] > 0.0
    assert found.parts["information"] > 0.0
    assert math.fsum(found.parts.values()) == pytest.approx(found.planner - found.market, abs=1e-12)


def test_shapley_is_the_average_over_orders() -> None:
    names = ["a", "b", "c"]
    rng = np.random.default_rng(3)
    sets = [frozenset(n for i, n in enumerate(names) if bits >> i & 1) for bits in range(8)]
    value = {s: float(v) for s, v in zip(sets, rng.normal(size=8), strict=True)}
    wanted = dict.fromkeys(names, 0.0)
    for order in permutations(names):
        for i, name in enumerate(order):
            before = frozenset(order[:i])
            wanted[name] += (value[before] - value[before | {name}]) / 6.0
    assert shapley(names, value) == pytest.approx(wanted)


def test_anderson_finds_fixed_points_that_plain_iteration_runs_away_from() -> None:
    slopes = np.array([-3.0, -0.5, 0.9])  # x ← 1 + slope·x, at 1/(1 − slope)
    x, residual, taken = fixed_point(lambda x: 1.0 + slopes * x, np.zeros(3), tolerance=1e-12)
    assert residual <= 1e-12
    assert taken <= 10
    assert x == pytest.approx(1.0 / (1.0 - slopes))


def _two_kinds(
    scale: float = 0.1, costs: tuple[float, float] = (10.0, 0.1), speeds: Any = (1.0, 1.0),
    prices: tuple[float, float] = (6.0, 0.5),
) -> w.Market:  # fmt: skip
    """Captive urgent and patient buyers, and two M/M/1 sellers who serve at no cost."""
    tasks = [
        w.TaskClass(
            name, w.Poisson(rate), output_tokens=EXPONENTIAL, value=100.0, delay_cost=cost,
            outside_option=False, choice=w.Logit(scale=scale),
        )
        for name, rate, cost in zip(("urgent", "patient"), (0.5, 0.8), costs, strict=True)
    ]  # fmt: skip
    sellers = [
        w.Seller(name, accuracy=1.0, speed=speed, price={"task": price})
        for name, speed, price in zip("ab", speeds, prices, strict=True)
    ]
    return w.Market(tasks=tasks, sellers=sellers, quotes=w.Quotes(latency="average"))


def _brute(
    scale: float = 0.1, costs: tuple[float, float] = (10.0, 0.1), speeds: Any = (1.0, 1.0)
) -> float:
    """Return the most welfare over both shares of the first seller, tastes' entropy included.

    W = 100·Λ − Σ_s Σ_k c_k·f_ks/(μ_s − Σ_k f_ks) + scale·Σ_k λ_k·H(x_k), on ever finer grids.
    """
    rates, cost = np.array([0.5, 0.8]), np.array(costs)
    low, high, most = np.zeros(2), np.ones(2), -math.inf
    for _ in range(30):
        x = np.stack(np.meshgrid(*np.linspace(low, high, 81).T, indexing="ij"), axis=-1)
        x = np.clip(x, 1e-300, 1.0 - 1e-16)
        welfare = 100.0 * rates.sum()
        welfare = welfare - scale * ((x * np.log(x) + (1.0 - x) * np.log1p(-x)) @ rates)
        for part, speed in zip((x, 1.0 - x), speeds, strict=True):
            room = speed - part @ rates
            delay = (part @ (rates * cost)) / np.where(room > 0.0, room, 1.0)
            welfare = np.where(room > 0.0, welfare - delay, -math.inf)
        best = np.unravel_index(np.argmax(welfare), welfare.shape)
        most = max(most, float(welfare[best]))
        width = (high - low) / 8.0
        low, high = np.maximum(x[best] - width, 0.0), np.minimum(x[best] + width, 1.0)
    return most


def test_the_planner_leaves_a_saddle_and_parts_the_classes() -> None:
    """Waits of unequal costs are not convex: half and half makes 115.576, apart 119.600.

    Urgent ones alone wait 1/(1 − 0.5), patient ones 1/(1 − 0.8): 130 − 0.5·10·2 − 0.8·0.1·5.
    """
    setting = setting_of(_two_kinds())
    half = levied(setting, at_cost(setting))
    assert half.converged  # mutant: without tilts the iteration stays where it is
    assert half.welfare == pytest.approx(115.5758, abs=1e-3)
    found = plan(setting)
    assert found.converged
    assert found.welfare == pytest.approx(119.6, abs=1e-6)
    assert found.welfare == pytest.approx(_brute(), abs=1e-6)
    share = found.selection.share[:, 0]
    assert abs(share[0] - share[1]) > 0.999


@pytest.mark.parametrize(("scale", "costs", "speeds"), [
    (1.0, (10.0, 0.1), (1.0, 1.0)), (3.0, (4.0, 1.0), (1.0, 1.0)), (0.5, (3.0, 1.0), (1.3, 0.8)),
    (0.3, (8.9, 1.8), (1.2, 1.0)), (0.5, (2.0, 2.0), (1.3, 0.8)),
])  # fmt: skip
def test_the_planner_finds_the_best_of_two_shares(
    scale: float, costs: tuple[float, float], speeds: tuple[float, float]
) -> None:
    found = plan(setting_of(_two_kinds(scale, costs, speeds)))
    assert found.converged
    assert found.welfare == pytest.approx(_brute(scale, costs, speeds), abs=1e-6)


def test_the_planner_is_never_below_the_market(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor where tilts find nothing: then the market's own flows are where it starts."""
    market = solve(setting_of(_two_kinds()))
    found = decompose(market)
    assert found.converged
    assert found.planner >= market.welfare == pytest.approx(119.6, abs=1e-6)
    assert math.fsum(found.parts.values()) == pytest.approx(found.planner - found.market, abs=1e-9)
    monkeypatch.setattr(planner, "tilted", lambda *_: ())
    assert plan(market.setting).welfare < 116.0
    assert plan(market.setting, market=market).converged
    assert decompose(market, plan(market.setting)).planner >= market.welfare
