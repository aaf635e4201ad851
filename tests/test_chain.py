"""The exact chain against closed forms: Naor, Knudsen, Erlang, birth and death, and a known solve.

Nothing here is drawn but the markets of Hypothesis, by fixed seeds; tolerances are those of the
published figures or of double precision. Where a figure could pass by luck, a slip in the code or
in the market is shown to fail.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, optimize, stats

import walras as w
from walras.market import build
from walras.market.fluid.chain import Chain, balance, choice, measures, solve_chain
from walras.market.fluid.chain.buyers import buyers_of
from walras.market.fluid.chain.draws import below_and_sum, nodes_of
from walras.scenarios.estimates import batch_means

from .chain_markets import KINDS, market_of
from .test_ground_truth import a9_market

steady = settings(deadline=None, derandomize=True, max_examples=25)


def ask(rate: float, **fields: Any) -> w.TaskClass:
    """Return a class of exponential work 1; its buyers must buy unless told otherwise."""
    given_ = {"output_tokens": w.Exponential(1.0), "value": 1.0, "outside_option": False, **fields}
    return w.TaskClass(given_.pop("name", "k"), w.Poisson(rate), **given_)


def one(task: w.TaskClass, **fields: Any) -> w.Market:
    """Return a market with one seller of unit speed and accuracy."""
    return w.Market(tasks=[task], sellers=[w.Seller("s", **{"accuracy": 1.0, **fields})])


def birth_death(up: Any, down: Any) -> Any:
    """Return the stationary law of a birth-and-death chain of given rates, shape [levels]."""
    law = np.cumprod([1.0, *np.divide(up[:-1], down[1:])])
    return law / law.sum()


def chain_of(up: Callable[[int], float], down: Callable[[int], float], levels: int) -> Any:
    """Return the same, of rates that are functions of the state."""
    return birth_death([up(n) for n in range(levels)], [down(n) for n in range(levels)])


# --- A9 ------------------------------------------------------------------------------------------


def a9_figures(chain: Chain) -> list[float]:
    return [*chain.share[0], chain.outside[0], *chain.sojourn[0], *chain.revenue]


A9 = [0.556679, 0.358116, 0.085205, 0.926894, 1.761807, 0.668015, 0.787856]


def test_two_observable_queues_and_logit_buyers() -> None:
    """A9: the published solve, to its last digit."""
    chain = solve_chain(a9_market())
    assert a9_figures(chain) == pytest.approx(A9, abs=1e-6)
    assert chain.residual < 1e-14
    assert chain.truncation < 1e-12


def test_a_thousandth_more_work_is_noticed() -> None:
    found = a9_figures(solve_chain(a9_market(1.001)))
    assert all(abs(a - b) > 2e-5 for a, b in zip(found, A9, strict=True))


def test_buyers_who_know_mean_delays_alone_choose_otherwise() -> None:
    """A mean field of A9, M/M/1 delays in the logit, gives (.594, .305): what is seen matters."""
    rate, speed = 2.0, np.array([2.0, 1.0])

    def gap(share: Any) -> Any:
        times = 1.0 / (speed - rate * share)
        odds = np.exp((np.array([1.5 - 0.6, 2.2 - 1.1]) - 0.3 * times) / 0.3)
        return share - odds / (1.0 + odds.sum())

    share = optimize.root(gap, [0.4, 0.3], tol=1e-13).x
    assert share == pytest.approx([0.594, 0.305], abs=5e-4)
    exact = solve_chain(a9_market()).share[0]
    assert exact - share == pytest.approx([-0.037, 0.053], abs=1e-3)


# --- Naor and Knudsen -----------------------------------------------------------------------------


def naor(toll: float, slots: int = 1, speed: float = 1.0) -> w.Market:
    """Return Naor's queue: value 10, delay cost 1, arrivals .9; the toll is the price."""
    task = ask(0.9, value=10.0, delay_cost=1.0, outside_option=True)
    return one(task, price=w.per_task(toll), slots=slots, speed=speed / slots)


def longest(chain: Chain) -> int:
    """Return the most tasks that are ever at the only seller."""
    return int(np.flatnonzero(chain.marginals[0] > 0.0)[-1])


