"""The workload: arrival processes against closed forms, keyed draws, blocks, traces, users.

Means and variances of counts are compared within six standard errors (false-alarm rate 2e-9
each), laws by Kolmogorov–Smirnov or chi-square tests at 1e-6, all on seeds fixed in advance.
Power: rates 5% off, or the process that a usual slip would make, must fail the same test.
"""

from __future__ import annotations

import heapq
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import linalg, stats

import walras as w
from walras.market import build, workload
from walras.market.engine import Engine
from walras.market.trace import read_trace, seconds_of

steady = settings(deadline=None, derandomize=True)
Array = NDArray[np.float64]
SELLER = w.Seller("s", accuracy=1.0, slots="unlimited")


def tasks(
    classes: list[w.TaskClass], *, until: float = math.inf, count: int = 10**9, seed: int = 0,
    block: int = 4096, sellers: list[w.Seller] | None = None, base: Path = Path(),
) -> Any:  # fmt: skip
    """Return the tasks (records of `DEMAND`) that a run meets, in order."""
    market = w.Market(tasks=classes, sellers=sellers or [SELLER])
    state, sources, trace = build.build(market, seed, block=block, base=base)
    found, total, rows, held = [], 0, state.block, state.block[:0].copy()
    with np.errstate(over="ignore"):
        while total < count:
            rows, n, held = workload.next_block(
                rows, held, sources, state.classes, state.laws, state.tables, trace
            )
            found.append(rows[:n].copy())
            total += n
            if n == 0 or found[-1]["time"][-1] > until:
                break
    rows = np.concatenate(found)[:count]
    return rows[rows["time"] < until]


def times(arrivals: Any, until: float, seed: int = 0) -> Array:
    """Return the arrival times of a single class up to a time."""
    return np.asarray(tasks([w.TaskClass("k", arrivals)], until=until, seed=seed)["time"])


def counts(at: Array, width: float, until: float, first: int = 0) -> Array:
    """Return how many arrivals fall into each window of a width, the first few left out."""
    edges = np.arange(first, math.floor(until / width + 1e-9) + 1) * width
    return np.diff(np.searchsorted(at, edges)).astype(np.float64)


