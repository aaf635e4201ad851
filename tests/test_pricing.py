"""Price equilibria of the fluid market against closed forms and published numbers."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice, pairwise
from typing import Any

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import lambertw

from walras.analysis.equilibrium import held, pricing
from walras.analysis.equilibrium.counterfactual import (
    Counterfactual,
    departure,
    entry,
    merger,
)
from walras.analysis.equilibrium.deviations import (
    best_deviation,
    best_of_lever,
    best_price,
    gain_curve,
    moved_to,
    profit_curve,
)
from walras.analysis.equilibrium.game import game_of
from walras.analysis.equilibrium.held import exploitability
from walras.analysis.equilibrium.pricing import (
    PricePoint,
    newton,
    price_equilibrium,
    responses,
    start_of,
)
from walras.analysis.equilibrium.solved import equilibrium
from walras.market.fluid import selection as selection_module
from walras.market.fluid import solve as solve_module
from walras.market.fluid.response import Response
from walras.market.schema.arrivals import Poisson
from walras.market.schema.demand import Logit, TaskClass
from walras.market.schema.distributions import LogNormal
from walras.market.schema.errors import BadInputError
from walras.market.schema.market import Market, Platform, Quotes
from walras.market.schema.supply import Rates, Seller

UNIFORM = {"kind": "uniform", "low": 0, "high": 1}
A, C, SCALE = (1.2, 1.8, 2.6), (0.2, 0.5, 1.1), 0.3


def seller(name: str, accuracy: float, cost: float, **more: Any) -> Seller:
    """Return a seller without queues, priced somewhere above cost."""
    fields = {"slots": "unlimited", "price": {"task": 1.3 * cost + 0.1}, "cost": {"task": cost}}
    return Seller(name, accuracy=accuracy, **{**fields, **more})


def logit_market(
    worth: tuple[float, ...], cost: tuple[float, ...], scale: float, owners: str = "", **more: Any
) -> Market:
    """Return a logit market of sellers f1, f2, ... whose answers are worth so much."""
    top = max(worth)
    task = TaskClass("t", arrivals=Poisson(1.0), value=top, choice=Logit(scale), **more)
    sellers = [
        seller(f"f{i + 1}", a / top, c, owner=owners[i : i + 1])
        for i, (a, c) in enumerate(zip(worth, cost, strict=True))
    ]
    return Market(tasks=[task], sellers=sellers)


def queues(delay_cost: float, count: int = 2) -> Market:
    """Return the delay-feedback duopoly of the validation's README: M/M/1 each, mean delays."""
    task = TaskClass(
        "t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25), delay_cost=delay_cost,
        output_tokens={"kind": "exponential", "mean": 1},
    )  # fmt: skip
    sellers = [seller(n, 1.0, 1.0, slots=1) for n in "abcdef"[:count]]
    return Market(tasks=[task], sellers=sellers, quotes=Quotes(latency="average"))


def solved(market: Market, **options: Any) -> PricePoint:
    """Return the price equilibrium, which must have been found."""
    point = price_equilibrium(game_of(market, **options))
    assert point.converged, point.why
    assert point.residual < 1e-9
    return point


def cell(change: Counterfactual, what: str, name: str, column: str) -> float:
    """Return a number of a comparison."""
    table = change.table
    row = table[(table["what"] == what) & (table["name"] == name)]
    return float(row[column].to_numpy()[0])


# --- logit, without delays ---------------------------------------------------------------------


def test_a7_all_six_numbers() -> None:
    """Symmetric Nash and joint-profit prices and profits, and the asymmetric Nash prices."""
    duopoly = logit_market((2.0, 2.0), (1.0, 1.0), 0.25)
    nash, joint = solved(duopoly), solved(duopoly, joint=True)
    np.testing.assert_allclose(nash.prices, 1.472927, atol=1e-6)
    np.testing.assert_allclose(joint.prices, 1.924981, atol=1e-6)
    np.testing.assert_allclose(nash.selection.profit, 0.222927, atol=1e-6)
    np.testing.assert_allclose(joint.selection.profit, 0.337490, atol=1e-6)
    uneven = solved(logit_market((2.0, 2.0), (1.0, 0.875), 0.25))
    np.testing.assert_allclose(uneven.prices, [1.441349, 1.395877], atol=1e-6)