def test_naors_thresholds_and_welfare() -> None:
    """Naor (1969): 10 tasks join by themselves, 4 would be best for all, 2 for the owner."""
    tolls = np.arange(0.0, 10.01, 0.25)
    found = {float(toll): solve_chain(naor(toll)) for toll in tolls}
    for toll, chain in found.items():
        threshold = math.floor(10.0 - toll)
        assert longest(chain) == threshold
        law = chain_of(lambda _: 0.9, lambda _: 1.0, threshold + 1)
        assert chain.marginals[0][: threshold + 1] == pytest.approx(law, rel=1e-12)
        welfare = 10.0 * 0.9 * (1.0 - law[-1]) - law @ np.arange(threshold + 1)
        assert chain.welfare == pytest.approx(welfare, rel=1e-12)
        assert chain.truncation == 0.0
    assert found[0.0].welfare == pytest.approx(4.57324, abs=5e-6)
    best = max(c.welfare for c in found.values())
    assert {t for t, c in found.items() if c.welfare > best - 1e-9} == {5.25, 5.5, 5.75, 6.0}
    assert best == pytest.approx(5.76777, abs=5e-6)
    owner = max(found.values(), key=lambda c: c.profit[0])
    assert longest(owner) == 2
    assert owner is found[8.0]


@pytest.mark.parametrize("toll", [0.0, 5.5, 6.0, 8.0])
def test_naors_queue_as_events(toll: float) -> None:
    """Welfare and share of the event market are those of the chain, at a toll of 6 by indifference.

    40 batches of a run of 1e5 s, Student's t with a bound of 6: a false alarm of 5e-7 each, 4e-6
    in all. Power: service 5% slower is further off.
    """
    until, epochs = 1e5, 400
    frame = w.run(naor(toll), until=until, seed=0).epochs
    counts = frame.groupby("epoch")[["value", "delay_cost", "served", "assigned"]].sum()
    width = np.full(epochs, until / epochs)
    welfare = batch_means(counts["value"] - counts["delay_cost"], width, batches=40)
    bought = frame[frame["offer"] != "outside"].groupby("epoch")["assigned"].sum()
    share = batch_means(bought, counts["assigned"], batches=40)

    def off(chain: Chain) -> float:
        gaps = ((welfare, chain.welfare), (share, chain.share[0, 0]))
        return max(abs(e.mean - truth) / e.se for e, truth in gaps)

    assert off(solve_chain(naor(toll))) < 6.0
    assert off(solve_chain(naor(toll, speed=1 / 1.05))) > 6.0


@pytest.mark.parametrize(("slots", "toll"), [(2, 0.0), (3, 0.0), (3, 4.5), (5, 3.0)])
def test_several_servers_with_balking(slots: int, toll: float) -> None:
    """Knudsen (1972): join if the toll and the delay, (n − c + 1)/cμ + 1/μ, cost no more than R."""
    chain = solve_chain(naor(toll, slots))
    threshold = max(n for n in range(40) if toll + slots + max(n + 1 - slots, 0) <= 10.0) + 1
    law = chain_of(lambda _: 0.9, lambda n: min(n, slots) / slots, threshold + 1)
    assert longest(chain) == threshold
    assert chain.marginals[0][: threshold + 1] == pytest.approx(law, rel=1e-12)
    welfare = 9.0 * (1.0 - law[-1]) - law @ np.arange(threshold + 1)
    assert chain.welfare == pytest.approx(welfare, rel=1e-12)


LAWS = [
    w.Uniform(low=1.0, high=4.0), w.Exponential(2.0), w.LogNormal(2.0, 0.7), w.Gamma(2.0, 0.8),
    w.Quantiles(probabilities=[0.0, 0.3, 0.8, 1.0], values=[0.5, 1.0, 3.0, 6.0]),
]  # fmt: skip


