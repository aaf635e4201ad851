"""Quotes against closed forms: what a buyer expects of an offer before it chooses.

Where nobody waits, probabilities and a linear fall of the value are exact for sizes with a closed
form (1e-12) and within 2e-3 for other laws, which are tabulated; a half-life is averaged over 32
points of the size: less than 0.03 off, 0.002 on average. Waits are uniform within 24 slices:
means are exact, a single probability is off by less than 0.005 (0.01 where no randomness of the
service smooths it). The bounds are asserted here.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import special, stats

import walras as w
from walras.market import build
from walras.market.engine import Engine
from walras.market.outlook import recall
from walras.market.quotes import expect, remember, timely_work
from walras.market.rules import HALFLIFE, HARD, LINEAR
from walras.market.sizes import quantiles_of
from walras.market.state import CELL
from walras.market.waits import SHARES, SLICES, wait_end, wait_place, wait_table
from walras.market.work import spare

from .oracle.beliefs import Outlook

steady = settings(deadline=None, derandomize=True)
Array = NDArray[np.float64]
INF = math.inf


def works(output: Any, inputs: Any = 0.0, **seller: Any) -> Any:
    """Return the state of a market with one class of these sizes and one seller."""
    task = w.TaskClass("k", w.Poisson(1.0), output_tokens=output, input_tokens=inputs)
    market = w.Market(tasks=[task], sellers=[w.Seller("s", accuracy=1.0, **seller)])
    return build.build(market, 0)[0]


def quote(
    state: Any, *, chance: float = 0.0, wait: float = 0.0, shape: float = 1.0,
    outside: float = 0.0, rate: float = 1.0, patience: float = INF, deadline: float = INF,
    rule: int = HARD, parameter: float = 0.0, promise: float = INF,
) -> Outlook:  # fmt: skip
    """Call `expect` for the one class and offer of a state."""
    return Outlook(*expect(
        float(chance), float(wait), float(shape), float(outside), float(rate), float(patience),
        float(deadline), rule, float(parameter), float(promise), state.works[0, 0], state.rows,
        state.nodes[0, 0], state.waits, state.ahead[0], 0.0,
    ))  # fmt: skip


ONE = works(w.Exponential(1.0))
"""Exponential work of mean 1."""


# --- nobody waits ------------------------------------------------------------------------------

_SIGMA = math.sqrt(math.log(2.0))
SIZES: dict[str, tuple[Any, Any, float]] = {
    "exponential": (w.Exponential(1.0), stats.expon(), 1e-12),
    "lognormal": (w.LogNormal(1.0, 1.0), stats.lognorm(_SIGMA, scale=2.0**-0.5), 1e-12),
    "gamma": (w.Gamma(1.0, 2.0), stats.gamma(0.25, scale=4.0), 1e-3),
    "gamma, regular": (w.Gamma(1.0, 0.5), stats.gamma(4.0, scale=0.25), 1e-3),
    "uniform": (w.Uniform(0.5, 1.5), stats.uniform(0.5, 1.0), 1e-3),
}  # fmt: skip
every_size = pytest.mark.parametrize("name", SIZES)


@every_size
def test_on_time_is_the_law_of_the_size(name: str) -> None:
    """Pr(on time) = Pr(S ≤ (D − L₀)·rate), likewise the promise; E[T] = L₀ + mean/rate."""
    law, exact, bound = SIZES[name]
    state = works(law)
    for deadline in np.linspace(0.05, 8.0, 60):
        got = quote(state, outside=0.25, rate=2.0, deadline=deadline, promise=deadline + 0.5)
        assert got.timely == pytest.approx(exact.cdf((deadline - 0.25) * 2.0), abs=bound)
        assert got.kept == pytest.approx(exact.cdf((deadline + 0.25) * 2.0), abs=bound)
        assert got.served == 1.0
        assert got.time == pytest.approx(0.25 + law.mean / 2.0, rel=1e-12)
        assert got.delta == got.used == got.timely


def test_exponential_service_without_wait() -> None:
    """Pr(on time) = 1 − exp(−μ(D − L₀)), and 0 before L₀; a rate 5% off is seen."""
    for deadline in (0.1, 0.3, 0.5, 1.0, 3.0):
        exact = 1.0 - math.exp(-2.0 * max(deadline - 0.3, 0.0))
        assert quote(ONE, outside=0.3, rate=2.0, deadline=deadline).timely == pytest.approx(exact)
    assert quote(ONE, outside=0.3, rate=2.1, deadline=1.0).timely != pytest.approx(exact, rel=1e-3)


def test_constant_sizes_are_on_time_or_not() -> None:
    """All or nothing; to be done exactly at the deadline is on time."""
    state = works(w.Constant(value=3.0), 8.0, prefill_rate=16.0, speed=2.0, verbosity=2.0,
                  effort={"e": 1.0})  # fmt: skip
    work = 8.0 * 2.0 / 16.0 + 3.0 * 2.0 + 1.0
    assert state.works[0, 0]["mean"] == work
    assert quote(state, rate=2.0, deadline=4.0).timely == 1.0
    assert quote(state, rate=2.0, deadline=3.999).timely == 0.0
    assert quote(state, rate=2.0, outside=0.5, promise=4.5).kept == 1.0
    assert quote(state, rate=2.0, deadline=3.0, rule=LINEAR, parameter=4.0).delta == 0.75
    assert quote(state, rate=2.0, deadline=3.0, rule=HALFLIFE, parameter=0.5).delta == 0.25


def test_sizes_read_off_quantiles() -> None:
    """Piecewise-uniform sizes, a jump of probability included."""
    law = w.Quantiles(probabilities=[0, 0.25, 0.5, 1], values=[0, 2, 2, 10])
    state = works(law)
    for x in np.linspace(0.1, 11.0, 60):
        if abs(x - 2.0) > 0.1:
            exact = np.interp(x, [0, 2, 2.0001, 10], [0, 0.25, 0.5, 1.0])
            assert quote(state, deadline=x).timely == pytest.approx(exact, abs=6e-3)
    assert quote(state, deadline=INF).time == pytest.approx(law.mean)


def test_two_random_sizes_against_their_convolution() -> None:
    """Exponential input beside lognormal output: the law of the sum, by numerical integration."""
    state = works(w.LogNormal(1.0, 1.0), w.Exponential(100.0), prefill_rate=100.0, speed=1.0)
    law = SIZES["lognormal"][1]
    points = (np.arange(200_000) + 0.5) / 200_000
    written = law.ppf(points)
    for x in np.linspace(0.05, 12.0, 40):
        exact = np.mean(stats.expon.cdf(x - written))
        assert quote(state, deadline=x).timely == pytest.approx(exact, abs=2e-3)
    wrong = np.mean(stats.expon.cdf((2.0 - written) / 1.05))
    assert quote(state, deadline=2.0).timely != pytest.approx(wrong, abs=4e-3)
    assert state.works[0, 0]["mean"] == 2.0
    assert state.works[0, 0]["variance"] == pytest.approx(2.0)


@pytest.mark.parametrize(
    ("output", "inputs", "bound"),
    [(w.Gamma(1.0, cv=5.0), 0.0, 3e-3), (w.Gamma(1.0, cv=2.0), w.Gamma(1.0, cv=2.0), 5e-3),
     (w.LogNormal(1.0, cv=5.0), w.LogNormal(1.0, cv=5.0), 5e-3),
     (w.Gamma(1.0, cv=20.0), w.Uniform(0.5, 1.5), 1e-2)],
)  # fmt: skip
def test_tables_of_heavy_tails(output: Any, inputs: Any, bound: float) -> None:
    """The law of 200,000 evenly spread pairs, within the bound; the mean to 1e-9."""
    state = works(output, inputs, prefill_rate=1.0, speed=1.0)
    # A lattice whose steps are the two-dimensional golden ratio (Roberts 2018).
    p = (np.arange(200_000)[:, None] * [0.7548776662466927, 0.5698402909980532] + 0.5) % 1.0
    work = quantiles_of(output, p[:, 0])
    work = work + (quantiles_of(inputs, p[:, 1]) if inputs else 0.0)
    for x in np.quantile(work, np.linspace(0.02, 0.99, 60)):
        exact = np.mean(work <= x)
        assert quote(state, deadline=x).timely == pytest.approx(exact, abs=bound + 2e-3)
    law, late = state.works[0, 0], 1e9
    assert late - spare(law, state.rows, late)[1] == pytest.approx(law["mean"], abs=1e-6)


@pytest.mark.parametrize("sizes", [[10.0, 1000.0], [10.0] * 9 + [1000.0]])
def test_a_short_trace_is_a_law_of_steps(sizes: list[float]) -> None:
    """Between the two sizes the chance is the share of the small one, not somewhere between."""
    replay = w.Replay(times=[float(i) for i in range(len(sizes))], output_tokens=sizes)
    task = w.TaskClass("k", replay, output_tokens="replay")
    market = w.Market(tasks=[task], sellers=[w.Seller("s", accuracy=1.0, speed=1.0)])
    state = build.build(market, 0)[0]
    for deadline in (20.0, 500.0, 990.0):
        share = sizes.count(10.0) / len(sizes)
        assert quote(state, deadline=deadline).timely == pytest.approx(share, abs=5e-3)
    assert quote(state, deadline=10.0).timely > 0.0
    assert quote(state, deadline=1000.0).timely == 1.0


@every_size
@pytest.mark.parametrize(("rule", "parameter"), [(LINEAR, 1.0), (LINEAR, 0.1), (HALFLIFE, 0.5)])
def test_soft_lateness_against_integration(name: str, rule: int, parameter: float) -> None:
    """E[δ] and Pr(δ > 0) within the bounds, on average within 0.002; 5% slower is further off."""
    law, exact, bound = SIZES[name]
    state = works(law)
    size = exact.ppf((np.arange(50_000) + 0.5) / 50_000)
    errors, slow = [], []
    for deadline in np.linspace(0.01, 6.0, 200):
        late = np.maximum(size - deadline, 0.0) / parameter
        delta = np.maximum(1.0 - late, 0.0) if rule == LINEAR else 2.0**-late
        terms: dict[str, Any] = {"deadline": deadline, "rule": rule, "parameter": parameter}
        got = quote(state, **terms)
        errors.append(got.delta - delta.mean())
        slow.append(quote(state, **terms, rate=1 / 1.05).delta - delta.mean())
        used = exact.cdf(deadline + parameter) if rule == LINEAR else 1.0
        assert got.used == pytest.approx(used, abs=bound)
        assert got.timely == pytest.approx(exact.cdf(deadline), abs=bound)
    assert np.abs(errors).max() < 0.03
    assert abs(np.mean(errors)) < 0.002
    assert abs(np.mean(slow)) > 0.002


# --- waits -------------------------------------------------------------------------------------


def test_slices_keep_means() -> None:
    """Slices of every gamma law of waits have mean 1 and rise; points of sizes the law's mean."""
    table = wait_table()
    assert (np.diff(table, axis=1) > 0).all()
    for shape in (0.01, 0.5, 1.0, 1.3, 7.0, 4000.0, 1e5, 1e12):
        ends = np.array([wait_end(table, wait_place(shape), j) for j in range(SLICES + 1)])
        assert SHARES @ (ends[1:] + ends[:-1]) / 2 == pytest.approx(1.0, rel=1e-12)
    for law, _, _ in SIZES.values():
        assert works(law).nodes[0, 0].mean() == pytest.approx(law.mean, rel=1e-12)
    for heavy in (w.LogNormal(1.0, 3.0), w.LogNormal(1.0, 10.0), w.Gamma(1.0, 4.0)):
        assert works(heavy).nodes[0, 0].mean() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("ahead", [1, 2, 5, 30])
