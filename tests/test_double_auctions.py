"""Double auctions: published numbers, what always holds, and why the linear rule is an equilibrium.

Statistical tests compare at six standard errors (false alarms 2e-9); seeds are fixed.
"""

from __future__ import annotations

import math
from functools import cache
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import walras as w
from walras.market.engine import Engine
from walras.market.mechanisms.call_market import cross, rank_asks, rank_bids
from walras.market.mechanisms.continuous import best_ask, best_bid, trade_price
from walras.market.mechanisms.k_double import between, k_price
from walras.market.state import BID, BOOKED, RUNNING, SALE, TRADER
from walras.market.traders import ask_of_rule, bid_of_rule

steady = settings(deadline=None, derandomize=True, max_examples=600)
INF = math.inf
MTOK = 1e6
LINEAR: dict[str, Any] = {"kind": "linear", "slope": 2 / 3}


# --- k-double auction --------------------------------------------------------------------------


def test_price_of_one_buyer_and_n_sellers() -> None:
    """Between the lowest ask and the bid or the second-lowest ask."""
    assert k_price(0.9, 0.5, INF, 0.5) == pytest.approx(0.7)
    assert k_price(0.9, 0.5, 0.6, 1.0) == 0.6
    assert k_price(0.9, 0.5, 0.6, 0.0) == 0.5
    assert k_price(0.5, 0.5, INF, 0.5) == 0.5
    assert math.isnan(k_price(0.49, 0.5, INF, 0.5))
    assert math.isnan(k_price(math.nan, 0.5, INF, 0.5))
    assert math.isnan(k_price(0.9, INF, INF, 0.5))


def test_the_linear_equilibrium_trades_nine_in_thirty_two() -> None:
    """Chatterjee & Samuelson 1983: trade 9/32, gain 27/32 of what could be; 400,000 tasks."""
    market = w.load("k_double")
    trades = w.run(market, until="4000 s", seed=1, record="trades").trades
    n, traded = len(trades), trades["status"] == "served"
    assert n > 395_000
    assert abs(traded.mean() - 9 / 32) < 6 * math.sqrt(9 / 32 * 23 / 32 / n)
    gain = np.where(traded, trades["value"] - trades["cost"], 0.0)
    assert abs(gain.mean() - 9 / 64) < 6 * gain.std() / math.sqrt(n)
    # Price halfway between bid and ask, on each trade.
    won = trades[traded]
    halfway = (2 * won["value"] / 3 + 1 / 12 + 2 * won["cost"] / 3 + 1 / 4) / 2
    np.testing.assert_allclose(won["price"], halfway, atol=1e-8)


def expected_gain(limit: float, quote: float, *, buys: bool) -> float:
    """Return what a quote gains against the equilibrium rule of the other side, exactly.

    The other side's quote q is uniform on [1/4, 11/12] (asks) or [1/12, 3/4] (bids), density 3/2.
    """
    if buys:  # q from 1/4 to the bid: (limit − (bid + q)/2) · 3/2
        a, b = 0.25, min(quote, 11 / 12)
        return 0.0 if b <= a else 1.5 * ((limit - quote / 2) * (b - a) - (b * b - a * a) / 4)
    a, b = max(quote, 1 / 12), 0.75
    return 0.0 if b <= a else 1.5 * ((quote / 2 - limit) * (b - a) + (b * b - a * a) / 4)


def test_no_deviation_from_the_linear_rule_gains() -> None:
    """For 41 worths and costs and 1601 quotes each; the rule itself is among the best."""
    quotes = np.linspace(0.0, 1.6, 1601)
    buyer, seller = np.zeros(2, TRADER)
    for trader, intercept in ((buyer, 1 / 12), (seller, 1 / 4)):
        trader["rule"], trader["a"], trader["b"] = 1, 2 / 3, intercept
    for limit in np.linspace(0.0, 1.0, 41):
        for trader, rule, buys in ((buyer, bid_of_rule, True), (seller, ask_of_rule, False)):
            own = expected_gain(float(limit), float(rule(trader, float(limit), 0.5)), buys=buys)
            best = max(expected_gain(float(limit), float(q), buys=buys) for q in quotes)
            assert best <= own + 1e-12
            assert own >= 0.0