def frozen(law: Any) -> tuple[Callable[[float], float], float, float]:
    """Return (survival function, lower end, a point that hardly any draw exceeds) of a law."""
    if isinstance(law, w.Uniform):
        return stats.uniform(law.low, law.high - law.low).sf, law.low, law.high
    if isinstance(law, w.Quantiles):
        return lambda x: 1 - float(np.interp(x, law.values, law.probabilities)), 0.5, 6.0
    one_: Any
    if isinstance(law, w.Exponential):
        one_ = stats.expon(scale=law.mean)
    elif isinstance(law, w.Gamma):
        one_ = stats.gamma(1 / law.cv**2, scale=law.mean * law.cv**2)
    else:
        spread = math.log1p(law.cv**2)
        one_ = stats.lognorm(math.sqrt(spread), scale=law.mean * math.exp(-spread / 2))
    return one_.sf, 0.0, float(one_.isf(1e-15))


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.kind)
def test_values_that_differ_make_demand_fall_smoothly(law: Any) -> None:
    """Naor's queue with drawn values: λ_n = λ·Pr(V ≥ p + c(n + 1)), surplus ∫ Pr(V > v) above."""
    task = ask(1.2, value=law, delay_cost=0.3, outside_option=True)
    chain = solve_chain(one(task, price=w.per_task(0.4)))
    above, low, end = frozen(law)
    costs = [0.4 + 0.3 * (n + 1) for n in range(len(chain.marginals[0]))]
    levels = len(costs)
    expect = chain_of(lambda n: 1.2 * above(costs[n]), lambda _: 1.0, levels)
    assert chain.marginals[0] == pytest.approx(expect, abs=1e-12)
    surplus = 0.0
    for probability, cost in zip(expect, costs, strict=True):
        if cost < end and probability > 1e-13:
            breaks = [x for x in (low, *getattr(law, "values", ())) if cost < x < end]
            area = integrate.quad(above, cost, end, points=breaks or None, limit=200)[0]
            surplus += 1.2 * probability * area
    assert chain.surplus[0] == pytest.approx(surplus, rel=1e-8)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.kind)
def test_values_that_differ_are_averaged_over_logit_buyers(law: Any) -> None:
    """λ_n = λ·E[logistic((V − p − c(n + 1))/μ)], by adaptive quadrature of the tail of V."""
    scale = 0.2
    task = ask(1.2, value=law, delay_cost=0.3, outside_option=True, choice=w.Logit(scale))
    chain = solve_chain(one(task, price=w.per_task(0.4)))
    above, low, end = frozen(law)

    def join(n: int) -> float:
        cost = 0.4 + 0.3 * (n + 1)

        def slope(v: float) -> float:
            x = math.exp(-abs(v - cost) / scale)
            return x / (1 + x) ** 2 / scale * above(v)

        start = 1 / (1 + math.exp(cost / scale))
        points = sorted({low, min(cost, end), *getattr(law, "values", ())} - {0.0})
        return start + float(integrate.quad(slope, 0.0, end, points=points, limit=400)[0])

    levels = 12
    expect = chain_of(lambda n: 1.2 * join(n), lambda _: 1.0, levels)
    found = chain.marginals[0][:levels] / chain.marginals[0][:levels].sum()
    assert found == pytest.approx(expect, abs=1e-8)
    assert chain.quadrature < 1e-11


# --- queues without choice ------------------------------------------------------------------------


def test_erlang_a() -> None:
    """A4: patience against birth and death, the published shares that leave."""
    few = solve_chain(one(ask(0.8, patience=w.Exponential(2.0))))
    assert 1 - few.served[0, 0] == pytest.approx(0.255941, abs=1e-6)
    many = solve_chain(one(ask(48.0, patience=w.Exponential(2.0)), slots=50))
    law = chain_of(lambda _: 48.0, lambda n: min(n, 50) + 0.5 * max(n - 50, 0), 300)
    queue = law @ np.maximum(np.arange(300) - 50, 0)
    assert 1 - many.served[0, 0] == pytest.approx(0.030912, abs=1e-6)
    assert many.utilisation[0] == pytest.approx(0.930324, abs=1e-6)
    assert 48.0 * many.wait[0, 0] == pytest.approx(queue, rel=1e-10)
    assert queue == pytest.approx(2.9676, abs=5e-5)
    assert 48.0 * (1 - many.served[0, 0]) == pytest.approx(0.5 * queue, rel=1e-10)


def test_erlang_c() -> None:
    """A2: four servers at a load of .8."""
    chain = solve_chain(one(ask(3.2), slots=4))
    assert chain.marginals[0][4:].sum() == pytest.approx(0.596432, abs=1e-6)
    assert chain.wait[0, 0] == pytest.approx(0.745541, abs=1e-6)
    assert chain.sojourn[0, 0] == pytest.approx(1.745541, abs=1e-6)


