"""Reference prices of a run, and how far its prices are from equilibrium."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.analysis.equilibrium.deviations import profit_curve
from walras.analysis.equilibrium.held import along, best_held
from walras.analysis.equilibrium.references import LEVERS, references
from walras.analysis.equilibrium.solved import TOLERANCE
from walras.analysis.figures import FIGURES, price_paths, run_exploitability
from walras.analysis.figures.template import INK
from walras.market.schema.market import Market
from walras.scenarios.result import Result

SOLVED = 1.603508
"""The price of `best_responses`, solved another way in the tests of the equilibrium."""


@pytest.fixture(scope="module")
def moving() -> Result:
    return w.run("best_responses", until="50 min", warmup="30 min")


def test_exploitability_falls_to_nothing_at_the_solved_price(moving: Result) -> None:
    """With delays held, a cut seems to gain 3% at the solved price: no rest would be seen there."""
    table = run_exploitability.data(moving)
    assert list(table) == ["time", "exploitability", "regret", "gain"]
    assert table["exploitability"].iloc[0] > 0.3
    assert table["exploitability"].iloc[-1] < 1e-5
    assert (table["time"].diff().dropna() > 0).all()
    assert table["time"].iloc[-1] == 3000.0
    below = table["time"][table["exploitability"] < TOLERANCE].min()
    prices = moving.prices[moving.prices["start"] >= below - 60.0]["price"]
    assert prices.to_numpy() == pytest.approx(SOLVED, rel=0.01)
    assert "At equilibrium in the fluid market from" in run_exploitability.finding(moving)

    seen = references(moving.market)
    assert seen is not None
    at = np.full(2, SOLVED)
    selection = seen.game.solve(at)
    best = np.array([best_held(seen.game, at, 0, selection)])
    gain = profit_curve(seen.game, at, 0, best, selection)[0] - selection.owner_profit[0]
    assert gain > 0.01 * selection.owner_profit.sum()


def test_gains_and_regret_are_those_of_search(moving: Result) -> None:
    """Each owner's best gain on a fine grid with delays that follow; regret weighted by time."""
    seen = references(moving.market)
    assert seen is not None
    game, path = seen.game, np.array([[1.2, 2.4], [1.5, 1.9]])
    gains, regret, profit = along(game, path, np.array([3.0, 1.0]))
    alike = along(game, path)[1]
    kept = np.zeros((2, 2, 60))
    for t, prices in enumerate(path):
        here = game.solve(prices)
        assert profit[t] == pytest.approx(here.owner_profit.sum())
        best = 0.0
        for g in range(2):
            grid = np.geomspace(1.0, 3.0, 60)
            kept[t, g] = (
                profit_curve(game, prices, g, grid, here, held=False) - here.owner_profit[g]
            )
            best += kept[t, g].max()
        assert 0.999 * best < gains[t] < 1.01 * best  # the grid may miss the very best
    exact = (np.array([3.0, 1.0])[:, None, None] * kept).sum(axis=0).max(axis=1).sum() / 4.0
    assert regret[1] == pytest.approx(exact, rel=0.03)  # of fewer constant prices
    assert abs(alike[1] - exact) > 0.05 * exact


def test_reference_lines_stand_beside_the_prices(moving: Result) -> None:
    table = price_paths.data(moving)
    assert table["nash"].to_numpy() == pytest.approx(SOLVED, rel=1e-6)
    assert (table["joint"] > 1.1 * table["nash"]).all()
    assert table.attrs["units"]["nash"] == "price_unit"
    drawn = price_paths.build(moving)
    lines = {t.name: t for t in drawn.data if t.showlegend}
    assert {n: (t.line.dash, t.line.color) for n, t in lines.items()} == {
        "Nash": ("dash", INK), "joint profit": ("dashdot", INK)
    }  # fmt: skip
    assert lines["Nash"].y == pytest.approx([SOLVED] * 2, rel=1e-5)
    low, high = drawn.layout.yaxis.range
    assert low < np.log10(lines["joint profit"].y[0]) < high
    assert "(Nash)" in price_paths.caption(moving)
    assert "sum of their profits" in price_paths.caption(moving)
    figure = FIGURES["F5"].builder(moving)
    assert (figure.layout.xaxis.type, figure.layout.yaxis.type) == ("log", "log")
    names = [trace.name for trace in figure.data]
    assert names == ["exploitability", "regret", "tolerance"]


def still(**more: Any) -> Market:
    """Return two sellers of whom nobody moves a price."""
    task = w.TaskClass("t", w.Poisson(0.5), value=2.0, choice=w.Logit(0.25), output_tokens=0)
    sellers = [w.Seller(n, accuracy=1.0, price={"task": 1.5}, cost={"task": 1}) for n in "ab"]
    return Market(tasks=[task], sellers=sellers, **more)


def moved(market: Market, count: int) -> Market:
    """Return the market with so many sellers who answer each other."""
    one = market.sellers[0].model_copy(
        update={"pricing": {"name": "best_response"}, "reprice_every": 60.0}
    )
    each = [one.model_copy(update={"name": f"s{i}"}) for i in range(count)]
    return Market.model_validate(market.model_dump() | {"sellers": [s.model_dump() for s in each]})


def test_what_is_not_quickly_solved_is_absent() -> None:
    """Too many prices, a schedule, no rule of the fluid market's, or nobody who moves."""
    assert references(still()) is None
    assert references(moved(still(), LEVERS)) is not None
    assert references(moved(still(), LEVERS + 1)) is None
    leaves = w.Exit(at=60.0, seller="s1")
    assert references(moved(still(), 2).model_copy(update={"events": (leaves,)})) is None
    auction = moved(still(), 2).model_copy(update={"mechanism": w.Procurement()})
    assert references(auction) is None
    result = w.run(still(), until="5 min")
    table = price_paths.data(result)
    assert table[["nash", "joint"]].isna().all(axis=None)
    assert "Nash" not in price_paths.caption(result)
    assert run_exploitability.data(result).empty
    assert run_exploitability.build(result).layout.annotations
    assert not [t for t in price_paths.build(result).data if t.showlegend]


def test_lines_that_are_not_there_are_told(moving: Result) -> None:
    """A run whose prices moved in a market that is not solved: no line, and the caption says so."""
    leaves = w.Exit(at=1e5, seller="west")
    market = moving.market.model_copy(update={"events": (leaves,)})
    other = replace(moving, market=market)
    assert price_paths.data(other)["nash"].isna().all()
    assert "not quickly solved" in price_paths.caption(other)
    assert run_exploitability.data(other).empty