def test_ladder() -> None:
    nash = solved(logit_market(A, C, SCALE))
    np.testing.assert_allclose(nash.prices, [0.562142, 0.955624, 1.662189], atol=1e-6)
    np.testing.assert_allclose(
        nash.selection.share[0, :3], [0.171596, 0.341563, 0.466372], atol=1e-6
    )


def test_merger_of_the_ladder() -> None:
    two = merger(logit_market(A, C, SCALE), ["f1", "f3"])
    assert two.converged
    np.testing.assert_allclose(two.after.prices, [0.875583, 1.012040, 1.775583], atol=1e-6)
    every = merger(logit_market(A, C, SCALE))
    np.testing.assert_allclose(every.after.prices, [1.498770, 1.798770, 2.398770], atol=1e-6)
    assert cell(every, "profits", "", "change") > 0.0 > cell(every, "surpluses", "", "change")
    assert cell(every, "welfare", "", "change") < 0.0


def test_an_owner_of_several_sellers_is_a_merger() -> None:
    """What the spec's owners do and what `joint` does is one thing."""
    owned = solved(logit_market(A, C, SCALE, owners="xyx"))
    np.testing.assert_allclose(owned.prices, [0.875583, 1.012040, 1.775583], atol=1e-6)


@pytest.mark.parametrize(("a", "c", "scale"), [(2.0, 1.0, 0.25), (1.0, 0.3, 0.05), (0.4, 0.5, 0.6)])
def test_monopoly_by_lamberts_w(a: float, c: float, scale: float) -> None:
    expect = c + scale * (1.0 + lambertw(np.exp((a - c) / scale - 1.0)).real)
    assert solved(logit_market((a,), (c,), scale)).prices[0] == pytest.approx(expect, rel=1e-9)


def test_joint_profit_by_lamberts_w() -> None:
    """All products of one owner carry one mark-up: μ(1 + W(Σ exp((a − c)/μ − 1)))."""
    gaps = (np.array(A) - np.array(C)) / SCALE
    markup = SCALE * (1.0 + lambertw(np.exp(gaps - 1.0).sum()).real)
    point = solved(logit_market(A, C, SCALE), joint=True)
    np.testing.assert_allclose(point.prices - C, markup, rtol=1e-9)


def test_a_lever_for_each_offer_of_a_seller() -> None:
    """Two efforts priced apart are two products of one owner: one mark-up."""
    task = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
    ability = {"general": {"theta": 0.0, "beta": 1.0}}
    deep = Seller(
        "deep", ability=ability, effort={"low": 0.0, "high": 5000.0}, slots="unlimited",
        price={"output": 100.0}, cost={"output": 20.0},
    )  # fmt: skip
    game = game_of(Market(tasks=[task], sellers=[deep]), levers="offer")
    assert game.levers == ("deep/low", "deep/high")
    point = price_equilibrium(game)
    assert point.converged
    ask, cost = point.selection.charges.ask[0], game.setting.cost[0]
    gaps = (2.0 * game.setting.right[0] - cost) / 0.25
    markup = 0.25 * (1.0 + lambertw(np.exp(gaps - 1.0).sum()).real)
    np.testing.assert_allclose(ask - cost, markup, rtol=1e-8)


def test_commission_is_a_cost() -> None:
    """A seller left (1 − τ) of its price prices as one whose cost is c/(1 − τ)."""
    market = logit_market((2.0,), (0.9,), 0.25)
    taxed = market.model_copy(update={"platform": Platform(commission=0.1)})
    expect = 1.0 + 0.25 * (1.0 + lambertw(np.exp(3.0)).real)
    assert solved(taxed).prices[0] == pytest.approx(expect, rel=1e-9)


def test_prices_by_the_token() -> None:
    """2,000 output tokens at a price per million: the task costs what it would per task."""
    task = TaskClass(
        "t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25), output_tokens=2000.0
    )
    rates = {"price": {"input": 90.0, "output": 600.0}, "cost": {"output": 500.0}}
    sellers = [Seller(n, accuracy=1.0, slots="unlimited", speed=1e9, **rates) for n in "ab"]
    point = solved(Market(tasks=[task], sellers=sellers))
    np.testing.assert_allclose(point.prices * 2e-3, 1.472927, atol=1e-6)