def batched_z(x: Array, exact: float, batches: int = 40) -> float:
    """Return the z-score of a mean, its error from batch means (windows may be correlated)."""
    means = x[: len(x) // batches * batches].reshape(batches, -1).mean(axis=1)
    return float((means.mean() - exact) / (means.std(ddof=1) / math.sqrt(batches)))


# --- Poisson -----------------------------------------------------------------------------------


def test_poisson_gaps_are_exponential_and_independent() -> None:
    """Law of the gaps, correlation of neighbours, index of dispersion 1; 5% off fails."""
    at = times(w.Poisson(5.0), 12_000.0)
    gaps = np.diff(at)
    assert stats.kstest(gaps, stats.expon(scale=0.2).cdf).pvalue > 1e-6
    assert stats.kstest(1.05 * gaps, stats.expon(scale=0.2).cdf).pvalue < 1e-6
    assert abs(np.corrcoef(gaps[:-1], gaps[1:])[0, 1]) * math.sqrt(len(gaps)) < 6.0
    n = counts(at, 2.0, 12_000.0)
    assert abs(n.var(ddof=1) / n.mean() - 1.0) < 6.0 * math.sqrt(2.0 / len(n))
    assert abs(len(at) - 60_000) < 6.0 * math.sqrt(60_000)


def test_first_arrival_is_a_gap_after_time_zero() -> None:
    """Over 300 seeds the first arrival is exponential: nothing arrives at zero by itself."""
    first = [tasks([w.TaskClass("k", w.Poisson(2.0))], count=1, seed=s, block=1)["time"][0]
             for s in range(300)]  # fmt: skip
    assert stats.kstest(first, stats.expon(scale=0.5).cdf).pvalue > 1e-6


# --- Markov-modulated --------------------------------------------------------------------------


def dispersion(rates: list[float], dwell: list[float], width: float) -> tuple[float, float]:
    """Return mean and index of dispersion of the counts of a stationary cyclic MMPP.

    Var N(t) = m·t + 2∫₀ᵗ (t − s)·(π Λ e^(Qs) Λ 1 − m²) ds (Fischer & Meier-Hellstern 1993), by
    Gauss–Legendre quadrature of the matrix exponential.
    """
    n = len(rates)
    q = np.zeros((n, n))
    for i in range(n):
        q[i, i] = -1.0 / dwell[i]
        q[i, (i + 1) % n] += 1.0 / dwell[i]
    pi, rate = np.array(dwell) / sum(dwell), np.diag(rates)
    mean = float(pi @ np.array(rates))
    nodes, weights = np.polynomial.legendre.leggauss(60)
    s = (nodes + 1.0) * width / 2.0
    cov = np.array([(pi @ rate @ linalg.expm(q * x) @ rate).sum() - mean**2 for x in s])
    var = mean * width + 2.0 * float(((width - s) * cov * weights).sum()) * width / 2.0
    return mean * width, var / (mean * width)


def two_phase(rates: list[float], dwell: list[float], t: float) -> float:
    """Return the closed form of the index of dispersion for two phases (Heffes & Lucantoni)."""
    (a, b), (s1, s2) = rates, (1 / d for d in dwell)
    s = s1 + s2
    k = 2 * s1 * s2 * (a - b) ** 2 / (s**2 * (a * s2 + b * s1))
    return 1 + k * (1 - (1 - math.exp(-s * t)) / (s * t))


def spread_ok(n: Array, index: float) -> bool:
    """Whether the variance of counts fits an index of dispersion within six standard errors."""
    squares = (n - n.mean()) ** 2
    return abs(batched_z(squares, index * n.mean())) < 6.0


@pytest.mark.parametrize(
    ("rates", "dwell"), [([12.0, 2.0], [1.5, 3.0]), ([0.0, 20.0], [2.0, 0.5]),
                         ([10.0, 0.0, 3.0], [0.5, 1.0, 2.0])],
)  # fmt: skip
def test_mmpp_has_the_mean_and_dispersion_of_its_phases(
    rates: list[float], dwell: list[float]
) -> None:
    """Counts in windows; exchanged dwell times, or Poisson of the same mean, would not pass."""
    until, width = 20_000.0, 2.0
    mean, index = dispersion(rates, dwell, width)
    if len(rates) == 2:
        assert index == pytest.approx(two_phase(rates, dwell, width), rel=1e-9)
    n = counts(times(w.MMPP(rates=rates, dwell=dwell), until), width, until, first=10)
    assert mean == pytest.approx(width * w.MMPP(rates=rates, dwell=dwell).mean_rate)
    assert abs(batched_z(n, mean)) < 6.0
    assert spread_ok(n, index)
    assert not spread_ok(n, 1.0)
    assert not spread_ok(n, dispersion(rates, [2 * d for d in dwell], width)[1])
    assert abs(batched_z(n, dispersion(rates, dwell[::-1], width)[0])) > 6.0


# --- time-varying ------------------------------------------------------------------------------


def expected_profile(process: w.Diurnal, bins: int) -> Array:
    """Return the expected arrivals of each part of a cycle, the rate integrated exactly."""
    edges = np.linspace(0.0, process.period, bins + 1)
    turn = 2.0 * math.pi * (edges + process.phase) / process.period
    integral = edges - process.amplitude * process.period / (2.0 * math.pi) * np.cos(turn)
    return np.asarray(process.rate * np.diff(integral))


def fits_profile(at: Array, process: w.Diurnal, cycles: int, bins: int = 16) -> bool:
    """Whether the profile over the cycle passes a chi-square test at 1e-6 (Poisson counts)."""
    n = np.bincount((at % process.period / process.period * bins).astype(int), minlength=bins)
    expect = expected_profile(process, bins) * cycles
    return bool(stats.chi2.sf(((n - expect) ** 2 / expect).sum(), bins) > 1e-6)


def by_scaled_gaps(process: w.Diurnal, until: float) -> Array:
    """Return arrivals of the usual slip: each gap drawn at the rate of the moment before it."""
    rng, t, out = np.random.default_rng(0), 0.0, []
    while t < until:
        turn = 2.0 * math.pi * (t + process.phase) / process.period
        t += rng.exponential() / (process.rate * (1.0 + process.amplitude * math.sin(turn)))
        out.append(t)
    return np.array(out[:-1])


@pytest.mark.parametrize("phase", [0.0, 1.3])
def test_diurnal_arrivals_follow_the_rate(phase: float) -> None:
    """Profile of the cycle, and Poisson counts in windows; scaled gaps fail, 5% fails."""
    process, cycles = w.Diurnal(4.0, amplitude=0.9, period=6.0, phase=phase), 2500
    until = cycles * process.period
    at = times(process, until)
    assert fits_profile(at, process, cycles)
    assert not fits_profile(by_scaled_gaps(process, until), process, cycles)
    for slip in ({"rate": 4.2}, {"amplitude": 0.85}, {"phase": phase + 0.1}):
        assert not fits_profile(at, process.model_copy(update=slip), cycles)
    cells = counts(at, process.period / 8, until).reshape(cycles, 8)
    index = cells.var(axis=0, ddof=1) / cells.mean(axis=0)
    assert np.abs(index - 1.0).max() < 6.0 * math.sqrt(2.0 / cycles) * 1.1


# --- batches -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("size", "spread", "mean", "index"),
    [(3.0, "constant", 3.0, 3.0), (2.6, "constant", 3.0, 3.0), (2.5, "geometric", 2.5, 4.0),
     (1.0, "geometric", 1.0, 1.0)],
)  # fmt: skip
def test_batches_have_the_dispersion_of_a_compound_poisson_process(
    size: float, spread: str, mean: float, index: float
) -> None:
    """Index of dispersion E[S²]/E[S]: s if constant, 2m − 1 if geometric; another one fails."""
    until, rate = 10_000.0, 2.0
    process = w.Batch(rate, size, spread=spread)
    at = times(process, until)
    n = counts(at, 1.0, until)
    assert process.mean_rate == rate * mean
    assert abs(batched_z(n, rate * mean)) < 6.0
    assert spread_ok(n, index)
    assert not spread_ok(n, 1.5 * index)
    starts, sizes = np.unique(at, return_counts=True)
    assert stats.kstest(np.diff(starts), stats.expon(scale=1 / rate).cdf).pvalue > 1e-6
    if spread == "constant":
        assert set(sizes[:-1]) == {mean}
    elif mean > 1.0:
        seen = np.bincount(np.minimum(sizes, 12), minlength=13)[1:]
        law = stats.geom(1 / mean)
        expect = len(sizes) * np.append(law.pmf(np.arange(1, 12)), law.sf(11))
        assert stats.chisquare(seen, expect).pvalue > 1e-6


