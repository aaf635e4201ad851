"""Pricing strategies: what they see, what they answer, and the dynamics they are known for."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import walras as w
from walras.agents.economy import Economy
from walras.agents.strategies import STRATEGIES, Decision, Me, Rival, checked, strategy_of
from walras.agents.testing import check_strategy
from walras.market.schema.supply import Named

ME = Me(
    name="me", owner="me", now=0.0, prices={"low": 2.0, "high": 2.0}, first_price=3.0,
    unit_cost=1.0, tick=0.1, by_token=True, efforts={"low": True, "high": True}, slots=4.0,
    running=4, waiting=4, utilisation=1.0, assigned=0, served=0, revenue=0.0, profit=0.0,
    period=60.0,
)  # fmt: skip
RNG = np.random.default_rng(0)


def rival(price: float, by_token: bool = True) -> Rival:
    """Return somebody else's posted price."""
    return Rival("them", "them", {"default": price}, by_token)


@pytest.mark.parametrize("name", sorted(STRATEGIES))
def test_built_in_strategies_conform(name: str) -> None:
    """They pass the test that is shipped for users' own."""
    strategy = strategy_of(Named(name))
    assert strategy is not None
    check_strategy(strategy)


@pytest.mark.parametrize(
    ("strategy", "rivals", "price"),
    [
        (w.Fixed(), [rival(1.0)], 2.0),
        (w.Fixed(price=0.5), [], 0.5),
        (w.CostPlus(markup=0.25), [rival(1.0)], 1.25),
        (w.Undercut(), [rival(2.0), rival(4.0)], 1.9),
        (w.Undercut(), [rival(0.01, by_token=False)], 2.0),
        (w.Undercut(), [rival(1.05)], 3.0),
        (w.Undercut(top=4.0), [rival(1.05)], 4.0),
        (w.Undercut(relent=False), [rival(1.05)], 1.0),
        (w.Undercut(floor=0.5), [rival(1.55)], 3.0),
        (w.LoadPricing(target=0.5, gain=1.0), [], 2.0 * math.exp(1.5)),
        (w.LoadPricing(target=0.5, gain=1.0, cap=2.0), [], 6.0),
    ],
)
def test_answers(strategy: Any, rivals: list[Rival], price: float) -> None:
    """Each rule, by hand; efforts that cost alike are priced alike."""
    answer = checked(strategy(ME, rivals, RNG), ME).price
    prices = list(answer.values()) if isinstance(answer, Mapping) else [answer]
    assert prices == pytest.approx([price] * len(prices))


def test_load_pricing_falls_to_cost_when_idle_and_stays_where_capacity_has_no_limit() -> None:
    """Never below unit cost; no load, no change."""
    idle = replace(ME, prices={"low": 1.01, "high": 3.0}, running=0, waiting=0, utilisation=0.0)
    fallen = 3.0 * math.exp(-0.5 * 0.7)
    assert w.LoadPricing()(idle, [], RNG).price == {"low": 1.0, "high": pytest.approx(fallen)}
    endless = replace(ME, slots=math.inf, utilisation=math.nan)
    assert w.LoadPricing()(endless, [], RNG).price == ME.prices


@pytest.mark.parametrize("strategy", [w.Fixed(), w.LoadPricing(target=1.0), w.Undercut()])
def test_prices_set_apart_stay_apart(strategy: Any) -> None:
    """A rule that lets prices be does not level them."""
    apart = replace(ME, prices={"low": 1.5, "high": 4.0}, waiting=0)
    assert checked(strategy(apart, [], RNG), apart).price == pytest.approx(apart.prices)


def test_the_price_of_several_is_the_lowest_on_offer() -> None:
    """Of the seller itself as of a rival."""
    apart = replace(ME, prices={"low": 1.5, "high": 4.0})
    assert apart.price == 1.5
    assert replace(apart, efforts={"low": False, "high": True}).price == 4.0
    assert replace(apart, efforts={"low": False, "high": False}).price == 1.5
    assert Rival("them", "them", {"low": 1.5, "high": 4.0}, by_token=True).price == 1.5


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ("cheap", "answered 'cheap', not a price"),
        (True, "not a price"),
        (None, "answered None, not a price; return a number"),
        ({"low": 1.0}, "not a price; return a number, or walras.Decision"),
        (math.nan, "the price nan; it must be a number from 0 to 1,000,000, in USD/Mtok"),
        (Decision({"low": True}), "the price True"),
        (-1.0, "the price -1.0"),
        (math.inf, "the price inf"),
        (Decision({"low": 1.0, "max": 2.0}), "unknown effort 'max'; known: low, high"),
        (Decision(1.0, efforts=["max"]), "unknown effort 'max'; known: low, high"),
    ],
)
def test_unusable_answers_are_refused(answer: Any, message: str) -> None:
    """The message names the seller and what was wrong."""
    with pytest.raises(ValueError, match=message):
        checked(answer, ME)


