"""Several equilibria, folds, cycles, menus and slots, against closed forms and search."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import brentq, minimize_scalar
from scipy.special import lambertw

from walras.analysis.equilibrium.continuation import follow
from walras.analysis.equilibrium.cycles import boundless, cycle_in
from walras.analysis.equilibrium.game import game_of
from walras.analysis.equilibrium.menus import best_change, menu_equilibrium
from walras.analysis.equilibrium.multiplicity import equilibria, starts_of
from walras.analysis.equilibrium.pricing import price_equilibrium
from walras.analysis.equilibrium.selections import selections
from walras.analysis.equilibrium.stability import stability
from walras.analysis.equilibrium.trace import games_along
from walras.market.fluid.setting import setting_of
from walras.market.schema.arrivals import Poisson
from walras.market.schema.demand import Logit, TaskClass
from walras.market.schema.errors import BadInputError
from walras.market.schema.market import Market, Quotes
from walras.market.schema.supply import Seller

Floats = NDArray[np.float64]
MEAN = Quotes(latency="average")
ONE_SECOND = {"kind": "exponential", "mean": 1}


def seller(name: str, cost: float, **more: Any) -> Seller:
    """Return a seller who is always right, without queues unless told otherwise."""
    fields = {"accuracy": 1.0, "slots": "unlimited", "price": {"task": 1.5}, "cost": {"task": cost}}
    return Seller(name, **{**fields, **more})


# --- stability ---------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [2, 3])
def test_stability_of_equal_logit_sellers(n: int) -> None:
    """A best response has slope s²/(1 − s) in each rival's price; π_ii = −s/μ."""
    task = TaskClass("t", arrivals=Poisson(1.0), value=2.0, choice=Logit(0.25))
    point = price_equilibrium(
        game_of(Market(tasks=[task], sellers=[seller(x, 1.0) for x in "abc"[:n]]))
    )
    found = stability(point.game, point.prices, point.selection)
    s, p = float(point.selection.share[0, 0]), float(point.prices[0])
    slope = s * s / (1.0 - s)
    assert found.radius == pytest.approx((n - 1) * slope, rel=1e-5)
    assert found.index == 1
    expect = p * p * -s / 0.25 * np.array([1.0 - (n - 1) * slope, *[1.0 + slope] * (n - 1)])
    np.testing.assert_allclose(np.sort(found.eigenvalues.real), np.sort(expect), rtol=1e-5)
    assert found.peak
    assert found.responses
    assert found.gradient


# --- several equilibria: whether to sell to many or to few ----------------------------------------

COST, MANY, FEW = 0.2, (1.0, 0.5), (6.0, 2.0)
"""Cost; value and scale of the tastes of the many and of the few, who come at 1 task/s."""


def many_and_few(rate: float) -> Market:
    """Return two equal sellers with one price each for two classes: low for many, high for few."""
    tasks = [
        TaskClass("many", arrivals=Poisson(rate), value=MANY[0], choice=Logit(MANY[1])),
        TaskClass("few", arrivals=Poisson(1.0), value=FEW[0], choice=Logit(FEW[1])),
    ]
    return Market(tasks=tasks, sellers=[seller("a", COST), seller("b", COST)])


def rate_at(p: float) -> float:
    """Return the rate of the many at which both sellers charge p: m·D_many + D_few = 0 with
    D = s − (p − c)·s·(1 − s)/μ. Its extremes are the folds of the symmetric branch."""

    def push(value: float, scale: float) -> float:
        e = np.exp((value - p) / scale)
        s = e / (1.0 + 2.0 * e)
        return float(s - (p - COST) * s * (1.0 - s) / scale)

    return -push(*FEW) / push(*MANY)