# --- blocks and keys ---------------------------------------------------------------------------


def mixed() -> list[w.TaskClass]:
    """Return a class of every kind of arrivals, with every kind of draw."""
    laws: dict[str, Any] = {
        "input_tokens": w.Gamma(100.0, 1.5), "output_tokens": w.LogNormal(50.0, 1.0),
        "value": w.Exponential(1.0), "delay_cost": w.ShareOfValue(0.1),
        "deadline": w.Uniform(1.0, 2.0), "patience": w.Exponential(5.0), "difficulty": {"sd": 2.0},
    }  # fmt: skip
    trace = w.Replay(
        times=[0.0, 1.0, 1.0, 2.5], input_tokens=[1, 2, 3, 4], output_tokens=[5, 6, 7, 8]
    )
    return [
        w.TaskClass("poisson", w.Poisson(3.0), **laws),
        w.TaskClass("mmpp", w.MMPP([1.0, 9.0], [2.0, 1.0]), **laws),
        w.TaskClass("diurnal", w.Diurnal(2.0, amplitude=1.0, period=20.0), **laws),
        w.TaskClass("batch", w.Batch(1.0, 2.5, spread="geometric"), **laws),
        w.TaskClass("replay", trace, **{**laws, "output_tokens": "replay"}),
    ]