# --- entry and exit ----------------------------------------------------------------------------


def symmetric(n: int, a: float = 2.0, c: float = 1.0, scale: float = 0.25) -> tuple[float, float]:
    """Return price and share of n equal logit sellers: p − c = μ/(1 − s)."""

    def share(p: float) -> float:
        e = np.exp((a - p) / scale)
        return float(e / (1.0 + n * e))

    p = float(brentq(lambda p: p - c - scale / (1.0 - share(p)), c, c + 9.0, xtol=1e-14))
    return p, share(p)


def test_entry_and_exit_of_equal_sellers() -> None:
    market = logit_market((2.0, 2.0), (1.0, 1.0), 0.25)
    change = entry(market, seller("f3", 1.0, 1.0))
    assert change.converged
    for n, point in ((2, change.before), (3, change.after)):
        price, share = symmetric(n)
        np.testing.assert_allclose(point.prices, price, rtol=1e-9)
        np.testing.assert_allclose(point.selection.share[0, :n], share, rtol=1e-8)
    surplus = [0.25 * np.log1p(n * np.exp((2.0 - symmetric(n)[0]) / 0.25)) for n in (2, 3)]
    assert cell(change, "surplus", "t", "before") == pytest.approx(surplus[0], rel=1e-8)
    assert cell(change, "surplus", "t", "after") == pytest.approx(surplus[1], rel=1e-8)
    profit = (symmetric(3)[0] - 1.0) * symmetric(3)[1]
    assert cell(change, "profit", "f3", "after") == pytest.approx(profit, rel=1e-8)
    assert np.isnan(cell(change, "profit", "f3", "before"))
    total = cell(change, "surpluses", "", "after") + 3.0 * profit
    assert cell(change, "welfare", "", "after") == pytest.approx(total, rel=1e-8)
    back = departure(change.after.game.market, "f3")
    np.testing.assert_allclose(back.after.prices, change.before.prices, rtol=1e-9)


def test_counterfactuals_name_what_is_wrong() -> None:
    market = logit_market((2.0, 2.0), (1.0, 1.0), 0.25)
    with pytest.raises(BadInputError, match='there is a seller "f1" already'):
        entry(market, seller("f1", 1.0, 1.0))
    with pytest.raises(BadInputError, match='no seller "f9"'):
        departure(market, "f9")
    with pytest.raises(BadInputError, match="the only seller"):
        departure(logit_market((2.0,), (1.0,), 0.25), "f1")
    with pytest.raises(BadInputError, match='no owner "f9"'):
        merger(market, ["f1", "f9"])


# --- delays ------------------------------------------------------------------------------------


def test_delay_feedback() -> None:
    """A higher price also shortens the queue, so that prices are higher than without feedback."""
    point = solved(queues(0.1))
    np.testing.assert_allclose(point.prices, 1.603508, atol=1e-6)
    np.testing.assert_allclose(point.selection.share[0, :2], 0.415632, atol=1e-6)
    np.testing.assert_allclose(point.selection.sojourn[0], 1.711251, atol=1e-6)


def test_without_delay_cost_there_is_no_feedback() -> None:
    np.testing.assert_allclose(solved(queues(0.0)).prices, 1.472927, atol=1e-6)


def test_sellers_who_take_delays_as_given_price_lower() -> None:
    """The wrong model is far outside the tolerance: 1.5 against 1.6."""
    game = game_of(queues(0.1))
    held = list(islice(responses(game, rough=True), 12))[-1].prices
    assert (held < 1.603508 - 0.05).all()


# --- argmax: vertical and horizontal differentiation -------------------------------------------