def test_a_thousand_servers() -> None:
    """Erlang C by Erlang B's recursion, where an empty system is rarer than a double can say."""
    servers, load = 1000, 950.0
    blocked = 1.0
    for n in range(1, servers + 1):
        blocked = load * blocked / (n + load * blocked)
    waits = blocked / (1 - load / servers * (1 - blocked))
    chain = solve_chain(one(ask(load), slots=servers))
    assert chain.marginals[0][servers:].sum() == pytest.approx(waits, rel=1e-9)
    assert chain.wait[0, 0] == pytest.approx(waits / (servers - load), rel=1e-9)
    assert chain.residual < 1e-13


def test_sellers_that_share_their_speed_each_with_its_own_buyers() -> None:
    """Two independent birth-and-death chains, κ finite: down(n) = m·r(m), m = min(n, slots)."""
    sellers = [
        w.Seller("a", accuracy={"x": 1.0}, slots=4, kappa=2.5, speed=1.1),
        w.Seller("b", accuracy={"y": 1.0}, slots="unlimited", kappa=3, network_time=0.25),
    ]
    tasks = [ask(1.4, name="k", skill="x"), ask(2.0, name="l", skill="y")]
    chain = solve_chain(w.Market(tasks=tasks, sellers=sellers))

    def rate(n: float, slots: float, kappa: float, speed: float) -> float:
        m = min(n, slots)
        return m * speed * kappa / (kappa + m - 1)

    for s, (coming, slots, kappa, speed) in enumerate(
        [(1.4, 4, 2.5, 1.1), (2.0, math.inf, 3.0, 1.0)]
    ):
        law = chain.marginals[s]
        down = [rate(n, slots, kappa, speed) for n in range(len(law))]
        expect = birth_death([coming] * len(law), down)
        assert law == pytest.approx(expect, abs=1e-12)
        time = expect @ np.arange(len(law)) / coming
        assert chain.sojourn[s, s] == pytest.approx(time + 0.25 * s, rel=1e-9)
        top = 4 * 1.1 * 2.5 / 5.5 if s == 0 else 3.0
        assert chain.utilisation[s] == pytest.approx(coming / top, rel=1e-9)


def test_the_shortest_queue_is_joined() -> None:
    """Captive buyers at two like sellers: tails of the shorter queue fall by ρ² (Kingman 1961)."""
    sellers = [w.Seller(name, accuracy=1.0) for name in "ab"]
    load = 0.7
    market = w.Market(tasks=[ask(2 * load, delay_cost=0.1)], sellers=sellers)
    chain = solve_chain(market)
    assert chain.share[0] == pytest.approx([0.5, 0.5], rel=1e-12)
    tails = np.cumsum(chain.marginals[0][::-1])[::-1]
    assert tails[9] / tails[8] == pytest.approx(load**2, rel=2e-3)
    pooled = solve_chain(one(ask(2 * load, delay_cost=0.1), slots=2))
    apart = 1 / (1 - load)
    assert pooled.sojourn[0, 0] < chain.sojourn[0, 0] < apart


# --- choice ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("nest", [1.0, 0.5, 0.01])
def test_efforts_alike_count_as_their_nest_says(nest: float) -> None:
    """Two efforts alike have odds 2^ν·e^(U/μ) together; none is added as ν → 0."""
    task = ask(1.0, delay_cost=0.2, outside_option=True, choice=w.Logit(0.3, nest=nest))
    chain = solve_chain(one(task, effort={"x": 0, "y": 0}))

    def join(n: int) -> float:
        return 1 / (1 + math.exp(-(1.0 - 0.2 * (n + 1)) / 0.3) / 2**nest)

    expect = chain_of(join, lambda _: 1.0, 16)
    assert chain.marginals[0][:16] == pytest.approx(expect, rel=1e-9)
    assert chain.share[0, 0] == pytest.approx(chain.share[0, 1], rel=1e-12)
    best = [0.3 * math.log1p(2**nest * math.exp((1.0 - 0.2 * (n + 1)) / 0.3)) for n in range(16)]
    assert chain.surplus[0] == pytest.approx(expect @ np.array(best), rel=1e-9)


