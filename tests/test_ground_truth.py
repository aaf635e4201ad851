"""Closed forms and exact solutions, through the public API.

Each case runs at four times the size that its tolerance was stated for, so a tolerance is six
standard errors or more: the false-alarm rate of one comparison is below 2e-9. Power: every case
is also run with service 5% slower, and that mutant must fail. A quarter of the size is enough for
it: it is off by ten of the larger standard errors or more. Seeds are 0, 1, 2, ... as they come.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

import walras as w

Facts = dict[str, float]
SLOW = 1.05
"""Service of the mutants: 5% longer."""
PART = 0.25
"""How much of a case is run for its mutant."""


def take(market: w.Market, until: float, seeds: int, warmup: float) -> Facts:
    """Return means over several runs: sums of the epochs after the warm-up."""
    epochs, sellers = [], []
    for seed in range(seeds):
        result = w.run(market, until=until, warmup=warmup, seed=seed)
        first = math.ceil(warmup / (until / 400) - 1e-9)
        epochs.append(result.epochs[result.epochs["epoch"] >= first])
        sellers.append(result.sellers[result.sellers["epoch"] >= first])
    facts: Facts = {}
    frame = w_concat(epochs)
    for task, rows in frame.groupby("task", observed=True):
        served, ended = rows["served"].sum(), rows[["served", "reneged"]].to_numpy().sum()
        facts |= {
            f"{task}.Wq": rows["wait"].sum() / served,
            f"{task}.T": rows["sojourn"].sum() / served,
            f"{task}.late": rows["late"].sum() / served,
            f"{task}.left": rows["reneged"].sum() / ended,
        }
        for offer, part in rows.groupby("offer", observed=True):
            facts[f"{offer}.share"] = part["assigned"].sum() / rows["assigned"].sum()
            if part["served"].sum():
                facts[f"{offer}.T"] = part["sojourn"].sum() / part["served"].sum()
                facts[f"{offer}.revenue"] = part["paid"].sum() / (seeds * (until - warmup))
    loads = w_concat(sellers)
    facts["L"] = float((loads["running"] + loads["waiting"]).mean())
    facts["Lq"] = float(loads["waiting"].mean())
    facts["utilisation"] = float(loads["utilisation"].mean())
    return facts


def w_concat(frames: list[Any]) -> Any:
    """Stack tables."""
    import pandas as pd

    return pd.concat(frames, ignore_index=True)


def ask(name: str, rate: float, size: Any = None, **more: Any) -> w.TaskClass:
    """Return a class whose buyers always accept, sizes exponential with mean 1 by default."""
    fields = {"value": 1.0, "outside_option": False, **more}
    return w.TaskClass(name, w.Poisson(rate), output_tokens=size or w.Exponential(1.0), **fields)


def one(tasks: list[w.TaskClass], slow: float, **seller: Any) -> w.Market:
    """Return a market with a single seller of unit speed."""
    fields = {"accuracy": 1.0, "speed": 1.0 / slow, **seller}
    return w.Market(tasks=tasks, sellers=[w.Seller("s", **fields)])


def check(got: Facts, expect: dict[str, tuple[float, float]]) -> list[str]:
    """Return the names of the figures that are off."""
    return [n for n, (value, tolerance) in expect.items() if not abs(got[n] - value) <= tolerance]


def a1(slow: float = 1.0, part: float = 1.0) -> list[str]:
    """M/M/1: four runs of a million served; a deadline of 10 makes P(sojourn > 10) a miss rate."""
    market = one([ask("k", 0.8, deadline=10.0)], slow)
    got = take(market, until=1.3125e6 * part, seeds=4, warmup=65_625.0 * part)
    return check(got, {
        "k.Wq": (4.0, 0.14), "L": (4.0, 0.14), "k.late": (0.135335, 0.006),
        "utilisation": (0.8, 0.004),
    })  # fmt: skip


def a2(slow: float = 1.0, part: float = 1.0) -> list[str]:
    """M/M/4, Erlang C; P(wait) is the share of tasks that leave when they would have to wait."""
    market = one([ask("k", 3.2)], slow, slots=4)
    got = take(market, until=1.3e6 * part, seeds=1, warmup=65_000.0 * part)
    sample = w.run(market, until=3.2e5 * part, seed=1, warmup=0.0, record="trades").trades
    got["P(wait)"] = float((sample["wait"] > 0).iloc[20_000:].mean())
    return check(got, {"P(wait)": (0.596432, 0.006), "k.Wq": (0.745541, 0.03)})


def a3(slow: float = 1.0, part: float = 1.0) -> list[str]:
    """M/G/1 first-come and processor sharing, deterministic and lognormal with cv² = 4."""
    wrong = []
    sharing = {"slots": "unlimited", "kappa": 1}
    for name, size, seller, figure, expect in (
        ("FIFO det", w.Constant(value=1.0), {}, "k.Wq", (2.0, 0.1)),
        ("FIFO LN", w.LogNormal(1.0, 2.0), {}, "k.Wq", (10.0, 1.5)),
        ("PS det", w.Constant(value=1.0), sharing, "k.T", (5.0, 0.11)),
        ("PS LN", w.LogNormal(1.0, 2.0), sharing, "k.T", (5.0, 0.33)),
    ):
        market = one([ask("k", 0.8, size)], slow, **seller)
        got = take(market, 2.1e6 * part, seeds=1, warmup=105_000.0 * part)
        wrong += [name for _ in check(got, {figure: expect})]
    return wrong


def a4(slow: float = 1.0, part: float = 1.0) -> list[str]:
    """Erlang-A: fifty slots and one, exponential patience."""
    many = one([ask("k", 48.0, patience=w.Exponential(2.0))], slow, slots=50)
    few = one([ask("k", 0.8, patience=w.Exponential(2.0))], slow)
    got = take(many, until=87_500.0 * part, seeds=1, warmup=4_375.0 * part)
    wrong = check(got, {
        "k.left": (0.030912, 0.0018), "k.Wq": (0.060265, 0.004), "Lq": (2.9676, 0.18),
        "utilisation": (0.930324, 0.004),
    })  # fmt: skip
    got = take(few, until=5.25e6 * part, seeds=1, warmup=262_500.0 * part)
    return wrong + check(got, {"k.left": (0.255941, 0.0015)})


def a5(slow: float = 1.0, part: float = 1.0) -> list[str]:
    """Two priority classes, without and with preemption (Cobham 1954)."""
    tasks = [ask("first", 0.3, priority=0), ask("second", 0.5, priority=1)]
    size: dict[str, Any] = {"until": 5.25e6 * part, "seeds": 1, "warmup": 262_500.0 * part}
    plain = take(one(tasks, slow, discipline="priority"), **size)
    wrong = check(plain, {"first.Wq": (1.142857, 0.016), "second.Wq": (5.714286, 0.18)})
    plain["sum"] = 0.3 * plain["first.Wq"] + 0.5 * plain["second.Wq"]
    wrong += check(plain, {"sum": (3.2, 0.1)})
    harsh = one(tasks, slow, discipline="priority_preemptive")
    resumed = take(harsh, **size)
    return wrong + check(resumed, {"first.T": (1.428571, 0.015), "second.T": (7.142857, 0.22)})


def a9_market(slow: float = 1.0) -> w.Market:
    """Return the market of two observable queues and logit buyers."""
    buyers = w.TaskClass(
        "k", w.Poisson(2.0), output_tokens=w.Exponential(1.0), value=2.2, delay_cost=0.3,
        choice=w.Logit(0.3),
    )  # fmt: skip
    sellers = [
        w.Seller("one", accuracy=1.5 / 2.2, speed=2.0 / slow, price=w.per_task(0.6)),
        w.Seller("two", accuracy=1.0, speed=1.0 / slow, price=w.per_task(1.1)),
    ]
    return w.Market(tasks=[buyers], sellers=sellers)


def a9(slow: float = 1.0, part: float = 1.0) -> list[str]:
    """Two observable queues and logit buyers: the exact Markov chain."""
    got = take(a9_market(slow), 2.1e6 * part, seeds=1, warmup=105_000.0 * part)
    return check(got, {
        "one/default.share": (0.556679, 0.0015), "two/default.share": (0.358116, 0.0015),
        "outside.share": (0.085205, 0.0012), "one/default.T": (0.926894, 0.01),
        "two/default.T": (1.761807, 0.016), "one/default.revenue": (0.668015, 0.003),
        "two/default.revenue": (0.787856, 0.004),
    })  # fmt: skip


def m_m_1_d(slow: float = 1.0, part: float = 1.0) -> list[str]:
    """M/M/1 whose tasks wait at most D (Barrer 1957).

    4e6 arrivals; the standard error of the loss is below 4e-4 (measured: 3e-4), so the false
    alarm of ±0.0025 is below 1e-9.
    """
    wrong = []
    for rate, loss in ((0.8, 0.187832), (1.2, 0.311818)):
        market = one([ask("k", rate, patience=2.0)], slow)
        got = take(market, until=4.2e6 * part / rate, seeds=1, warmup=0.2e6 * part / rate)
        wrong += check(got, {"k.left": (loss, 0.0025)})
    return wrong


CASES = [a1, a2, a3, a4, a5, a9, m_m_1_d]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_closed_form(case: Any) -> None:
    """The figures are those of theory."""
    assert case() == []


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.__name__)
def test_slower_service_is_noticed(case: Any) -> None:
    """The same comparison fails when service takes 5% longer."""
    assert case(SLOW, PART) != []


def barrer(rate: float, patience: float) -> float:
    """Return the share that leaves M/M/1+D with unit service (Barrer 1957), integrated directly.

    The work found by an arrival has density p₀·λ·exp(−(1 − λ)x) below D and
    p₀·λ·exp(λD − x) above; those that find more than D leave.
    """
    below = (1 - math.exp(-(1 - rate) * patience)) * rate / (1 - rate)
    above = rate * math.exp(-(1 - rate) * patience)
    return above / (1 + below + above)


def test_barrer_agrees_with_the_published_losses() -> None:
    """The two figures used above follow from the density of the work found."""
    assert barrer(0.8, 2.0) == pytest.approx(0.187832, abs=1e-6)
    assert barrer(1.2, 2.0) == pytest.approx(0.311818, abs=1e-6)


PHASES = 8
"""Of a cycle, in which numbers in the system are averaged."""


def number_in_system(arrivals: Any, seed: int, cycles: int = 4000) -> np.ndarray:
    """Return the mean number in an unlimited system by phase of the cycle."""
    task = w.TaskClass(
        "k", arrivals, output_tokens=w.Exponential(1.0), value=1.0, outside_option=False
    )
    market = w.Market(
        tasks=[task], sellers=[w.Seller("s", accuracy=1.0, slots="unlimited")],
        run={"until": 2 * math.pi * cycles, "epoch": 2 * math.pi / PHASES},
    )  # fmt: skip
    running = w.run(market, seed=seed).sellers["running"].to_numpy()
    return np.asarray(running.reshape(cycles, PHASES)[10:].mean(axis=0))


def m_t_m_inf() -> np.ndarray:
    """Return 10 + 3(sin t − cos t), the mean number for λ = 10 + 6 sin t, averaged by phase."""
    edges = np.arange(PHASES + 1) * 2 * math.pi / PHASES
    return 10 + 3 * np.diff(-np.cos(edges) - np.sin(edges)) / np.diff(edges)


def test_time_varying_arrivals_fill_an_unlimited_system_as_theory_says() -> None:
    """M_t/M/∞: the mean number follows 13 at most arrivals, and peaks π/4 later.

    A phase's mean has a standard error below sqrt(14/4000) = 0.06 (numbers of different cycles are
    nearly independent); ±0.35 is nearly 6 of them, 8 phases give a false alarm below 1e-7.
    """
    got = number_in_system(w.Diurnal(10.0, amplitude=0.6, period=2 * math.pi), seed=0)
    assert np.abs(got - m_t_m_inf()).max() < 0.35
    middle = (np.arange(PHASES) + 0.5) * 2 * math.pi / PHASES
    swing = 2 * np.mean(got * np.sin(middle)) / np.sinc(1 / PHASES)  # of averages over phases
    assert got.mean() + swing == pytest.approx(13.0, abs=0.2)  # at t = π/2; s.e. below 0.04


def test_scaled_gaps_would_be_noticed() -> None:
    """A generator that draws each gap at the rate of its start is refused by the same test.

    Already in a quarter of the cycles, where it is 0.5 off and a standard error 0.12.
    """
    rng, t, times = np.random.default_rng(0), 0.0, []
    while t < 2 * math.pi * 1000:
        t += rng.exponential(1 / (10 + 6 * math.sin(t)))
        times.append(t)
    got = number_in_system(w.Replay(times=times), seed=0, cycles=1000)
    assert np.abs(got - m_t_m_inf()).max() > 0.35


def quoted_times(kappa: Any = "unlimited") -> list[float]:
    """Return the times quoted to small tasks behind 0, 1 and 2 tasks a hundred times their size."""
    quoted: list[float] = []

    def note(task: Any, quotes: list[Any]) -> str:
        if task.kind == "small":
            quoted.append(quotes[0].time)
        return str(quotes[0].offer)

    def klass(name: str, size: float, times: list[float]) -> w.TaskClass:
        return w.TaskClass(name, w.Replay(times=times), output_tokens=size, value=1.0, choice=note)

    market = w.Market(
        tasks=[klass("big", 100.0, [1.0, 3.0]), klass("small", 1.0, [0.0, 2.0, 4.0])],
        sellers=[w.Seller("s", accuracy=1.0, kappa=kappa)],
    )
    w.run(market, until=500.0)
    return quoted


def test_quotes_behind_larger_tasks_count_their_size() -> None:
    """A small task behind large ones is quoted their time, not its own.

    In service one of mean 100, waiting none: wait 100. In service 100, waiting 1 and 100: 201.
    A quote made of the small class's own size would be 1 + 1 and 1 + 3.
    """
    assert quoted_times() == [1.0, 101.0, 202.0]