@pytest.mark.parametrize(("high", "low"), [(1.0, 4 / 7), (0.9, 0.3)])
def test_quality_duopoly(high: float, low: float) -> None:
    """Uncovered, values uniform, no cost: p = (2·gap·q₁, gap·q₂)/(4q₁ − q₂), demands 2q₁ and q₁
    over it (Choi & Shin 1992): prices 1/4 and 1/14, demands 7/12 and 7/24 in the first case."""
    task = TaskClass("t", arrivals=Poisson(1.0), value=UNIFORM)
    sellers = [seller("high", high, 0.0), seller("low", low, 0.0)]
    point = solved(Market(tasks=[task], sellers=sellers))
    bottom, gap = 4.0 * high - low, high - low
    np.testing.assert_allclose(
        point.prices, [2 * gap * high / bottom, gap * low / bottom], rtol=1e-8
    )
    np.testing.assert_allclose(
        point.selection.share[0, :2], [2 * high / bottom, high / bottom], rtol=1e-8
    )
    if high == 1.0:
        np.testing.assert_allclose(point.prices, [1 / 4, 1 / 14], rtol=1e-8)


def test_hotelling() -> None:
    """t = 1, quality gap .6, cost .2: delay cost is the place on the line, 2 s its length."""
    point = solved(hotelling(2.0, 1.0, 0.84))
    np.testing.assert_allclose(point.prices, [1.4, 1.0], rtol=1e-8)
    np.testing.assert_allclose(point.selection.share[0], [0.6, 0.4, 0.0], atol=1e-8)


def test_hotelling_of_another_length() -> None:
    """Cutoff (gap − p₁ + p₂)/T: p₁ = c + (T + gap)/3, p₂ = c + (2T − gap)/3."""
    point = solved(hotelling(3.0, 0.9, 0.8))
    np.testing.assert_allclose(point.prices, [0.2 + 4.0 / 3.0, 0.2 + 5.0 / 3.0], rtol=1e-8)


def hotelling(length: float, far: float, near: float) -> Market:
    """Return captive buyers who differ in delay cost, and a slow and a fast seller."""
    task = TaskClass(
        "t", arrivals=Poisson(1.0), value=10.0, delay_cost=UNIFORM, outside_option=False
    )
    fast = {"speed": 1e9, "price": {"task": 0.3}}
    sellers = [seller("a", far, 0.2, network_time=length, **fast), seller("b", near, 0.2, **fast)]
    return Market(tasks=[task], sellers=sellers)


def test_a_menu_of_qualities_of_one_owner() -> None:
    """Mussa & Rosen 1978, values uniform on [0, 1]: p = (q + c)/2 for each quality of the menu."""
    task = TaskClass("t", arrivals=Poisson(1.0), value=UNIFORM)
    sellers = [seller("high", 1.0, 0.3, owner="m"), seller("low", 0.5, 0.05, owner="m")]
    point = solved(Market(tasks=[task], sellers=sellers))
    np.testing.assert_allclose(point.prices, [0.65, 0.275], rtol=1e-8)
    np.testing.assert_allclose(point.selection.share[0], [0.25, 0.2, 0.55], rtol=1e-8)


# --- how it is solved --------------------------------------------------------------------------


def test_newtons_method_ends_in_few_steps() -> None:
    """From 20% above; derivatives follow the steps taken, which makes the end all but quadratic."""
    game = game_of(queues(0.1))
    sizes = [step.change for step in islice(newton(game, np.array([1.9, 1.95])), 11)]
    assert sizes[-1] < 1e-9
    until = next(i for i, size in enumerate(sizes) if size < 1e-9)
    assert all(after < 0.5 * before for before, after in pairwise(sizes[3 : until + 1]))


def test_the_prices_that_the_solver_ends_with_are_stationary() -> None:
    """Profit by the own price, from both sides: a price wrong by a per mille would show."""
    point = price_equilibrium(game_of(queues(0.1, count=3)))
    game, profits = point.game, []
    for factor in (0.99, 1.0, 1.01):
        moved = point.prices * np.array([factor, 1.0, 1.0])
        profits.append(float(game.solve(moved).owner_profit[0]))
    low, top, high = profits
    assert (high - low) / (low + high - 2.0 * top) == pytest.approx(0.0, abs=0.04)
    assert top > max(low, high)


