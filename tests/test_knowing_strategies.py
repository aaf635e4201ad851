"""Sellers who know the fluid market come to the equilibrium that is solved for, on the clock."""

from __future__ import annotations

import numpy as np
import pytest

import walras as w
from walras.agents.strategies import strategy_in
from walras.agents.testing import ME

DELAY_FEEDBACK, WITHOUT = 1.603508, 1.472927
"""Price equilibria of the symmetric game, with delays and where they cost nothing."""


def _market(pricing: object, *, delay_cost: float = 0.1, price: float = 1.2) -> w.Market:
    task = w.TaskClass(
        "t", w.Poisson(1.0), output_tokens=w.Exponential(mean=1.0), value=2.0,
        delay_cost=delay_cost, choice=w.Logit(scale=0.25),
    )  # fmt: skip
    sellers = [
        w.Seller(name, accuracy=1.0, cost={"task": 1.0}, price={"task": price}, pricing=pricing,
                 reprice_every="100 s")
        for name in ("a", "b")
    ]  # fmt: skip
    return w.Market(
        tasks=[task], sellers=sellers, quotes=w.Quotes(latency="average"), run={"until": "30 min"}
    )


def _last(market: w.Market) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    prices = w.run(market, seed=0).prices
    return prices.groupby("offer")["price"].last().to_numpy()


@pytest.mark.parametrize(("delay_cost", "price"), [(0.1, DELAY_FEEDBACK), (0.0, WITHOUT)])
def test_best_responses_come_to_rest_at_the_equilibrium(delay_cost: float, price: float) -> None:
    found = _last(_market(w.BestResponse(), delay_cost=delay_cost))
    assert found == pytest.approx(price, abs=1e-5)


def test_inertia_slows_the_way_and_not_the_end() -> None:
    market = _market(w.BestResponse(inertia=0.5))
    prices = w.run(market, seed=0).prices.groupby("offer")["price"]
    assert prices.nth(30).max() < 1.58  # where without inertia they are within a hundredth
    assert prices.last().to_numpy() == pytest.approx(DELAY_FEEDBACK, abs=1e-3)


def test_climbing_ones_own_profit_comes_to_rest_there_too() -> None:
    found = _last(_market(w.GradientPricing(rate=0.1)))
    assert found == pytest.approx(DELAY_FEEDBACK, abs=1e-3)


def test_steps_too_long_go_on_around_the_equilibrium() -> None:
    prices = w.run(_market(w.GradientPricing(rate=0.5)), seed=0).prices
    late = prices[prices["start"] > 900.0]["price"]
    assert late.max() - late.min() > 0.05
    assert late.min() < DELAY_FEEDBACK < late.max()


def test_no_step_is_longer_than_the_largest() -> None:
    prices = w.run(_market(w.GradientPricing(rate=5.0, largest=0.03)), seed=0).prices
    steps = np.abs(np.diff(np.log(prices[prices["offer"] == "a/default"]["price"])))
    assert 0.029 < steps.max() <= 0.03 + 1e-12


@pytest.mark.parametrize("strategy", [w.BestResponse(), w.GradientPricing()])
def test_outside_a_market_prices_stay(strategy: w.BestResponse | w.GradientPricing) -> None:
    assert strategy(ME, [], np.random.default_rng(0)).price == ME.prices


def test_a_strategy_that_needs_no_market_stays_itself() -> None:
    fixed = w.Fixed()
    assert strategy_in(fixed, _market(None), "a") is fixed


def test_a_market_that_the_fluid_model_does_not_know_is_refused() -> None:
    market = _market(w.BestResponse()).model_copy(update={"mechanism": w.Procurement("vickrey")})
    with pytest.raises(w.BadInputError, match="posted prices"):
        w.run(market)