def test_unknown_strategies_and_parameters_are_refused() -> None:
    """By name, with what is known."""
    with pytest.raises(ValueError, match='"cheapest" is no strategy'):
        strategy_of(Named("cheapest"))
    with pytest.raises(ValueError, match="markup"):
        strategy_of(Named("cost_plus", params={"markup": -1.0}))


def test_check_strategy_finds_faults() -> None:
    """Crashing without rivals, prices that are none, and answers that change when asked again."""
    calls = iter(range(1000))
    best: list[float] = []

    def remembers(me: Me, rivals: Any, rng: Any) -> float:
        best.append(me.profit)
        return 1.0 + max(best)

    cases: list[tuple[Any, str]] = [
        (lambda me, rivals, rng: None, "answered None, not a price"),
        (lambda me, rivals, rng: math.nan, "the price nan"),
        (lambda me, rivals, rng: {"low": 1.0}, "walras.Decision"),
        (lambda me, rivals, rng: Decision({"max": 1.0}), "unknown effort 'max'"),
        (remembers, "nothing sold: two answers .* keep nothing between calls"),
        (lambda me, rivals, rng: min(r.price for r in rivals), "no rivals"),
        (lambda me, rivals, rng: -me.price - 1.0, "price"),
        (lambda me, rivals, rng: float(next(calls)), "two answers"),
        (lambda me, rivals, rng: me.revenue / me.served, "nothing sold"),
    ]
    for faulty, message in cases:
        with pytest.raises(AssertionError, match=message):
            check_strategy(faulty)
    check_strategy(lambda me, rivals, rng: float(rng.uniform(1.0, 2.0)))


def test_pricing_marks_functions_of_three_arguments() -> None:
    """A function that cannot be called is refused when it is written, not in the run."""
    with pytest.raises(TypeError, match="must take"):

        @w.pricing
        def lonely(me: Any) -> float:
            return 1.0


def duel(**seller: Any) -> w.Market:
    """Return two like sellers and buyers that take the cheaper."""
    ask = w.TaskClass("k", w.Poisson(1.0), output_tokens=1.0, value=5.0)
    fields = {"accuracy": 1.0, "slots": "unlimited", "price": w.per_task(2.0),
              "cost": w.per_task(1.0), "tick": 0.1, "reprice_every": 60.0, **seller}  # fmt: skip
    return w.Market(tasks=[ask], sellers=[w.Seller("a", **fields), w.Seller("b", **fields)],
                    run={"until": 12_000.0, "epoch": 60.0})  # fmt: skip


def test_undercutting_makes_edgeworth_cycles() -> None:
    """Prices fall tick by tick towards cost, jump back to the top, and fall again."""
    prices = w.run(duel(pricing=w.Undercut())).prices
    lowest = prices.groupby("start")["price"].min().to_numpy()
    steps = np.diff(prices[prices["seller"] == "a"]["price"].to_numpy())
    assert prices["price"].min() >= 1.0 - 1e-9
    assert prices["price"].max() == pytest.approx(2.0)
    rises = steps[steps > 1e-9]
    assert len(rises) >= 5
    assert rises.min() > 0.5, "it goes up at once"
    falls = steps[steps < -1e-9]
    assert np.abs(falls).max() < 0.35, "and down by steps"
    assert np.quantile(lowest, 0.1) < 1.2 < np.quantile(lowest, 0.9)


def test_fixed_prices_stay() -> None:
    """The same market without undercutting has a flat series: the cycles are the strategy's."""
    prices = w.run(duel(pricing=w.Fixed()), until=3000.0).prices
    assert (prices["price"] == 2.0).all()


def test_load_pricing_settles_near_its_target() -> None:
    """A lone seller under elastic demand ends near the load it aims at, from either side."""
    for first in (0.2, 3.0):
        ask = w.TaskClass("k", w.Poisson(2.0), output_tokens=w.Exponential(1.0), value=1.0,
                          choice=w.Logit(0.5))  # fmt: skip
        seller = w.Seller(
            "s", accuracy=1.0, slots=2, price=w.per_task(first), reprice_every=120.0,
            pricing=w.LoadPricing(target=0.6, gain=0.2, cap=50.0),
        )  # fmt: skip
        result = w.run(w.Market(tasks=[ask], sellers=[seller]), until=100_000.0, warmup=30_000.0)
        late = result.sellers[result.sellers["start"] >= 30_000]
        load = late["utilisation"].mean() + late["waiting"].mean() / 2
        assert load == pytest.approx(0.6, abs=0.06)