def test_three_equilibria_of_which_the_middle_one_is_unstable() -> None:
    game = game_of(many_and_few(1.15))
    found = equilibria(game, 10)
    seen = equilibria(game, np.array([[1.7, 1.8]]))
    assert len(seen.found) == 1
    assert seen.complete
    expect = [
        brentq(lambda p: rate_at(p) - 1.15, *ends) for ends in ((1.5, 2.05), (2.05, 3.0), (3.04, 4))
    ]
    by_price = sorted(found.found, key=lambda f: float(f.prices[0]))
    assert len(by_price) == 3
    assert not found.others
    for f, price in zip(by_price, expect, strict=True):
        np.testing.assert_allclose(f.prices, price, rtol=1e-7)
    assert [f.stability.responses for f in by_price] == [True, False, True]
    assert [f.stability.gradient for f in by_price] == [True, False, True]
    assert sum(f.responses for f in by_price) + found.restless == 10
    assert sum(f.newton for f in by_price) + found.lost == 10
    assert by_price[1].responses == 0  # what is unstable draws no best responses
    assert [found.leads.count(i) for i in range(3)] == [f.responses for f in found.found]
    assert (seen.leads, seen.found[0].prices[0]) == ((0,), pytest.approx(expect[0]))
    high_first = equilibria(game, np.array([[3.3, 3.4], [1.7, 1.8], [1.6, 1.75]]))
    assert high_first.leads == (1, 0, 0)  # the first found is the one that most lead to
    assert [f.stability.index for f in by_price] == [1, -1, 1]
    assert found.complete
    assert "3 price equilibria from 10 starts, 2 stable" in found.text
    assert list(found.table["equilibrium"]) == [True] * 3
    assert found.table["a"].iloc[0] == pytest.approx(float(found.found[0].prices[0]))


@pytest.mark.parametrize("rate", [0.9, 1.4])
def test_one_equilibrium_outside_the_folds(rate: float) -> None:
    found = equilibria(game_of(many_and_few(rate)), 5)
    assert len(found.found) == 1
    assert found.found[0].responses == 5
    assert rate_at(float(found.found[0].prices[0])) == pytest.approx(rate, rel=1e-6)


def test_starts_fill_the_box() -> None:
    """One start in each of n strata of every lever, from unit cost to three times the price."""
    game = game_of(many_and_few(1.0))
    at = np.log(starts_of(game, 8, seed=3))
    part = (at - np.log(COST)) / (np.log(3.0 * 1.5) - np.log(COST))
    assert [sorted(int(x) for x in row) for row in (8.0 * part).T] == [list(range(8))] * 2
    np.testing.assert_array_equal(starts_of(game, 8, seed=3), np.exp(at))
    assert (starts_of(game, 8, seed=4) != np.exp(at)).any()


# --- folds ------------------------------------------------------------------------------------


def test_the_fold_of_a_parabola() -> None:
    """x² + λ = 0 turns at λ = 0, x = 0, and is followed from one branch to the other."""
    branch = follow(lambda x, a: x * x + a, np.array([1.0]), -1.0, -1.0, 1.0)
    (fold,) = branch.folds
    assert abs(fold.parameter) < 1e-12
    assert abs(fold.x[0]) < 1e-6
    assert fold.error < 1e-8
    np.testing.assert_allclose(branch.x[[0, -1], 0], [1.0, -1.0], atol=1e-9)
    np.testing.assert_allclose(branch.x[:, 0] ** 2, -branch.parameter, atol=1e-9)
    assert not branch.closed


def test_the_two_folds_of_a_cusp() -> None:
    """x³ − ax = λ turns at λ = ±2(a/3)^{3/2}; a second variable must not disturb."""
    a = 0.6
    branch = follow(
        lambda x, b: np.array([x[0] ** 3 - a * x[0] - b, x[1] - x[0] ** 2]), np.array([-1.0, 1.0]),
        -0.4, -1.0, 1.0,
    )  # fmt: skip
    turn = 2.0 * (a / 3.0) ** 1.5
    np.testing.assert_allclose([f.parameter for f in branch.folds], [turn, -turn], atol=1e-11)
    np.testing.assert_allclose(branch.parameter[[0, -1]], [-1.0, 1.0], atol=1e-12)