@pytest.mark.parametrize("block", [1, 7, 4096])
def test_block_size_changes_no_task(block: int) -> None:
    """The same 600 tasks to the last bit, and those of each class alone, merged by (time, id)."""
    expect = tasks(mixed(), count=600, block=100)
    assert tasks(mixed(), count=600, block=block).tobytes() == expect.tobytes()
    streams = [
        [(t["time"], t["id"]) for t in tasks([task], until=expect["time"][-1] + 1.0)]
        for task in mixed()
    ]
    merged = list(heapq.merge(*streams))[:600]
    assert merged == list(zip(expect["time"], expect["id"], strict=True))
    assert len(np.unique(expect["kind"])) == 5
    assert len(np.unique(expect["id"])) == 600


def test_ties_in_time_are_settled_by_id() -> None:
    """Forty classes bring three tasks each at two instants: ids rise, classes are mixed.

    Blocks that end within an instant change nothing: it is held back until it is whole.
    """
    same = [w.TaskClass(f"k{i}", w.Replay(times=[1.0, 1.0, 2.0])) for i in range(40)]
    found = tasks(same)
    assert len(found) == 120
    for instant in (1.0, 2.0):
        tied = found[found["time"] == instant]
        assert (np.diff(tied["id"].astype(object)) > 0).all()
        assert (np.diff(tied["kind"]) < 0).any()
    for block in (1, 7, 100):
        assert tasks(same, block=block).tobytes() == found.tobytes()


def test_a_lone_task_is_not_last_among_many_of_its_instant() -> None:
    """One task beside fifty of another class: its place is a coin of its own, 25 on average.

    Over 200 seeds the mean place has a standard error of 1.04; ±6 is a false alarm below 1e-8.
    """
    classes = [
        w.TaskClass("many", w.Replay(times=[1.0] * 50)),
        w.TaskClass("one", w.Replay(times=[1.0])),
    ]
    places = [int(np.flatnonzero(tasks(classes, seed=s)["kind"] == 1)[0]) for s in range(200)]
    assert abs(np.mean(places) - 25.0) < 6.0


def test_other_classes_and_sellers_change_no_task() -> None:
    """A class's tasks are the same alone, among others, in another order, before more sellers."""
    alone = tasks(mixed()[:1], until=100.0)
    among = tasks(mixed()[::-1], until=100.0)
    mine = among[among["kind"] == 4]
    assert len(alone) > 200
    more = tasks(mixed()[:1], until=100.0, sellers=[SELLER, w.Seller("t", accuracy=0.5)])
    assert more.tobytes() == alone.tobytes()
    for name in alone.dtype.names:
        if name != "kind":
            assert (mine[name] == alone[name]).all(), name
    other = tasks(mixed()[:1], until=100.0, seed=1)
    assert not set(other["id"]) & set(alone["id"])
    renamed = tasks([mixed()[0].model_copy(update={"name": "new"})], until=100.0)
    assert not set(renamed["id"]) & set(alone["id"])