def test_a_strategy_sees_its_own_trades_and_its_rivals_prices() -> None:
    """Counts since the last look, money net of commission, prices of other owners only."""
    seen: list[tuple[Me, tuple[Rival, ...]]] = []

    @w.pricing
    def watch(me: Me, rivals: Any, rng: Any) -> float:
        seen.append((me, tuple(rivals)))
        return me.price

    ask = w.TaskClass("k", w.Replay(times=[float(t) for t in range(400)]), output_tokens=0.5,
                      value=9.0)  # fmt: skip
    base: dict[str, Any] = {"accuracy": 1.0, "price": w.per_task(2.0), "cost": w.per_task(0.8)}
    sellers = [
        w.Seller("shut", **base, pricing=lambda *_: Decision(2.0, efforts=[]), reprice_every=50.0),
        w.Seller("a", **base, pricing=watch, reprice_every=100.0),
        w.Seller("sister", owner="a", **{**base, "price": w.per_task(3.0)}),
        w.Seller("b", **{**base, "price": w.per_task(4.0)}),
        w.Seller("other-skill", accuracy={"law": 1.0}, price=w.per_task(0.1)),
    ]
    w.run(w.Market(tasks=[ask], sellers=sellers, platform={"commission": 0.2}), until=350.0)
    me, rivals = seen[1]
    assert [r.name for r in rivals] == ["b"], "its own seller, no common skill, nothing on offer"
    assert rivals[0].price == 4.0
    assert (me.assigned, me.served, me.price, me.efforts) == (100, 100, 2.0, {"default": True})
    assert me.revenue == pytest.approx(100 * 2.0 * 0.8)
    assert me.profit == pytest.approx(100 * (2.0 * 0.8 - 0.8))
    assert me.utilisation == pytest.approx(0.5)
    assert me.unit_cost == pytest.approx(1.0), "cost 0.8 is covered by a price of 1 less 20%"


def test_prices_per_effort_and_the_menu_can_be_decided() -> None:
    """A decision may price levels apart and take some off the market."""

    def decide(me: Me, rivals: Any, rng: Any) -> Decision:
        return Decision({"low": 0.5, "high": 4.0}, efforts=["low"])

    seller = w.Seller("s", accuracy=1.0, effort={"low": 0, "high": 10}, speed=10.0,
                      price=w.per_task(1.0), pricing=decide, slots="unlimited")  # fmt: skip
    ask = w.TaskClass("k", w.Poisson(1.0), value=9.0, choice=w.Logit(50.0))
    market = w.Market(tasks=[ask], sellers=[seller], run={"until": 4000.0, "epoch": 2000.0})
    late = w.run(market).epochs.query("epoch == 1")
    assert set(late["offer"].astype(str)) == {"s/low", "outside"}
    assert late.loc[late["offer"] == "s/low", "price"].iloc[0] == 0.5


def test_sellers_decide_at_times_of_their_own_that_no_seed_moves() -> None:
    """Not all at once, and neither another seed nor another seller changes the order of moves."""

    def times(seed: int, *others: str) -> dict[str, list[float]]:
        seen: dict[str, list[float]] = {}

        def note(me: Me, rivals: Any, rng: Any) -> float:
            seen.setdefault(me.name, []).append(me.now)
            return me.price

        market = duel(pricing=note)
        more = [w.Seller(name, accuracy=1.0, pricing=note) for name in others]
        market = market.model_copy(update={"sellers": [*market.sellers, *more]})
        w.run(market, until=200.0, seed=seed)
        return seen

    first = times(0)
    assert first["a"] != first["b"]
    for mine in first.values():
        assert 0 <= mine[0] < 60.0
        assert np.diff(mine) == pytest.approx(60.0)
    assert times(1) == first
    joined = times(0, "c")
    assert (joined["a"], joined["b"]) == (first["a"], first["b"])