@pytest.mark.parametrize("name", ["argmax", "batching", "two_classes", "deadline", "claims"])
def test_the_kernel_quotes_what_the_chain_takes(name: str) -> None:
    """Each utility that a run has quoted, taste apart, is one that the chain computes with."""
    market = market_of(next(kind for kind in KINDS if kind.__name__ == name))
    trades = w.run(market, until=500.0, seed=0, record="trades").trades
    state = build.build(market, 0)[0]
    compared = 0
    for k, task in enumerate(market.tasks):
        buyers = buyers_of(market, state, k)
        for place, o in enumerate(buyers.offers):
            rows = trades[(trades["task"] == task.name) & (trades["offer"] == market.offers[o])]
            quoted = (rows["utility"] - rows["taste"]).to_numpy()
            known = choice.what_is_seen(state, buyers, place, 60)[0][:, 0]
            gaps = np.abs(quoted[:, None] - known[None, :]).min(axis=1)
            assert gaps.max() < 1e-12
            compared += len(np.unique(quoted.round(9)))
    assert compared >= 7


def test_claims_are_believed_and_the_truth_is_met() -> None:
    """Shares are those of the claimed accuracy; surplus lacks what the claim promised too much."""
    task = ask(1.0, delay_cost=0.2, outside_option=True, value=2.0, loss=0.5, choice=w.Logit(0.3))
    quotes = w.Quotes(accuracy="claimed")
    honest = solve_chain(one(task, accuracy=0.9, price=w.per_task(0.3)))
    boasts = one(task, accuracy=0.6, claimed=0.9, price=w.per_task(0.3))
    found = solve_chain(boasts.model_copy(update={"quotes": quotes}))
    assert found.share == pytest.approx(honest.share, rel=1e-12)
    lost = found.share[0, 0] * 0.3 * (2.0 + 0.5)
    assert honest.surplus[0] - found.surplus[0] == pytest.approx(lost, rel=1e-10)


@pytest.mark.parametrize("slots", [1, 3])
def test_lateness_is_quoted_nearly_as_it_is(slots: int) -> None:
    """Pr(on time) by slices of the wait is within .001 of the exact law; measured: .0009, .00001.

    A wait behind n tasks is Erlang(n − c + 1, cμ); with service, Pr(L ≤ D) by quadrature.
    """
    due = 3.0
    task = ask(0.8 * slots, deadline=due, outside_option=True, value=3.0)
    chain = solve_chain(one(task, slots=slots))
    timely = 0.0
    for n, probability in enumerate(chain.marginals[0]):
        phases = n - slots + 1
        on_time = 1 - math.exp(-due)
        if phases > 0:
            wait = stats.gamma(phases, scale=1 / slots)
            on_time = integrate.quad(
                lambda x, law=wait: law.pdf(x) * (1 - math.exp(x - due)), 0.0, due
            )[0]
        timely += probability * on_time
    exact = timely  # all join: value 3 at no cost
    assert chain.share[0, 0] == pytest.approx(1.0, abs=1e-9)
    assert chain.timely[0, 0] == pytest.approx(exact, abs=1e-3)


@pytest.mark.parametrize("name", ["argmax_drawn", "stakes_drawn"])
def test_argmax_buyers_are_logit_buyers_of_hardly_any_taste(name: str) -> None:
    """Intervals of a drawn value against nodes: what a scale μ adds falls with its square."""
    market = market_of(next(kind for kind in KINDS if kind.__name__ == name))
    sharp = solve_chain(market)
    gaps = []
    for scale in (0.1, 0.05):
        logit = market.tasks[0].model_copy(update={"choice": w.Logit(scale)})
        soft = solve_chain(market.model_copy(update={"tasks": [logit]}))
        gaps.append(soft.surplus[0] - sharp.surplus[0])
    assert soft.share == pytest.approx(sharp.share, abs=0.01)
    assert gaps[0] / gaps[1] == pytest.approx(4.0, rel=0.06)


# --- properties -----------------------------------------------------------------------------------