def test_truth_is_no_equilibrium_of_it() -> None:
    """The same check tells another rule: against the linear rule, truth gains less."""
    assert expected_gain(0.9, 0.9, buys=True) < expected_gain(0.9, 0.6 + 1 / 12, buys=True) - 0.01


# --- call market -------------------------------------------------------------------------------


def crossed(bids: list[float], asks: list[tuple[float, int]]) -> tuple[int, float, float]:
    """Return units traded and the interval of clearing prices, by the compiled rule."""
    book, sales = np.zeros(max(len(bids), 1), BID), np.zeros(max(len(asks), 1), SALE)
    for j, bid in enumerate(bids):
        book[j]["bid"], book[j]["id"] = bid, j
    for j, (ask, units) in enumerate(asks):
        sales[j]["ask"], sales[j]["units"], sales[j]["coin"] = ask, units, j
    order, places = np.arange(len(book)), np.arange(len(sales))
    rank_bids(book, order, len(bids))
    rank_asks(sales, places, len(asks))
    assert [bids[j] for j in order[: len(bids)]] == sorted(bids, reverse=True)
    q, low, high = cross(book, order, len(bids), sales, places, len(asks))
    return int(q), float(low), float(high)


price = st.integers(0, 12).map(float)
bids_and_asks = st.tuples(
    st.lists(price, max_size=9), st.lists(st.tuples(price, st.integers(1, 4)), max_size=6)
)


@steady
@given(bids_and_asks, st.sampled_from([0.0, 0.3, 1.0]))
def test_a_call_clears_the_market(given_: Any, k: float) -> None:
    """Most surplus, rational for all, within the interval, and demand meets supply at the price."""
    bids, asks = given_
    units = sorted(ask for ask, many in asks for _ in range(many))
    best = max(
        (sum(sorted(bids, reverse=True)[:q]) - sum(units[:q])
         for q in range(min(len(bids), len(units)) + 1)), default=0.0,
    )  # fmt: skip
    q, low, high = crossed(bids, asks)
    top = sorted(bids, reverse=True)
    assert sum(top[:q]) - sum(units[:q]) == best
    if q == 0:
        assert low < high
        return
    assert low <= high
    p = between(low, high, k)
    assert low <= p <= high
    assert top[q - 1] >= p >= units[q - 1]  # nobody trades at a loss
    assert all(bid <= p for bid in top[q:])  # nobody who is left out would rather trade
    assert all(ask >= p for ask in units[q:])


@steady
@given(bids_and_asks, st.integers(0, 8), st.integers(1, 5))
def test_a_higher_bid_never_loses_a_trade(given_: Any, who: int, more: int) -> None:
    """Monotone allocation: of all equal bids the first goes first, so count those above it."""
    bids, asks = given_
    if who >= len(bids):
        return

    def trades(bids: list[float]) -> bool:
        ahead = sum(b > bids[who] or (b == bids[who] and j < who) for j, b in enumerate(bids))
        return ahead < crossed(bids, asks)[0]

    raised = [b + more if j == who else b for j, b in enumerate(bids)]
    assert trades(raised) or not trades(bids)


def priced(m: int, n: int, k: float, periods: int) -> Any:
    """Return the trades of m buyers a period worth 10 and n sellers of cost U[0, 1]."""
    times = [float(p) + 0.5 for p in range(periods) for _ in range(m)]
    buyers = w.TaskClass("b", w.Replay(times=times), output_tokens=MTOK, value=10, patience=0.9)
    sellers = [
        w.Seller(f"s{j}", accuracy=1.0, speed=2e6, cost=w.per_task(1.0),
                 cost_factor=w.Uniform(0, 1))
        for j in range(n)
    ]  # fmt: skip
    market = w.Market([buyers], sellers, mechanism=w.CallMarket(k=k))
    return w.run(market, until=periods + 1.0, record="trades").trades