def test_observed_wait_behind_exponential_tasks(ahead: int) -> None:
    """M/M/1 with n ahead: wait and service are Erlang, T has shape n + 1.

    Average over deadlines: ∫ Pr(late) dD = E[T]; a wait 5% off fails there and in E[T].
    """
    wait: dict[str, Any] = {"chance": 1.0, "wait": float(ahead), "shape": float(ahead)}
    deadlines = (np.arange(600) + 0.5) / 600 * (4.0 * ahead + 12.0)
    got = np.array([quote(ONE, **wait, deadline=d).timely for d in deadlines])
    assert np.abs(got - special.gammainc(ahead + 1, deadlines)).max() < 0.005
    integral = (1.0 - got).mean() * (4.0 * ahead + 12.0)
    assert integral == pytest.approx(ahead + 1.0, rel=2e-3)
    assert quote(ONE, **wait).time == pytest.approx(ahead + 1.0, rel=1e-12)
    slow = {**wait, "wait": 1.05 * ahead}
    late = [1.0 - quote(ONE, **slow, deadline=d).timely for d in deadlines]
    assert np.mean(late) * (4.0 * ahead + 12.0) != pytest.approx(ahead + 1.0, rel=2e-3)
    kept = [quote(ONE, **wait, promise=d).kept for d in deadlines[::50]]
    assert kept == [quote(ONE, **wait, deadline=d).timely for d in deadlines[::50]]