def test_draws_of_a_task_follow_their_laws_independently() -> None:
    """Each field has its own law (at 1e-6); fields of a task are uncorrelated."""
    x = tasks(mixed()[:1], count=20_000)
    sigma = math.sqrt(math.log(2.0))
    laws = {
        "input": stats.gamma(1 / 2.25, scale=225.0),
        "output": stats.lognorm(sigma, scale=50.0 * math.exp(-(sigma**2) / 2)),
        "value": stats.expon(), "deadline": stats.uniform(1.0, 1.0),
        "patience": stats.expon(scale=5.0), "difficulty": stats.norm(0.0, 2.0),
    }  # fmt: skip
    for name, law in laws.items():
        assert stats.kstest(x[name], law.cdf).pvalue > 1e-6, name
    ranks = np.array([stats.rankdata(x[name]) for name in laws])
    z = np.corrcoef(ranks) * math.sqrt(len(x))
    assert np.abs(z[np.triu_indices(len(laws), 1)]).max() < 6.0
    assert x["delay_cost"] == pytest.approx(0.1 * x["value"])


def test_deadline_and_patience_where_there_are_none() -> None:
    """Infinite when absent; patience "deadline" is the task's own deadline."""
    none = tasks([w.TaskClass("k", w.Poisson(1.0))], count=5)
    assert np.isinf(none["deadline"]).all()
    assert np.isinf(none["patience"]).all()
    both = w.TaskClass("k", w.Poisson(1.0), deadline=w.Exponential(2.0), patience="deadline")
    own = tasks([both], count=5)
    assert (own["patience"] == own["deadline"]).all()
    assert np.isfinite(own["deadline"]).all()


# --- traces ------------------------------------------------------------------------------------

HEAD = "TIMESTAMP,ContextTokens,GeneratedTokens\n"
COLUMNS = HEAD.strip().split(",")


@steady
@given(
    gaps=st.lists(st.floats(0.0, 100.0), min_size=1, max_size=20),
    block=st.sampled_from([1, 7, 4096]),
)
def test_replay_equals_its_trace(gaps: list[float], block: int) -> None:
    """Times and sizes are those listed, those of one instant by id, and then no more come."""
    at = np.cumsum(gaps).tolist()
    ins, outs = [float(i) for i in range(len(at))], [100.0 + i for i in range(len(at))]
    replay = w.Replay(times=at, input_tokens=ins, output_tokens=outs)
    task = w.TaskClass("k", replay, input_tokens="replay", output_tokens="replay")
    found = tasks([task], block=block)
    assert found["time"].tolist() == at
    assert (found["output"] == found["input"] + 100.0).all(), "rows stay together"
    order = np.argsort(found["input"])
    assert found["input"][order].tolist() == ins
    assert found["time"][order].tolist() == at


def test_replay_of_a_file_starts_when_it_is_told(tmp_path: Path) -> None:
    """Times shift so that the first is `start`; sizes not replayed are drawn; rows are sorted."""
    rows = ["18:17:04.5,3,30", "18:17:03.9799600,1,10", "18:18:03.97996,4,40"]
    text = HEAD + "".join(f"2023-11-16 {row}\n" for row in rows)
    (tmp_path / "trace.csv").write_text(text, "utf-8")
    replay = w.Replay(file="trace.csv", start=5.0)
    task = w.TaskClass("k", replay, input_tokens="replay", output_tokens=w.Exponential(9.0))
    found = tasks([task], base=tmp_path)
    np.testing.assert_allclose(found["time"], [5.0, 5.52004, 65.0], atol=1e-6)
    assert found["input"].tolist() == [1.0, 3.0, 4.0]
    assert not set(found["output"]) & {10.0, 30.0, 40.0}


def test_a_byte_order_mark_is_no_part_of_the_first_column(tmp_path: Path) -> None:
    """Spreadsheets write one."""
    (tmp_path / "trace.csv").write_text(HEAD + "7,1,2\n", "utf-8-sig")
    assert read_trace(tmp_path / "trace.csv", COLUMNS).tolist() == [[0.0], [1.0], [2.0]]