@pytest.mark.parametrize(("m", "n"), [(1, 2), (3, 7), (4, 5)])
def test_the_price_is_the_lowest_rejected_ask(m: int, n: int) -> None:
    """(m + 1)/(n + 1) on average over 4,000 calls; with k = 0 the highest accepted, m/(n + 1)."""
    for k, rank in ((1.0, m + 1), (0.0, m)):
        trades = priced(m, n, k, 4000)
        assert (trades["status"] == "served").all()
        by_call = trades.groupby("arrival")["price"]
        assert (by_call.max() - by_call.min()).max() < 1e-8  # one price for all
        seen = by_call.mean()
        spread = math.sqrt(rank * (n + 1 - rank) / ((n + 1) ** 2 * (n + 2)))
        assert abs(seen.mean() - rank / (n + 1)) < 6 * spread / math.sqrt(len(seen))
        assert (trades["cost"] <= trades["price"] + 1e-9).all()


def test_a_bid_waits_until_no_answer_could_be_worth_anything() -> None:
    """Due 2.5 s after it comes and never served: it does without then, and has lost the time."""
    task = w.TaskClass("k", w.Replay(times=[0.0]), output_tokens=MTOK, value=1.0, delay_cost=0.1,
                       deadline=2.5)  # fmt: skip
    dear = w.Seller("s", accuracy=1.0, speed=1e9, cost=w.per_task(5.0))
    row = w.run(
        w.Market([task], [dear], mechanism="call_market"), until=9.0, record="trades"
    ).trades
    assert row["status"].tolist() == ["balked"]
    assert row["finish"].tolist() == [2.5]
    assert row["surplus"].tolist() == [-0.25]


def test_who_comes_or_leaves_at_a_session_takes_part() -> None:
    """At 1 s one has just come and one is about to leave; both trade."""
    task = w.TaskClass("k", w.Replay(times=[0.0, 1.0]), output_tokens=MTOK, value=1.0, patience=1.0)
    seller = w.Seller("s", accuracy=1.0, speed=1e9, slots=2)
    rows = w.run(w.Market([task], [seller], mechanism="call_market"), until=9.0, record="trades")
    assert rows.trades["status"].tolist() == ["served", "served"]
    assert rows.trades["start"].tolist() == [1.0, 1.0]


# --- continuous double auction -----------------------------------------------------------------


def test_a_trade_is_at_the_price_that_stood() -> None:
    assert trade_price(5.0, 3.0, True) == 5.0
    assert trade_price(5.0, 3.0, False) == 3.0
    assert math.isnan(trade_price(2.9, 3.0, True))
    assert math.isnan(trade_price(math.nan, 3.0, True))


@steady
@given(st.lists(st.tuples(price, st.booleans()), max_size=8))
def test_the_best_price_comes_first_and_then_the_oldest(orders: list[tuple[float, bool]]) -> None:
    traders = np.zeros(len(orders), TRADER)
    numbers = np.random.default_rng(len(orders)).permutation(len(orders))
    for t, (quote, live) in enumerate(orders):
        traders[t]["price"], traders[t]["live"] = quote, live
        traders[t]["number"] = numbers[t]
    standing = [t for t, (_, live) in enumerate(orders) if live]
    bid, ask = best_bid(traders, 0, len(orders)), best_ask(traders, 0, len(orders))
    if not standing:
        assert bid == ask == -1
        return
    assert bid == min(standing, key=lambda t: (-orders[t][0], numbers[t]))
    assert ask == min(standing, key=lambda t: (orders[t][0], numbers[t]))


MARKETS = {
    1: ((102, 97, 92, 87, 82, 77), (34, 46, 58, 70, 82, 94), 82.0),
    2: ((117, 105, 93, 81, 69, 57), (49, 54, 59, 64, 69, 74), 69.0),
}
"""Gode & Sunder 1993: what a trader's units are worth and cost, and the competitive price."""