@pytest.mark.parametrize("ahead", [1, 2, 5, 30])
def test_impatient_tasks_behind_exponential_tasks(ahead: int) -> None:
    """Pr(served) = Pr(Erlang(n) ≤ P), E[T] = E[min(W, P)] + Pr(served)·(L₀ + S)."""
    wait: dict[str, Any] = {"chance": 1.0, "wait": float(ahead), "shape": float(ahead)}
    wait["outside"] = 0.5
    patiences = (np.arange(400) + 0.5) / 400 * (3.0 * ahead + 6.0)
    got = [quote(ONE, **wait, patience=p, deadline=p + 2.0) for p in patiences]
    served = special.gammainc(ahead, patiences)
    stay = ahead * special.gammainc(ahead + 1, patiences) + patiences * (1.0 - served)
    assert np.abs([g.served for g in got] - served).max() < 0.01
    assert np.mean([g.served for g in got] - served) == pytest.approx(0.0, abs=1e-3)
    assert np.abs([g.time for g in got] - (stay + 1.5 * served)).max() < (1.5 + ahead) * 0.01
    assert np.mean([g.time for g in got]) == pytest.approx(np.mean(stay + 1.5 * served), rel=3e-3)
    for g in got:
        assert g.timely <= g.served + 1e-12
    with_all = quote(ONE, **wait, patience=1e9)
    assert [with_all.served, with_all.time] == pytest.approx([1.0, ahead + 1.5])
    none = quote(ONE, **wait, patience=1e-9, deadline=3.0)
    assert list(none[:6]) == pytest.approx([0.0, 0.0, 0.0, 0.0, 1e-9, 0.0], abs=1e-8)