def test_a_branch_that_closes() -> None:
    branch = follow(lambda x, a: x * x + a * a - 1.0, np.array([1.0]), 0.0, -2.0, 2.0)
    assert branch.closed
    np.testing.assert_allclose([f.parameter for f in branch.folds], [1.0, -1.0], atol=1e-9)


def test_a_branch_begins_at_a_solution() -> None:
    with pytest.raises(ValueError, match=r"no solution near the start, at 0\.5"):
        follow(lambda x, a: x * x + a, np.array([1.0]), 0.5, -1.0, 1.0)


def test_a_path_names_what_is_wrong() -> None:
    market = many_and_few(1.0)
    with pytest.raises(BadInputError, match="names nothing that a scenario has"):
        games_along(market, "tasks.many.arrivals.speed")(1.0)
    with pytest.raises(BadInputError, match="slots"):
        games_along(market, ["sellers.a.slots", "sellers.b.slots"])(1.5)
    both = games_along(market, ["sellers.a.cost.task", "sellers.b.cost.task"])(0.3)
    assert both.unit_cost.tolist() == [0.3, 0.3]


# --- no equilibrium ---------------------------------------------------------------------------


def test_a_cycle_is_seen_twice_before_it_is_one() -> None:
    saw = [np.array([p, 2.0 * p]) for p in [1.3, 1.0, 0.8, 0.6, 1.2] + [1.0, 0.8, 0.6, 1.2] * 2]
    found = cycle_in(saw)
    assert found is not None
    assert found.length == 4
    assert found.low.tolist() == [0.6, 1.2]
    assert found.high.tolist() == [1.2, 2.4]
    assert "a between 0.6 and 1.2" in found.text(["a", "b"])
    assert cycle_in(saw[:8]) is None
    swings = [np.array([np.exp(0.9 * (-0.8) ** n)]) for n in range(12)]
    assert cycle_in(swings) is None


def loyal(scale: float = 0.02) -> Market:
    """Return a model of sales (Varian 1980): shoppers, and buyers whom one seller alone serves."""
    tasks = [
        TaskClass(n, arrivals=Poisson(r), value=1.0, choice=Logit(scale), skill=skill)
        for n, r, skill in (("shop", 1.0, "general"), ("A", 0.5, "a"), ("B", 0.5, "b"))
    ]
    sellers = [seller(n, 0.2, accuracy={"general": 1.0, n: 1.0}) for n in "ab"]
    return Market(tasks=tasks, sellers=sellers)


def test_a_model_of_sales_has_no_equilibrium_and_says_where_prices_go() -> None:
    """Down from what the loyal would pay, by undercutting, to where they alone earn as much."""
    game = game_of(loyal())
    point = price_equilibrium(game)
    assert not point.converged
    assert point.cycle is not None
    assert point.why.startswith("best responses go on in cycles of ")
    top = 0.2 + 0.02 * (1.0 + lambertw(np.exp(0.8 / 0.02 - 1.0)).real)
    bottom = 0.2 + (top - 0.2) * 0.5 / 1.5
    assert 0.97 * top < point.cycle.high.max() < 1.02 * top
    assert bottom < point.cycle.low.min() < 1.12 * bottom
    assert 3 < point.cycle.length < 12


def test_many_starts_say_that_none_was_found_and_who_gains_at_the_best_of_what_was() -> None:
    found = equilibria(game_of(loyal()), 3)
    assert not found.found
    assert found.restless == 3
    assert found.cycle is not None
    assert found.least is not None
    assert found.least.regret > 0.2
    assert found.text.startswith("no price equilibrium found from 3 starts; from 3 of them best")
    assert "still gains" in found.text