@cache
def gains(which: int, rule: str) -> tuple[float, float]:
    """Return mean efficiency and its standard error over 100 periods of 2,000 shouts."""
    values, costs, _ = MARKETS[which]
    quoting = {"kind": rule, "low": 1, "high": 200}
    tasks = [
        w.TaskClass(f"b{i}", w.Replay(times=[0.0] * 6, values=values), output_tokens=MTOK,
                    value="replay")
        for i in range(6)
    ]  # fmt: skip
    sellers = [
        w.Seller(f"s{i}-{c}", owner=f"s{i}", accuracy=1.0, speed=1.0, cost=w.per_task(c))
        for i in range(6) for c in costs
    ]  # fmt: skip
    auction = w.ContinuousAuction(shouts=1, book="best", buyers=quoting, sellers=quoting)
    # A second market for the answers: a slot is busy for 1e6 s, and the run ends after all.
    market = w.Market(tasks, sellers, mechanism=auction, run=w.Run(until=1.1e6, epoch=1.1e6))
    found = []
    most = 6 * sum(max(v - c, 0) for v, c in zip(values, costs, strict=True))
    for seed in range(100):
        engine = Engine(market, seed)
        engine.advance(2000.5)
        sold = engine.state.tasks[engine.state.tasks["state"] == RUNNING]
        cost = engine.state.offers["unit_cost"][sold["offer"]]
        found.append((sold["value"].sum() - cost.sum()) / most)
    return float(np.mean(found)), float(np.std(found, ddof=1) / 10)


@pytest.mark.parametrize("which", [1, 2])
def test_without_any_restraint_nine_tenths_are_gained(which: int) -> None:
    """ZI-U: all 36 units trade, 153 of 170 a trader pair are gained: exactly 90.0%."""
    mean, _ = gains(which, "zi_u")
    assert mean == pytest.approx(0.9, abs=1e-12)


@pytest.mark.parametrize("which", [1, 2])
def test_budget_constraints_alone_make_a_market_efficient(which: int) -> None:
    """ZI-C: 99.8% ± 0.3."""
    mean, se = gains(which, "zi_c")
    assert abs(mean - 0.998) < 0.003
    assert se < 0.0005


def test_the_scenario_through_the_front_door() -> None:
    """`walras run continuous`: tasks in service at the end are those that traded."""
    result = w.run(w.load("continuous"), seed=1, record="trades")
    assigned = result.epochs[result.epochs["offer"].astype(str) != "outside"]["assigned"].sum()
    assert 24 <= assigned <= 30


def days(which: int, rule: str, count: int, book: str) -> w.Market:
    """Return the demand and supply of a market, each trader's units alike, day after day.

    A day is 500 s of trade and 500 s in which slots fall free again.
    """
    values, costs, _ = MARKETS[which]
    times = [1000.0 * day for day in range(count) for _ in range(6)]
    tasks = [
        w.TaskClass(f"b{i}", w.Replay(times=times), output_tokens=MTOK, value=float(v),
                    patience=499.75)
        for i, v in enumerate(values)
    ]  # fmt: skip
    sellers = [
        w.Seller(f"s{i}", accuracy=1.0, speed=2000.0, slots=6, cost=w.per_task(float(c)))
        for i, c in enumerate(costs)
    ]
    auction = w.ContinuousAuction(shouts=1, book=book, buyers=rule, sellers=rule)
    return w.Market(tasks, sellers, mechanism=auction, run=w.Run(until=1000.0 * count))