@pytest.mark.parametrize(("servers", "load"), [(1, 0.8), (4, 0.8), (10, 0.95)])
def test_average_law_of_many_servers(servers: int, load: float) -> None:
    """M/M/c: waits with Erlang C's probability, then exponential with rate cμ − λ.

    Pr(T ≤ D) mixes service alone with the sum of two exponentials; E[T] is exact.
    """
    a = servers * load
    terms = [a**k / math.factorial(k) for k in range(servers)]
    last = a**servers / math.factorial(servers) / (1.0 - load)
    chance, theta = last / (sum(terms) + last), servers - a
    for d in np.linspace(0.1, 15.0, 80):
        if theta == pytest.approx(1.0):
            both = 1.0 - math.exp(-d) * (1.0 + d)
        else:
            both = 1.0 - (theta * math.exp(-d) - math.exp(-theta * d)) / (theta - 1.0)
        exact = (1.0 - chance) * (1.0 - math.exp(-d)) + chance * both
        got = quote(ONE, chance=chance, wait=1.0 / theta, deadline=d)
        assert got.timely == pytest.approx(exact, abs=0.005 * chance)
    assert quote(ONE, chance=chance, wait=1.0 / theta).time == pytest.approx(1.0 + chance / theta)


@pytest.mark.parametrize("shape", [0.0, 0.3, 1.7, 100.0, 1e12])
def test_any_shape_of_wait(shape: float) -> None:
    """Gamma waits of any shape before constant service: E[T] exact, law within 0.01."""
    state = works(w.Constant(value=1.0))
    shape = max(shape, 2.0**-4)
    for d in np.linspace(1.05, 9.0, 40):
        got = quote(state, chance=1.0, wait=2.0, shape=shape, deadline=d)
        exact = special.gammainc(shape, (d - 1.0) * shape / 2.0) if shape < 1e9 else d >= 3.0
        assert got.timely == pytest.approx(float(exact), abs=0.01)
        assert got.time == pytest.approx(3.0)