@pytest.mark.parametrize(
    ("stamp", "seconds"),
    [("12.5", 12.5), ("1e3", 1000.0), ("1970-01-01 00:00:10", 10.0),
     ("1970-01-01 00:01:00.25", 60.25), ("1970-01-02T00:00:00.0000001", 86400.0000001),
     ("2023-11-16 18:17:03.9799600", 1700158623.97996), ("1970-01-03", 172800.0),
     ("1970-01-01T00:00:10Z", 10.0), ("1970-01-01T01:00:10.5+01:00", 10.5),
     ("1969-12-31 19:00:10,25-05:00", 10.25), ("19700101T000010.1234567Z", 10.1234567)],
)  # fmt: skip
def test_recorded_times_are_read(stamp: str, seconds: float) -> None:
    """Seconds, or ISO 8601 timestamps with any number of decimals; UTC without an offset."""
    assert seconds_of(stamp)[0] == pytest.approx(seconds, abs=1e-6)


@pytest.mark.parametrize("stamp", ["", "yesterday", "2023-13-01 00:00:00", "2023-11-16 18:17:03.x",
                                   "2023-11-16 18:17:03+25:00", "10 UTC"])  # fmt: skip
def test_other_words_are_no_times(stamp: str) -> None:
    """What is no time is refused."""
    with pytest.raises(ValueError, match=r".+"):
        seconds_of(stamp)


def test_rows_with_offsets_are_put_in_order_of_time(tmp_path: Path) -> None:
    """The same instant in two zones is one instant."""
    rows = (
        "2025-03-30T01:30:00+01:00,1,1\n2025-03-30T03:30:00+02:00,2,2\n2025-03-30T00:29:59Z,3,3\n"
    )
    (tmp_path / "trace.csv").write_text(HEAD + rows)
    assert read_trace(tmp_path / "trace.csv", COLUMNS)[:2].tolist() == [[0, 1, 3601], [3, 1, 2]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b,c\n1,2,3\n", r"trace\.csv has no column TIMESTAMP, ContextTokens, GeneratedTokens"),
        ("TIMESTAMP,ContextTokens\n1,2\n", r"trace\.csv has no column GeneratedTokens"),
        ("", r"trace\.csv has no column"),
        (HEAD, r"trace\.csv holds no rows"),
        (HEAD + "1,2,3\n2,x,3\n", r"trace\.csv, line 3: .*'x'"),
        (HEAD + "1,2,3\n\n2,3,4\nsoon,3,4\n", r"trace\.csv, line 5: .*soon"),
        (HEAD + "1,2\n", r"trace\.csv, line 2"),
        (HEAD + "1,2,3\n2,-1,3\n", r"trace\.csv, line 3: .*negative"),
        (HEAD + "1,2,nan\n", r"trace\.csv, line 2: .*not finite"),
        (HEAD + "1e999,2,3\n", r"trace\.csv, line 2: .*not finite"),
        (HEAD + "1,2,3\n9e307,2,3\n", r"trace\.csv, line 3: .*too large"),
        (HEAD + "1,2," + "3" * 200_000, r"trace\.csv, after line 1: .*field limit"),
        (HEAD.encode("utf-16"), r"trace\.csv, after line 0: .*codec"),
        (HEAD + "1,2,3\n2,\x00,3\n", r"trace\.csv, line 3"),
        (
            HEAD + "2023-11-16T18:17:03Z,1,2\n2023-11-16T18:17:04,1,2\n",
            r"line 3: a timestamp after a timestamp with a UTC offset; all rows must be alike",
        ),
        (HEAD + "1,2,3\n2023-11-16,1,2\n", r"line 3: a timestamp after a number of seconds"),
    ],
)
def test_bad_traces_are_refused_with_file_and_line(
    text: str | bytes, message: str, tmp_path: Path
) -> None:
    """A ValueError that says where, whatever is wrong."""
    file = tmp_path / "trace.csv"
    file.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ValueError, match=message):
        read_trace(file, COLUMNS)