@pytest.mark.parametrize("which", [1, 2])
@pytest.mark.parametrize("book", ["best", "full"])
def test_zip_traders_find_the_competitive_price(which: int, book: str) -> None:
    """Cliff's alpha, the root mean squared distance over the price, falls and stays small."""
    alpha = np.zeros((5, 6))
    for seed in range(5):
        trades = w.run(days(which, "zip", 6, book), seed=seed, record="trades").trades
        sold = trades[trades["status"] == "served"]
        right = MARKETS[which][2]
        for day, prices in sold.groupby((sold["arrival"] // 1000).astype(int))["price"]:
            alpha[seed, day] = math.sqrt(((prices - right) ** 2).mean()) / right
    by_day = alpha.mean(axis=0)
    assert by_day[0] > 0.04
    assert by_day[1:].max() < 0.05
    assert by_day[1:].mean() < 0.6 * by_day[0]


# --- what always holds -------------------------------------------------------------------------

rules = st.sampled_from(["truthful", "zip", "zi_c", "linear"])


def quoting(name: str) -> Any:
    """Return a rule that never trades at a loss, for prices around 1."""
    more = {"zi_c": {"low": 0.0, "high": 2.0}, "linear": {"slope": 0.9, "intercept": 0.05},
            "zip": {"step": 0.01}}  # fmt: skip
    return {"kind": name, **more.get(name, {})}


def small_market(seed: int, mechanism: Any) -> w.Market:
    """Return a random market of tasks that are certain to be answered in no time."""
    rng = np.random.default_rng(seed)
    tasks = [
        w.TaskClass(f"k{i}", w.Replay(times=rng.integers(0, 24, 8) / 2.0,
                                      values=rng.uniform(0, 2, 8)),
                    output_tokens=MTOK, value="replay", patience=4.0)
        for i in range(3)
    ]  # fmt: skip
    sellers = [
        w.Seller(f"s{j}", owner=f"o{j // 2}", accuracy=1.0, speed=MTOK / 1.25,
                 slots=int(rng.integers(1, 3)), cost=w.per_task(float(rng.uniform(0, 2))),
                 cost_factor=w.Uniform(0.8, 1.2))
        for j in range(4)
    ]  # fmt: skip
    return w.Market(tasks, sellers, mechanism=mechanism, platform={"commission": 0.1})


def crossed_book(engine: Engine) -> bool:
    """Return whether the best standing bid meets the best standing ask."""
    traders, classes = engine.state.traders, len(engine.state.classes)
    live = traders["live"] == 1
    bids, asks = (
        traders["price"][:classes][live[:classes]],
        traders["price"][classes:][live[classes:]],
    )
    return bool(len(bids) and len(asks) and bids.max() >= asks.min())


@settings(deadline=None, derandomize=True, max_examples=400)
@given(
    st.integers(0, 2**32), st.sampled_from(["k_double", "call_market", "continuous"]), rules, rules,
    st.sampled_from(["full", "best"]),
)  # fmt: skip
def test_nobody_loses_and_the_ledger_balances(
    seed: int, kind: str, buyers: str, sellers: str, book: str
) -> None:
    """Each trade gains for both sides; no crossed book; one price a call; postings sum to 0."""
    mechanism: dict[str, Any] = {
        "kind": kind,
        "buyers": quoting(buyers),
        "sellers": quoting(sellers),
    }
    mechanism |= {"shouts": 2.0, "book": book} if kind == "continuous" else {"k": 0.25}
    found: list[Any] = []
    engine = Engine(small_market(seed, mechanism), seed, keep=found.append)
    for end in np.arange(0.5, 24.5, 0.5):
        engine.advance(float(end))
        assert not crossed_book(engine)
        assert engine.state.clock[0]["book"] == (engine.state.tasks["state"] == BOOKED).sum()
    engine.flush()
    rows = np.concatenate(found)
    sold = rows[rows["status"] == 0]
    price = sold["price"]
    assert (sold["value"] * 1e9 >= price - 1).all()
    assert (price - sold["commission"] >= sold["cost"] - 2).all()
    np.testing.assert_allclose(sold["utility"], sold["surplus"], atol=1e-8)
    if kind == "call_market":
        for start in set(sold["start"]):
            assert np.ptp(price[sold["start"] == start]) <= 1
    assert engine.state.ledger[:-1].sum() == 0
    assert len(rows) + engine.in_system() == 24


def test_no_loss_is_also_no_loss_of_taste() -> None:
    """With tastes, a task that trades truthfully never ends below what doing without was worth."""
    task = w.TaskClass("k", w.Poisson(5.0), output_tokens=MTOK, value=1.0, choice=w.Logit(0.2))
    sellers = [
        w.Seller(f"s{j}", accuracy=1.0, speed=1e9, slots=3, cost=w.per_task(0.2 * j))
        for j in range(4)
    ]
    for kind in ("k_double", "call_market", "continuous"):
        trades = w.run(
            w.Market([task], sellers, mechanism=kind), until=200.0, record="trades"
        ).trades
        sold = trades[trades["status"] == "served"]
        assert len(sold) > 20
        without = w.run(
            w.Market([task], [sellers[0].model_copy(update={"cost": w.per_task(1e5)})],
                     mechanism="k_double"), until=200.0, record="trades",
        ).trades.set_index("id")["taste"]  # fmt: skip
        assert (sold.set_index("id")["surplus"] >= without.loc[sold["id"]] - 1e-8).all()


def test_a_tier_keeps_worse_offers_out() -> None:
    """The cheap one is wrong too often in one of the classes: it sells to neither."""
    tasks = [
        w.TaskClass(name, w.Poisson(2.0), output_tokens=MTOK, value=5.0, skill=name)
        for name in ("easy", "hard")
    ]
    cheap = w.Seller("cheap", accuracy={"easy": 0.99, "hard": 0.5}, speed=1e9, slots=9,
                     cost=w.per_task(0.1))  # fmt: skip
    dear = w.Seller("dear", accuracy=0.95, speed=1e9, slots=9, cost=w.per_task(1.0))
    for kind in ("k_double", "call_market", "continuous"):
        market = w.Market(tasks, [cheap, dear], mechanism={"kind": kind, "least_accuracy": 0.9})
        trades = w.run(market, until=60.0, record="trades").trades
        assert set(trades.loc[trades["status"] == "served", "offer"].astype(str)) == {
            "dear/default"
        }


def test_buffers_and_stops_change_nothing() -> None:
    """Sessions survive small pools, many stops and many at once at one seller."""
    task = w.TaskClass("k", w.Poisson(40.0), output_tokens=w.Exponential(MTOK),
                       value=w.Uniform(0, 2), deadline=3.0)  # fmt: skip
    seller = w.Seller("s", accuracy=1.0, speed=2e6, slots="unlimited", cost=w.per_task(0.5))
    for kind in ("call_market", "continuous"):
        market = w.Market([task], [seller], mechanism={"kind": kind, "sellers": {
            "kind": "zi_c", "low": 0, "high": 2}})  # fmt: skip
        usual = Engine(market, 3)
        usual.advance(40.0)
        small = Engine(market, 3, places=4, rows=3, block=7)
        for end in np.linspace(0.0, 40.0, 333)[1:]:
            small.advance(float(end))
        assert (small.state.ledger == usual.state.ledger).all()
        for name in ("assigned", "served", "paid", "cost"):
            assert (small.state.stats[name] == usual.state.stats[name]).all()


def test_a_run_without_an_end_ends() -> None:
    """An empty book and nobody to come: no session is held any more."""
    task = w.TaskClass("k", w.Replay(times=[0.2, 0.4]), output_tokens=MTOK, value=1.0)
    seller = w.Seller("s", accuracy=1.0, speed=1e9)
    economy = w.Economy(w.Market([task], [seller], mechanism="call_market"), seed=1)
    economy.clock.run()
    assert economy.engine.state.ledger[0] <= 0


def test_a_task_that_names_its_offer_pays_its_posted_price() -> None:
    """Submitted tasks take part; one that names an offer goes there at once."""
    task = w.TaskClass("k", w.Replay(times=[9.0]), output_tokens=MTOK, value=1.0)
    seller = w.Seller("s", accuracy=1.0, speed=1e9, price=w.per_task(0.3), cost=w.per_task(0.1))
    outcomes = []

    def visitor(economy: Any) -> Any:
        outcomes.append((yield economy.submit(w.Task("k", child=1, offer="s/default"))))
        outcomes.append((yield economy.submit(w.Task("k", child=2))))

    market = w.Market([task], [seller], mechanism="call_market")
    w.run(market, until=5.0, processes=[visitor])
    assert [o.status for o in outcomes] == ["served", "served"]
    assert outcomes[0].paid == pytest.approx(0.3)
    assert outcomes[0].arrival == 0.0
    assert outcomes[1].arrival < 1.0 < outcomes[1].answer


def test_listed_values_are_kept_with_their_times() -> None:
    """Sorted with the times; a share of the value follows it; a submitted child draws a row."""
    replay = w.Replay(times=[3.0, 1.0, 2.0], values=[30.0, 10.0, 20.0])
    task = w.TaskClass("k", replay, output_tokens=1.0, value="replay",
                       delay_cost=w.ShareOfValue(per_second=0.1))  # fmt: skip
    seller = w.Seller("s", accuracy=1.0, speed=1.0, slots="unlimited")
    rows = w.run(w.Market([task], [seller]), until=9.0, record="trades").trades
    assert rows["value"].tolist() == [10.0, 20.0, 30.0]
    assert rows["delay_cost"].tolist() == [1.0, 2.0, 3.0]
    assert task.mean_value == 20.0
    for first, second in pairwise(rows["surplus"]):
        assert first < second
