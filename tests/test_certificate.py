"""Certificates: chances noted by the kernel, payoffs, bounds at any time, verdicts on known games.

Seeds are 0, 1, 2, ... Statistical tests state their false-alarm rate and are shown to have power.
The 200 repetitions of each verdict, and coverage on runs of the kernel, are in the torture part.
"""

from __future__ import annotations

import math
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import t as student

import walras as w
from walras.analysis.certificate import (
    bounds,
    certificate,
    deviations,
    payoffs,
    plan,
    race,
    runs,
    settling,
)
from walras.analysis.certificate.certificate import Certificate, certify
from walras.analysis.certificate.deviations import Deviation, price_deviations
from walras.analysis.certificate.race import Look, Sample
from walras.analysis.equilibrium.tested import deviations_of
from walras.market import reuse
from walras.market.engine import Engine
from walras.scenarios.estimates import batch_means, paired_batches

from .test_estimates import covers, is_nominal

Array = NDArray[np.float64]

A7, A7_PROFIT = 1.472927, 0.222927
DELAY, DELAY_PROFIT = 1.603508, 0.415632 * 0.603508
CLOSE = (0.98, 0.99, 1.01, 1.02)


# --- the two games with known equilibria ---------------------------------------------------------


def duopoly(price: float) -> w.Market:
    """Case A7: quality 2, cost 1, scale .25, nobody queues."""
    task = w.TaskClass("k", w.Poisson(1.0), value=2.0, choice=w.Logit(0.25))
    sellers = [
        w.Seller(
            n, accuracy=1.0, slots="unlimited", price=w.per_task(price), cost=w.per_task(1.0)
        )
        for n in ("one", "two")
    ]  # fmt: skip
    return w.Market(tasks=[task], sellers=sellers)


def queues(price: float, memory: float = 1e5, speed: float = 1.0) -> w.Market:
    """The delay-feedback game: two M/M/1 sellers, average quotes with a long memory."""
    task = w.TaskClass(
        "k", w.Poisson(1.0), output_tokens=w.Exponential(1.0), value=2.0, delay_cost=0.1,
        choice=w.Logit(0.25),
    )  # fmt: skip
    sellers = [
        w.Seller(n, accuracy=1.0, speed=speed, price=w.per_task(price), cost=w.per_task(1.0))
        for n in ("one", "two")
    ]
    quotes = w.Quotes(latency="average", memory=memory)
    return w.Market(tasks=[task], sellers=sellers, quotes=quotes)


GAMES = {"A7": (duopoly, A7), "delay": (queues, DELAY)}


def verdicts(
    game: str, factor: float, repetitions: int, factors: Sequence[float] | None = None
) -> list[Certificate]:
    """Certify a game at its equilibrium price times a factor, once for each seed."""
    build, price = GAMES[game]
    market = build(factor * price)
    tests = None if factors is None else list(price_deviations(market, factors))
    return [certify(market, tests, seed=seed) for seed in range(repetitions)]


# --- chances that the kernel notes ---------------------------------------------------------------


def crowded(nest: float = 0.5) -> w.Market:
    """Observed queues, efforts in a nest, drawn values, a list of three, a captive class."""
    tasks = [
        w.TaskClass(
            "chat", w.Poisson(2.0), output_tokens=w.Exponential(1.0), delay_cost=0.05,
            value=w.LogNormal(1.0, 0.5), choice=w.Logit(0.2, nest=nest), consideration=3,
        ),
        w.TaskClass(
            "code", w.Poisson(1.0), output_tokens=w.Exponential(2.0), value=1.5, deadline=9.0,
            choice=w.Logit(0.2), outside_option=False,
        ),
        w.TaskClass("plain", w.Poisson(0.5), value=1.0),
    ]  # fmt: skip
    sellers = [
        w.Seller(
            f"s{i}", accuracy=0.7 + 0.1 * i, slots=2, effort={"low": 0.0, "high": 0.5},
            price=w.per_task(0.2 + 0.1 * i),
        )
        for i in range(3)
    ]  # fmt: skip
    return w.Market(tasks=tasks, sellers=sellers, platform=w.Platform(ranking="random"))


def noted(market: w.Market, until: float, seed: int = 0) -> tuple[Array, Array]:
    """Run a market; return how often each class took each offer, and the chances it had."""
    engine = Engine(market, seed, share=0.0)
    assert engine.note_odds()
    engine.advance(until)
    return engine.state.stats["assigned"].astype(np.float64), engine.state.odds


@pytest.mark.parametrize("nest", [1.0, 0.5])
def test_noting_chances_changes_no_outcome(nest: float) -> None:
    rows: list[list[Any]] = [[], []]
    engines = [Engine(crowded(nest), 3, keep=kept.append) for kept in rows]
    engines[1].note_odds()
    for engine in engines:
        engine.advance(2000.0)
        engine.flush()
    told = [np.concatenate(kept).tobytes() for kept in rows]
    assert told[0] == told[1]
    assert engines[0].state.stats.tobytes() == engines[1].state.stats.tobytes()
    assert not engines[0].state.odds.any()


def test_chances_are_those_of_logit_by_hand() -> None:
    """Every buyer has the same: e^(.5271/.25) against as much and 1."""
    assigned, odds = noted(duopoly(A7), 2000.0)
    u = math.exp((2.0 - A7) / 0.25)
    chance = np.array([u, u, 1.0]) / (2 * u + 1)
    assert odds[0] / assigned.sum() == pytest.approx(chance, rel=1e-12)


@pytest.mark.parametrize("nest", [1.0, 0.6, 0.01])
def test_chances_are_those_of_nested_logit_by_hand(nest: float) -> None:
    """Two efforts of one seller share its nest; another seller and doing without stand alone.

    With ν = .01 weights within a nest differ by e^100, between nests by e^1: no seller is lost.
    """
    task = w.TaskClass("k", w.Poisson(1.0), value=1.0, choice=w.Logit(0.1, nest=nest))
    pair = w.Seller(
        "pair", accuracy=0.9, slots="unlimited",
        effort={"low": 0.0, "high": 1.0}, price=w.per_mtok(0.0, 1e5),
    )  # fmt: skip
    other = w.Seller("other", accuracy=0.75, slots="unlimited", price=w.per_task(0.05))
    assigned, odds = noted(w.Market(tasks=[task], sellers=[pair, other]), 500.0)
    utility = np.array([0.9 - 0.1, 0.9 - 0.2, 0.75 - 0.05]) / 0.1
    inside = np.exp((utility[:2] - utility[:2].max()) / nest)
    nested = math.exp(utility[:2].max()) * inside.sum() ** nest
    alone = math.exp(utility[2])
    total = nested + alone + 1.0
    chance = np.array([*(nested * inside / inside.sum()), alone, 1.0]) / total
    assert odds[0] / assigned.sum() == pytest.approx(chance, rel=1e-9, abs=1e-15)


def test_choices_less_their_chances_are_a_martingale() -> None:
    """Sums of choice less chance have mean 0 and variance below Σ p(1 − p).

    11 cells of 60,000 tasks, 5 standard errors: false alarms below 1e-5. Chances worked out
    without the outside option, or by the mean of a class's values, fail by far.
    """
    assigned, odds = noted(crowded(), 20_000.0)
    logit = np.array([0, 1])
    spread = np.sqrt(odds[logit])
    apart = np.where(odds[logit] > 50, (assigned - odds)[logit] / np.maximum(spread, 1.0), 0.0)
    assert np.abs(apart).max() < 5.0
    assert (odds[logit] > 50).sum() == 13
    assert odds[logit].sum(axis=1) == pytest.approx(assigned[logit].sum(axis=1), rel=1e-12)
    assert not odds[2].any()  # argmax: nothing is left to chance
    inside = odds[0, :-1] * odds[0].sum() / odds[0, :-1].sum()
    assert (np.abs(assigned[0, :-1] - inside) / np.sqrt(inside)).max() > 5.0


def test_chances_are_noted_only_where_they_decide() -> None:
    search = duopoly(A7).model_copy(update={"platform": w.Platform(search_cost=0.01)})
    auction = duopoly(A7).model_copy(update={"mechanism": w.ScoringAuction("second_score")})
    for market in (search, auction):
        assert not Engine(market, 0).note_odds()


# --- buyers who deviate --------------------------------------------------------------------------


