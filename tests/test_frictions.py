"""Mark-ups and harm where tasks leave before they are served."""

from __future__ import annotations

import pytest

import walras as w
from walras.analysis.equilibrium.gap import decompose
from walras.analysis.equilibrium.planner import harm
from walras.market.fluid.setting import setting_of
from walras.market.fluid.solve import Selection, solve

PATIENCE, VALUE, DELAY, COST, SPEED = 1.5, 2.0, 0.3, 0.8, 1.2


def _impatient(rate: float, *prices: float, choice: w.Logit | None = None) -> Selection:
    """Sellers of one slot and one cost, each slower than the last; buyers wait `PATIENCE`."""
    task = w.TaskClass(
        "jobs", w.Poisson(rate), output_tokens=w.Exponential(mean=1.0), value=VALUE,
        delay_cost=DELAY, patience=PATIENCE, outside_option=choice is not None,
        choice=choice or w.Argmax(),
    )  # fmt: skip
    sellers = [
        w.Seller(
            f"s{i}", accuracy=1.0, speed=SPEED - 0.4 * i, price={"task": p}, cost={"task": COST}
        )
        for i, p in enumerate(prices)
    ]
    market = w.Market(tasks=[task], sellers=sellers, quotes=w.Quotes(latency="average"))
    return solve(setting_of(market))


def test_who_drives_others_away_saves_the_cost_of_serving_them() -> None:
    """−λ·d/dλ of what a task is worth at cost, by two solved markets: captive buyers at one seller.

    Without the cost that is saved (the mutant) the harm would be a third more.
    """
    rate, step = 0.9, 1e-5
    fewer, more = _impatient(rate - step, 1.5), _impatient(rate + step, 1.5)

    def worth(found: Selection, cost: float) -> float:
        served, time = float(found.served[0, 0]), float(found.sojourn[0, 0])
        return served * (VALUE - cost) - DELAY * time

    right, mutant = (
        rate * (worth(fewer, cost) - worth(more, cost)) / (2.0 * step) for cost in (COST, 0.0)
    )
    found = _impatient(rate, 1.5)
    assert found.served[0, 0] < 0.85
    got = harm(found.setting, found.setting.charges(), found.moments[0])
    assert got[0, 0] == pytest.approx(right, rel=1e-6)
    assert mutant > 1.3 * right


def test_a_mark_up_is_on_tasks_that_are_served() -> None:
    """Equal prices and costs select nobody wrongly, however many leave one of the two queues."""
    found = _impatient(1.6, 1.5, 1.5, choice=w.Logit(0.3))
    assert found.served[0, 1] < found.served[0, 0] - 0.03 < 0.9
    parts = decompose(found).parts
    assert parts["mark-up"] > 0.01
    assert parts["mis-selection"] == pytest.approx(0.0, abs=1e-9)