# --- refunds for lateness ----------------------------------------------------------------------


@every_size
def test_the_work_of_those_on_time(name: str) -> None:
    """E[w·1{on time}] against integration, at once and after a wait; independence is off."""
    law, exact, _ = SIZES[name]
    state = works(law)
    size = exact.ppf((np.arange(20_000) + 0.5) / 20_000)
    waits = stats.gamma(2.5, scale=0.4).ppf((np.arange(500) + 0.5) / 500)
    apart = []
    for slack in (0.3, 0.8, 1.5, 3.0):
        got = [
            timely_work(chance, 1.0, 2.5, slack, 2.0, INF, state.works[0, 0], state.rows,
                        state.waits) for chance in (0.0, 1.0)
        ]  # fmt: skip
        reach = np.concatenate([[0.0], np.cumsum(size)]) / len(size)
        by_then = np.maximum(2.0 * (slack - waits), 0.0)
        alone, after = (reach[np.searchsorted(size, x)] for x in (2.0 * slack, by_then))
        assert got[0] == pytest.approx(alone, abs=2e-3)
        assert got[1] == pytest.approx(after.mean(), abs=4e-3)
        apart.append(abs(after.mean() - quote(state, chance=1.0, wait=1.0, shape=2.5, rate=2.0,
                                              deadline=slack).timely))  # fmt: skip
    assert max(apart) > 0.02


@pytest.mark.parametrize("slots", ["unlimited", 1])
def test_refunds_for_lateness_go_to_the_large_tasks(slots: Any) -> None:
    """What is quoted is what is paid on average, priced by tokens and given back when late.

    Exponential work of mean 1 s, due within 1 s: those on time pay a quarter of what they would
    if lateness did not depend on size. The mean of utility − surplus over 30,000 tasks has a
    standard error of 0.003 (0.004 in one queue, where the errors of neighbours go together);
    five of them are a false alarm in 10⁶, and the gap without the correlation is 0.18.
    """
    task = w.TaskClass("k", w.Poisson(0.5), output_tokens=w.Exponential(100.0), value=1.0,
                       deadline=1.0, outside_option=False)  # fmt: skip
    seller = w.Seller("s", accuracy=1.0, speed=100.0, slots=slots, refund_late=1.0,
                      price=w.per_mtok(0.0, 5000.0))  # fmt: skip
    rows = told([task], seller, until=60_000.0)
    gap = rows["utility"] - rows["surplus"]
    assert len(rows) > 29_000
    assert abs(gap.mean()) < 5 * 0.004
    if slots == "unlimited":
        on_time = 1.0 - math.exp(-1.0)
        assert rows["utility"] == pytest.approx(on_time - 0.5 * (1.0 - 2.0 * math.exp(-1.0)))


finite = st.floats(0.0, 20.0)
positive = st.floats(0.01, 20.0)