def test_only_the_sample_strays() -> None:
    """Where nobody queues, all others choose as before; of the sample none takes the offer."""
    rows: list[list[Any]] = [[], []]
    engines = [Engine(duopoly(A7), 0, share=1.0, keep=kept.append) for kept in rows]
    for engine in engines:
        engine.state.classes["share"] = np.uint64(2**64 // 10)
    engines[1].let_stray(0, shuns=[1])
    for engine in engines:
        engine.advance(5000.0)
        engine.flush()
    before, after = (np.concatenate(kept) for kept in rows)
    assert len(before) == len(after) == pytest.approx(500, abs=100)
    assert set(before["offer"]) == {-1, 0, 1}
    assert set(after["offer"]) == {-1, 0}
    took = [engine.state.stats["assigned"][0] for engine in engines]
    assert took[0][1] - took[1][1] == (before["offer"] == 1).sum()


def test_who_weighs_waiting_more_waits_less() -> None:
    """Waits are those that the sample met; a factor of 1 changes nothing at all."""
    market = queues(1.2, memory=500.0)
    sojourn = {}
    for hurry in (None, 1.0, 4.0):
        tests = [] if hurry is None else [Deviation("buyer", "k", "choice", "", hurry=hurry)]
        run = runs.simulate(
            market, 0, (500.0, 20_000.0), sampled=["k"], deviation=tests[0] if tests else None
        )
        sojourn[hurry] = float(np.nansum(run.rows["sojourn"])) / len(run.rows)
    assert sojourn[None] == sojourn[1.0]
    assert sojourn[4.0] < 0.8 * sojourn[1.0]


def test_a_bloc_would_gain_where_no_single_buyer_can(monkeypatch: pytest.MonkeyPatch) -> None:
    """Weighing waiting twice: −2.41% of surplus for a few, +.50% for all, who shorten the queue.

    Both from fixed points of logit and M/M/1. 20 pairs of runs; 5 standard errors: 1e-5.
    """
    market = queues(DELAY)
    engine = Engine(market, 0)
    hurry = Deviation("buyer", "k", "choice", "", hurry=2.0)
    for cohort, truth in ((0.02, -0.0241), (1.0, 0.0050)):
        monkeypatch.setattr(runs, "COHORT", cohort)
        gains = []
        for seed in range(20):
            changed, own = (
                payoffs.surplus(
                    runs.simulate(
                        market, seed, (600.0, 8600.0), sampled=["k"], deviation=d, like=engine
                    ), "k", 600.0, 8600.0,
                ) for d in (hurry, None)
            )  # fmt: skip
            gains.append(changed / own - 1.0)
        error = float(np.std(gains, ddof=1)) / math.sqrt(20)
        assert np.mean(gains) == pytest.approx(truth, abs=5 * error)
        assert abs(np.mean(gains)) > 4 * error


# --- what choosing in another way would gain ---


def swayed(
    market: w.Market, tests: Sequence[Deviation], seed: int, marks: tuple[float, float],
    like: Engine | None = None,
) -> tuple[float, Array, runs.Trace]:  # fmt: skip
    """Return a class's surplus and what each way would gain it, USD/h, and the run."""
    name = tests[0].player
    run = runs.simulate(market, seed, marks, ways={name: tests}, like=like)
    return *payoffs.sway(run, name, range(len(tests)), *marks)[:2], run


def misquoted(latency: str) -> w.Market:
    """Both promise an answer at once; one takes 1 s, the other 4; a second costs .1 USD."""
    task = w.TaskClass("k", w.Poisson(1.0), value=2.0, delay_cost=0.1, choice=w.Logit(0.25))
    sellers = [
        w.Seller(n, accuracy=1.0, slots="unlimited", startup_time=t, speed=1e9, promise=0.0,
                 price=w.per_task(1.0))
        for n, t in (("quick", 1.0), ("slow", 4.0))
    ]  # fmt: skip
    return w.Market(tasks=[task], sellers=sellers, quotes=w.Quotes(latency=latency))


def logit(*worths: float) -> tuple[Array, float]:
    """Return the chances of offers worth so much, at scale .25 beside doing without, and LS."""
    weights = np.exp(np.array(worths) / 0.25)
    return weights / (1.0 + weights.sum()), 0.25 * math.log(1.0 + weights.sum())


def test_surprises_count_by_how_much_likelier_they_become() -> None:
    """Passing over who breaks its promise: LS′ − LS + Σ(q − p)(r − U), r = 1 − c·T: −.0215 USD.

    30 runs of some 5,000 tasks, 4.5 standard errors (7e-6). The mutant leaves the weights out.
    """
    market = misquoted("promised")
    believed, real = np.array([1.0, 1.0]), np.array([0.9, 0.6])
    p, before = logit(*believed)
    q, after = logit(1.0)
    truth = after - before + q @ (real - believed)[:1] - p @ (real - believed)
    pass_over = Deviation("buyer", "k", "choice", "", shuns=("slow/default",))
    gains, mutant = [], []
    for seed in range(30):
        _, found, run = swayed(market, [pass_over], seed, (20.0, 5020.0))
        gains.append(found[0] / 3600.0)
        run.notes[1][:, 4] = 1.0
        mutant.append(payoffs.sway(run, "k", [0], 20.0, 5020.0)[1][0] / 3600.0)
    error = float(np.std(gains, ddof=1)) / math.sqrt(30)
    assert truth == pytest.approx(-0.0215, abs=1e-4)
    assert np.mean(gains) == pytest.approx(truth, abs=4.5 * error)
    assert error < 0.03 * abs(truth)
    assert abs(np.mean(mutant) - truth) > 20 * error


def test_what_buyers_believe_of_accuracy_is_no_noise() -> None:
    """One claims .95 and is right half the time; what passing it over gains is known exactly.

    Every buyer gains the same, so the mean over any run is the closed form, to rounding.
    """
    task = w.TaskClass("k", w.Poisson(1.0), value=1.0, loss=0.2, choice=w.Logit(0.25))
    sellers = [
        w.Seller("bold", accuracy=0.5, claimed=0.95, slots="unlimited", price=w.per_task(0.2)),
        w.Seller("frank", accuracy=0.9, slots="unlimited", price=w.per_task(0.2)),
    ]
    market = w.Market(tasks=[task], sellers=sellers, quotes=w.Quotes(accuracy="claimed"))
    believed = np.array([0.95 - 0.05 * 0.2 - 0.2, 0.9 - 0.1 * 0.2 - 0.2])
    real = np.array([0.5 - 0.5 * 0.2 - 0.2, believed[1]])
    p, before = logit(*believed)
    _, after = logit(believed[1])
    truth = after - before - p @ (real - believed)
    pass_over = Deviation("buyer", "k", "choice", "", shuns=("bold/default",))
    _, gains, _ = swayed(market, [pass_over], 0, (20.0, 1020.0))
    assert gains[0] == pytest.approx(3600.0 * truth, rel=1e-9)
    assert truth > 0.05


def test_a_single_buyer_gains_what_the_fixed_point_says() -> None:
    """In the delay game, long after its start: −2.41% if it weighs waiting twice, −100% without.

    20 runs; 4.5 standard errors of each (7e-6): .14 and 1.0 points.
    """
    market, marks = queues(DELAY), (20_000.0, 40_000.0)
    engine = Engine(market, 0)
    tests = [
        Deviation("buyer", "k", "choice", "", hurry=2.0),
        Deviation("buyer", "k", "choice", "", shuns=tuple(market.offers)),
    ]
    found = [swayed(market, tests, seed, marks, engine)[:2] for seed in range(20)]
    shares = np.array([gains / own for own, gains in found])
    error = shares.std(axis=0, ddof=1) / math.sqrt(20)
    assert (np.abs(shares.mean(axis=0) - [-0.0241, -1.0]) < 4.5 * error).all()
    assert (error < [0.0003, 0.0025]).all()


def test_a_single_buyer_gains_what_a_few_do() -> None:
    """Nests, drawn values, lists of three, observed queues: as the cohort's own runs, far sharper.

    8 runs and 13 ways; 5 of their errors, t with 7 degrees of freedom: 2% in all.
    """
    market, marks = crowded(), (600.0, 6600.0)
    engine = Engine(market, 0)
    shares = np.full((3, 6), 0.2)
    tests = [d for d in deviations.choice_deviations(market, shares) if d.player == "chat"]
    sharp, blunt = [], []
    for seed in range(8):
        own, gains, _ = swayed(market, tests, seed, marks, engine)
        sharp.append(gains / own)
        before, *after = (
            payoffs.surplus(
                runs.simulate(market, seed, marks, sampled=["chat"], deviation=d, like=engine),
                "chat", *marks,
            ) for d in (None, *tests)
        )  # fmt: skip
        blunt.append(np.array(after) / before - 1.0)
    apart = np.array(sharp) - np.array(blunt)
    error = apart.std(axis=0, ddof=1) / math.sqrt(8)
    assert len(tests) == 13
    assert (np.abs(apart.mean(axis=0)) < 5 * error).all()
    assert (np.std(sharp, axis=0) < 0.5 * np.std(blunt, axis=0)).all()


def test_whose_gain_is_read_off_other_runs() -> None:
    """Not that of who looks at tastes alone, of promises, or of what next to nobody takes.

    Who takes `dear` alone, at 1.5 more and a scale of .25, makes it some 400 times likelier; where
    nobody waits that surprises nobody. (With queues it loses too much for it to matter.)
    """
    market = crowded()
    seen = settling.pilot(market, 0)
    tests = deviations.choice_deviations(market, np.full((3, 6), 0.2))
    mine = [d for d in tests if d.player in ("code", "plain")]
    found, tasks = plan.ways_of(market, mine, seen, 0, None)
    ways = dict(zip((d.label for d in mine), found, strict=True))
    assert tasks > 5000
    assert ways["code: take s0/low alone"] == 0
    assert sorted(way for label, way in ways.items() if label.startswith("code")) == list(range(10))
    assert all(way < 0 for label, way in ways.items() if label.startswith("plain"))
    promising = tuple(s.model_copy(update={"promise": 9.0}) for s in market.sellers)
    changed = {"quotes": w.Quotes(latency="promised"), "sellers": promising}
    apart = [t.model_copy(update={"choice": w.Logit(0.2), "consideration": None})
             for t in market.tasks[:2]]  # fmt: skip
    looking = {"platform": w.Platform(search_cost=0.01), "tasks": (*apart, market.tasks[2])}
    for change in (changed, looking):
        found, tasks = plan.ways_of(market.model_copy(update=change), mine, seen, 0, None)
        assert set(found) == {-1}
        assert tasks == 0


def dearer(by: float) -> w.Market:
    """Two sellers alike but in price; nobody waits, an answer takes 1 s on average, at .1 USD/s."""
    task = w.TaskClass("k", w.Poisson(0.5), value=2.0, delay_cost=0.1, choice=w.Logit(0.01),
                       output_tokens=w.Exponential(1.0))  # fmt: skip
    sellers = [
        w.Seller(n, accuracy=1.0, price=w.per_task(p), slots=20)
        for n, p in (("cheap", 1.0), ("dear", 1.0 + by))
    ]
    return w.Market(tasks=[task], sellers=sellers, quotes=w.Quotes(latency="average", memory=500.0))


def test_weights_end_where_few_would_make_the_mean() -> None:
    """At .05 more and a scale of .01 one in 148 takes `dear`; who takes it alone, all.

    So 1 − 50/149 of the chance has no weight, and up to .1·E[T] = .1 of surprise goes with it, more
    than the way loses. At .03 more it is 21 times likelier, and all has its weight.
    """
    alone = Deviation("buyer", "k", "choice", "", shuns=("cheap/default",))
    for by, left_out, way in ((0.05, 1.0 - 50.0 / 149.4, -1), (0.03, 0.0, 0)):
        market = dearer(by)
        run = runs.simulate(market, 0, (5000.0, 25_000.0), ways={"k": [alone]})
        _, gains, beyond = payoffs.sway(run, "k", [0], 5000.0, 25_000.0)
        assert beyond[0] / 1800.0 == pytest.approx(0.1 * left_out, rel=0.05)
        assert gains[0] / 1800.0 == pytest.approx(-by, abs=0.02)
        assert plan.ways_of(market, [alone], settling.pilot(market, 0), 0, None)[0] == [way]


def test_what_nobody_takes_is_tried() -> None:
    """A queue quoted as 100 s lasts 50 on average: who takes `gem` alone gains 6 − .1·51 = .9 USD.

    It believes to lose 4, and as it is nobody takes it, so that no run tells but its own.
    """
    tasks = [
        w.TaskClass("a", w.Poisson(1.0), value=30.0, delay_cost=0.1, choice=w.Logit(0.1),
                    output_tokens=w.Constant(1.0), skill="a"),
        w.TaskClass("b", w.Closed(users=1, think_time=0.01), value=1000.0, skill="b",
                    output_tokens=w.Constant(100.0)),
    ]  # fmt: skip
    sellers = [
        w.Seller("main", accuracy={"a": 1.0}, slots=1000, price=w.per_task(13.0)),
        w.Seller("gem", accuracy={"a": 1.0, "b": 1.0}, slots=1, price=w.per_task(7.0)),
    ]
    market = w.Market(tasks=tasks, sellers=sellers)
    alone = Deviation("buyer", "a", "choice", "", shuns=("main/default",))
    found = certify(market, [alone], seed=1)
    assert plan.ways_of(market, [alone], settling.pilot(market, 0), 0, None)[0] == [-1]
    assert found.verdict != "certified"
    assert found.epsilon > 0.0


def test_what_is_paid_back_for_wrong_answers_is_by_the_true_accuracy() -> None:
    """One claims .9, is right half the time, and then gives the price of 1 back: all by hand.

    5 runs of some 20,000 tasks, whose own noise is that of correctness alone.
    """
    task = w.TaskClass("k", w.Poisson(2.0), value=2.0, choice=w.Logit(0.25))
    sellers = [
        w.Seller("bold", accuracy=0.5, claimed=0.9, slots="unlimited", price=w.per_task(1.0),
                 refund_wrong=1.0),
        w.Seller("meek", accuracy=0.6, slots="unlimited", price=w.per_task(0.7)),
    ]  # fmt: skip
    market = w.Market(tasks=[task], sellers=sellers, quotes=w.Quotes(accuracy="claimed"))
    p, before = logit(0.9, 0.5)
    _, after = logit(0.5)
    truth = after - before + 0.4 * p[0]
    over = Deviation("buyer", "k", "choice", "", shuns=("bold/default",))
    gains = [swayed(market, [over], seed, (20.0, 10_020.0))[1][0] / 7200.0 for seed in range(5)]
    assert truth == pytest.approx(-0.0952, abs=1e-3)
    assert np.mean(gains) == pytest.approx(truth, abs=0.005)


def test_half_lives_are_not_what_buyers_see() -> None:
    """Quotes average a half-life over 32 points; of heavy tails that is off, answers are not."""
    task = w.TaskClass("k", w.Poisson(2.0), value=2.0, deadline=1.0, lateness=w.HalfLife(20.0),
                       output_tokens=w.LogNormal(20.0, 3.0), choice=w.Logit(0.25))  # fmt: skip
    one = w.Seller("one", accuracy=1.0, slots="unlimited", price=w.per_task(0.5))
    state = Engine(w.Market(tasks=[task], sellers=[one]), 0).state
    assert payoffs.surprises(state).all()


def test_only_a_class_s_own_choices_of_the_window_count() -> None:
    """Beside another class's ways, or with nonsense noted before the window: the same gains."""
    market, marks = crowded(), (60.0, 360.0)
    shares = np.full((3, 6), 0.2)
    ways = {
        name: [d for d in deviations.choice_deviations(market, shares) if d.player == name]
        for name in ("chat", "code")
    }
    both = runs.simulate(market, 0, marks, ways=ways)
    one = runs.simulate(market, 0, marks, ways={"chat": ways["chat"]})
    number = range(len(ways["chat"]))
    gains = payoffs.sway(both, "chat", number, *marks)[1]
    assert gains == pytest.approx(payoffs.sway(one, "chat", number, *marks)[1], rel=1e-12)
    ids, notes = one.notes
    began = {int(i) for i in payoffs._rows(one, "chat", *marks)["id"]}
    early = (notes[:, 1] < marks[0]) & np.array([int(i) not in began for i in ids])
    assert early.sum() > 50
    notes[early, 3:] = 1e9
    assert gains == pytest.approx(payoffs.sway(one, "chat", number, *marks)[1], rel=1e-12)


def test_no_task_weighs_more_than_the_end_of_weights() -> None:
    market, alone = dearer(0.05), Deviation("buyer", "k", "choice", "", shuns=("cheap/default",))
    run = runs.simulate(market, 0, (100.0, 5100.0), ways={"k": [alone]})
    before = payoffs.sway(run, "k", [0], 100.0, 5100.0)[1]
    heavy = run.notes[1][:, 4] > 50.0
    assert heavy.any()
    run.notes[1][heavy, 4] = 1e6
    assert payoffs.sway(run, "k", [0], 100.0, 5100.0)[1] == pytest.approx(before, rel=1e-12)


def test_ways_are_numbered_among_those_that_are_read_off() -> None:
    """Runs of the candidate point note these alone: the first here has runs of its own."""
    market = dearer(0.05)
    tests = [
        Deviation("buyer", "k", "choice", "", shuns=("cheap/default",)),
        Deviation("buyer", "k", "choice", "", shuns=("dear/default",)),
        Deviation("buyer", "k", "choice", "", shuns=tuple(market.offers)),
    ]
    assert plan.ways_of(market, tests, settling.pilot(market, 0), 0, None)[0] == [-1, 0, 1]


# --- engines used again ---


def test_an_engine_used_again_is_as_one_built_anew() -> None:
    """Other seed, prices, menu by price, time of the day: the same rows, counts and ledger."""
    market = crowded()
    day = market.tasks[2].model_copy(update={"arrivals": w.Diurnal(0.5, period=100.0)})
    market = market.model_copy(
        update={"tasks": (*market.tasks[:2], day), "platform": w.Platform(ranking="price")}
    )
    dear = deviations.with_sellers(market, {"s0": deviations.at_price(market.sellers[0], 3.0)})
    assert reuse.same_but_prices(market, dear)
    later = runs.at_time(dear, 0.12345)
    first = Engine(market, 0)
    told = []
    for build in (first.again, Engine):
        rows: list[Any] = []
        engine = build(later, 7, share=0.5, keep=rows.append)
        engine.advance(1500.0)
        engine.flush()
        told.append(
            (np.concatenate(rows).tobytes(), engine.state.stats.tobytes(), engine.state.ledger[:])
        )
    assert told[0][:2] == told[1][:2]
    assert (told[0][2] == told[1][2]).all()
    with pytest.raises(ValueError, match="begun"):
        engine.again(market, 1)


def test_only_what_a_seed_alone_changes_is_used_again() -> None:
    slower = duopoly(A7).model_copy(
        update={"sellers": tuple(s.model_copy(update={"speed": 2.0}) for s in duopoly(A7).sellers)}
    )
    assert not reuse.same_but_prices(duopoly(A7), slower)
    users = w.TaskClass("k", w.Closed(users=3, think_time=1.0), value=1.0)
    closed = duopoly(A7).model_copy(update={"tasks": (users,)})
    assert not reuse.reusable(closed)
    assert certify(closed, list(price_deviations(closed, [2.0]))).looks > 0


# --- deviations ----------------------------------------------------------------------------------


def menu() -> w.Market:
    """Two sellers of one owner, by token and by task, one with three efforts and rent."""
    tasks = [
        w.TaskClass("chat", w.Poisson(1.0), value=1.0, delay_cost=0.01, choice=w.Logit(0.2)),
        w.TaskClass("captive", w.Poisson(1.0), value=1.0, outside_option=False),
    ]
    deep = w.Seller(
        "deep", owner="us", accuracy=0.9, slots=25, rent=1.0, price=w.per_mtok(1.0, 4.0),
        effort={"low": 0.0, "mid": 1.0, "high": 2.0},
    )  # fmt: skip
    fast = w.Seller("fast", owner="us", accuracy=0.8, price=w.per_task(0.1))
    free = w.Seller("free", accuracy=0.5, cost=w.per_task(0.02), effort={"low": 0.0, "high": 1.0})
    return w.Market(tasks=tasks, sellers=[deep, fast, free])


def changed(market: w.Market, tests: Iterator[Deviation]) -> dict[str, w.Market]:
    """Return the market under each deviation, by label."""
    return {d.label: d.change(market) for d in tests}


def test_prices_move_by_the_lever_and_an_owner_moves_all() -> None:
    market = menu()
    found = changed(market, price_deviations(market, [0.5, 2.0]))
    assert list(found) == [
        "price of deep × 0.5", "price of deep × 2", "price of fast × 0.5", "price of fast × 2",
        *(f"price of free at {f:g} × its cost" for f in deviations.COST_FACTORS),
        "all prices of us × 0.5", "all prices of us × 2",
    ]  # fmt: skip
    half = found["price of deep × 0.5"].sellers
    assert (half[0].price.input, half[0].price.output) == (0.5, 2.0)
    assert half[1:] == market.sellers[1:]
    assert found["price of free at 2 × its cost"].sellers[2].price.task == 0.04
    both = found["all prices of us × 2"].sellers
    assert (both[0].price.output, both[1].price.task) == (8.0, 0.2)


def test_efforts_and_slots() -> None:
    market = menu()
    efforts = changed(market, deviations.effort_deviations(market))
    assert list(efforts) == [
        "deep without low", "deep without mid", "deep without high", "deep with low alone",
        "deep with mid alone", "deep with high alone", "free with low alone",
        "free with high alone",
    ]  # fmt: skip
    assert dict(efforts["deep without mid"].sellers[0].effort) == {"low": 0.0, "high": 2.0}
    slots = changed(market, deviations.slot_deviations(market))
    assert [m.sellers[0].slots for m in slots.values()] == [23.0, 27.0]  # who pays no rent has none


def test_choices_of_buyers() -> None:
    """Six offers: five are tried alone, those with a share passed over; captives must take one."""
    market = menu()
    shares = np.array([[0.3, 0.3, 0.2, 0.1, 0.1, 0.0, 0.0], [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0]])
    tests = list(deviations.choice_deviations(market, shares))
    chat = [d for d in tests if d.player == "chat"]
    assert len(chat) == 5 + 5 + 1 + 2
    assert chat[0].shuns == ("deep/mid", "deep/high", "fast/default", "free/low", "free/high")
    captive = [d.label for d in tests if d.player == "captive"]
    assert captive[0] == "captive: take fast/default alone"
    assert captive[-1] == "captive: pass over fast/default"
    assert "captive: do without" not in captive


# --- payoffs -------------------------------------------------------------------------------------


def test_profit_is_exact_where_nobody_queues() -> None:
    """Chances over arrivals times the known rate: π per task to the last digits."""
    run = runs.simulate(duopoly(A7), 0, (20.0, 2000.0))
    assert payoffs.profit(run, "one", 20.0, 2000.0) == pytest.approx(3600 * A7_PROFIT, rel=3e-6)


def test_a_profit_counts_all_that_is_paid() -> None:
    """Against the accounts: commission, refunds, costs, rent, two sellers of an owner."""
    market = menu().model_copy(update={"platform": w.Platform(commission=0.1)})
    refunds = [s.model_copy(update={"refund_wrong": 0.5}) for s in market.sellers]
    argmax = [t.model_copy(update={"choice": w.Argmax()}) for t in market.tasks]
    market = market.model_copy(update={"sellers": tuple(refunds), "tasks": tuple(argmax)})
    run = runs.simulate(market, 0, (0.0, 3600.0))
    ledger = run.state.ledger
    owner = sum(int(ledger[len(market.tasks) + s]) for s in (0, 1)) * 1e-9
    arrived = run.state.stats["assigned"].sum(axis=1)
    assert arrived == pytest.approx(3600, rel=0.06)
    factor = 3600 / arrived  # rates of 1/s are known
    earned = payoffs.margins(run, 0.0, 3600.0) * run.state.stats["assigned"][:, :-1]
    mine = earned[:, :4].sum(axis=1)
    assert mine.sum() == pytest.approx(owner, abs=0.2)  # the few that are not served yet
    assert payoffs.profit(run, "us", 0.0, 3600.0) == pytest.approx(mine @ factor - 25.0, rel=1e-9)


def test_surplus_is_the_log_sum_and_what_is_left_of_it() -> None:
    """μ·ln(1 + Σ e^(U/μ)), of one offer, of none; 20 runs, 5 standard errors: 2e-6 false alarms."""
    u = math.exp((2.0 - A7) / 0.25)
    one = Deviation("buyer", "k", "choice", "", shuns=("two/default",))
    none = replace(one, shuns=("one/default", "two/default"))
    cases: tuple[tuple[Deviation | None, float], ...] = (
        (None, math.log1p(2 * u)), (one, math.log1p(u)), (none, 0.0),
    )  # fmt: skip
    for deviation, expected in cases:
        got = [
            payoffs.surplus(
                runs.simulate(
                    duopoly(A7), s, (20.0, 10_000.0), sampled=["k"], deviation=deviation
                ), "k", 20.0, 10_000.0,
            ) for s in range(20)
        ]  # fmt: skip
        error = float(np.std(got, ddof=1)) / math.sqrt(20)
        assert np.mean(got) == pytest.approx(900 * expected, abs=5 * error)
        assert error < 30.0


def test_expected_surplus_has_the_mean_of_the_realised_with_less_noise() -> None:
    """Deadlines, losses, refunds, promises broken; 30,000 rows, 5 standard errors."""
    late = {"deadline": 2.0, "loss": 0.5, "difficulty": w.Difficulty(sd=1.5)}
    rules = ["hard", w.Linear(grace=1.0), w.HalfLife(half_life=1.0)]
    tasks = [
        w.TaskClass(
            f"k{i}", w.Poisson(0.4), output_tokens=w.Exponential(1.0), value=1.0, delay_cost=0.02,
            lateness=rule, choice=w.Logit(0.3), **late,
        )
        for i, rule in enumerate(rules)
    ]  # fmt: skip
    seller = w.Seller(
        "s", ability={"general": w.Ability(theta=1.0, floor=0.2)}, slots=2, price=w.per_task(0.1),
        refund_late=0.3, refund_wrong=0.6, promise=1.0, penalty=0.05,
    )  # fmt: skip
    market = w.Market(tasks=tasks, sellers=[seller])
    rows: list[Any] = []
    engine = Engine(market, 0, keep=rows.append)
    engine.advance(25_000.0)
    engine.flush()
    written = np.concatenate(rows)
    run = runs.Trace(market, {}, written, engine.state, runs._in_order([]))
    expected = payoffs.expected_surplus(run, written)
    gap = written["surplus"] - expected
    assert abs(gap.mean()) < 5 * gap.std() / math.sqrt(len(gap))
    assert expected.std() < 0.9 * written["surplus"].std()
    unrefunded = gap - 1e-9 * written["refund"]  # the mutant forgets what is given back
    assert abs(unrefunded.mean()) > 5 * unrefunded.std() / math.sqrt(len(gap))


def test_tastes_taken_out_leave_the_mean_and_less_noise() -> None:
    """60 runs of the delay game: the same profit within 4.5 errors (7e-6), with less spread.

    The spread that is left is that of waits. Where nobody queues none is left (A7).
    """
    with_odds, without = [], []
    for seed in range(60):
        run = runs.simulate(queues(DELAY), seed, (500.0, 4500.0))
        with_odds.append(payoffs.profit(run, "one", 500.0, 4500.0))
        run.state.clock[0]["odds"] = 0
        without.append(payoffs.profit(run, "one", 500.0, 4500.0))
    apart = np.array(with_odds) - np.array(without)
    assert abs(apart.mean()) < 4.5 * apart.std() / math.sqrt(len(apart))
    assert np.std(with_odds) < 0.9 * np.std(without)  # what is left is the queues'
    assert np.mean(with_odds) == pytest.approx(3600 * DELAY_PROFIT, rel=0.005)


# --- settling ------------------------------------------------------------------------------------


def test_a_price_cut_that_fills_its_seller_is_warmed_up_longer() -> None:
    """ρ = .42 at the equilibrium; at a quarter of the price the seller is nearly full."""
    market = queues(DELAY)
    own = settling.pilot(market, 0)
    cut = settling.pilot(next(price_deviations(market, [0.25])).change(market), 0)
    assert own.relaxation == pytest.approx(1 / (1 - math.sqrt(0.415632)) ** 2 + 1.71, rel=0.25)
    assert cut.relaxation > 10 * own.relaxation


def test_processor_sharing_relaxes_and_free_slots_have_nothing_to_forget() -> None:
    """M/M/1-PS as M/M/1, at a load of .5; in M/M/∞ nobody meets anybody."""
    task = w.TaskClass(
        "k", w.Poisson(0.5), output_tokens=w.Exponential(1.0), value=1.0, outside_option=False
    )
    shared = w.Seller("s", accuracy=1.0, kappa=1, slots="unlimited")
    free = w.Seller("s", accuracy=1.0, slots="unlimited")
    times = [settling.pilot(w.Market(tasks=[task], sellers=[s]), 0).relaxation
             for s in (shared, free)]  # fmt: skip
    # Time in service of shared slots is the sojourn, 2 s.
    assert times[0] == pytest.approx(2 / (1 - math.sqrt(0.5)) ** 2 + 2, rel=0.3)
    assert times[1] == 0.0


def test_slow_answers_lengthen_only_what_is_read_from_them() -> None:
    """An hour's work without a queue: no matter to profits, but to those whose surplus it is."""
    task = w.TaskClass("k", w.Poisson(1.0), value=2.0, choice=w.Logit(0.25))
    sellers = [
        w.Seller(n, accuracy=1.0, slots="unlimited", speed=v, refund_wrong=r, price=w.per_task(1.5))
        for n, v, r in (("fast", 1.0, 0.0), ("slow", 1 / 3600, 0.0), ("sure", 1 / 600, 0.5))
    ]
    market = w.Market(tasks=[task], sellers=sellers)
    seen = settling.pilot(market, 0)
    assert seen.relaxation == 0.0
    assert seen.sojourns[0] == pytest.approx([1.0, 3600.0, 600.0])
    waited = np.ones((1, 3), dtype=bool)
    tests = deviations.all_deviations(market, seen.shares)
    times = {d.label: plan.slowest(market, d, seen, waited) for d in tests}
    assert times["price of slow × 1.1"] == 0.0
    assert times["price of sure × 1.1"] == pytest.approx(600.0)
    assert times["k: take slow/default or nothing"] == times["k: do without"] == 3600.0
    alone = seen.shares.copy()
    alone[0, 1:3] = 0.0
    only = Deviation("buyer", "k", "choice", "", shuns=("slow/default", "sure/default"))
    one = plan.slowest(market, only, replace(seen, shares=alone), waited)
    assert one == pytest.approx(1.0)
    assert plan.slowest(market, tests[-1], seen, payoffs.surprises(Engine(market, 0).state)) == 0.0


def test_warm_ups_and_windows_follow_the_demand() -> None:
    def market(arrivals: Any, **more: Any) -> w.Market:
        task = w.TaskClass("k", arrivals, value=1.0)
        return w.Market(tasks=[task], sellers=[w.Seller("s", accuracy=1.0)], **more)

    plain = market(w.Poisson(1.0))
    assert settling.warm_up(plain, 7.0) == 35.0
    assert plan.window(plain, 35.0) == 8000.0
    assert plan.window(plain, 7000.0) == 14_000.0
    average = market(w.Poisson(1.0), quotes=w.Quotes(latency="average", memory=30.0))
    assert settling.warm_up(average, 7.0) == 35.0 + 150.0
    assert settling.warm_up(market(w.MMPP(rates=[1, 9], dwell=[50, 50])), 7.0) == 500.0
    assert settling.warm_up(market(w.Closed(users=3, think_time=90.0)), 7.0) == 450.0
    day = settling.at_peak(market(w.Diurnal(2.0, amplitude=0.5, period=3000.0)))
    assert day.tasks[0].arrivals == w.Poisson(3.0)


def test_replications_see_all_times_of_the_day() -> None:
    """Two classes with periods of 1,000 and 700 s; 200 replications of a tenth of a period.

    The profit of a seller that all can afford is its mean rate times its margin; phases of a cosine
    average out. Begun at one time of the day, all see a peak: the mutant. 4.5 errors: 7e-6.
    """
    tasks = [
        w.TaskClass(
            f"k{p}", w.Diurnal(1.0, amplitude=0.9, period=p), value=1.0, outside_option=False
        )
        for p in (1000.0, 700.0)
    ]
    seller = w.Seller("s", accuracy=1.0, slots="unlimited", price=w.per_task(0.5))
    market = w.Market(tasks=tasks, sellers=[seller])
    engine = Engine(market, 0)
    for spread in (True, False):
        got = []
        for rep in range(200):
            seed = plan.seed_of(0, rep)
            later = runs.at_time(market, plan.share_of(seed) if spread else 0.0)
            run = runs.simulate(later, seed, (10.0, 110.0), like=engine)
            got.append(payoffs.profit(run, "s", 10.0, 110.0) / 3600)
        error = float(np.std(got, ddof=1)) / math.sqrt(200)
        assert bool(abs(np.mean(got) - 1.0) < 4.5 * error) == spread
        assert error < 0.05


# --- bounds --------------------------------------------------------------------------------------


def test_all_of_alpha_is_spent_and_no_more() -> None:
    assert sum(bounds.spend(0.05, j) for j in range(1, 200)) == pytest.approx(0.05, rel=1e-12)


@pytest.mark.parametrize(
    ("count", "rho", "expected"),
    [(1, 0.0, 1.960), (2, 0.5, 2.212), (4, 0.5, 2.442), (9, 0.5, 2.692)],
)
def test_critical_values_are_those_of_printed_tables(
    count: int, rho: float, expected: float
) -> None:
    """Two-sided 5% points of Dunnett (1964), infinite df; 40,000 draws err by .01."""
    corr = np.full((count, count), rho) + (1.0 - rho) * np.eye(count)
    assert bounds.critical(corr, 10**9, 0.05) == pytest.approx(expected, abs=0.02)


def test_independent_means_need_what_sidak_says_and_copies_what_student_says() -> None:
    """t(7) beyond 1 − .95^(1/20), and the plain t(7); unknown others count as independent."""
    sidak = float(student.isf(0.5 * (1.0 - 0.95 ** (1 / 20)), 7))
    assert bounds.critical(np.zeros((0, 0)), 7, 0.05, others=20) == pytest.approx(sidak)
    assert bounds.critical(np.eye(20), 7, 0.05) == pytest.approx(sidak, abs=0.15)
    assert bounds.critical(np.eye(20), 7, 0.05) <= sidak * (1 + 1e-12)
    assert bounds.critical(np.ones((20, 20)), 7, 0.05) == pytest.approx(2.365, abs=0.02)
    mixed = bounds.critical(np.ones((10, 10)), 7, 0.05, others=10)
    assert 2.365 < mixed < sidak


def test_correlations_of_few_replications_are_mostly_noise() -> None:
    """Forty independent columns of eight shrink to independence, two copies do not."""
    rng = np.random.default_rng(0)
    data = rng.normal(size=(8, 40))
    raw, shrunk = (np.abs(r - np.eye(40)).mean() for r in (np.corrcoef(data.T),
                                                           bounds.correlation(data)))  # fmt: skip
    assert raw > 0.25
    assert shrunk < 0.1
    x = rng.normal(size=(8, 1))
    assert bounds.correlation(np.hstack([x, -x]))[0, 1] == pytest.approx(-1.0)


def test_ratio_bounds_are_where_the_test_just_refuses() -> None:
    """By definition: |ȳ − r·x̄| = c·s(y − r·x)/√n at both ends."""
    rng = np.random.default_rng(1)
    x = 1.0 + 0.2 * rng.normal(size=(12, 3))
    y = np.array([-2.0, 0.0, 0.5]) * x + 0.3 * rng.normal(size=(12, 3))
    ratio, error, *ends = bounds.ratio_bounds(y, x, 2.5)
    assert ratio == pytest.approx(y.mean(axis=0) / x.mean(axis=0))
    assert (error > 0).all()
    for end in ends:
        z = y - end * x
        t = z.mean(axis=0) / (z.std(axis=0, ddof=1) / math.sqrt(12))
        assert np.abs(t) == pytest.approx(2.5)
    assert (ends[0] < ratio).all()
    assert (ratio < ends[1]).all()


def test_ratio_bounds_without_noise_and_without_a_scale() -> None:
    """A gain that never varies is known; a scale that may be 0 leaves everything possible."""
    x = np.array([[800.1], [799.9], [800.0]])
    ratio, error, lower, upper = bounds.ratio_bounds(-0.001 * x, x, 6.0)
    assert ratio[0] == lower[0] == upper[0] == pytest.approx(-0.001)
    assert error[0] == 0.0
    *_, lower, upper = bounds.ratio_bounds(np.ones((3, 1)), np.array([[1.0], [-1.0], [3.0]]), 6.0)
    assert (lower[0], upper[0]) == (-math.inf, math.inf)


# --- the race ------------------------------------------------------------------------------------

STRUCTURES = ("independent", "equal", "signs")


def roots(structure: str, count: int) -> Array:
    """Return a root of a correlation: none, .8 throughout, or ±.95 as of price up and down."""
    sign = np.where(np.arange(count) % 2 == 0, 1.0, -1.0)
    rho = {"independent": 0.0, "equal": 0.8, "signs": 0.95}[structure]
    both = np.outer(sign, sign) if structure == "signs" else np.ones((count, count))
    return np.asarray(np.linalg.cholesky(rho * both + (1.0 - rho) * np.eye(count)))


def sampler(truth: Array, root: Array, seed: int, drift: float = 0.0) -> race.Draw:
    """Return a draw of normal gains with known means, three tenths of a per cent of noise."""
    rng = np.random.default_rng([11, seed])

    def draw(first: int, last: int, active: NDArray[np.int64]) -> Sample:
        shape = (last - first, len(truth))
        gain = truth + 0.003 * rng.normal(size=shape) @ root.T
        scale = np.broadcast_to(1.0 + 0.02 * rng.normal(size=(last - first, 1)), shape)
        moved = drift + 1e-4 * rng.normal(size=shape)
        return Sample(*(x[:, active] for x in (gain, scale, 0.01 * scale, moved)))

    return draw


def misses(structure: str, truth: Array, looks: int, repetitions: int) -> tuple[float, float]:
    """Return how often some bound misses its truth at some look, and how often ε's do."""
    count, epsilon = len(truth), float(truth.max())
    root = roots(structure, count)
    any_, epsilons = 0, 0
    for seed in range(repetitions):
        missed = off = False
        for look in race.race(sampler(truth, root, seed), count, 0.001, 0.05):
            missed |= bool(((look.lower > truth) | (truth > look.upper)).any())
            off |= not max(0.0, look.lower.max()) <= epsilon <= max(0.0, look.upper.max())
            if look.number == looks:
                break
        any_ += missed
        epsilons += off
    return any_ / repetitions, epsilons / repetitions


@pytest.fixture
def few_draws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Critical values from 2,000 draws, which err by a fifth of α at most."""
    monkeypatch.setattr(bounds, "_DRAWS", 2000)
    bounds._normals.cache_clear()
    yield
    bounds._normals.cache_clear()


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("structure", STRUCTURES)
def test_bounds_hold_together_at_any_time(structure: str) -> None:
    """Six deviations, looks at 8, 16 and 32 replications, stopped whenever a bound is wrong.

    Some truths are far below the tolerance, and leave the race. Three looks may spend 3.4%: of
    1,000 races at most 7% may miss (false alarms 1e-8), so those on ε hold in 93% or more.
    """
    truth = np.array([-0.012, -0.006, -0.002, 0.0005, 0.001, 0.0011])
    all_, epsilon = misses(structure, truth, looks=3, repetitions=1000)
    assert epsilon <= all_ <= 0.07


@pytest.mark.usefixtures("few_draws")
@pytest.mark.parametrize("mutant", ["nothing spent", "one at a time"])
def test_bounds_that_ignore_looks_or_number_are_found_out(
    mutant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The full 5% at each of four looks, or Student's own point for each of six, misses more."""
    truth = np.full(6, 0.001)
    assert misses("equal", truth, looks=4, repetitions=200)[0] <= 0.07
    if mutant == "nothing spent":
        monkeypatch.setattr(race, "spend", lambda alpha, look: alpha)
    else:
        monkeypatch.setattr(race, "critical", lambda corr, df, alpha, others: student.isf(
            0.5 * alpha, df))  # fmt: skip
    assert misses("equal", truth, looks=4, repetitions=200)[0] > 0.07


def test_who_is_settled_is_drawn_no_more_and_keeps_its_bounds() -> None:
    truth = np.array([-0.5, -0.0005, 0.002])
    drawn: list[list[int]] = []
    draw = sampler(truth, np.eye(3), 0)

    def watched(first: int, last: int, active: NDArray[np.int64]) -> Sample:
        drawn.append(active.tolist())
        return draw(first, last, active)

    looks: list[Look] = []
    for look in race.race(watched, 3, 0.001, 0.05):
        looks.append(look)
        if look.above.any():
            break
    assert drawn[0] == [0, 1, 2]
    assert drawn[1] == [1, 2]
    assert looks[-1].upper[0] == looks[0].upper[0] < 0.001
    assert looks[-1].count.tolist() == [8, looks[-1].count[1], looks[-1].replications]
    assert looks[-1].above.tolist() == [False, False, True]


def test_gains_that_still_drift_decide_nothing() -> None:
    """A change of .2% within the window, gains of −.1%: the bias might be .3%."""
    draw = sampler(np.full(2, -0.001), np.eye(2), 0, drift=0.002)
    looks = []
    for look in race.race(draw, 2, 0.001, 0.05):
        looks.append(look)
        if look.number == 5:
            break
    assert looks[-1].doubtful.all()
    assert not looks[-1].settled.any()
    assert "drift" in certificate._no_more(None, looks[-1], 10**9)  # type: ignore[arg-type]
    far = race.race(sampler(np.full(2, -0.5), np.eye(2), 0, drift=0.002), 2, 0.001, 0.05)
    assert next(far).settled.all()


# --- certificates --------------------------------------------------------------------------------


def test_what_is_known_exactly_is_certified_at_once() -> None:
    """A7: with tastes taken out gains have no noise, and bounds are the gains themselves."""
    found = certify(duopoly(A7))
    assert found.verdict == "certified"
    assert found.lower == found.upper == found.epsilon == 0.0
    assert (found.looks, found.replications) == (1, 8)
    table = found.deviations.set_index("deviation")
    row = table.loc["price of one × 0.99"]
    assert row["gain"] == pytest.approx(-0.000928, abs=2e-6)
    assert row["error"] == 0.0
    assert row["scale"] == pytest.approx(3600 * A7_PROFIT, rel=1e-5)
    assert (table["state"] == "within").all()
    assert {"k: take one/default or nothing", "k: do without"} <= set(table.index)
    assert found.text.startswith("certified at ε = 0.000% (0 USD/h); tolerance 0.100%")


@pytest.mark.parametrize(("factor", "best"), [(1.03, "× 0.98"), (0.97, "× 1.02")])
def test_prices_three_percent_off_are_refuted_exactly(factor: float, best: str) -> None:
    """A7: 1 or 2% back gains .22 to .30% of profit, known without noise."""
    price = factor * A7
    share = 1 / (2 + math.exp((price - 2.0) / 0.25))
    for found in verdicts("A7", factor, 1, CLOSE):
        assert found.verdict == "refuted"
        assert 0.0021 < found.lower == found.upper < 0.0031
        assert found.worst.endswith(best) or found.worst.endswith("× 1.01")
        assert found.text.startswith(f"refuted by deviation: {found.worst} gains 0.")
        assert found.lower_usd == pytest.approx(found.lower * 3600 * (price - 1) * share, rel=1e-6)


@pytest.mark.parametrize(
    ("factor", "verdict"), [(1.0, "certified"), (1.03, "refuted"), (0.97, "refuted")]
)
def test_the_game_with_queues_is_decided_rightly(factor: float, verdict: str) -> None:
    """Gains at 3% off are .26 to .40% of profit, and −.07% for 1% at the equilibrium.

    One seed; the error rates of 200 are in the torture test, whose table is in its docstring.
    """
    found = verdicts("delay", factor, 1, CLOSE)[0]
    assert found.verdict == verdict
    assert found.lower <= {1.0: 0.0, 1.03: 0.00375, 0.97: 0.00395}[factor] <= found.upper
    assert found.epsilon < 0.008


def test_buyers_who_are_misled_refute() -> None:
    """One claims .95 and is right half the time: who passes it over gains."""
    task = w.TaskClass("k", w.Poisson(1.0), value=1.0, choice=w.Logit(0.1))
    sellers = [
        w.Seller("bold", accuracy=0.5, claimed=0.95, slots="unlimited", price=w.per_task(0.2)),
        w.Seller("frank", accuracy=0.9, slots="unlimited", price=w.per_task(0.2)),
        w.Seller("late", accuracy=0.6, slots="unlimited", price=w.per_task(0.3)),
    ]
    honest = w.Market(tasks=[task], sellers=sellers)
    misled = honest.model_copy(update={"quotes": w.Quotes(accuracy="claimed")})
    shares = np.array([[0.5, 0.5, 0.0, 0.0]])
    found = certify(misled, list(deviations.choice_deviations(misled, shares)))
    assert found.verdict == "refuted"
    assert (
        found.deviations.set_index("deviation").loc["k: pass over bold/default", "state"] == "above"
    )
    assert (
        certify(honest, list(deviations.choice_deviations(honest, shares))).verdict == "certified"
    )


def test_a_free_lunch_of_slots_is_taken_where_rent_is_low() -> None:
    """A second slot at .01 USD/h lets more buyers come; at 10,000 USD/h nobody wants it."""
    for rent, verdict in ((0.01, "refuted"), (1e4, "certified")):
        market = queues(DELAY)
        sellers = [s.model_copy(update={"rent": rent}) for s in market.sellers]
        market = market.model_copy(update={"sellers": tuple(sellers)})
        found = certify(market, list(deviations.slot_deviations(market)))
        assert found.verdict == verdict


def test_who_earns_nothing_is_measured_against_payments() -> None:
    """At cost, profit is 0: a gain of .01% of it means nothing, one of 1% of payments does."""
    market = duopoly(1.0)
    found = certify(market, list(price_deviations(market, [1.001])))
    row = found.deviations.iloc[0]
    sold = math.exp(4.0) / (2 * math.exp(4.0) + 1) * 2 * 3600
    assert row["scale"] == pytest.approx(0.01 * sold, rel=0.02)
    assert found.verdict == "refuted"
    assert row["gain"] == pytest.approx(0.05, rel=0.03)  # .001·½ of the tasks in 1% of their price


def test_a_budget_that_ends_leaves_it_undecided() -> None:
    market = queues(DELAY)
    tests = list(price_deviations(market, CLOSE))
    short = certify(market, tests, budget=500_000)
    assert short.verdict == "undecided"
    assert short.lower <= 0.001 < short.upper
    assert short.tasks <= 500_000
    assert "budget of 500,000" in short.text
    none = certify(market, tests, budget=1000)
    assert (none.verdict, none.looks, none.lower, none.upper) == ("undecided", 0, 0.0, math.inf)
    assert "budget of 1,000" in none.text


def hoped(market: w.Market, factors: list[float], hopes: dict[float, float]) -> list[Deviation]:
    """Return deviations of the first seller's price, with what each is expected to gain."""
    tests = list(price_deviations(market, factors))[: len(factors)]
    return [replace(d, expected=hopes.get(f, 0.0)) for d, f in zip(tests, factors, strict=True)]


def test_who_is_expected_to_gain_is_run_first_and_refutes_alone() -> None:
    """The bounds of one that gains hold whatever the others do; those say nothing, and that."""
    market = duopoly(1.03 * A7)
    found = certify(market, hoped(market, [0.5, 0.98, 2.0], {0.98: 0.003}))
    assert (found.verdict, found.worst) == ("refuted", "price of one × 0.98")
    assert 0.0021 < found.lower < 0.0031
    assert math.isinf(found.upper)
    assert list(found.deviations["state"]) == ["untried", "above", "untried"]
    assert "over 1 of 3 deviations" in found.text
    whole = certify(market, hoped(market, [0.5, 0.98, 2.0], {}))
    assert found.tasks < 0.6 * whole.tasks
    assert found.deviations["lower"][1] == whole.deviations["lower"][1]


def test_a_wrong_expectation_changes_no_verdict() -> None:
    """Who was thought to gain and does not is tried first, then all are."""
    market = duopoly(A7)
    found = certify(market, hoped(market, [0.9, 0.99, 1.1], {0.99: 0.01}))
    assert found.verdict == "certified"
    assert (found.deviations["state"] == "within").all()


def test_chance_of_error_is_shared_between_those_run_first_and_all() -> None:
    """A fifth and four fifths: together no more than was asked for."""
    seen: list[float] = []
    market = duopoly(A7)

    def noted(*arguments: Any) -> Any:
        seen.append(arguments[3])
        return race.race(*arguments)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("walras.analysis.certificate.certificate.race", noted)
        certify(market, hoped(market, [0.9, 0.99], {0.99: 0.01}), alpha=0.1)
        certify(market, hoped(market, [0.9, 0.99], {}), alpha=0.1)
    assert seen == pytest.approx([0.02, 0.08, 0.1])


def test_what_was_not_tried_leaves_no_upper_bound() -> None:
    market = queues(DELAY)
    tests = hoped(market, list(CLOSE), {CLOSE[0]: 0.01})
    found = certify(market, tests, budget=400_000)
    assert found.verdict == "undecided"
    assert math.isinf(found.upper)
    assert found.looks > 0
    assert (found.deviations["state"] == "untried").sum() == len(tests) - 1


def test_what_a_solver_expects_is_run_first() -> None:
    """Posted prices of which each seller alone could gain: one deviation is enough to say so."""
    found = w.equilibrium(duopoly(1.9), prices="posted")
    assert found.certificate is not None
    assert found.certificate.verdict == "refuted"
    states = found.certificate.deviations["state"]
    assert (states == "above").sum() == 1
    assert (states == "untried").sum() == len(states) - 1


def test_who_gives_its_answers_away_is_tested_and_who_is_held_is_not() -> None:
    """At a price of 0 a seller that has costs could charge; a price that is held stays."""
    free, other = duopoly(1.252).sellers
    free = free.model_copy(update={"price": w.per_task(0.0)})
    market = duopoly(1.252).model_copy(update={"sellers": (free, other)})
    found = w.equilibrium(market, prices="posted", budget=3_000_000).certificate
    assert found is not None
    assert found.verdict == "refuted"
    assert "its cost" in found.worst
    owned = [s.model_copy(update={"owner": "x"}) for s in duopoly(1.3).sellers]
    held = duopoly(1.3).model_copy(update={"sellers": tuple(owned)})
    point = w.equilibrium(held, fixed=["one"], certificate=False)
    labels = [d.label for d in deviations_of(point.point, point.market)]
    assert not [label for label in labels if "price of one " in label or "all prices" in label]
    assert [label for label in labels if "price of two " in label]


def test_a_rare_class_is_waited_for() -> None:
    """A class that never comes in the measured time would be certified by its absence."""
    common = duopoly(A7).tasks[0]
    rare = common.model_copy(update={"name": "rare", "arrivals": w.Poisson(1e-6)})
    market = duopoly(A7).model_copy(update={"tasks": (common, rare)})
    assert plan.window(market, 0.0) * 1e-6 >= 25
    found = certify(market, list(price_deviations(market, [1.02])), budget=1_000_000)
    assert found.verdict == "undecided"
    assert "budget" in found.reason


def test_settled_deviations_stay_in_the_family(monkeypatch: pytest.MonkeyPatch) -> None:
    """c is that of all of them at every look, also when only one is still drawn."""
    asked: list[int] = []
    real = bounds.critical

    def noted(corr: Array, df: int, alpha: float, others: int = 0) -> float:
        asked.append(len(corr) + others)
        return real(corr, df, alpha, others)

    monkeypatch.setattr(race, "critical", noted)
    means = np.array([-0.5] * 9 + [0.0009])
    looks = race.race(sampler(means, np.eye(10), 0), 10, 0.001, 0.05)
    assert next(looks).settled.sum() == 9
    next(looks)
    assert asked == [10, 10]


def test_the_same_deviation_twice_is_two_rows() -> None:
    market = duopoly(A7)
    one = next(iter(price_deviations(market, [0.99])))
    found = certify(market, [one, one])
    assert found.verdict == "certified"
    assert (found.deviations["state"] == "within").all()


def test_an_undecided_one_tells_what_is_known_by_side() -> None:
    market = queues(DELAY)
    text = certify(market, list(price_deviations(market, CLOSE)), budget=900_000).text
    assert "of 8 by sellers" in text
    assert "gain at most 0." in text


def test_a_seed_gives_the_same_certificate_however_many_threads(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    market = queues(DELAY)
    tests = list(price_deviations(market, [0.9, 1.1]))
    told: list[tuple[int, int]] = []
    first = certify(market, tests, seed=4, progress=lambda done, of: told.append((done, of)))
    monkeypatch.setattr("walras.analysis.certificate.certificate._THREADS", 1)
    again = certify(market, tests, seed=4)
    assert first.deviations.equals(again.deviations)
    assert not certify(market, tests, seed=5).deviations.equals(again.deviations)
    assert told[-1] == (first.tasks, 500_000_000)
    assert len(told) == first.replications


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"mechanism": w.Procurement("vickrey")}, "mechanism"),
        ({"tasks": (w.TaskClass("k", w.Replay(times=[1.0, 2.0]), value=1.0),)}, "replayed"),
        (
            {"tasks": (w.TaskClass("k", w.Poisson(1.0), value=1.0, choice=lambda task, q: None),)},
            "Python function",
        ),
        (
            {
                "sellers": (
                    w.Seller("s", accuracy=1.0, contracts={"flat": w.Contract(fee=1.0)}),
                )
            },
            "contracts",
        ),
    ],
)  # fmt: skip
def test_markets_that_cannot_be_certified_are_refused(change: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        certify(duopoly(A7).model_copy(update=change))


@pytest.mark.parametrize(
    "arguments",
    [{"tolerance": 0.0}, {"tolerance": math.nan}, {"alpha": 1.0}, {"budget": 0}, {"seed": -1},
     {"deviations": []}],
)  # fmt: skip
def test_arguments_out_of_range_are_named(arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(arguments))):
        certify(duopoly(A7), **arguments)