def test_loyal_buyers_with_weaker_preferences_have_one() -> None:
    """The same market with tastes that matter settles."""
    assert price_equilibrium(game_of(loyal(scale=0.4))).converged


def short(speed: float, **more: Any) -> Market:
    """Return two M/M/1 sellers of equal speed whose buyers nearly all take the cheaper."""
    task = TaskClass(
        "t", arrivals=Poisson(1.0), value=1.0, delay_cost=0.01, choice=Logit(0.05),
        output_tokens=ONE_SECOND, **more,
    )  # fmt: skip
    sellers = [seller(n, 0.2, slots=1, speed=speed, price={"task": 0.5}) for n in "ab"]
    return Market(tasks=[task], sellers=sellers, quotes=MEAN)


def flows(prices: Floats, speed: float) -> Floats:
    """Return both flows of `short`, [..., 2], by bisection: f = e^{(1 − p − .01/(μ − f))/.05}/D."""

    def given(log_d: Floats) -> Floats:
        low, high = np.zeros_like(prices), np.full_like(prices, speed * (1.0 - 1e-12))
        for _ in range(50):
            f = 0.5 * (low + high)
            more = (1.0 - prices - 0.01 / (speed - f)) / 0.05 - log_d[..., None] > np.log(f)
            low, high = np.where(more, f, low), np.where(more, high, f)
        return low

    low, high = np.zeros(prices.shape[:-1]), np.full(prices.shape[:-1], 60.0)
    for _ in range(45):
        d = 0.5 * (low + high)
        more = given(d).sum(axis=-1) + np.exp(-d) > 1.0
        low, high = np.where(more, d, low), np.where(more, high, d)
    return given(low)


@pytest.mark.torture
def test_short_capacity_has_no_equilibrium() -> None:
    """Edgeworth 1925: rivals can't serve all, so that to sell dear to the rest pays in the end.

    Each price of the cycle is the best answer to the one before it, by another solver, on a grid;
    a model without delay feedback would have prices fall to cost.
    """
    point = price_equilibrium(game_of(short(0.75)))
    assert not point.converged
    assert point.cycle is not None
    assert "best responses go on in cycles of 7 rounds" in point.why
    assert point.deviation is not None
    assert point.deviation.gain > 0.02
    states = point.cycle.prices
    grid = np.linspace(0.21, 1.2, 300)
    for (_, before), (answer, _) in zip(states[:-1:2], states[1::2], strict=False):
        both = np.column_stack([grid, np.full(len(grid), before)])
        best = grid[np.argmax((grid - 0.2) * flows(both, 0.75)[:, 0])]
        assert answer == pytest.approx(best, rel=0.03)


def test_ample_capacity_has_an_equilibrium() -> None:
    """The same sellers, ten times as fast: price competition settles near cost plus 2μ."""
    point = price_equilibrium(game_of(short(10.0)))
    assert point.converged
    assert point.cycle is None
    share = float(point.selection.share[0, 0])
    assert point.prices[0] == pytest.approx(0.2 + 0.05 / (1.0 - share), rel=2e-3)


def test_who_can_ask_any_price_is_told() -> None:
    captive = price_equilibrium(game_of(short(0.75, outside_option=False)))
    assert not captive.converged
    assert captive.why == (
        'a can ask any price: buyers of "t" cannot do without, and its rivals cannot serve them all'
    )
    assert boundless(game_of(short(0.75))) == ""
    assert boundless(game_of(short(1.1, outside_option=False))) == ""
    assert boundless(game_of(short(0.75, outside_option=False, patience=5.0))) == ""
    found = equilibria(game_of(short(0.75, outside_option=False)), 2)
    assert found.text.startswith("no price equilibrium: a can ask any price")


# --- selection equilibria at given prices --------------------------------------------------------