def test_prices_of_efforts_are_kept_apart() -> None:
    """In what the seller and its rivals see, in the run's prices and in what buyers pay."""
    seen: list[tuple[Me, Any]] = []

    def apart(me: Me, rivals: Any, rng: Any) -> Decision:
        seen.append((me, rivals))
        return Decision({"low": 0.5 + 0.25 * (len(seen) > 3), "high": 4.0})

    def look(me: Me, rivals: Any, rng: Any) -> float:
        seen.append((me, rivals))
        return me.price

    base: dict[str, Any] = {"accuracy": 1.0, "effort": {"low": 0, "high": 10}, "speed": 10.0,
                            "price": w.per_task(1.0), "slots": "unlimited"}  # fmt: skip
    sellers = [w.Seller("s", **base, pricing=apart), w.Seller("r", **base, pricing=look)]
    ask = w.TaskClass("k", w.Poisson(1.0), value=9.0, choice=w.Logit(50.0))
    market = w.Market(
        tasks=[ask], sellers=sellers, run={"until": 4000.0, "epoch": 1000.0, "warmup": 1000.0}
    )
    result = w.run(market)
    mine = [me for me, _ in seen if me.name == "s"]
    assert mine[0].prices == {"low": 1.0, "high": 1.0}
    assert mine[1].prices == {"low": 0.5, "high": 4.0}
    (rival,) = [rivals for me, rivals in seen if me.name == "r"][-1]
    assert (rival.prices, rival.price) == (mine[-1].prices, mine[-1].price)
    end = result.prices[result.prices["epoch"] == 3].set_index("offer")["price"]
    assert end.to_dict() == {"s/low": 0.75, "s/high": 4.0, "r/low": 1.0, "r/high": 1.0}
    late = result.epochs[(result.epochs["epoch"] == 3) & (result.epochs["offer"] != "outside")]
    assert dict(zip(late["offer"], late["price"], strict=True)) == end.to_dict()
    posted = result.summary().query("metric == 'posted_price'").set_index("offer")
    means = posted["value"].to_dict()
    assert means["s/high"] == 4.0
    assert 0.5 < means["s/low"] <= 0.75
    assert set(posted["unit"]) == {"USD/task"}


def test_a_strategy_of_one_line_runs() -> None:
    """Written as a reader of the papers would, for sellers that always have a rival."""

    @w.pricing
    def undercut(me, rivals, rng):  # type: ignore[no-untyped-def]
        """Undercut the cheapest rival by one tick, never below cost (Maskin & Tirole 1988)."""
        return max(me.unit_cost, min(r.price for r in rivals) - me.tick)

    prices = w.run(duel(pricing=undercut), until=3000.0).prices
    assert prices["price"].min() == 1.0


def test_unit_cost_of_a_token_price_leaves_no_margin() -> None:
    """At the price `unit_cost`, expected profit per task is zero, commission included."""
    ask = w.TaskClass("k", w.Poisson(1.0), input_tokens=2000.0, output_tokens=500.0, value=9.0)
    seller = w.Seller("s", accuracy=1.0, speed=1e4, slots="unlimited", price=w.per_mtok(1.0, 4.0),
                      cost=w.per_mtok(0.3, 2.0), effort={"think": 250},
                      pricing=w.CostPlus(markup=0.0), reprice_every=1.0)  # fmt: skip
    market = w.Market(tasks=[ask], sellers=[seller], platform={"commission": 0.1})
    result = w.run(market, until=500.0, warmup=50.0)
    profit = result.sellers[result.sellers["start"] >= 50]["profit"].sum()
    assert profit == pytest.approx(0.0, abs=1e-6)
    lever = result.prices["price"].iloc[-1]
    cost = (0.3 * 2000 + 2.0 * 750) / 0.9
    assert lever == pytest.approx(cost / (0.25 * 2000 + 750))


def test_unit_cost_counts_what_is_charged_beside_the_lever() -> None:
    """A price per task beside an input price leaves no margin either."""
    ask = w.TaskClass("k", w.Poisson(1.0), input_tokens=2000.0, output_tokens=500.0, value=9.0)
    for price in (w.Rates(task=1.0, input=40.0), w.Rates(task=0.1, input=1.0, output=400.0)):
        seller = w.Seller("s", accuracy=1.0, speed=1e4, slots="unlimited", price=price,
                          cost=w.per_task(0.2), pricing="cost_plus")  # fmt: skip
        economy = Economy(w.Market(tasks=[ask], sellers=[seller]), seed=0)
        (agent,) = economy.sellers
        agent.set_prices(agent.unit_cost())
        assert economy.engine.state.cells[0, 0]["ask"] == pytest.approx(0.2)


def test_a_faulty_strategy_stops_the_run_with_its_seller_named() -> None:
    """Not with a price that nobody asked for."""
    market = duel(pricing=lambda me, rivals, rng: math.nan)
    with pytest.raises(ValueError, match=r'strategy of "[ab]" answered the price nan'):
        w.run(market, until=200.0)


def test_agents_live_in_mesa() -> None:
    """Sellers, buyer populations and the platform are agents of the model."""
    economy = Economy(duel(), seed=0)
    kinds = sorted(type(agent).__name__ for agent in economy.agents)
    assert kinds == ["BuyerPopulation", "PlatformAgent", "SellerAgent", "SellerAgent"]
    with pytest.raises(KeyError):
        economy.seller("nobody")