# --- long versions -------------------------------------------------------------------------------


@pytest.mark.torture
def test_error_rates_over_200_repetitions() -> None:
    """The default set, tolerance .1% of profit: each error rate at most 5%, undecided apart."""
    lines = []
    for game in GAMES:
        for factor, right in ((1.0, "certified"), (1.03, "refuted"), (0.97, "refuted")):
            begin = time.monotonic()
            found = verdicts(game, factor, 200)
            counts = Counter(c.verdict for c in found)
            wrong = 200 - counts[right] - counts["undecided"]
            tasks = np.mean([c.tasks for c in found])
            looks = Counter(c.looks for c in found)
            lines.append(
                f"{game:6} × {factor:<5g} certified {counts['certified']:3} refuted "
                f"{counts['refuted']:3} undecided {counts['undecided']:3} wrong {wrong:3}; "
                f"{tasks:,.0f} tasks, looks {sorted(looks.items())}, "
                f"{(time.monotonic() - begin) / 200:.1f} s each"
            )
            sys.stderr.write(f"\n{lines[-1]}")
            assert wrong <= 10
            assert counts["undecided"] <= 10


@pytest.mark.torture
@pytest.mark.parametrize("structure", STRUCTURES)
def test_bounds_of_forty_deviations_hold_together(structure: str) -> None:
    """Forty deviations, six looks, 1,000 races: 4.7% may miss, at most 7% may be seen to."""
    truth = np.concatenate([np.linspace(-0.012, 0.0005, 30), np.full(10, 0.001)])
    all_, epsilon = misses(structure, truth, looks=6, repetitions=1000)
    sys.stderr.write(f"\n{structure}: any bound {all_:.1%}, ε {epsilon:.1%}")
    assert all_ <= 0.07
    assert epsilon <= 0.07