def insured(penalty: float) -> Market:
    """Return two equal M/M/1 sellers who pay for answers after 3 s; buyers don't mind the time."""
    task = TaskClass(
        "t", arrivals=Poisson(0.8), value=1.0, choice=Logit(0.05), outside_option=False,
        output_tokens=ONE_SECOND,
    )  # fmt: skip
    sellers = [
        seller(n, 0.0, slots=1, price={"task": 0.3}, promise=3.0, penalty=penalty) for n in "ab"
    ]
    return Market(tasks=[task], sellers=sellers, quotes=MEAN)


def test_one_selection_equilibrium_where_delay_is_a_loss() -> None:
    found = selections(setting_of(short(0.75)), starts=8)
    assert [(f.starts, f.stable) for f in found] == [(9, True)]


def test_three_selection_equilibria_where_delay_is_a_gain() -> None:
    """ln(x/(1 − x)) = z/μ·(P(.8x) − P(.8(1 − x))), P(f) = e^{−3(1 − f)}; at x = ½ buyers' answer
    grows flows by .8·z·P'/2μ = 1.19. Tolerance: the law of times is tabulated to a per mille."""
    found = sorted(
        selections(setting_of(insured(0.3)), starts=12), key=lambda f: f.selection.share[0, 0]
    )

    def gap(x: float) -> float:
        late = np.exp(-3.0 * (1.0 - 0.8 * np.array([x, 1.0 - x])))
        return float(np.log(x / (1.0 - x)) - 0.3 / 0.05 * (late[0] - late[1]))

    high = brentq(gap, 0.6, 0.99)
    shares = [float(f.selection.share[0, 0]) for f in found]
    assert shares == pytest.approx([1.0 - high, 0.5, high], abs=2e-3)
    assert [f.stable for f in found] == [True, False, True]
    assert found[1].growth == pytest.approx(0.8 * 0.3 * 3.0 * np.exp(-1.8) / 0.1, rel=0.01)
    assert sum(f.starts for f in found) == 13


# --- menus and slots ---------------------------------------------------------------------------


def served(rate: float, slots: int) -> Market:
    """Return a monopolist of M/M/c who pays 400 USD per slot-hour."""
    task = TaskClass(
        "t", arrivals=Poisson(rate), value=2.0, delay_cost=0.5, choice=Logit(0.25),
        output_tokens=ONE_SECOND,
    )  # fmt: skip
    one = seller("one", 0.0, slots=slots, rent=400.0, price={"task": 1.0})
    return Market(tasks=[task], sellers=[one], quotes=MEAN)


def test_slots_of_a_monopolist() -> None:
    """All of 1 to 6 slots, each at its best price, by search: M/M/c, rent per slot-hour."""
    found = menu_equilibrium(game_of(served(2.0, 1)))
    best = {c: _monopoly(c, 2.0, 400.0) for c in range(1, 7)}
    slots = max(best, key=lambda c: best[c][0])
    assert found.converged
    assert slots == 3
    row = found.table.iloc[0]
    assert row["slots"] == slots
    assert row["profit"] == pytest.approx(best[slots][0], rel=1e-7)
    assert row["price"] == pytest.approx(best[slots][1], rel=1e-4)


def test_the_best_of_all_other_numbers_of_slots_is_taken() -> None:
    game = game_of(served(8.0, 6))
    change = best_change(game, price_equilibrium(game).prices, 0)
    profit = {c: _monopoly(c, 8.0, 400.0)[0] for c in (3, 4, 5, 6, 7, 8, 9, 12)}
    best = max(profit, key=lambda c: profit[c])
    assert best not in (6, 7, 12)
    assert change is not None
    assert change.label == f"{best} slots instead of 6"
    assert change.gain == pytest.approx(profit[best] - profit[6], rel=1e-6)