@steady
@given(body=st.binary(max_size=60))
def test_no_bytes_break_the_reader(body: bytes, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Any file gives finite rows in order, or a ValueError."""
    file = tmp_path_factory.getbasetemp() / "any.csv"
    for head in (b"", HEAD.encode(), HEAD.encode() + b"1,2,3\n"):
        file.write_bytes(head + body)
        try:
            data = read_trace(file, COLUMNS)
        except ValueError as error:
            complaint = str(error)
        else:
            complaint = ""
        if complaint:
            assert complaint.startswith("any.csv")
            continue
        assert np.isfinite(data).all()
        assert (np.diff(data[0]) >= 0).all()
        assert data[0, 0] == 0.0


# --- closed populations ------------------------------------------------------------------------


def rows_of(market: w.Market, until: float) -> Any:
    """Return all trade rows of a run."""
    found: list[Any] = []
    engine = Engine(market, 0, keep=found.append)
    engine.advance(until)
    engine.flush()
    return np.concatenate(found)


@pytest.mark.parametrize("listed", [True, False], ids=["served", "finds no seller"])
def test_a_user_thinks_from_one_answer_to_the_next_task(listed: bool) -> None:
    """Think times follow their law, from the answer (network time included) or from balking."""
    task = w.TaskClass("k", w.Closed(1, w.Gamma(2.0, 0.5)), output_tokens=w.Exponential(1.0),
                       value=1.0)  # fmt: skip
    seller = w.Seller("s", accuracy=1.0, startup_time=1.0, network_time=0.5,
                      enters=0.0 if listed else 1e8)  # fmt: skip
    rows = rows_of(w.Market(tasks=[task], sellers=[seller]), 30_000.0)
    assert (rows["status"] == (0 if listed else 1)).all()
    back = rows["answer"] if listed else rows["finish"]
    thought = np.append(rows["arrival"][:1], rows["arrival"][1:] - back[:-1])
    law = stats.gamma(4.0, scale=0.5)
    assert thought.min() > 0.0
    assert stats.kstest(thought, law.cdf).pvalue > 1e-6
    assert stats.kstest(1.1 * thought, law.cdf).pvalue < 1e-6
    if listed:
        late = rows["arrival"][1:] - rows["finish"][:-1]
        assert stats.kstest(late, law.cdf).pvalue < 1e-6


def test_closed_population_has_the_throughput_of_the_machine_repair_model() -> None:
    """Three users, think time 2, service 1, one slot: the birth–death chain's throughput."""
    users, think = 3, 2.0
    weights = [1.0]
    for away in range(users, 0, -1):
        weights.append(weights[-1] * away / think)
    throughput = 1.0 - weights[0] / sum(weights)
    task = w.TaskClass("k", w.Closed(users, w.Exponential(think)), value=1.0,
                       output_tokens=w.Exponential(1.0), outside_option=False)  # fmt: skip
    until = 40_000.0
    rows = rows_of(w.Market(tasks=[task], sellers=[w.Seller("s", accuracy=1.0)]), until)
    n = counts(np.sort(rows["finish"]), 10.0, until, first=10)
    assert abs(batched_z(n, 10.0 * throughput)) < 6.0
    assert abs(batched_z(n, 10.5 * throughput)) > 6.0
    assert abs(batched_z(n, 10.0 * users / (think + 1.0))) > 6.0, "as if nobody queued"


def test_more_users_change_no_other_users_tasks() -> None:
    """The n-th task of a user is the same whatever the number of users."""

    def ids(users: int) -> set[int]:
        task = w.TaskClass("k", w.Closed(users, 5.0), value=1.0)
        market = w.Market(tasks=[task], sellers=[SELLER])
        return {int(i) for i in rows_of(market, 50.0)["id"]}

    assert ids(2) < ids(5)