@pytest.mark.torture
def test_intervals_of_the_kernel_cover_the_truth() -> None:
    """M/M/1 at ρ = .5 and .6 on common random numbers, 1,000 pairs of runs of the kernel.

    Mean sojourns 2 and 1.2/.4 = 3; 93 to 97% of intervals of a mean and of the difference.
    """
    epochs, length, warmup = 400, 100.0, 400.0
    task = w.TaskClass(
        "k", w.Poisson(0.5), output_tokens=w.Exponential(1.0), value=1.0, outside_option=False
    )
    means, differences = [], []
    for seed in range(1000):
        parts: list[Array] = []
        for speed in (1.0, 1 / 1.2):
            seller = w.Seller("s", accuracy=1.0, speed=speed)
            engine = Engine(w.Market(tasks=[task], sellers=[seller]), seed, share=0.0)
            totals = np.zeros((epochs + 1, 2))
            for epoch in range(epochs + 1):
                engine.advance(warmup + epoch * length)
                stat = engine.state.stats[0, 0]
                totals[epoch] = stat["sojourn"], stat["served"]
            parts += list(np.diff(totals, axis=0).T)
        y0, x0, y, x = parts
        means.append(batch_means(y0, x0))
        differences.append(paired_batches(y, x, y0, x0))
    shares = covers(means, 2.0), covers(differences, 1.0)
    sys.stderr.write(f"\nkernel: mean {shares[0]:.1%}, difference {shares[1]:.1%}")
    assert all(map(is_nominal, shares))