def test_the_path_of_best_responses_leads_where_newtons_method_does() -> None:
    game = game_of(logit_market((2.0, 2.0), (1.0, 0.875), 0.25))
    steps = list(islice(responses(game, np.array([2.5, 1.1])), 14))
    np.testing.assert_allclose(steps[-1].prices, [1.441349, 1.395877], atol=2e-6)
    assert steps[-1].change < steps[4].change
    at_once = list(islice(responses(game, np.array([2.5, 1.1]), at_once=True), 16))[-1]
    np.testing.assert_allclose(at_once.prices, [1.441349, 1.395877], atol=1e-5)


def test_nobody_gains_at_a_solution_by_any_price_of_the_range() -> None:
    game = game_of(queues(0.1))
    point = price_equilibrium(game)
    assert point.deviation is not None
    assert point.deviation.gain <= point.deviation.noise
    best = best_price(game, point.prices, 0, point.selection)
    assert best == pytest.approx(point.prices[0], rel=1e-5)


def test_another_start_leads_to_the_same_prices() -> None:
    game = game_of(logit_market(A, C, SCALE))
    point = price_equilibrium(game, np.array([5.0, 0.6, 9.0]))
    np.testing.assert_allclose(point.prices, [0.562142, 0.955624, 1.662189], atol=1e-6)
    np.testing.assert_allclose(start_of(game), 1.2 * np.array(C), rtol=1e-12)


def test_fixed_prices_are_kept() -> None:
    """The rest answer them: f2's price is the best response to f1's posted one."""
    market = logit_market((2.0, 2.0), (1.0, 1.0), 0.25)
    game = game_of(market, fixed=["f1"])
    point = price_equilibrium(game)
    assert game.levers == ("f2",)
    assert point.converged
    posted = market.sellers[0].price.task
    assert point.selection.charges.ask[0, 0] == posted
    other = np.exp((2.0 - posted) / 0.25)

    def gap(p: float) -> float:
        e = np.exp((2.0 - p) / 0.25)
        return float(p - 1.0 - 0.25 / (1.0 - e / (1.0 + e + other)))

    assert point.prices[0] == pytest.approx(brentq(gap, 1.0, 3.0, xtol=1e-14), rel=1e-9)


def test_errors_name_what_is_unknown() -> None:
    market = logit_market((2.0, 2.0), (1.0, 1.0), 0.25)
    with pytest.raises(BadInputError, match='no seller "f3"'):
        game_of(market, fixed=["f3"])
    with pytest.raises(BadInputError, match='no owner "f3"'):
        game_of(market, joint=[["f1", "f3"]])
    with pytest.raises(BadInputError, match="no seller sets a price"):
        game_of(market, fixed=["f1", "f2"])


def crowd() -> Market:
    """Return a cheap seller and one to whom a hundredth of the buyers, the most eager, go."""
    task = TaskClass(
        "t", arrivals=Poisson(1.0), value=LogNormal(mean=1.0, cv=2.0), choice=Logit(0.02)
    )
    sellers = [
        Seller("usual", accuracy=0.8, slots="unlimited", price={"task": 0.3}, cost={"task": 0.1}),
        Seller("rare", accuracy=0.9, slots="unlimited", price={"task": 3.0}, cost={"task": 2.0}),
    ]
    return Market(tasks=[task], sellers=sellers)


def test_a_rare_sellers_gain_is_no_matter_of_how_coarse_a_curve_is() -> None:
    """At the rare seller's best price nothing is left to gain, though its curve is some % off."""
    game = game_of(crowd())
    prices = moved_to(game.posted, 1, best_price(game, game.posted, 1, game.solve(game.posted)))
    here = game.solve(prices)
    gains = gain_curve(game, prices, 1, np.array([0.97, 1.0, 1.03]) * prices[1], here)
    assert gains[1] == 0.0
    coarse = profit_curve(game, prices, 1, prices[1:], here)[0]
    assert 1e-3 < abs(coarse / here.owner_profit[1] - 1.0) < 0.1
    assert exploitability(game, prices, here)[1] == 0.0
    moved = moved_to(prices, 1, 1.1 * prices[1])
    there = game.solve(moved)
    fell = here.owner_profit[1] - there.owner_profit[1]
    assert 0.2 * fell < exploitability(game, moved, there)[1] <= 1.0001 * fell