@st.composite
def markets(draw: st.DrawFn) -> w.Market:
    """Draw a market of one class and two sellers."""
    number = st.floats(0.1, 2.0)
    speeds, prices = [draw(number) + 0.3 for _ in "ab"], [draw(number) for _ in "ab"]
    slots = [draw(st.integers(1, 3)) for _ in "ab"]
    kappas = [draw(st.sampled_from(["unlimited", 1, 2.5])) for _ in "ab"]
    choice = draw(st.sampled_from(["argmax", w.Logit(0.1), w.Logit(0.7)]))
    task = ask(
        draw(number) + 0.5, value=draw(number) + 0.5, delay_cost=draw(st.floats(0.05, 1.0)),
        outside_option=True, choice=choice,
    )  # fmt: skip
    sellers = [
        w.Seller(name, accuracy=1.0, speed=v, slots=c, kappa=x, price=w.per_task(p))
        for name, v, p, c, x in zip("ab", speeds, prices, slots, kappas, strict=True)
    ]
    return w.Market(tasks=[task], sellers=sellers)


def with_seller(market: w.Market, s: int, **fields: Any) -> w.Market:
    sellers = list(market.sellers)
    sellers[s] = sellers[s].model_copy(update=fields)
    return market.model_copy(update={"sellers": sellers})


@given(markets())
@steady
def test_probabilities_and_accounts_add_up(market: w.Market) -> None:
    chain = solve_chain(market)
    rate = market.tasks[0].arrivals.mean_rate
    for law in chain.marginals:
        assert law.sum() == pytest.approx(1.0, abs=1e-12)
        assert law.min() >= 0.0
    assert chain.share.sum() + chain.outside[0] == pytest.approx(1.0, abs=1e-12)
    assert chain.share.min() >= 0.0
    assert chain.truncation < 1e-12
    assert chain.residual < 1e-12
    times = np.nan_to_num(chain.sojourn[0])
    assert rate * chain.share[0] * times == pytest.approx(chain.number, abs=1e-9)  # Little's law
    answers = rate * chain.share[0]
    tops = [s.slots * s.speed * (1 if math.isinf(s.kappa) else s.kappa / (s.kappa + s.slots - 1))
            for s in market.sellers]  # fmt: skip
    assert answers / np.array(tops) == pytest.approx(chain.utilisation, abs=1e-9)
    prices = np.array([s.price.task for s in market.sellers])
    assert answers * prices == pytest.approx(chain.revenue, abs=1e-12)


@given(markets(), st.floats(0.01, 1.0))
@steady
def test_a_higher_price_never_raises_its_own_share(market: w.Market, more: float) -> None:
    before = solve_chain(market)
    dearer = w.per_task(market.sellers[0].price.task + more)
    after = solve_chain(with_seller(market, 0, price=dearer))
    assert after.share[0, 0] <= before.share[0, 0] + 1e-12
    assert after.share[0, 1] >= before.share[0, 1] - 1e-12
    assert after.outside[0] >= before.outside[0] - 1e-12


@given(markets(), st.floats(0.2, 5.0))
@steady
def test_units_and_names_do_not_matter(market: w.Market, scale: float) -> None:
    """A clock that runs faster scales times and rates; sellers in another order only swap."""
    chain = solve_chain(market)
    task = market.tasks[0]
    quick = task.model_copy(update={
        "arrivals": w.Poisson(task.arrivals.mean_rate * scale),
        "delay_cost": getattr(task.delay_cost, "mean", 0.0) * scale,
    })  # fmt: skip
    sellers = [s.model_copy(update={"speed": s.speed * scale}) for s in market.sellers]
    if not isinstance(task.choice, w.Argmax):  # a tie of argmax may be rounded away
        faster = solve_chain(market.model_copy(update={"tasks": [quick], "sellers": sellers}))
        assert faster.share == pytest.approx(chain.share, abs=1e-10)
        assert faster.welfare == pytest.approx(scale * chain.welfare, rel=1e-9)
    swapped = solve_chain(market.model_copy(update={"sellers": market.sellers[::-1]}))
    assert swapped.share[0, ::-1] == pytest.approx(chain.share[0], abs=1e-12)
    assert swapped.welfare == pytest.approx(chain.welfare, rel=1e-10)