@steady
@given(
    chance=st.floats(0.0, 1.0), wait=finite, shape=st.floats(0.05, 1e4), rate=positive,
    deadline=finite, patience=st.one_of(finite, st.just(INF)), outside=st.floats(0.0, 2.0),
    rule=st.sampled_from([HARD, LINEAR, HALFLIFE]), parameter=positive, promise=finite,
    factor=st.floats(1.0, 5.0), size=st.sampled_from(sorted(SIZES)),
)  # fmt: skip
def test_quotes_are_ordered_and_monotone(
    chance: float, wait: float, shape: float, rate: float, deadline: float, patience: float,
    outside: float, rule: int, parameter: float, promise: float, factor: float, size: str,
) -> None:  # fmt: skip
    """On time ≤ used ≤ served ≤ 1; a later deadline helps, a longer wait and a lower rate hurt."""
    terms: dict[str, Any] = {
        "chance": chance, "wait": wait, "shape": shape, "rate": rate, "deadline": deadline,
        "patience": patience, "outside": outside, "rule": rule, "parameter": parameter,
        "promise": promise,
    }  # fmt: skip
    state, slack = _STATES[size], 1e-9
    q = quote(state, **terms)
    assert 0.0 <= q.timely <= q.used + 1e-3 <= q.served + 2e-3 <= 1.0 + 3e-3
    assert q.timely - 2e-3 - 1 / 32 <= q.delta <= q.used + 2e-3 + 1 / 32
    assert q.kept <= q.served + slack
    later = quote(state, **{**terms, "deadline": deadline * factor})
    assert later.timely >= q.timely - slack
    assert later.delta >= q.delta - slack
    assert later.used >= q.used - slack
    longer = quote(state, **{**terms, "wait": wait * factor})
    slower = quote(state, **{**terms, "rate": rate / factor})
    for worse in (longer, slower):
        assert worse.timely <= q.timely + slack
        assert worse.delta <= q.delta + slack
        assert worse.used <= q.used + slack
        assert worse.kept <= q.kept + slack
        assert worse.served <= q.served + slack
    assert slower.time >= q.time - slack
    if patience == INF:
        assert longer.time >= q.time - slack
        assert q.served == pytest.approx(1.0)
    assert quote(state, **{**terms, "promise": promise * factor}).kept >= q.kept - slack
    assert quote(state, **{**terms, "patience": patience * factor}).served >= q.served - slack


_STATES = {name: works(law) for name, (law, _, _) in SIZES.items()}


# --- observed quotes of a queue ----------------------------------------------------------------


def told(tasks: list[w.TaskClass], seller: w.Seller, until: float = 1e7) -> Any:
    """Return the trade rows of a market with one seller, in order of arrival, once all is done."""
    found: list[Any] = []
    engine = Engine(w.Market(tasks=tasks, sellers=[seller]), 0, keep=found.append)
    engine.advance(until)
    engine.flush()
    rows = np.concatenate(found)
    return rows[np.argsort(rows["arrival"], kind="stable")]


def at(name: str, times: list[float], size: Any, **more: Any) -> w.TaskClass:
    """Return a captive class that comes at these times and minds each second."""
    return w.TaskClass(name, w.Replay(times=times), output_tokens=size, delay_cost=1.0,
                       outside_option=False, **more)  # fmt: skip


@pytest.mark.parametrize(("slots", "kappa"), [(1, "unlimited"), (3, "unlimited"), (3, 2.0)])
def test_observed_time_is_service_and_the_work_ahead(slots: int, kappa: Any) -> None:
    """S·max(n − c + 1, 0)/c + S at the rates met; the quote does not know the sizes drawn."""
    arrivals = [i * 1e-6 for i in range(8)]
    seller = w.Seller("s", accuracy=1.0, slots=slots, kappa=kappa, speed=1e-3, network_time=5.0)
    rows = told([at("k", arrivals, w.Exponential(1.0))], seller)
    k = math.inf if kappa == "unlimited" else kappa

    def rate(n: int) -> float:
        return 1e-3 if math.isinf(k) else 1e-3 * k / (k + n - 1)

    for n, row in enumerate(rows):
        service = 1.0 / rate(min(n + 1, slots))
        wait = max(n - slots + 1, 0) / (slots * rate(slots))
        assert -row["utility"] == pytest.approx(5.0 + service + wait, rel=1e-9)