def test_what_is_mended_is_the_state_with_least_to_gain() -> None:
    """The rare seller far from its best price comes near it; who is at it stays."""
    game = game_of(crowd())
    best = price_equilibrium(game).prices
    off, far = best * np.array([1.0, 1.35]), best * np.array([1.6, 1.35])
    mended = pricing._mended(game, [far, off])
    assert (np.abs(np.log(mended / best)) < [0.04, 0.18]).all()


def test_a_gain_that_is_enough_ends_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    """The lever that promises most comes first; without a bound all are tried."""
    game = game_of(crowd())
    prices = moved_to(game.posted, 1, 3.0 * price_equilibrium(game).prices[1])
    here, gain = game.solve(prices), held._gain
    tried: list[int] = []

    def noted(game: Any, prices: Any, g: int, here: Any) -> float:
        tried.append(g)
        return gain(game, prices, g, here)

    monkeypatch.setattr(held, "_gain", noted)
    most = held.largest_gain(game, prices, here)
    assert sorted(tried) == [0, 1]
    first = tried[0]
    tried.clear()
    assert 0.0 < held.largest_gain(game, prices, here, enough=0.5 * most) <= most
    assert tried == [first]


# --- how much is solved ------------------------------------------------------------------------


@pytest.mark.parametrize(("market", "solves", "looks"), [
    (queues(0.1), 120, 850), (queues(0.1, 6), 36, 330),
])  # fmt: skip
def test_a_solution_takes_few_selection_equilibria(
    market: Market, solves: int, looks: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Counts, not seconds: how often flows are solved for, and how often buyers are asked."""
    count = {"solves": 0, "looks": 0}
    select, choose = selection_module.select, Response.choose

    def counted_select(*args: Any, **more: Any) -> Any:
        count["solves"] += 1
        return select(*args, **more)

    def counted_choose(*args: Any, **more: Any) -> Any:
        count["looks"] += 1
        return choose(*args, **more)

    monkeypatch.setattr(solve_module, "select", counted_select)
    monkeypatch.setattr(Response, "choose", counted_choose)
    solved(market)
    assert 0 < count["solves"] <= solves
    assert count["solves"] < count["looks"] <= looks


def pair(accuracy: float = 0.9) -> Market:
    """Return an owner of two sellers and one of one, no queues."""
    task = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
    sellers = [
        Seller(n, accuracy=accuracy, owner=owner, slots="unlimited", price={"task": 1.2},
               cost={"task": 1.0})
        for n, owner in (("a", "x"), ("b", "x"), ("c", "y"))
    ]  # fmt: skip
    return Market(tasks=[task], sellers=sellers)


def test_an_owner_gains_by_its_best_lever_not_by_all_of_them() -> None:
    game = game_of(pair())
    here = game.solve(game.posted)
    each = [best_of_lever(game, game.posted, here, g).gain for g in range(3)]
    found = exploitability(game, game.posted, here)
    assert each[0] == pytest.approx(each[1], rel=1e-9)
    assert each[0] <= found[0] < 1.4 * each[0]
    assert each[2] <= found[1] < 1.4 * each[2]


def test_of_many_levers_the_gain_is_one_that_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looked for with delays held, then solved: all of it without queues, none at equilibrium."""
    still, slow = (game_of(m) for m in (logit_market((2.0, 2.0), (1.0, 1.0), 0.25), queues(0.1)))
    off, rest = np.array([1.7, 1.8]), np.full(2, 1.603508)
    few = exploitability(still, off, still.solve(off))
    monkeypatch.setattr("walras.analysis.equilibrium.held._FEW", 0)
    assert few.min() > 1e-3
    assert exploitability(still, off, still.solve(off)) == pytest.approx(few, rel=1e-3)
    assert exploitability(slow, rest, slow.solve(rest)) == pytest.approx([0.0, 0.0], abs=1e-8)


def test_the_best_of_what_is_promising_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Delays held may mislead: what counts is the gain once they have followed."""
    game = game_of(pair())
    here = game.solve(game.posted)
    monkeypatch.setattr(
        "walras.analysis.equilibrium.deviations._promising",
        lambda *_: [(1.0, 9.0), (1.3, 1.0), (2.5, 0.5)],
    )
    assert best_of_lever(game, game.posted, here, 0).prices[0] == 1.3


@pytest.mark.parametrize("off", [1.005, 1.01, 1.02, 1.03, 1.05, 0.97])
def test_the_best_deviation_is_the_largest_gain_however_near(off: float) -> None:
    """A7 with both prices off: the gain of the best price, by search over 60,000 prices."""
    p = 1.472927 * off
    q = np.linspace(1.2, 1.8, 60_001)
    mine, rival = np.exp((2.0 - q) / 0.25), np.exp((2.0 - p) / 0.25)
    gain = ((q - 1.0) * mine / (mine + rival + 1.0)).max() - (p - 1.0) * rival / (2 * rival + 1.0)
    game = game_of(logit_market((2.0, 2.0), (1.0, 1.0), 0.25))
    prices = np.array([p, p])
    found = best_deviation(game, prices, game.solve(prices))
    assert found.gain == pytest.approx(gain, rel=0.02)
    assert f"gains {100 * found.share:.2g}% of what it earns" in found.text


def test_unit_cost_is_what_a_price_must_bring_after_commission() -> None:
    market = logit_market((2.0, 2.0), (1.0, 0.6), 0.25)
    taxed = market.model_copy(update={"platform": Platform(commission=0.2)})
    assert game_of(market).unit_cost.tolist() == pytest.approx([1.0, 0.6])
    assert game_of(taxed).unit_cost.tolist() == pytest.approx([1.25, 0.75])


def test_concentration_is_that_of_owners() -> None:
    """Three equal sellers, two of one owner: HHI = (2/3)² + (1/3)²."""
    found = equilibrium(pair(), prices="posted", certificate=False)
    assert found.measures["hhi"] == pytest.approx(5 / 9)
    assert found.measures["dispersion"] == pytest.approx(0.0, abs=1e-9)
    assert np.isnan(found.measures["profit_gain"])


def test_profit_gain_runs_from_the_point_to_joint_profit_and_prices_spread_as_they_are() -> None:
    """Δ = 0 where solved prices are posted, 1 where joint ones are; two prices in equal shares."""
    point, joint = 1.472927, 1.924981
    market = logit_market((2.0, 2.0), (1.0, 1.0), 0.25)
    together = price_equilibrium(game_of(market, joint=True))
    assert together.prices.tolist() == pytest.approx([joint] * 2, abs=1e-6)
    for posted, gain in ((point, 0.0), (joint, 1.0), (1.9, None)):
        sellers = [s.model_copy(update={"price": Rates(task=posted)}) for s in market.sellers]
        at = market.model_copy(update={"sellers": tuple(sellers)})
        found = replace(equilibrium(at, certificate=False), joint=together)
        told = found.measures["profit_gain"]
        assert told == pytest.approx(gain, abs=1e-5) if gain is not None else 0.9 < told < 1.0
    uneven = logit_market((2.0, 2.4), (1.0, 1.0), 0.25)
    sellers = [
        s.model_copy(update={"price": Rates(task=p)})
        for s, p in zip(uneven.sellers, (1.0, 1.4), strict=True)
    ]
    found = equilibrium(
        uneven.model_copy(update={"sellers": tuple(sellers)}), prices="posted", certificate=False
    )
    assert found.measures["dispersion"] == pytest.approx(0.2 / 1.2, rel=1e-6)


def test_options_out_of_their_choices_are_named() -> None:
    market = pair()
    for field, options in (
        ("fixed", {"fixed": "ab"}), ("levers", {"levers": "offers"}), ("prices", {"prices": "x"}),
        ("tolerance", {"tolerance": -1.0}), ("joint", {"joint": [["x", "y"], ["y"]]}),
    ):  # fmt: skip
        with pytest.raises(BadInputError, match=field):
            equilibrium(market, certificate=False, **options)


def test_owners_together_do_not_swallow_one_of_that_name() -> None:
    task = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
    three = [seller(n, 1.0, 1.0, owner=n) for n in ("a", "b", "a+b")]
    game = game_of(Market(tasks=[task], sellers=three), joint=[["a", "b"]])
    assert len(set(game.player.tolist())) == 2