@pytest.mark.parametrize("law", LAWS, ids=lambda law: law.kind)
def test_laws_as_nodes_and_as_sums(law: Any) -> None:
    """Nodes give mean and Laplace transform, sums the distribution and the mean of its part."""
    points, weights = nodes_of(law, 96)
    assert weights @ points == pytest.approx(law.mean, rel=1e-9)
    above, low, end = frozen(law)
    breaks = list(getattr(law, "values", ())) or None
    transform = (
        1 - integrate.quad(lambda x: math.exp(-x) * above(x), 0.0, end, points=breaks, limit=200)[0]
    )
    assert weights @ np.exp(-points) == pytest.approx(transform, rel=1e-8)
    x = np.array([0.0, low, 0.7 * law.mean, 1.5 * law.mean, np.inf])
    chance, total = below_and_sum(law, x)
    assert chance == pytest.approx([1 - above(v) if v < np.inf else 1.0 for v in x], abs=1e-12)
    for v, part in zip(x[1:-1], total[1:-1], strict=True):
        area = integrate.quad(above, 0.0, v, points=breaks, limit=200)[0]
        assert part == pytest.approx(area - v * above(v), abs=1e-8)
    assert total[-1] == pytest.approx(law.mean, rel=1e-12)


# --- what it does not cover -----------------------------------------------------------------------


def plain_market(task: dict[str, Any], seller: dict[str, Any], **market: Any) -> w.Market:
    buyers = ask(1.0, outside_option=True).model_copy(update=task)
    sellers = [w.Seller("s", **{"accuracy": 1.0, **seller}), w.Seller("t", accuracy=1.0)]
    return w.Market(tasks=[buyers], sellers=sellers, **market)