def _monopoly(slots: int, rate: float, rent: float) -> tuple[float, float]:
    """Return the best (profit, price) of a seller of M/M/c, flows as the unknown."""

    def price(flow: float) -> float:
        terms = [flow**n / float(np.prod(np.arange(1, n + 1))) for n in range(slots)]
        wait = terms[-1] * flow / slots / (1.0 - flow / slots)
        delay = 1.0 + wait / (sum(terms) + wait) / (slots - flow)
        return float(2.0 - 0.5 * delay - 0.25 * np.log(flow / (rate - flow)))

    top = min(rate, slots) - 1e-9
    found = minimize_scalar(
        lambda f: -f * price(f), bounds=(1e-9, top), method="bounded", options={"xatol": 1e-10}
    )
    return -float(found.fun) - rent / 3600.0 * slots, price(float(found.x))


@pytest.mark.parametrize(
    ("high_cost", "refund", "expect"),
    [(0.6, 0.0, ["low"]), (0.2, 0.0, ["low", "high"]), (0.02, 1.0, ["high"])],
)
def test_menus_of_a_monopolist(high_cost: float, refund: float, expect: list[str]) -> None:
    """Of both efforts and each alone the best, by search: where thinking costs too much it is not
    offered, and where wrong answers are free its lack is not."""
    task = TaskClass("t", arrivals=Poisson(1.0), value=1.0, choice=Logit(0.25, nest=0.6))
    one = Seller(
        "one", ability={"general": {"theta": 0.0, "beta": 0.2}}, slots="unlimited",
        effort={"low": 0.0, "high": 1e6}, price={"task": 0.5}, cost={"output": high_cost},
        refund_wrong=refund,
    )  # fmt: skip
    game = game_of(Market(tasks=[task], sellers=[one]))
    found = menu_equilibrium(game)
    right, cost = game.setting.right[0], game.setting.cost[0]
    profits = {
        names: _menu_profit(right[at], cost[at], refund)
        for names, at in {("low",): [0], ("high",): [1], ("low", "high"): [0, 1]}.items()
    }
    best = max(profits, key=lambda names: profits[names])
    assert found.converged
    assert list(best) == expect
    assert found.table["efforts"].iloc[0] == expect
    assert found.table["profit"].iloc[0] == pytest.approx(profits[best], rel=1e-7)


def _menu_profit(right: Floats, cost: Floats, refund: float) -> float:
    """Return the best profit at one price for all, nested logit with ν = .6, μ = .25."""
    billed = 1.0 - refund * (1.0 - right)

    def lost(p: float) -> float:
        e = np.exp((right - p * billed) / 0.15)
        bought = e.sum() ** 0.6
        return -float(((p * billed - cost) * e / e.sum()).sum() * bought / (1.0 + bought))

    found = minimize_scalar(lost, bounds=(0.0, 3.0), method="bounded", options={"xatol": 1e-10})
    return -float(found.fun)


def test_two_sellers_choose_slots_as_nobody_would_change_alone() -> None:
    """No neighbouring number of slots pays at the best price for it, by search over prices."""
    task = TaskClass(
        "t", arrivals=Poisson(2.0), value=2.0, delay_cost=0.3, choice=Logit(0.3),
        output_tokens=ONE_SECOND,
    )  # fmt: skip
    sellers = [seller(n, 0.5, slots=2, rent=150.0, price={"task": 1.0}) for n in "ab"]
    game = game_of(Market(tasks=[task], sellers=sellers, quotes=MEAN))
    found = menu_equilibrium(game, efforts=False)
    assert found.converged
    point, now = found.point, float(found.point.selection.owner_profit[0])
    for more in (-1.0, 1.0):
        slots = point.game.slots + np.array([more, 0.0])
        if slots[0] < 1.0:
            continue
        other = type(game)(**{**vars_of(point.game), "slots": slots})
        grid = point.prices[0] * np.linspace(0.8, 1.25, 19)
        tried = [other.solve(np.array([p, point.prices[1]])).owner_profit[0] for p in grid]
        assert max(tried) < now


def vars_of(game: Any) -> dict[str, Any]:
    """Return a game's fields."""
    return {name: getattr(game, name) for name in game.__dataclass_fields__}