def test_a_chat_behind_deep_research_is_not_quoted_a_chats_wait() -> None:
    """Work ahead is counted in the sizes of those ahead, a hundred times larger here."""
    big = at("big", [0.0, 0.1, 0.2], 100.0)
    rows = told([big, at("chat", [0.3, 0.4], 1.0)], w.Seller("s", accuracy=1.0))
    # In service the class mean counts, not what is left of it.
    assert (-rows["utility"]).tolist() == pytest.approx([100, 200, 300, 301, 302])


def test_priority_counts_only_those_served_before_me() -> None:
    """A first-level task sees its own level and the one in service; preemption sees nothing."""
    for discipline, expect_ in (("priority", 11.0), ("priority_preemptive", 1.0), ("fcfs", 31.0)):
        low = at("low", [0.0, 0.1, 0.2], 10.0, priority=1)
        seller = w.Seller("s", accuracy=1.0, discipline=discipline)
        rows = told([low, at("top", [0.3], 1.0)], seller)
        mine = rows[rows["kind"] == 1]
        assert -mine["utility"][0] == pytest.approx(expect_)


def test_shape_of_the_wait_is_that_of_the_work_ahead() -> None:
    """With n exponential tasks ahead Pr(on time) follows Erlang(n + 1), within 0.005."""
    task = w.TaskClass("k", w.Replay(times=[i * 1e-6 for i in range(12)]), value=1.0,
                       output_tokens=w.Exponential(1.0), deadline=6.0,
                       outside_option=False)  # fmt: skip
    for n, row in enumerate(told([task], w.Seller("s", accuracy=1.0, speed=1.0))):
        assert row["utility"] == pytest.approx(special.gammainc(n + 1, 6.0), abs=0.005)


def test_a_promise_is_taken_at_its_word_or_not() -> None:
    """Promised quotes: on time or not by the promise alone, and the time it names."""
    task = at("k", [0.0, 0.1], w.Exponential(50.0), value=10.0, deadline=3.0)
    for promise, worth in ((3.0, 10.0 - 3.0), (3.1, -3.1)):
        seller = w.Seller("s", accuracy=1.0, promise=promise)
        market = w.Market(tasks=[task], sellers=[seller], quotes=w.Quotes(latency="promised"))
        found: list[Any] = []
        engine = Engine(market, 0, keep=found.append)
        engine.advance(1e6)
        engine.flush()
        assert np.concatenate(found)["utility"] == pytest.approx([worth, worth])


# --- experience --------------------------------------------------------------------------------


@steady
@given(
    seen=st.lists(st.tuples(st.floats(0.0, 10.0), st.floats(-5.0, 5.0)), min_size=1, max_size=40),
    memory=st.floats(0.5, 100.0), prior=st.floats(-5.0, 5.0),
)  # fmt: skip
def test_remember_is_the_exponentially_weighted_mean(
    seen: list[tuple[float, float]], memory: float, prior: float
) -> None:
    """Weights e^(−age/memory), the prior one answer at time 0; equal weights differ."""
    average, weight, now = prior, 1.0, 0.0
    at_, values = [0.0], [prior]
    for gap, value in seen:
        weight = weight * math.exp(-gap / memory) + 1.0
        now += gap
        average = remember(average, weight, value)
        at_.append(now)
        values.append(value)
    weights = np.exp((np.array(at_) - now) / memory)
    assert weight == pytest.approx(weights.sum(), rel=1e-9)
    assert average == pytest.approx((weights * values).sum() / weights.sum(), rel=1e-9, abs=1e-9)


def test_recalled_waits_count_those_who_left_as_censored() -> None:
    """Mean wait = waiting time over starts; with too few starts, half an answer stands in."""
    cell = np.zeros(1, CELL)[0]
    cell["waited"], cell["wait_sum"], cell["started"], cell["weight"] = 0.5, 2.0, 0.25, 8.0
    cell["pace"] = 0.125
    recall(cell)
    assert [float(cell[n]) for n in ("chance", "wait", "shape", "rate")] == [0.5, 8.0, 1.0, 8.0]
    cell["started"] = 0.0
    recall(cell)
    assert cell["wait"] == 2.0 / (0.5 / 8.0)
    cell["waited"] = 0.0
    recall(cell)
    assert (cell["chance"], cell["wait"]) == (0.0, 0.0)