DRAWN = w.Exponential(1.0)
REFUSED: list[tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = [
    ("mechanism", {}, {}, {"mechanism": w.ScoringAuction("first_score")}),
    ("quotes.latency", {}, {}, {"quotes": w.Quotes(latency="average")}),
    ("quotes.price", {}, {}, {"quotes": w.Quotes(price="exact")}),
    ("quotes.accuracy", {}, {}, {"quotes": w.Quotes(accuracy="rated")}),
    ("platform.search_cost", {}, {}, {"platform": w.Platform(search_cost=0.1)}),
    ("platform.ranking", {"consideration": 1}, {}, {"platform": w.Platform(ranking="random")}),
    ("events", {}, {}, {"events": [w.Exit(at=1.0, seller="s")]}),
    ("sellers.s.enters", {}, {"enters": 5.0}, {}),
    ("sellers.s.contracts", {}, {"contracts": {"c": w.Contract(rate=0.9)}}, {}),
    ("tasks.k.arrivals", {"arrivals": w.Diurnal(1.0, amplitude=0.5, period=60.0)}, {}, {}),
    ("tasks.k.choice", {"choice": lambda ask, quotes: None}, {}, {}),
    ("tasks.k.output_tokens", {"output_tokens": w.Constant(value=1.0)}, {}, {}),
    ("tasks.k.output_tokens", {}, {"effort": {"high": 5.0}}, {}),
    ("tasks.k.patience", {"patience": DRAWN}, {}, {}),
    ("tasks.k.patience", {"patience": 2.0, "outside_option": False}, {}, {}),
    ("tasks.k.deadline", {"deadline": DRAWN}, {}, {}),
    ("tasks.k.delay_cost", {"value": DRAWN, "delay_cost": DRAWN}, {}, {}),
    ("tasks.k.deadline", {"deadline": 2.0}, {"slots": 2, "kappa": 2}, {}),
    ("tasks.k.delay_cost", {"delay_cost": DRAWN}, {"slots": 2, "kappa": 2}, {}),
    ("sellers.s.penalty", {}, {"slots": 2, "kappa": 2, "promise": 1.0, "penalty": 0.1}, {}),
    ("tasks.k.value", {"value": w.Uniform(low=0, high=1e5), "choice": w.Logit(1e-3)}, {}, {}),
]  # fmt: skip


@pytest.mark.parametrize(("field", "task", "seller", "market"), REFUSED)
def test_what_has_no_chain_is_refused_by_name(
    field: str, task: Any, seller: Any, market: Any
) -> None:
    with pytest.raises(w.BadInputError) as raised:
        solve_chain(plain_market(task, seller, **market))
    assert [p.field for p in raised.value.problems] == [field]
    assert "exact chain" in str(raised.value)
    assert all(p.allowed for p in raised.value.problems)


def test_classes_that_differ_where_they_meet_are_refused() -> None:
    """Mean work, patience, priority; and two classes where streams share their speed."""
    second = {"name": "l", "delay_cost": 0.1}
    for field, task, seller in (
        ("tasks.l.output_tokens", {"output_tokens": w.Exponential(2.0)}, {}),
        ("tasks.l.patience", {"patience": DRAWN}, {}),
        ("sellers.s.discipline", {"priority": 1}, {"discipline": "priority"}),
        ("sellers.s.kappa", {}, {"slots": 2, "kappa": 2}),
    ):
        tasks = [ask(0.3), ask(0.3, **second, **task)]
        market = w.Market(tasks=tasks, sellers=[w.Seller("s", **{"accuracy": 1.0, **seller})])
        with pytest.raises(w.BadInputError) as raised:
            solve_chain(market)
        assert [p.field for p in raised.value.problems] == [field]


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    market = plain_market(
        {"output_tokens": w.Constant(value=1.0)},
        {"enters": 1.0},
        quotes=w.Quotes(latency="average"),
    )
    with pytest.raises(w.BadInputError) as raised:
        solve_chain(market)
    fields = {"quotes.latency", "sellers.s.enters", "tasks.k.output_tokens"}
    assert {p.field for p in raised.value.problems} == fields


@pytest.mark.parametrize("rate", [1.0, 1.3])
def test_a_queue_without_bound_is_refused(rate: float) -> None:
    with pytest.raises(w.BadInputError, match="grow without bound"):
        solve_chain(one(ask(rate)))


# --- slips ----------------------------------------------------------------------------------------


def _from_one_end(up: Any, down: Any) -> Any:
    """Departures that start one task too late."""
    return ORIGINAL(up, [np.concatenate([d[:1], d[:-1]]) for d in down])


def _no_ties(buyers: Any, utilities: Any) -> Any:
    """The first of equal offers is taken, and none that is as good as doing without."""
    best = np.maximum.reduce(np.broadcast_arrays(*utilities))
    shares, left = [], (best > 0.0) if buyers.outside else np.ones(best.shape, bool)
    for utility in utilities:
        shares.append(((utility == best) & left).astype(float))
        left = left & (utility != best)
    return shares, np.maximum(best, 0.0)


def _no_outside(buyers: Any, utilities: Any) -> Any:
    """Logit shares of those who buy."""
    shares, best = LOGIT(buyers, utilities)
    total = sum(shares)
    return [share / total for share in shares], best


ORIGINAL, LOGIT = balance.generator, choice._logit
SLIPS: list[tuple[str, Any, str, Any, Callable[[], None]]] = [
    ("departures", balance, "generator", _from_one_end,
     test_two_observable_queues_and_logit_buyers),
    ("outside", choice, "_logit", _no_outside, test_two_observable_queues_and_logit_buyers),
    ("ties with nothing", choice, "_argmax", _no_ties, test_naors_thresholds_and_welfare),
    ("ties", choice, "_argmax", _no_ties, test_the_shortest_queue_is_joined),
    ("batching", measures, "service_rate", lambda speed, kappa, n: speed,
     test_sellers_that_share_their_speed_each_with_its_own_buyers),
    ("patience", measures.Queue, "departures", lambda queue, n: queue.completions(n),
     test_erlang_a),
]  # fmt: skip


@pytest.mark.parametrize("slip", SLIPS, ids=[name for name, *_ in SLIPS])
def test_slips_are_noticed(slip: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    _, where, name, mutant, test = slip
    monkeypatch.setattr(where, name, mutant)
    with pytest.raises((AssertionError, w.BadInputError)):
        test()


def test_every_kind_of_market_has_a_chain() -> None:
    """Those of the comparison with events, with other numbers: figures are finite and add up."""
    for kind, seed in itertools.product(KINDS, range(1, 4)):
        chain = solve_chain(market_of(kind, seed))
        assert chain.truncation < 1e-12
        assert chain.residual < 1e-12
        assert chain.quadrature < 1e-6
        assert math.isfinite(chain.welfare)
        assert chain.share.sum(axis=1) + chain.outside == pytest.approx(1.0, abs=1e-12)
